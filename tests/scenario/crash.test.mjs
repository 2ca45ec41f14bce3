// Processes that die: a worker, the keeper, the master. What they held is lost, nothing more, and no
// request that should be refused passes meanwhile.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksServer } from '../harness/jwks.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { busy } from '../harness/load.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const token = await mint(key);
const expired = await mint(key, { exp: 1 });
const kinds = [
  { name: 'good', token: () => token },
  { name: 'bad', token: () => expired },
];

async function house(t, options, files = { 'jwks.json': jwksOf(key) }) {
  const api = await backend();
  const gw = await gateway(conf({ servers: [api.url], ...options }), { files });
  t.after(async () => {
    await gw.stop();
    await api.stop();
  });
  return { api, gw };
}

const gone = (pid) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

test('a worker killed under load takes with it only what it held', async (t) => {
  const { api, gw } = await house(t);
  const clients = 8;
  const load = busy(`${gw.url}/orders`, kinds, { clients });
  const kills = 5;
  for (let i = 0; i < kills; i += 1) {
    const seen = api.hits;
    await until(() => api.hits > seen + 50, 'the load to flow');
    const [victim] = await gw.workers();
    process.kill(victim, 'SIGKILL');
    await until(async () => {
      const workers = await gw.workers();
      return workers.length === 2 && !workers.includes(victim);
    }, 'a new worker');
  }
  const seen = api.hits;
  await until(() => api.hits > seen + 50, 'the load to flow again');
  const tally = await load.stop();
  assert.ok(tally.failures.length <= kills * clients, `${tally.failures.length} lost`);
  assert.ok(
    tally.failures.every((failure) => /ECONNRESET|socket hang up|EPIPE/.test(failure)),
    tally.failures.join(),
  );
  assert.equal(tally.of('bad', 200), 0);
  const lost = tally.failures.length;
  assert.ok(
    tally.of('good', 200) + tally.of('bad', 401) === tally.total - lost,
    'an answer was wrong',
  );
  assert.ok(api.by.get('bad') === undefined, 'a bad token reached the backend');
  assert.match(gw.log(), /worker.*(died|signal|ended)/i);
});

test('both workers killed at once, again and again', async (t) => {
  const { gw } = await house(t);
  for (let i = 0; i < 5; i += 1) {
    const victims = await gw.workers();
    victims.forEach((pid) => process.kill(pid, 'SIGKILL'));
    await until(
      async () => {
        const workers = await gw.workers();
        return workers.length === 2 && victims.every((pid) => !workers.includes(pid));
      },
      'new workers',
      20_000,
    );
    await until(
      () =>
        get(`${gw.url}/orders`, { token }).then(
          ({ status }) => status === 200,
          () => false,
        ),
      'an answer',
    );
    assert.equal((await get(`${gw.url}/orders`, { token: expired })).status, 401);
  }
});

test('the caches outlive a worker', async (t) => {
  const { gw } = await house(t, { workers: 1 });
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
  const [victim] = await gw.workers();
  process.kill(victim, 'SIGKILL');
  const answer = await until(
    () => get(`${gw.url}/orders`, { token }).catch(() => null),
    'an answer',
  );
  const line = await gw.logged((entry) => entry.request_id === answer.headers['x-request-id']);
  assert.equal(line.source, 'cache');
});

test('the keeper killed under load costs no request, and a new one does its work', async (t) => {
  const jwks = await jwksServer(jwksOf(key));
  t.after(() => jwks.stop());
  const { gw } = await house(
    t,
    { keys: `jwks_uri = "${jwks.url}"`, issuer: 'jwks_refresh = 1 jwks_cooldown = 1' },
    {},
  );
  await until(async () => (await get(`${gw.url}/orders`, { token })).status === 200, 'the keys');
  const load = busy(`${gw.url}/orders`, kinds, { clients: 4 });
  const keeper = await gw.keeper();
  process.kill(keeper, 'SIGKILL');
  await until(async () => {
    const now = await gw.keeper();
    return now !== undefined && now !== keeper;
  }, 'a new keeper');
  const fetched = jwks.fetches;
  await until(() => jwks.fetches > fetched, 'the new keeper to fetch keys');
  await until(
    () =>
      get(`${gw.adminUrl}/readyz`).then(
        ({ status }) => status === 200,
        () => false,
      ),
    'the admin listener',
  );
  const tally = await load.stop();
  assert.deepEqual(tally.failures, []);
  assert.equal(tally.of('good', 200), tally.sent.get('good'));
  assert.equal(tally.of('bad', 401), tally.sent.get('bad'));
});

test('when the master dies, its children leave', async (t) => {
  const { gw } = await house(t);
  const children = [...(await gw.workers()), await gw.keeper()];
  process.kill(gw.pid, 'SIGKILL');
  await until(() => children.every(gone), 'the children to leave', 40_000);
});

test('a stopped worker holds up nobody else', async (t) => {
  const { gw } = await house(t);
  const [victim] = await gw.workers();
  process.kill(victim, 'SIGSTOP');
  t.after(() => {
    try {
      process.kill(victim, 'SIGCONT');
    } catch {
      /* replaced */
    }
  });
  for (let i = 0; i < 20; i += 1)
    assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
});
