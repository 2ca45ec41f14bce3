// Malformed and ambiguous requests, sent whole and byte by byte: each is
// refused, its connection closed, and nothing of it reaches the backend.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { badBodies, badHeads, misspeltCodings } from '../harness/bad_heads.mjs';
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
  gw = await gateway(conf({ servers: [api.url] }), { files: { 'jwks.json': jwksOf(key) } });
});
after(async () => {
  await gw.stop();
  await api.stop();
});

async function refused(bytes, statuses, pieces) {
  const { answers, closed, text } = await rawRequest(gw.port, bytes, { pieces, close: true });
  assert.equal(answers.length, 1, `one answer: ${text.slice(0, 200)}`);
  assert.ok(statuses.includes(answers[0].status), `${answers[0].status} ${answers[0].body}`);
  assert.ok(closed);
  assert.equal(typeof JSON.parse(answers[0].body).error_description, 'string');
}

for (const [name, bytes, statuses] of badHeads(token)) {
  for (const pieces of ['whole', 'bytes']) {
    test(`head with ${name}, sent ${pieces}`, async () => {
      const reached = api.hits;
      await refused(bytes, statuses, pieces);
      assert.equal(api.hits, reached, 'something reached the backend');
    });
  }
}

for (const [name, bytes] of badBodies(token)) {
  for (const pieces of ['whole', 'bytes']) {
    test(`chunked body with ${name}, sent ${pieces}`, () =>
      refused(bytes, [400, 413, 431], pieces));
  }
}

/* The other side of the table: what must pass for the refusals to mean anything. */
const T = `Authorization: Bearer ${token}`;
const GOOD = {
  'a plain GET': head('GET /orders HTTP/1.1', 'Host: a', T),
  'a Host with a port': head('GET /orders HTTP/1.1', 'Host: a:8080', T),
  'a Host that is an address': head('GET /orders HTTP/1.1', 'Host: [::1]:80', T),
  'an absolute target like Host': head('GET http://a/orders HTTP/1.1', 'Host: a', T),
  'odd but legal fields': head(
    'GET /orders HTTP/1.1',
    'host:a',
    T,
    "!#$%&'*+-.^_`|~: a",
    'X:',
    'Y: \xe9',
  ),
  'a body': `${head('POST /orders HTTP/1.1', 'Host: a', T, 'Content-Length: 5')}hello`,
  'a body of no bytes': head('POST /orders HTTP/1.1', 'Host: a', T, 'Content-Length: 0'),
  chunks: `${head('POST /orders HTTP/1.1', 'Host: a', T, 'Transfer-Encoding: Chunked')}5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n`,
  'a head just under its bounds': head(
    'GET /orders HTTP/1.1',
    'Host: a',
    T,
    `X: ${'a'.repeat(15_000)}`,
  ),
  '90 fields': head(
    'GET /orders HTTP/1.1',
    'Host: a',
    T,
    ...Array.from({ length: 88 }, (_, i) => `X-${i}: a`),
  ),
};
for (const [name, bytes] of Object.entries(GOOD)) {
  for (const pieces of ['whole', 'bytes']) {
    test(`good: ${name}, sent ${pieces}`, async () => {
      const { answers } = await rawRequest(gw.port, bytes, { pieces });
      assert.equal(answers[0].status, 200, answers[0].body);
    });
  }
}

test('1,778 misspellings of Transfer-Encoding never change where a request ends', async () => {
  const body = '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
  const rows = misspeltCodings();
  const one = async ([name, line]) => {
    const bytes = `${head('POST /sealed HTTP/1.1', 'Host: a', T, line, `Content-Length: ${body.length}`)}${body}`;
    const { answers } = await rawRequest(gw.port, bytes);
    if (answers[0].status === 200) assert.equal(JSON.parse(answers[0].body).body, body, name);
    else assert.ok([400, 501].includes(answers[0].status), `${name}: ${answers[0].status}`);
    assert.equal(answers.length, 1, name);
  };
  api.forget();
  for (let i = 0; i < rows.length; i += 16) await Promise.all(rows.slice(i, i + 16).map(one));
  assert.ok(api.seen.every(({ url }) => url === '/sealed'));
  const names = api.seen.flatMap(({ headers }) => Object.keys(headers));
  assert.ok(!names.includes('transfer-encoding'), 'Transfer-Encoding reached the backend');
});

test('after all that the gateway serves as before', async () => {
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
  assert.doesNotMatch(gw.log(), /AddressSanitizer|runtime error|died|signal/);
});
