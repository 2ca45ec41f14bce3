// Attacks on what the gateway remembers: verdicts and key sets.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { backend } from '../harness/backend.mjs';
import { conf, gateway, residentBytes } from '../harness/gateway.mjs';
import { connections, get } from '../harness/http.mjs';
import { jwksServer } from '../harness/jwks.mjs';
import { b64, claims, forge, jwksOf, mint, newKey, now } from '../harness/keys.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');

/** A gateway and its backend, ended with the test. */
async function house(t, options = {}, files = { 'jwks.json': jwksOf(key) }) {
  const api = await backend();
  const gw = await gateway(conf({ servers: [api.url], ...options }), { files });
  t.after(async () => {
    await gw.stop();
    await api.stop();
  });
  return { api, gw };
}

/** A gateway whose keys come from a server of ours. */
async function keyed(t, keys, issuer = 'jwks_cooldown = 30') {
  const jwks = await jwksServer(keys);
  t.after(() => jwks.stop());
  const { api, gw } = await house(t, { keys: `jwks_uri = "${jwks.url}"`, issuer }, {});
  return { api, gw, jwks, ask: async (token) => (await get(`${gw.url}/orders`, { token })).status };
}

const tokensFor = (n, make) => Promise.all(Array.from({ length: n }, (_, i) => make(i)));

test('a remembered token is refused from the second it expires', async (t) => {
  const { gw } = await house(t);
  const exp = now() + 2;
  const token = await mint(key, { exp });
  let passed = 0;
  await until(async () => {
    const asked = Date.now() / 1000;
    const { status } = await get(`${gw.url}/orders`, { token });
    if (status === 200) passed += 1;
    if (asked >= exp) assert.equal(status, 401);
    return status === 401;
  }, 'the token to expire');
  assert.ok(passed > 0);
  assert.ok(Date.now() / 1000 >= exp - 1);
});

test('the second use is answered from the cache, by whatever worker', async (t) => {
  const { gw } = await house(t);
  const token = await mint(key);
  const ids = [];
  for (let i = 0; i < 20; i += 1)
    ids.push((await get(`${gw.url}/orders`, { token })).headers['x-request-id']);
  const sources = [];
  for (const id of ids) sources.push((await gw.logged((line) => line.request_id === id)).source);
  assert.deepEqual(sources, ['verified', ...Array(19).fill('cache')]);
});

test('facts are remembered, not permissions: each route has its own say', async (t) => {
  const { api, gw } = await house(t, {
    more: `issuer "second" { issuer = "https://second.test" audience = {"orders-api"} jwks_file = "jwks.json" }
      route "scoped" { paths = {"/scoped"} upstream = "api" scopes = {"admin"} }
      route "second" { paths = {"/second"} upstream = "api" issuers = {"second"} }
      route "aimed" { paths = {"/aimed"} upstream = "api" audience = {"billing-api"} }`,
  });
  const token = await mint(key);
  const ask = async (path) => (await get(`${gw.url}${path}`, { token })).status;
  for (let i = 0; i < 4; i += 1) {
    assert.equal(await ask('/orders'), 200);
    assert.equal(await ask('/scoped'), 403);
    assert.equal(await ask('/second'), 401);
    assert.ok([401, 403].includes(await ask('/aimed')));
  }
  assert.ok(api.seen.every(({ url }) => url === '/orders'));
});

test('a flood of random tokens pushes out no good one, and memory stays', async (t) => {
  const { gw } = await house(t, { top: 'shared_memory { token_cache = "1M" }' });
  const good = await tokensFor(50, () => mint(key));
  const agent = connections(32);
  t.after(() => agent.destroy());
  const ask = (token) => get(`${gw.url}/orders`, { token, agent });
  for (const token of good) await ask(token);
  const [worker] = await gw.workers();
  const rssBefore = await residentBytes(worker);
  const random = () =>
    forge(key, {
      payload: claims({ pad: randomBytes(300).toString('base64') }),
      signer: stranger.private,
    });
  const stranger = newKey('ES256', key.kid);
  for (let i = 0; i < 100; i += 1) {
    const answers = await Promise.all(await tokensFor(50, async () => ask(random())));
    assert.ok(answers.every(({ status }) => status === 401));
  }
  const sources = [];
  for (const token of good) {
    const id = (await ask(token)).headers['x-request-id'];
    sources.push((await gw.logged((line) => line.request_id === id)).source);
  }
  assert.ok(sources.filter((source) => source === 'cache').length >= 48, sources.join());
  assert.ok((await residentBytes(worker)) < rssBefore + 16 * 2 ** 20);
});

test('a flood of unknown kids makes at most one fetch in a cooling time', async (t) => {
  const { gw, jwks } = await keyed(t, jwksOf(key));
  assert.equal((await get(`${gw.url}/orders`, { token: await mint(key) })).status, 200);
  const before = jwks.fetches;
  const agent = connections(32);
  t.after(() => agent.destroy());
  for (let i = 0; i < 10; i += 1) {
    const tokens = await tokensFor(100, () =>
      forge(key, { header: { kid: randomBytes(9).toString('base64url') } }),
    );
    const answers = await Promise.all(
      tokens.map((token) => get(`${gw.url}/orders`, { token, agent })),
    );
    for (const { status } of answers) assert.equal(status, 401);
  }
  assert.ok(jwks.fetches - before <= 1, `${jwks.fetches - before} fetches`);
  assert.equal((await get(`${gw.url}/orders`, { token: await mint(key) })).status, 200);
});

test('a key that has just been published is found by the first token that names it', async (t) => {
  const { ask, jwks } = await keyed(t, jwksOf(key), 'jwks_cooldown = 1');
  assert.equal(await ask(await mint(key)), 200);
  const next = newKey('ES256');
  jwks.keys = jwksOf(key, next);
  const token = await mint(next);
  await until(async () => (await ask(token)) === 200, 'the new key to be fetched');
  assert.equal(await ask(await mint(key)), 200);
});

test('a removed key is dead at once, for remembered tokens too', async (t) => {
  const next = newKey('ES256');
  const { ask, gw, jwks } = await keyed(t, jwksOf(key, next), 'jwks_refresh = 1 jwks_cooldown = 1');
  const [old, young] = [await mint(key), await mint(next)];
  assert.equal(await ask(old), 200);
  assert.equal(await ask(young), 200);
  jwks.keys = jwksOf(next);
  const fetched = jwks.fetches;
  await until(() => jwks.fetches > fetched, 'the keys to be fetched again');
  await until(async () => (await ask(old)) === 401, 'the removed key to be dead');
  for (let i = 0; i < 20; i += 1) {
    assert.equal(await ask(old), 401);
    assert.equal(await ask(young), 200);
  }
  assert.equal((await gw.workers()).length, 2);
});

const manyKeys = () => ({
  keys: Array.from({ length: 10_000 }, (_, i) => ({ ...key.public, kid: `k${i}` })),
});
const SPOILT = {
  'an error': { mode: 'error' },
  'a web page': { mode: 'garbage' },
  'half a set': { mode: 'truncated' },
  'two megabytes': { mode: 'huge' },
  '10,000 keys': { keys: manyKeys() },
  'one kid twice': { keys: { keys: [key.public, { ...newKey('ES256').public, kid: key.kid }] } },
  'no set': { keys: [] },
  'a redirect to a file': { mode: 'redirect', target: 'file:///etc/passwd' },
  'a redirect to elsewhere': { mode: 'redirect', target: 'http://localhost:1/jwks' },
};
for (const [name, change] of Object.entries(SPOILT)) {
  test(`the last good keys stay while the provider answers ${name}`, async (t) => {
    const { ask, jwks } = await keyed(t, jwksOf(key), 'jwks_refresh = 1 jwks_cooldown = 1');
    assert.equal(await ask(await mint(key)), 200);
    Object.assign(jwks, change);
    const fetched = jwks.fetches;
    await until(() => jwks.fetches > fetched, 'the keys to be asked for again');
    for (let i = 0; i < 5; i += 1) assert.equal(await ask(await mint(key)), 200);
    assert.equal(await ask(forge(newKey('ES256', key.kid))), 401);
  });
}

test('keys are never fetched from where a redirect leads', async (t) => {
  const evil = await jwksServer(jwksOf(newKey('ES256', 'evil')));
  t.after(() => evil.stop());
  const { ask, jwks } = await keyed(t, jwksOf(key), 'jwks_refresh = 1 jwks_cooldown = 1');
  assert.equal(await ask(await mint(key)), 200);
  Object.assign(jwks, { mode: 'redirect', target: evil.url.replace('127.0.0.1', 'localhost') });
  const fetched = jwks.fetches;
  await until(() => jwks.fetches > fetched, 'the keys to be asked for again');
  assert.equal(await ask(await mint(key)), 200);
  assert.equal(evil.fetches, 0);
});

test('keys that cannot be had give 503 with Retry-After, and come back by themselves', async (t) => {
  const jwks = await jwksServer(jwksOf(key));
  t.after(() => jwks.stop());
  await jwks.pause();
  const { api, gw } = await house(
    t,
    {
      keys: `jwks_uri = "${jwks.url}"`,
      issuer: 'jwks_cooldown = 1',
      more: 'issuer "second" { issuer = "https://second.test" audience = {"orders-api"} jwks_file = "second.json" }',
    },
    { 'second.json': jwksOf(key) },
  );
  const ask = (token) => get(`${gw.url}/orders`, { token });
  const token = await mint(key);

  const answer = await ask(token);
  assert.equal(answer.status, 503);
  assert.match(answer.headers['retry-after'], /^\d+$/);
  assert.equal(api.hits, 0);
  assert.equal((await ask(await mint(key, { iss: 'https://second.test' }))).status, 200);
  assert.equal((await ask(`${b64({ alg: 'none' })}.${b64(claims())}.`)).status, 401);
  assert.equal((await get(`${gw.url}/orders`)).status, 401);

  await jwks.resume();
  await until(async () => (await ask(token)).status === 200, 'the keys to be had', 40_000);
});

test('a provider that never answers holds up nobody', async (t) => {
  const { ask, jwks } = await keyed(t, jwksOf(key), 'jwks_refresh = 1 jwks_cooldown = 1');
  const token = await mint(key);
  assert.equal(await ask(token), 200);
  jwks.mode = 'silent';
  const fetched = jwks.fetches;
  await until(() => jwks.fetches > fetched, 'the keys to be asked for');
  for (let i = 0; i < 20; i += 1) assert.equal(await ask(token), 200);
  assert.equal(await ask(await mint(key)), 200);
});

test('keys that nobody confirms for too long are used no more, also by what was remembered', async (t) => {
  const keys = 'jwks_refresh = 1 jwks_cooldown = 1 jwks_max_stale = 2';
  const { ask, jwks } = await keyed(t, jwksOf(key), keys);
  const token = await mint(key);
  assert.equal(await ask(token), 200);
  jwks.mode = 'garbage';
  await until(async () => (await ask(token)) === 503, 'the keys to be too old', 20_000);
  jwks.mode = 'good';
  await until(async () => (await ask(token)) === 200, 'the keys to be fresh again', 20_000);
});

test('a reload with other rules makes remembered verdicts void', async (t) => {
  const { api, gw } = await house(t);
  const token = await mint(key);
  const ask = async () => (await get(`${gw.url}/orders`, { token })).status;
  assert.equal(await ask(), 200);
  await gw.reload(conf({ servers: [api.url] }).replace('"orders-api"', '"billing-api"'));
  await until(async () => (await ask()) === 401, 'the new rules to hold');
  for (let i = 0; i < 20; i += 1) assert.equal(await ask(), 401);
  await gw.reload(conf({ servers: [api.url] }));
  await until(async () => (await ask()) === 200, 'the old rules to hold again');
});
