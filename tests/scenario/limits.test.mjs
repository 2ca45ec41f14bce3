// Running out of something, and clients that dawdle: the gateway sheds, and comes back by itself.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { connect, head } from '../harness/raw.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const token = await mint(key);
const T = `Authorization: Bearer ${token}`;

async function house(t, options, more = {}) {
  const api = await backend();
  const gw = await gateway(conf({ servers: [api.url], ...options }), {
    files: { 'jwks.json': jwksOf(key) },
    ...more,
  });
  t.after(async () => {
    await gw.stop();
    await api.stop();
  });
  return { api, gw };
}

test('out of file descriptors it goes on serving whom it holds, and recovers', async (t) => {
  const { gw } = await house(t, { workers: 1 }, { before: ['prlimit', '--nofile=64:64'] });
  const ask = head('GET /orders HTTP/1.1', 'Host: a', T);
  const early = await connect(gw.port);
  early.write(ask);
  assert.equal((await early.answers(1))[0].status, 200);
  const crowd = [];
  for (let i = 0; i < 100; i += 1) crowd.push(await connect(gw.port));
  early.write(ask);
  assert.equal((await early.answers(2))[1].status, 200);
  crowd.forEach((client) => client.destroy());
  await until(
    () =>
      get(`${gw.url}/orders`, { token }).then(
        ({ status }) => status === 200,
        () => false,
      ),
    'room again',
  );
  assert.equal((await gw.workers()).length, 1);
  assert.doesNotMatch(gw.log(), /worker.*(died|signal)/i);
  early.destroy();
});

test('with max_connections held, others are shed or wait, and come in later', async (t) => {
  const { gw } = await house(t, { workers: 1, top: 'max_connections = 8' });
  const crowd = await Promise.all(Array.from({ length: 20 }, () => connect(gw.port)));
  await until(() => crowd.some((client) => client.bytes.length > 0), 'somebody is shed');
  const said = crowd.filter((client) => client.bytes.length > 0).map((client) => `${client.bytes}`);
  for (const answer of said) assert.match(answer, /^HTTP\/1\.1 503 .*\r\nRetry-After: 1\r\n/s);
  const ids = said.map((answer) => answer.match(/\r\nX-Request-ID: ([0-9a-f]{32})\r\n/)?.[1]);
  assert.equal(new Set(ids).size, said.length);
  assert.ok(!ids.includes(undefined));
  crowd.forEach((client) => client.destroy());
  await until(
    () =>
      get(`${gw.url}/orders`, { token }).then(
        ({ status }) => status === 200,
        () => false,
      ),
    'room again',
  );
});

test('a head that never ends is cut off after header_timeout', async (t) => {
  const { gw } = await house(t, { top: 'client { header_timeout = 1 }' });
  const clients = await Promise.all(Array.from({ length: 50 }, () => connect(gw.port)));
  clients.forEach((client) => client.write('GET /orders HTTP/1.1\r\nHost: a\r\nX: '));
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
  await Promise.all(clients.map((client) => client.over()));
  for (const client of clients) {
    assert.match(client.bytes.toString('latin1'), /^(HTTP\/1\.1 408 |$)/);
    client.destroy();
  }
});

test('a head that trickles is cut off too', async (t) => {
  const { gw } = await house(t, { top: 'client { header_timeout = 1 }' });
  const client = await connect(gw.port);
  client.write('GET /orders HTTP/1.1\r\n');
  const drip = setInterval(() => client.write('X: a\r\n'), 100);
  await client.over();
  clearInterval(drip);
  client.destroy();
});

test('a body that never comes is cut off after body_timeout, and the backend is let go', async (t) => {
  const { api, gw } = await house(t, { top: 'client { body_timeout = 1 }' });
  const client = await connect(gw.port);
  client.write(`${head('POST /sink HTTP/1.1', 'Host: a', T, 'Content-Length: 1000')}x`);
  await client.over();
  assert.match(client.bytes.toString('latin1'), /^(HTTP\/1\.1 408 |$)/);
  client.destroy();
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
  assert.ok(api.hits >= 1);
});

test('an idle connection is closed after idle_timeout', async (t) => {
  const { gw } = await house(t, { top: 'client { idle_timeout = 1 }' });
  const client = await connect(gw.port);
  client.write(head('GET /orders HTTP/1.1', 'Host: a', T));
  await client.answers(1);
  await client.over();
  client.destroy();
});

test('a client that reads nothing is cut off after send_timeout', async (t) => {
  const { gw } = await house(t, { top: 'client { send_timeout = 1 }' });
  const client = await connect(gw.port);
  client.socket.pause();
  client.write(head('GET /big?bytes=100000000 HTTP/1.1', 'Host: a', T));
  const line = await gw.logged((entry) => entry.path === '/big');
  assert.ok(line.bytes_out < 100_000_000);
  client.destroy();
});

test('a port that is taken: a clear message, and exit 1', async (t) => {
  const { api } = await house(t);
  const gw = await gateway(
    conf({ servers: [api.url], top: `listen "127.0.0.1:${api.port}" { }` }),
    { files: { 'jwks.json': jwksOf(key) }, expect: 'failure' },
  );
  t.after(() => gw.stop());
  assert.equal((await gw.ended).code, 1);
  assert.match(gw.log(), new RegExp(`127\\.0\\.0\\.1:${api.port}`));
  assert.match(gw.log(), /in use|taken/i);
});
