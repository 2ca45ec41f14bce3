// Rate limits: exact across workers, one consumer's apart from another's, kept across reloads.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { connections, get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';

const key = newKey('ES256');
const token = await mint(key);

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

/** The statuses of `n` requests at once, each on a connection of its own. */
async function burst(gw, n, options) {
  const agent = connections(n);
  const answers = await Promise.all(
    Array.from({ length: n }, () => get(`${gw.url}/orders`, { ...options, agent })),
  );
  agent.destroy();
  return answers;
}

const count = (answers, status) => answers.filter((answer) => answer.status === status).length;

test('of 100 requests at once exactly the allowed ones pass, over all workers', async (t) => {
  const { api, gw } = await house(t, { route: 'rate = "20/h"' });
  const answers = await burst(gw, 100, { token });
  assert.equal(count(answers, 200), 20);
  assert.equal(count(answers, 429), 80);
  assert.equal(api.hits, 20);
});

test('a 429 says when to come back, and every answer how much is left', async (t) => {
  const { gw } = await house(t, { route: 'rate = "2/h"' });
  const first = await get(`${gw.url}/orders`, { token });
  assert.equal(first.headers['ratelimit-limit'], '2');
  assert.equal(first.headers['ratelimit-remaining'], '1');
  assert.match(first.headers['ratelimit-policy'], /q=2/);
  await get(`${gw.url}/orders`, { token });
  const over = await get(`${gw.url}/orders`, { token });
  assert.equal(over.status, 429);
  const wait = Number(over.headers['retry-after']);
  assert.ok(Number.isInteger(wait) && wait >= 1 && wait <= 3600, over.headers['retry-after']);
  assert.equal(over.headers['ratelimit-remaining'], '0');
  assert.equal(typeof over.json.error_description, 'string');
});

test('each consumer has a limit of its own, whatever token it comes with', async (t) => {
  const { gw } = await house(t, { route: 'rate = "5/h"' });
  assert.equal(count(await burst(gw, 10, { token }), 200), 5);
  const again = await mint(key);
  assert.equal((await get(`${gw.url}/orders`, { token: again })).status, 429);
  const other = await mint(key, { client_id: 'other' });
  assert.equal(count(await burst(gw, 10, { token: other }), 200), 5);
});

test('requests that are refused for their token take nothing from the limit', async (t) => {
  const { gw } = await house(t, { route: 'rate = "5/h"' });
  const expired = await mint(key, { exp: 1 });
  assert.equal(count(await burst(gw, 20, { token: expired }), 401), 20);
  assert.equal(count(await burst(gw, 10, { token }), 200), 5);
});

test('limits by route and by address', async (t) => {
  for (const by of ['route', 'ip']) {
    const { gw } = await house(t, { route: `rate = "5/h" rate_by = "${by}"` });
    const tokens = await Promise.all(
      Array.from({ length: 10 }, (_, i) => mint(key, { client_id: `c${i}` })),
    );
    const answers = await Promise.all(tokens.map((one) => get(`${gw.url}/orders`, { token: one })));
    assert.equal(count(answers, 200), 5, by);
  }
});

test('a reload, or the death of a worker, gives no second helping', async (t) => {
  const { gw } = await house(t, { route: 'rate = "5/h"' });
  assert.equal(count(await burst(gw, 5, { token }), 200), 5);
  await gw.reload();
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 429);
});

test('limits refill with time', async (t) => {
  const { gw } = await house(t, { route: 'rate = "1/s"' });
  const statuses = [];
  do statuses.push((await get(`${gw.url}/orders`, { token })).status);
  while (statuses.lastIndexOf(200) === 0 && statuses.length < 100_000);
  assert.ok(statuses.includes(429));
  assert.equal(statuses.at(-1), 200);
});
