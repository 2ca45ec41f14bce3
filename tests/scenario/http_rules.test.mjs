// HTTP as it should be spoken: pipelining, Expect, Upgrade, HTTP/1.0, HEAD,
// bodies where none is usual, half-closes, limits, trailers.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get, open, post, read, send } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { connect, head, rawRequest } from '../harness/raw.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const token = await mint(key);
const expired = await mint(key, { exp: 1 });
const T = `Authorization: Bearer ${token}`;
const ask = (target, ...more) => head(`GET ${target} HTTP/1.1`, 'Host: a', T, ...more);
let api;
let gw;

before(async () => {
  api = await backend();
  gw = await gateway(
    conf({
      servers: [api.url],
      more: 'route "small" { paths = {"/small"} upstream = "api" max_body = "1K" }',
    }),
    { files: { 'jwks.json': jwksOf(key) } },
  );
});
after(async () => {
  await gw.stop();
  await api.stop();
});

test('pipelined requests are answered in order, each judged by its own token', async () => {
  api.forget();
  const bytes = [
    ask('/1'),
    ask('/2').replace(token, expired),
    ask('/3'),
    head('GET /4 HTTP/1.1', 'Host: a'),
    ask('/5'),
  ].join('');
  const { answers } = await rawRequest(gw.port, bytes, { count: 5 });
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 401, 200, 401, 200],
  );
  assert.deepEqual(
    answers.filter(({ status }) => status === 200).map(({ body }) => JSON.parse(body).url),
    ['/1', '/3', '/5'],
  );
  assert.deepEqual(
    api.seen.map(({ url }) => url),
    ['/1', '/3', '/5'],
  );
});

test('a thousand pipelined requests in one go', async () => {
  const bytes = Array.from({ length: 1000 }, (_, i) => ask(`/${i}`)).join('');
  const { answers } = await rawRequest(gw.port, bytes, { count: 1000 });
  assert.deepEqual(
    answers.map(({ body }) => JSON.parse(body).url),
    Array.from({ length: 1000 }, (_, i) => `/${i}`),
  );
});

test('pipelined requests with bodies keep their bodies', async () => {
  const one = (body) =>
    `${head('POST /p HTTP/1.1', 'Host: a', T, `Content-Length: ${body.length}`)}${body}`;
  const chunked = `${head('POST /p HTTP/1.1', 'Host: a', T, 'Transfer-Encoding: chunked')}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`;
  const { answers } = await rawRequest(
    gw.port,
    one('first') + chunked + one('') + one('GET / HTTP/1.1\r\n\r\n'),
    { count: 4 },
  );
  assert.deepEqual(
    answers.map(({ body }) => JSON.parse(body).body),
    ['first', 'abcde', '', 'GET / HTTP/1.1\r\n\r\n'],
  );
});

test('the body of a refused request is never taken for a request', async () => {
  api.forget();
  const smuggled = ask('/smuggled');
  const bytes = `${head('POST /orders HTTP/1.1', 'Host: a', `Content-Length: ${smuggled.length}`)}${smuggled}`;
  const { answers } = await rawRequest(gw.port, bytes + ask('/after'), { close: false });
  assert.equal(answers[0].status, 401);
  assert.ok(api.seen.every(({ url }) => url !== '/smuggled'));
});

test('100-continue comes only when the request is allowed', async () => {
  const client = await connect(gw.port);
  client.write(
    head('POST /orders HTTP/1.1', 'Host: a', T, 'Content-Length: 5', 'Expect: 100-continue'),
  );
  await client.seen(/^HTTP\/1\.1 100 /);
  client.write('hello');
  const [answer] = await client.answers(1);
  assert.equal(JSON.parse(answer.body).body, 'hello');
  assert.equal(client.bytes.toString('latin1').match(/HTTP\/1\.1 100 /g).length, 1);
  client.destroy();
});

test('without a good token there is no 100, and the body is not read', async () => {
  const before = api.hits;
  const { answers, interim } = await rawRequest(
    gw.port,
    head('POST /orders HTTP/1.1', 'Host: a', 'Content-Length: 5000000', 'Expect: 100-continue'),
    { close: true },
  );
  assert.equal(answers[0].status, 401);
  assert.deepEqual(interim, []);
  assert.equal(api.hits, before);
});

test('an Expect with the body sent along', async () => {
  const { answers } = await rawRequest(
    gw.port,
    `${head('POST /orders HTTP/1.1', 'Host: a', T, 'Content-Length: 5', 'Expect: 100-continue')}hello${ask('/next')}`,
    { count: 2 },
  );
  assert.equal(JSON.parse(answers[0].body).body, 'hello');
  assert.equal(JSON.parse(answers[1].body).url, '/next');
});

for (const expectation of ['foo', '100-continue, foo', '200-ok', '100-continuex']) {
  test(`Expect: ${expectation} is 417`, async () => {
    const before = api.hits;
    const { answers } = await rawRequest(
      gw.port,
      head('POST /orders HTTP/1.1', 'Host: a', T, 'Content-Length: 0', `Expect: ${expectation}`),
    );
    assert.equal(answers[0].status, 417);
    assert.equal(api.hits, before);
  });
}

test('Upgrade: h2c is stripped and the request answered', async () => {
  const { answers } = await rawRequest(
    gw.port,
    ask(
      '/orders',
      'Connection: Upgrade, HTTP2-Settings',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
    ),
  );
  assert.equal(answers[0].status, 200);
  assert.equal(JSON.parse(answers[0].body).headers.upgrade, undefined);
});

test('Upgrade: websocket is refused clearly', async () => {
  const before = api.hits;
  const { answers } = await rawRequest(
    gw.port,
    ask(
      '/orders',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
    ),
  );
  assert.equal(answers[0].status, 400);
  assert.match(answers[0].body, /upgrade|websocket/i);
  assert.equal(api.hits, before);
});

test('HTTP/1.0 is answered and closed, or kept when it asks', async () => {
  const old = (...more) => ask('/orders', ...more).replace('HTTP/1.1', 'HTTP/1.0');
  const { answers, closed } = await rawRequest(gw.port, old(), { close: true });
  assert.equal(answers[0].status, 200);
  assert.ok(closed);
  const hostless = await rawRequest(gw.port, head('GET /orders HTTP/1.0', T), { close: true });
  assert.equal(hostless.answers[0].status, 200);
  const kept = await rawRequest(gw.port, old('Connection: keep-alive') + old(), { count: 2 });
  assert.deepEqual(
    kept.answers.map(({ status }) => status),
    [200, 200],
  );
});

test('a chunked answer reaches an HTTP/1.0 client without chunks', async () => {
  const bytes = ask('/big?bytes=100000&chunked').replace('HTTP/1.1', 'HTTP/1.0');
  const { answers } = await rawRequest(gw.port, bytes, { close: true });
  assert.equal(answers[0].headers['transfer-encoding'], undefined);
  assert.equal(answers[0].body.length, 100_000);
});

test('Connection: close is honoured', async () => {
  const { answers, closed } = await rawRequest(gw.port, ask('/orders', 'Connection: close'), {
    close: true,
  });
  assert.equal(answers[0].status, 200);
  assert.match(answers[0].headers.connection, /close/i);
  assert.ok(closed);
});

test('HEAD has the head of GET and no body', async () => {
  const { answers, rest } = await rawRequest(
    gw.port,
    ask('/big?bytes=5000').replace('GET', 'HEAD') + ask('/next'),
    { count: 2, methods: ['HEAD', 'GET'] },
  );
  assert.equal(answers[0].headers['content-length'], '5000');
  assert.equal(answers[0].body, '');
  assert.equal(JSON.parse(answers[1].body).url, '/next');
  assert.equal(rest.length, 0);
});

test('a refused HEAD has no body either', async () => {
  const { answers, rest } = await rawRequest(
    gw.port,
    head('HEAD /orders HTTP/1.1', 'Host: a') + ask('/next'),
    { count: 2, methods: ['HEAD', 'GET'] },
  );
  assert.equal(answers[0].status, 401);
  assert.equal(answers[1].status, 200);
  assert.equal(rest.length, 0);
});

for (const status of [204, 304]) {
  test(`${status} has no body and the connection goes on`, async () => {
    const { answers, rest } = await rawRequest(gw.port, ask(`/status/${status}`) + ask('/next'), {
      count: 2,
    });
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [status, 200],
    );
    assert.equal(rest.length, 0);
  });
}

for (const method of ['GET', 'DELETE', 'OPTIONS', 'PUT', 'PATCH']) {
  test(`${method} with a body is forwarded with its framing, or refused`, async () => {
    const body = ask('/smuggled');
    const bytes = `${head(`${method} /orders HTTP/1.1`, 'Host: a', T, `Content-Length: ${body.length}`)}${body}`;
    api.forget();
    const { answers } = await rawRequest(gw.port, bytes);
    if (answers[0].status === 200) assert.equal(JSON.parse(answers[0].body).body, body);
    else assert.equal(answers[0].status, 400);
    assert.ok(api.seen.every(({ url }) => url === '/orders'));
  });
}

test('OPTIONS for everything needs a route or is refused, never passed on unjudged', async () => {
  const before = api.hits;
  const { answers } = await rawRequest(gw.port, head('OPTIONS * HTTP/1.1', 'Host: a'));
  assert.ok(answers[0].status >= 200 && answers[0].status < 500);
  assert.equal(api.hits, before);
});

test('a client that closes its half still gets its answer', async () => {
  const client = await connect(gw.port);
  client.write(ask('/hold'));
  await until(() => api.holding === 1, 'the request to arrive');
  client.finish();
  api.release();
  const [answer] = await client.answers(1);
  assert.equal(answer.status, 200);
  await client.over();
});

test('a client that goes away is let go, and its connection to the backend too', async () => {
  const client = await connect(gw.port);
  client.write(ask('/hold'));
  await until(() => api.holding === 1, 'the request to arrive');
  client.destroy();
  api.release();
  await until(() => api.holding === 0, 'the backend to be done');
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
});

test('a body over max_body is 413, by its length and by its chunks', async () => {
  const before = api.hits;
  const declared = await rawRequest(
    gw.port,
    head('POST /small HTTP/1.1', 'Host: a', T, 'Content-Length: 1025'),
    { close: true },
  );
  assert.equal(declared.answers[0].status, 413);
  assert.equal(api.hits, before);
  assert.equal((await post(`${gw.url}/small`, { token, body: 'x'.repeat(1024) })).status, 200);
  const chunk = `400\r\n${'x'.repeat(1024)}\r\n`;
  const streamed = await rawRequest(
    gw.port,
    head('POST /small HTTP/1.1', 'Host: a', T, 'Transfer-Encoding: chunked') + chunk + chunk,
    { close: true },
  );
  assert.equal(streamed.answers[0].status, 413);
});

test('a body that stops short never looks whole to the backend', async () => {
  const client = await connect(gw.port);
  client.write(
    `${head('POST /sink HTTP/1.1', 'Host: a', T, 'Content-Length: 100000')}${'x'.repeat(1000)}`,
  );
  client.finish();
  await client.over();
  assert.doesNotMatch(client.bytes.toString('latin1'), /^HTTP\/1\.1 200/);
  client.destroy();
});

test('one connection carries many requests, and the backend sees few connections', async () => {
  const before = api.connected;
  const bytes = Array.from({ length: 50 }, (_, i) => ask(`/${i}`)).join('');
  await rawRequest(gw.port, bytes, { count: 50 });
  assert.ok(api.connected - before <= 2, `${api.connected - before} new connections`);
});

test('an answer streams: its first bytes come before its last are made', async () => {
  const { request, answered } = open(`${gw.url}/big?bytes=50000000&chunked`, { token });
  request.end();
  const response = await answered;
  const first = await new Promise((resolve) => response.once('data', resolve));
  assert.ok(first.length > 0);
  response.destroy();
});

test('an upload streams: its first bytes arrive before its last are sent', async () => {
  const { request, answered } = open(`${gw.url}/sink`, { method: 'POST', token });
  const before = api.hits;
  request.write('x'.repeat(1000));
  await until(() => api.hits === before + 1, 'the upload to have begun');
  request.end('y');
  assert.equal((await read(await answered)).json.bytes, 1001);
});

test('each method passes as it is', async () => {
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    assert.equal((await send(`${gw.url}/orders`, { method, token })).json.method, method);
  }
});
