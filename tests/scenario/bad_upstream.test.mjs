// Backends are not trusted either: a malformed or smuggling answer is a
// 502 and its connection is never used again; a body cut short is never ended cleanly.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { freePort } from '../harness/jwks.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { connect, head, rawBackend, rawRequest } from '../harness/raw.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const token = await mint(key);
const ask = (target, method = 'GET') =>
  head(`${method} ${target} HTTP/1.1`, 'Host: a', `Authorization: Bearer ${token}`);

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const after200 = (...fields) => `HTTP/1.1 200 OK\r\n${fields.join('\r\n')}\r\n\r\n`;
const EVIL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';

const BAD = {
  'no HTTP at all': 'hello there\r\n\r\n',
  'random bytes': Buffer.concat([randomBytes(2000), Buffer.from('\r\n\r\n')]),
  'nothing, and a close': '',
  'HTTP/0.9': '<html>hi</html>\r\n\r\n',
  'HTTP/2.0': OK.replace('1.1', '2.0'),
  'HTTP/1.2': OK.replace('1.1', '1.2'),
  'status 099': OK.replace('200', '099'),
  'status 1000': OK.replace('200', '1000'),
  'status 600': OK.replace('200', '600'),
  'status 20': OK.replace('200', '20'),
  'status abc': OK.replace('200', 'abc'),
  'a negative status': OK.replace('200', '-20'),
  'no status': OK.replace(' 200 OK', ''),
  'a bare LF in the head': 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok',
  'a bare CR in a field': `${after200('X: a\rContent-Length: 2')}ok`,
  'a folded field': `${after200('X: a\r\n b', 'Content-Length: 2')}ok`,
  'a space before a colon': `${after200('Content-Length : 2')}ok`,
  'an empty name': `${after200(': x', 'Content-Length: 2')}ok`,
  'NUL in a field': `${after200('X: a\0b', 'Content-Length: 2')}ok`,
  'two lengths': `${after200('Content-Length: 2', 'Content-Length: 20')}ok`,
  'two equal lengths': `${after200('Content-Length: 2', 'Content-Length: 2')}ok`,
  'a list of lengths': `${after200('Content-Length: 2, 2')}ok`,
  'a length with a plus': `${after200('Content-Length: +2')}ok`,
  'a negative length': `${after200('Content-Length: -1')}ok`,
  'a huge length': `${after200('Content-Length: 99999999999999999999')}ok`,
  'a length and a coding': `${after200('Content-Length: 2', 'Transfer-Encoding: chunked')}2\r\nok\r\n0\r\n\r\n`,
  'an unknown coding': `${after200('Transfer-Encoding: gzip, chunked')}2\r\nok\r\n0\r\n\r\n`,
  'a coding twice': `${after200('Transfer-Encoding: chunked, chunked')}2\r\nok\r\n0\r\n\r\n`,
  'an unasked 101':
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  'interim answers without end': 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(100) + OK,
  'a head over all bounds': `${after200(`X: ${'a'.repeat(200_000)}`, 'Content-Length: 2')}ok`,
  'a thousand fields': `${after200(...Array.from({ length: 1000 }, (_, i) => `X-${i}: a`), 'Content-Length: 2')}ok`,
};

/* The answer is whole and good, and something comes after it that nobody asked for. */
const TRAILING = {
  'an answer after the answer': OK + EVIL,
  'letters after the answer': `${OK}junk`,
  'a body with 204': `HTTP/1.1 204 No Content\r\n\r\n${EVIL}`,
  'a body with 304': `HTTP/1.1 304 Not Modified\r\n\r\n${EVIL}`,
  'a body after a chunked one': `${after200('Transfer-Encoding: chunked')}2\r\nok\r\n0\r\n\r\n${EVIL}`,
};

const CUT = {
  'a body shorter than its length': `${after200('Content-Length: 1000')}ok`,
  'chunks without the last one': `${after200('Transfer-Encoding: chunked')}2\r\nok\r\n`,
  'a chunk cut in its middle': `${after200('Transfer-Encoding: chunked')}ff\r\nok`,
  'a chunk size of letters': `${after200('Transfer-Encoding: chunked')}2\r\nok\r\nxyz\r\n`,
  'a chunk longer than it says': `${after200('Transfer-Encoding: chunked')}2\r\nokay\r\n0\r\n\r\n`,
  'a bare LF after a chunk size': `${after200('Transfer-Encoding: chunked')}2\nok\r\n0\r\n\r\n`,
};

let server;
let gw;
let current;

before(async () => {
  server = await rawBackend((socket, request, n) => current(socket, request, n));
  gw = await gateway(
    conf({ servers: [server.url], workers: 1, upstream: 'max_fails = 0 retries = 0' }),
    {
      files: { 'jwks.json': jwksOf(key) },
    },
  );
});
after(async () => {
  await gw.stop();
  await server.stop();
});

/** The backend answers these bytes and closes when `close` is set. */
const answering = (bytes, close) => {
  current = (socket) => {
    socket.write(bytes, 'latin1');
    if (close) socket.end();
  };
};

/** The next request is answered well, on a connection that was never used before. */
async function servesAnew(connected) {
  assert.equal(server.connected, connected + 1);
  await servesAgain();
  assert.equal(server.connected, connected + 2, 'a spoilt connection was used again');
}

async function noneOpen() {
  server.drop();
  await until(() => server.open === 0, 'the connections to be gone');
  return server.connected;
}

async function servesAgain() {
  answering(OK, false);
  const { status, body } = await get(`${gw.url}/orders`, { token });
  assert.equal(status, 200);
  assert.equal(body, 'ok');
}

for (const [name, bytes] of Object.entries(BAD)) {
  test(`502: ${name}`, async () => {
    answering(bytes, true);
    const { status, body } = await get(`${gw.url}/orders`, { token });
    assert.equal(status, 502, body);
    assert.equal(typeof JSON.parse(body).error_description, 'string');
    await until(() => server.open === 0, 'the bad connection to be closed');
    await servesAgain();
  });
}

for (const [name, bytes] of Object.entries(TRAILING)) {
  test(`never reused: a connection with ${name}`, async () => {
    const connected = await noneOpen();
    answering(bytes, false);
    const { answers, rest } = await rawRequest(gw.port, ask('/orders'));
    assert.ok([200, 204, 304, 502].includes(answers[0].status));
    assert.ok(!answers[0].body.includes('evil'));
    assert.equal(rest.length, 0);
    await servesAnew(connected);
  });
}

test('never reused: a connection with a body after HEAD', async () => {
  const connected = await noneOpen();
  answering(OK, false);
  const { answers } = await rawRequest(gw.port, ask('/orders', 'HEAD'), { methods: ['HEAD'] });
  assert.equal(answers[0].body, '');
  await servesAnew(connected);
});

for (const [name, bytes] of Object.entries(CUT)) {
  test(`cut off, never ended cleanly: ${name}`, async () => {
    answering(bytes, true);
    const client = await connect(gw.port);
    client.write(ask('/orders'));
    const [answer] = await client.answers(1);
    if (answer?.status !== 502) await client.over();
    const text = client.bytes.toString('latin1');
    client.destroy();
    if (/^HTTP\/1\.1 502 /.test(text)) return;
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.ok(!text.endsWith('0\r\n\r\n'), 'the last chunk was made up');
    const length = text.match(/content-length: (\d+)/i);
    if (length) assert.ok(text.length - text.indexOf('\r\n\r\n') - 4 < Number(length[1]));
    await servesAgain();
  });
}

test('a few interim answers are fine, and the last one counts', async () => {
  answering(
    'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + OK,
    false,
  );
  const { answers } = await rawRequest(gw.port, ask('/orders'));
  assert.equal(answers[0].status, 200);
  assert.equal(answers[0].body, 'ok');
});

test('an answer that ends with its connection is passed on whole', async () => {
  answering('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end', true);
  assert.equal((await get(`${gw.url}/orders`, { token })).body, 'until the end');
  answering('HTTP/1.0 200 OK\r\n\r\nuntil the end', true);
  assert.equal((await get(`${gw.url}/orders`, { token })).body, 'until the end');
});

test('an answer byte by byte is one answer', async () => {
  current = async (socket) => {
    for (const byte of Buffer.from(
      `${after200('Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\n\r\n`,
    )) {
      socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
  };
  assert.equal((await get(`${gw.url}/orders`, { token })).body, 'abc');
});

test('an early answer, while the body is still coming', async () => {
  answering('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', true);
  const client = await connect(gw.port);
  client.write(
    `${head('POST /orders HTTP/1.1', 'Host: a', `Authorization: Bearer ${token}`, 'Content-Length: 10000000')}x`,
  );
  const [answer] = await client.answers(1);
  assert.equal(answer.status, 413);
  await client.over();
  client.destroy();
  await servesAgain();
});

test('what the backend says of identity, hops and request ids is not passed on', async () => {
  answering(
    `${after200('Connection: X-Hop', 'X-Hop: 1', 'Keep-Alive: timeout=9', 'X-Request-ID: forged', 'X-Fine: 1', 'Content-Length: 2')}ok`,
    false,
  );
  const { headers } = await get(`${gw.url}/orders`, { token });
  assert.equal(headers['x-hop'], undefined);
  assert.equal(headers['x-fine'], '1');
  assert.notEqual(headers['x-request-id'], 'forged');
});

test('a kept connection that the backend closes meanwhile is not a failed request', async () => {
  await servesAgain();
  await noneOpen();
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
});

test('a dead backend is a 502, and its return is noticed', async () => {
  const port = await freePort();
  const lonely = await gateway(
    conf({ servers: [`http://127.0.0.1:${port}`], upstream: 'max_fails = 0' }),
    { files: { 'jwks.json': jwksOf(key) } },
  );
  try {
    const { status, json } = await get(`${lonely.url}/orders`, { token });
    assert.equal(status, 502);
    assert.match(json.error_description, /backend|upstream|server/);
  } finally {
    await lonely.stop();
  }
});

test('a silent backend is a 504 after read_timeout', async () => {
  const mute = await rawBackend(() => {});
  const patient = await gateway(conf({ servers: [mute.url], upstream: 'read_timeout = 1' }), {
    files: { 'jwks.json': jwksOf(key) },
  });
  try {
    assert.equal((await get(`${patient.url}/orders`, { token })).status, 504);
    await until(() => mute.open === 0, 'the silent connection to be closed');
  } finally {
    await patient.stop();
    await mute.stop();
  }
});

test('of two servers, a dead one costs no request', async () => {
  const dead = await freePort();
  const gw2 = await gateway(
    conf({ servers: [`http://127.0.0.1:${dead}`, server.url], upstream: 'retries = 1' }),
    { files: { 'jwks.json': jwksOf(key) } },
  );
  try {
    answering(OK, false);
    for (let i = 0; i < 20; i += 1)
      assert.equal((await get(`${gw2.url}/orders`, { token })).status, 200);
  } finally {
    await gw2.stop();
  }
});

test('all this cost no worker', () =>
  assert.doesNotMatch(gw.log(), /died|signal|AddressSanitizer|runtime error/));
