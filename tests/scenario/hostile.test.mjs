// Clients and backends that behave badly in the middle of an exchange: what one does must neither
// cost the other its answer, nor the worker its life, nor other clients their turn.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { connect, head, rawBackend, rawRequest } from '../harness/raw.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const token = await mint(key);
const T = `Authorization: Bearer ${token}`;
const ask = (target, ...more) => head(`GET ${target} HTTP/1.1`, 'Host: a', T, ...more);

async function house(t, server, options = {}) {
  const gw = await gateway(conf({ servers: [server.url], workers: 1, ...options }), {
    files: { 'jwks.json': jwksOf(key) },
  });
  t.after(async () => {
    await gw.stop();
    await server.stop();
  });
  return gw;
}

async function switches(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(status.match(/^voluntary_ctxt_switches:\s+(\d+)/m)[1]);
}

const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));

test('a client that resets between interim answers costs no worker', async (t) => {
  let hints;
  const server = await rawBackend((socket, request) => {
    if (!request.startsWith('GET /hints')) {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      return;
    }
    hints = () => socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
    hints();
  });
  const gw = await house(t, server);
  const [worker] = await gw.workers();
  const client = await connect(gw.port);
  client.write(ask('/hints'));
  await client.seen(/103/);
  /* the reset and the next hint come in one turn */
  process.kill(worker, 'SIGSTOP');
  client.socket.resetAndDestroy();
  hints();
  await pause(50);
  process.kill(worker, 'SIGCONT');
  for (let i = 0; i < 12; i += 1) {
    await pause(20);
    hints();
  }
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
  assert.deepEqual(await gw.workers(), [worker]);
});

test('a client that stops sending after an early answer gets all of it', async (t) => {
  let rest;
  const server = await rawBackend((socket) => {
    socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 10\r\n\r\nearly');
    rest = () => socket.write('later');
  });
  const gw = await house(t, server);
  const client = await connect(gw.port);
  client.write(`${head('POST /a HTTP/1.1', 'Host: a', T, 'Content-Length: 100000')}some`);
  await client.seen(/early$/);
  client.finish();
  await pause(50);
  rest();
  const [answer] = await client.answers(1);
  assert.equal(answer.status, 413);
  assert.equal(answer.body, 'earlylater');
  client.destroy();
});

test('stalled readers cost no processor time', async (t) => {
  const api = await backend();
  const gw = await house(t, api, { upstream: 'read_timeout = 1' });
  const client = await connect(gw.port);
  client.socket.pause();
  client.write(ask('/big?bytes=100000000'));
  await pause(2500);
  const [worker] = await gw.workers();
  const before = await switches(worker);
  await pause(1500);
  const woken = (await switches(worker)) - before;
  assert.ok(woken < 30, `woken ${woken} times with nothing to do`);
  client.destroy();
});

test('a body that trickles is cut off, wanted or not', async (t) => {
  const api = await backend();
  const gw = await house(t, api, { top: 'client { body_timeout = 1 }' });
  const trickle = async (...fields) => {
    const client = await connect(gw.port);
    client.write(head('POST /sink HTTP/1.1', 'Host: a', 'Content-Length: 60000', ...fields));
    const drip = setInterval(() => client.write('x'), 100);
    await client.over();
    clearInterval(drip);
    client.destroy();
    return client.parse().answers[0].status;
  };
  assert.deepEqual(await Promise.all([trickle(T), trickle()]), [408, 401]);
});

test('an answer that drain_timeout cuts off never looks whole', async (t) => {
  const server = await rawBackend((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n');
  });
  const gw = await house(t, server, { top: 'drain_timeout = 1' });
  const client = await connect(gw.port);
  client.write(head('GET / HTTP/1.0', T));
  await client.seen(/half$/);
  gw.kill('SIGTERM');
  await client.over();
  await until(() => client.closed, 'the end of the connection');
  assert.ok(client.reset, 'the connection ended as if the answer were whole');
});

test('heads close to the largest that is allowed pass both ways', async (t) => {
  const large = (n) => Array.from({ length: n }, (_, i) => `X-Large-${i}: ${'v'.repeat(60_000)}`);
  const server = await rawBackend((socket) => {
    socket.write(head('HTTP/1.1 200 OK', ...large(7), 'Content-Length: 400000'));
    socket.write('b'.repeat(400_000));
  });
  const gw = await house(t, server, { top: 'client { max_head = "512K" }' });
  const [worker] = await gw.workers();
  const { answers } = await rawRequest(gw.port, ask('/', ...large(7)));
  assert.equal(answers[0].status, 200);
  assert.equal(answers[0].body.length, 400_000);
  assert.deepEqual(await gw.workers(), [worker]);
});

test('no request is too long for the access log', async (t) => {
  const api = await backend();
  const gw = await house(t, api, { top: 'client { max_target = "30K" max_head = "64K" }' });
  const path = `/${'long/'.repeat(5000)}`;
  await rawRequest(gw.port, head(`GET ${path} HTTP/1.1`, 'Host: a'));
  const line = await gw.logged(({ status }) => status === 401);
  assert.ok(path.startsWith(line.path) && line.path.length >= 4000);
});

test('one stream at full speed leaves others their turn', async (t) => {
  const api = await backend();
  const gw = await house(t, api);
  const hog = await connect(gw.port);
  let taken = 0;
  hog.socket.removeAllListeners('data');
  hog.socket.on('data', (part) => {
    taken += part.length;
  });
  hog.write(ask('/big?bytes=2000000000'));
  await until(() => taken > 10_000_000, 'the stream to flow');
  for (let i = 0; i < 20; i += 1) {
    const begun = Date.now();
    assert.equal((await get(`${gw.url}/orders`)).status, 401);
    assert.ok(Date.now() - begun < 1000);
  }
  hog.destroy();
});

test('parameters in a path lead around no rule', async (t) => {
  const api = await backend();
  const gw = await house(t, api, {
    more: 'route "admin" { paths = {"/api/admin"} upstream = "api" scopes = {"admin"} }',
  });
  const status = async (path) => {
    const { answers } = await rawRequest(gw.port, ask(path));
    return answers[0].status;
  };
  assert.equal(await status('/api/admin;x/users'), 403);
  assert.equal(await status('/api/other;x/users;y'), 200);
  for (const path of ['/api;x/admin', '/api;/admin', '/;x/api/admin', '/api%3bx/admin', '/a/..%3bx/api/admin'])
    assert.equal(await status(path), 400, path);
});

test('identity headers are known by any spelling, hosts by one', async (t) => {
  const api = await backend();
  const gw = await house(t, api);
  const names = ['X~Consumer~ID', 'x!authenticated!scope', 'X|Anonymous|Consumer', "X'Request'Id"];
  const { answers } = await rawRequest(gw.port, ask('/', ...names.map((name) => `${name}: forged`)));
  assert.equal(answers[0].status, 200);
  assert.doesNotMatch(answers[0].body, /forged/);
  for (const host of ['a..', '.a', 'a..b', '..'])
    assert.equal(
      (await rawRequest(gw.port, head('GET / HTTP/1.1', `Host: ${host}`, T))).answers[0].status,
      400,
    );
});
