// What the backend is told of the consumer comes from the token alone: whatever the
// client says of itself is removed, in every spelling.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { head, rawRequest } from '../harness/raw.mjs';

const key = newKey('ES256');
const token = await mint(key);
let api;
let gw;

before(async () => {
  api = await backend();
  gw = await gateway(
    conf({
      servers: [api.url],
      more: 'route "open" { paths = {"/open"} upstream = "api" anonymous = true }',
    }),
    { files: { 'jwks.json': jwksOf(key) } },
  );
});
after(async () => {
  await gw.stop();
  await api.stop();
});

/** The fields that reached the backend, as [name, value] in the order and case they came in. */
async function reached(
  fields,
  { target = '/orders', authorization = `Authorization: Bearer ${token}`, body = '' } = {},
) {
  const bytes =
    head(
      `POST ${target} HTTP/1.1`,
      'Host: shop.test',
      ...(authorization ? [authorization] : []),
      ...fields,
    ) + body;
  const { answers } = await rawRequest(gw.port, bytes);
  assert.equal(answers[0].status, 200, answers[0].body);
  const { rawHeaders, trailers } = JSON.parse(answers[0].body);
  assert.deepEqual(trailers, []);
  return rawHeaders.flatMap((name, i) => (i % 2 ? [] : [[name, rawHeaders[i + 1]]]));
}

const valuesOf = (pairs, name) =>
  pairs.filter(([n]) => n.toLowerCase() === name).map(([, value]) => value);
const flat = (name) => name.toLowerCase().replace(/[^a-z0-9]/g, '');

const OURS = {
  'x-consumer-id': 'shop',
  'x-consumer-username': 'shop',
  'x-credential-identifier': 'shop',
  'x-authenticated-scope': 'orders:read orders:write',
  'x-authenticated-userid': 'user-1',
};
const NAMES = [...Object.keys(OURS), 'x-consumer-custom-id', 'x-anonymous-consumer'];

test('a good token sets each identity header once', async () => {
  const pairs = await reached([]);
  for (const [name, value] of Object.entries(OURS))
    assert.deepEqual(valuesOf(pairs, name), [value], name);
  for (const name of ['x-anonymous-consumer', 'x-consumer-custom-id'])
    assert.deepEqual(valuesOf(pairs, name), []);
});

for (const name of NAMES) {
  const spellings = [
    name,
    name.toUpperCase(),
    name.replaceAll('-', '_'),
    name.replace('-', '_'),
    name.replace('-', '.'),
    name.replace(/^x/, 'X').replaceAll('-', '_').toUpperCase(),
    name.replaceAll('-', '.'),
  ];
  for (const spelling of new Set(spellings)) {
    test(`forged ${spelling} never arrives`, async () => {
      for (const more of [[], [`Connection: ${spelling}`]]) {
        const pairs = await reached([`${spelling}: root`, `${spelling}: root2`, ...more]);
        const alike = pairs.filter(([n]) => flat(n) === flat(name)).map(([, value]) => value);
        assert.deepEqual(alike, OURS[name] === undefined ? [] : [OURS[name]]);
      }
    });
  }
}

test('forged identity never arrives on an anonymous route either', async () => {
  const pairs = await reached(
    NAMES.map((name) => `${name}: root`),
    { target: '/open', authorization: '' },
  );
  for (const name of NAMES) {
    assert.deepEqual(
      valuesOf(pairs, name).filter((value) => value === 'root'),
      [],
      name,
    );
  }
  assert.deepEqual(valuesOf(pairs, 'x-anonymous-consumer'), ['true']);
});

test('Connection takes away what the client sent, and nothing of ours', async () => {
  const pairs = await reached([
    'X-Mine: 1',
    'X-Other: 2',
    'Connection: X-Mine, X-Consumer-ID, X-Authenticated-Scope, X-Forwarded-For, Host, X-Request-ID, Content-Length',
    'Content-Length: 0',
  ]);
  assert.deepEqual(valuesOf(pairs, 'x-mine'), []);
  assert.deepEqual(valuesOf(pairs, 'x-other'), ['2']);
  for (const [name, value] of Object.entries(OURS))
    assert.deepEqual(valuesOf(pairs, name), [value], name);
  for (const name of ['host', 'x-forwarded-for', 'x-request-id', 'content-length'])
    assert.equal(valuesOf(pairs, name).length, 1, name);
});

test('Connection: Authorization does not take the token away before it is checked', async () => {
  const { answers } = await rawRequest(
    gw.port,
    head(
      'GET /orders HTTP/1.1',
      'Host: a',
      'Authorization: Bearer letmein',
      'Connection: Authorization',
    ),
  );
  assert.ok([400, 401].includes(answers[0].status), answers[0].body);
});

test('hop-by-hop fields end here', async () => {
  const pairs = await reached([
    'Keep-Alive: timeout=5',
    'TE: trailers',
    'Trailer: X',
    'Proxy-Connection: keep-alive',
    'Proxy-Authorization: Basic x',
    'Upgrade: h2c',
    'HTTP2-Settings: AAMAAABkAAQAAP__',
    'Connection: Upgrade, HTTP2-Settings, TE',
  ]);
  for (const name of [
    'keep-alive',
    'te',
    'trailer',
    'proxy-connection',
    'proxy-authorization',
    'upgrade',
    'http2-settings',
  ]) {
    assert.deepEqual(valuesOf(pairs, name), [], name);
  }
  assert.doesNotMatch(valuesOf(pairs, 'connection').join(), /upgrade|te\b|http2/i);
});

test('forwarding fields are set anew', async () => {
  const pairs = await reached([
    'X-Forwarded-For: 1.2.3.4',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: evil.test',
    'Forwarded: for=1.2.3.4;host=evil.test',
    'X-Real-IP: 1.2.3.4',
  ]);
  assert.deepEqual(valuesOf(pairs, 'x-forwarded-for'), ['127.0.0.1']);
  assert.deepEqual(valuesOf(pairs, 'x-forwarded-proto'), ['http']);
  assert.deepEqual(valuesOf(pairs, 'x-forwarded-host'), ['shop.test']);
  assert.equal(valuesOf(pairs, 'forwarded').length, 1);
  assert.match(valuesOf(pairs, 'forwarded')[0], /for="?127\.0\.0\.1"?/);
  assert.ok(!pairs.some(([, value]) => /1\.2\.3\.4|evil/.test(value)));
});

for (const name of [
  'X-Original-URL',
  'X-Rewrite-URL',
  'X-Forwarded-Uri',
  'X-HTTP-Method-Override',
  'X-Method-Override',
  'X-HTTP-Method',
  'X-Original-Host',
  'X-Forwarded-Prefix',
  'X-Forwarded-Server',
  'X_Forwarded_For',
  'X_Original_URL',
]) {
  test(`${name} never arrives`, async () => {
    const pairs = await reached([`${name}: /orders/admin`]);
    assert.ok(!pairs.some(([, value]) => value === '/orders/admin'));
  });
}

test('X-Request-ID is on both sides and the same', async () => {
  const answer = await get(`${gw.url}/orders`, { token });
  const id = answer.headers['x-request-id'];
  assert.equal(answer.json.headers['x-request-id'], id);
  const line = await gw.logged((entry) => entry.request_id === id);
  assert.equal(line.consumer, 'shop');
  assert.equal(line.status, 200);
});

test('claims with line ends or other controls never split a header', async () => {
  for (const [name, value] of [
    ['sub', 'u\r\nX-Consumer-ID: root'],
    ['client_id', 'c\r\n\r\nGET /smuggled HTTP/1.1'],
    ['sub', 'u\nX: y'],
    ['scope', 'a\r\nX: y'],
    ['client_id', 'a\u0000b'],
    ['sub', '\u007f'],
  ]) {
    api.forget();
    const answer = await get(`${gw.url}/orders`, { token: await mint(key, { [name]: value }) });
    assert.ok([200, 401].includes(answer.status), `${answer.status}`);
    assert.ok(
      api.seen.every(
        (request) =>
          request.url === '/orders' &&
          request.headers.x === undefined &&
          request.headers['x-consumer-id'] !== 'root',
      ),
    );
  }
});

test('what our own tokens call the consumer means nothing in others', async () => {
  const pairs = await reached([], {
    authorization: `Authorization: Bearer ${await mint(key, { consumer: 'root', consumer_custom_id: 'root' })}`,
  });
  for (const [name, value] of Object.entries(OURS))
    assert.deepEqual(valuesOf(pairs, name), [value], name);
  assert.deepEqual(valuesOf(pairs, 'x-consumer-custom-id'), []);
});

test('which claim names the consumer', async () => {
  const who = async (changes) =>
    (await get(`${gw.url}/orders`, { token: await mint(key, changes) })).json.headers[
      'x-consumer-id'
    ];
  assert.equal(await who({}), 'shop');
  assert.equal(await who({ client_id: undefined, azp: 'web' }), 'web');
  assert.equal(await who({ client_id: undefined }), 'user-1');
});

test('trailers are dropped, whatever they hold', async () => {
  const pairs = await reached(['Transfer-Encoding: chunked'], {
    body: '2\r\nhi\r\n0\r\nAuthorization: Bearer x\r\nX-Consumer-ID: root\r\nHost: evil\r\nContent-Length: 9\r\nX-Mine: 1\r\n\r\n',
  });
  assert.deepEqual(valuesOf(pairs, 'x-consumer-id'), ['shop']);
  assert.deepEqual(valuesOf(pairs, 'x-mine'), []);
  assert.equal(valuesOf(pairs, 'host').length, 1);
});
