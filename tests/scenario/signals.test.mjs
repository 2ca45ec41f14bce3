// TERM, INT, USR1 and USR2, and what each does.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { busy } from '../harness/load.mjs';
import { connect, head } from '../harness/raw.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const token = await mint(key);
const ask = (target) => head(`GET ${target} HTTP/1.1`, 'Host: a', `Authorization: Bearer ${token}`);

async function house(t, options) {
  const api = await backend();
  const gw = await gateway(conf({ servers: [api.url], ...options }), {
    files: { 'jwks.json': jwksOf(key) },
  });
  t.after(async () => {
    await gw.stop();
    await api.stop();
  });
  return { api, gw };
}

async function holding(api, gw) {
  const client = await connect(gw.port);
  client.write(ask('/hold'));
  await until(() => api.holding === 1, 'the request to arrive');
  return client;
}

for (const signal of ['SIGTERM', 'SIGQUIT']) {
  test(`${signal} lets what is under way finish, takes no more, and ends with 0`, async (t) => {
    const { api, gw } = await house(t);
    const client = await holding(api, gw);
    gw.kill(signal);
    await until(
      () =>
        connect(gw.port).then(
          (c) => {
            c.destroy();
            return false;
          },
          () => true,
        ),
      'the sockets to close',
    );
    api.release();
    const [answer] = await client.answers(1);
    assert.equal(answer.status, 200);
    client.destroy();
    assert.deepEqual(await gw.ended, { code: 0, signal: null });
  });
}

test('TERM waits for the rest of a body, up and down', async (t) => {
  const { gw } = await house(t);
  const body = 'x'.repeat(1000);
  const client = await connect(gw.port);
  client.write(
    `${head('POST /sink HTTP/1.1', 'Host: a', `Authorization: Bearer ${token}`, 'Content-Length: 1000')}${body.slice(0, 500)}`,
  );
  await until(() => get(`${gw.url}/orders`, { token }), 'the worker to have read it');
  gw.kill('SIGTERM');
  await gw.sees(/drain|ending/);
  client.write(body.slice(500));
  const [answer] = await client.answers(1);
  assert.equal(JSON.parse(answer.body).bytes, 1000);
  client.destroy();
  assert.deepEqual(await gw.ended, { code: 0, signal: null });
});

test('drain_timeout bounds the wait', async (t) => {
  const { api, gw } = await house(t, { top: 'drain_timeout = 1' });
  const client = await holding(api, gw);
  gw.kill('SIGTERM');
  assert.deepEqual(await gw.ended, { code: 0, signal: null });
  await client.over();
  client.destroy();
});

test('a second TERM stops at once', async (t) => {
  const { api, gw } = await house(t);
  const client = await holding(api, gw);
  gw.kill('SIGTERM');
  await until(
    () =>
      connect(gw.port).then(
        (c) => {
          c.destroy();
          return false;
        },
        () => true,
      ),
    'the sockets to close',
  );
  gw.kill('SIGTERM');
  await client.over();
  await gw.ended;
  client.destroy();
});

test('INT stops at once, and no process stays', async (t) => {
  const { api, gw } = await house(t);
  const client = await holding(api, gw);
  const children = [...(await gw.workers()), await gw.keeper()];
  gw.kill('SIGINT');
  await gw.ended;
  await client.over();
  client.destroy();
  await until(
    () =>
      children.every((pid) => {
        try {
          process.kill(pid, 0);
          return false;
        } catch {
          return true;
        }
      }),
    'the children to leave',
  );
});

test('idle connections do not hold up a TERM', async (t) => {
  const { gw } = await house(t);
  const client = await connect(gw.port);
  client.write(ask('/orders'));
  await client.answers(1);
  gw.kill('SIGTERM');
  assert.deepEqual(await gw.ended, { code: 0, signal: null });
  await client.over();
  client.destroy();
});

test('USR1 opens the log files anew', async (t) => {
  const { gw } = await house(t, { accessLog: 'access.log' });
  const file = join(gw.folder, 'access.log');
  const lines = async (name) =>
    (await readFile(name, 'utf8').catch(() => '')).split('\n').filter(Boolean).map(JSON.parse);
  const logged = (name, path) =>
    until(async () => (await lines(name)).some((line) => line.path === path), `${path} in ${name}`);
  await get(`${gw.url}/before`, { token });
  await logged(file, '/before');
  await rename(file, `${file}.1`);
  gw.kill('SIGUSR1');
  await until(async () => {
    await get(`${gw.url}/after`, { token });
    return (await lines(file)).some((line) => line.path === '/after');
  }, 'the new file');
  assert.ok((await lines(`${file}.1`)).some((line) => line.path === '/before'));
  assert.equal((await gw.workers()).length, 2);
});

test('USR2 hands sockets and caches to a new binary, and loses no request', async (t) => {
  const { gw } = await house(t);
  await get(`${gw.url}/orders`, { token });
  const load = busy(`${gw.url}/orders`, [{ name: 'good', token: () => token }], { clients: 4 });
  const from = gw.errors.all.length;
  gw.kill('SIGUSR2');
  const line = await gw.sees(/ready, \d+ workers?/, from);
  const heir = Number(line.match(/master\[(\d+)\]/)[1]);
  assert.notEqual(heir, gw.pid);
  gw.adopt(heir);
  await until(async () => (await gw.workers(heir)).length === 2, 'the new workers');
  await gw.ended;
  const tally = await load.stop();
  assert.deepEqual(tally.failures, []);
  assert.equal(tally.of('good', 200), tally.sent.get('good'));
  const id = (await get(`${gw.url}/orders`, { token })).headers['x-request-id'];
  assert.equal((await gw.logged((entry) => entry.request_id === id)).source, 'cache');
});
