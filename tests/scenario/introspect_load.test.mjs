// Many at once: one question per token over all workers, bounds that a flood meets, and what is
// known goes on meanwhile.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { flood } from '../harness/flood.mjs';
import { residentBytes } from '../harness/gateway.mjs';
import { connections, get } from '../harness/http.mjs';
import { asked } from '../harness/introspection.mjs';
import { until } from '../harness/wait.mjs';

/** Sends n requests at once and gives how many got which status. */
async function burst(gw, tokens, agent) {
  const statuses = {};
  await Promise.all(
    tokens.map(async (token) => {
      const { status } = await get(`${gw.url}/orders`, { token, agent });
      statuses[status] = (statuses[status] ?? 0) + 1;
    }),
  );
  return statuses;
}

const random = () => randomBytes(24).toString('base64url');

test('a thousand requests at once with one unknown token make one question', async (t) => {
  const { api, idp, gw } = await asked(t, { workers: 3 });
  idp.know('gold', { sub: 'ann' });
  idp.hold();
  const agent = connections(1000);
  t.after(() => agent.destroy());
  const all = burst(gw, Array(1000).fill('gold'), agent);
  await until(
    async () => idp.calls > 0 && (await gw.metric('gatehouse_client_connections')) >= 1000,
    'all of them',
  );
  assert.equal(idp.calls, 1);
  assert.equal(api.seen.length, 0);
  idp.release();
  assert.deepEqual(await all, { 200: 1000 });
  assert.equal(idp.calls, 1);
});

test('of a thousand with one bad token, too', async (t) => {
  const { idp, gw } = await asked(t, { workers: 3 });
  idp.hold();
  const agent = connections(1000);
  t.after(() => agent.destroy());
  const all = burst(gw, Array(1000).fill('lead'), agent);
  await until(
    async () => idp.calls > 0 && (await gw.metric('gatehouse_client_connections')) >= 1000,
    'all of them',
  );
  idp.release();
  assert.deepEqual(await all, { 401: 1000 });
  assert.equal(idp.calls, 1);
});

test('an error is shared by those who wait for it', async (t) => {
  const { idp, gw } = await asked(t, { workers: 2 });
  idp.mode = 'error';
  idp.hold();
  const agent = connections(300);
  t.after(() => agent.destroy());
  const all = burst(gw, Array(300).fill('gold'), agent);
  await until(async () => (await gw.metric('gatehouse_client_connections')) >= 300, 'all of them');
  idp.release();
  assert.deepEqual(await all, { 503: 300 });
  assert.ok(idp.calls <= 20, `${idp.calls} questions`);
});

test('a flood of random tokens meets the rate, and good tokens go on from the cache', async (t) => {
  const { idp, gw, ask } = await asked(t, {
    accessLog: 'off',
    top: 'shared_memory { token_cache = "1M" negative_cache = "256K" }',
    more: 'rate = "200/m"',
  });
  const good = Array.from({ length: 50 }, random);
  good.forEach((token) => idp.know(token, { sub: 'ann' }));
  for (const token of good) assert.equal((await ask(token)).status, 200);
  assert.equal(idp.calls, 50);
  const agent = connections(16);
  t.after(() => agent.destroy());
  const before = await Promise.all((await gw.workers()).map(residentBytes));
  let total = 0;
  for (let i = 0; i < 20; i += 1) {
    const statuses = await flood(gw, 8000, random);
    assert.equal((statuses[401] ?? 0) + (statuses[503] ?? 0), 8000);
    total += statuses[401] ?? 0;
    assert.deepEqual(await burst(gw, good, agent), { 200: 50 });
  }
  assert.ok(total <= 400 && idp.calls <= 450, `${idp.calls} questions, ${total} answers`);
  good.forEach((token) => assert.equal(idp.callsFor(token), 1));
  const after = await Promise.all((await gw.workers()).map(residentBytes));
  after.forEach((bytes, i) => assert.ok(bytes < before[i] + 8 * 2 ** 20, `${before} ${after}`));
  const busy = await gw.metric('gatehouse_introspections_total{issuer="main",result="busy"}');
  assert.ok(busy >= 159_000);
});

test('with all questions of strangers under way the next waits, and known tokens are renewed', async (t) => {
  const { idp, gw, ask } = await asked(t, {
    workers: 1,
    more: 'calls = 4 introspection_ttl = 1 timeout = 20',
  });
  idp.know('gold', { sub: 'ann' });
  assert.equal((await ask('gold')).status, 200);
  idp.hold();
  const strangers = Array.from({ length: 3 }, () => ask(random()));
  await until(() => idp.calls === 4, 'three questions');
  const last = random();
  strangers.push(ask(last));
  /* the known one has the last place, as soon as it is due */
  const again = until(async () => (await ask('gold')).status === 200 && idp.callsFor('gold') === 2,
    'the known one to be renewed');
  await until(() => idp.callsFor('gold') === 2, 'its question');
  assert.equal(idp.callsFor(last), 0);
  idp.release();
  await again;
  for (const answer of await Promise.all(strangers)) assert.equal(answer.status, 401);
  assert.equal(idp.callsFor(last), 1);
});

test('a burst of new tokens passes, a few questions at a time', async (t) => {
  const { idp, gw } = await asked(t, { workers: 2, more: 'calls = 8 timeout = 20' });
  const tokens = Array.from({ length: 200 }, random);
  tokens.forEach((token) => idp.know(token, { sub: 'ann' }));
  const agent = connections(200);
  t.after(() => agent.destroy());
  idp.hold();
  const all = burst(gw, tokens, agent);
  await until(async () => (await gw.metric('gatehouse_client_connections')) >= 200, 'all of them');
  assert.ok(idp.calls <= 8, `${idp.calls} questions`);
  idp.release();
  assert.deepEqual(await all, { 200: 200 });
  assert.equal(idp.calls, 200);
});

test('who has waited too long for a place, or finds too many waiting, is told to come again', async (t) => {
  const { idp, gw, ask } = await asked(t, { workers: 1, more: 'calls = 1 timeout = 1' });
  const agent = connections(400);
  t.after(() => agent.destroy());
  idp.hold();
  const first = ask(random());
  await until(() => idp.calls === 1, 'the first question');
  const all = await burst(gw, Array.from({ length: 300 }, random), agent);
  assert.deepEqual(all, { 503: 300 });
  const busy = await gw.logged(({ verdict }) => verdict === 'introspection_busy');
  assert.equal(busy.status, 503);
  const late = await ask(random());
  assert.equal(late.status, 503);
  assert.equal(late.headers['retry-after'], '1');
  idp.release();
  assert.equal((await first).status, 503);
  assert.equal((await ask(random())).status, 401);
});

test('a worker killed while it asks holds up nobody for long', async (t) => {
  const { idp, gw } = await asked(t, { workers: 3, more: 'timeout = 20' });
  idp.know('gold', { sub: 'ann' });
  idp.hold();
  const more = () =>
    Array.from({ length: 40 }, () =>
      get(`${gw.url}/orders`, { token: 'gold' }).then(
        ({ status }) => status,
        () => 'cut off',
      ),
    );
  const waiting = more();
  await until(
    async () => idp.calls > 0 && (await gw.metric('gatehouse_client_connections')) >= 40,
    'all of them',
  );
  assert.equal(idp.calls, 1);
  /* whichever asks: once it was that one, another asks again */
  for (const pid of await gw.workers()) {
    process.kill(pid, 'SIGKILL');
    await until(async () => !(await gw.workers()).includes(pid), 'its end');
    waiting.push(...more());
    if (await until(() => idp.calls === 2, 'another question', 1000).catch(() => false)) break;
  }
  assert.equal(idp.calls, 2);
  idp.release();
  const statuses = await Promise.all(waiting);
  assert.ok(statuses.every((status) => status === 200 || status === 'cut off'));
  assert.ok(statuses.includes(200));
  assert.equal((await get(`${gw.url}/orders`, { token: 'gold' })).status, 200);
  assert.equal(idp.calls, 2);
});

test('the client that asked first hangs up, and the others get its answer', async (t) => {
  const { idp, gw, ask } = await asked(t, { workers: 1 });
  idp.know('gold', { sub: 'ann' });
  idp.hold();
  const agent = connections(1);
  const first = get(`${gw.url}/orders`, { token: 'gold', agent }).catch(() => 'gone');
  await until(() => idp.calls === 1, 'the question');
  const second = ask('gold');
  agent.destroy();
  assert.equal(await first, 'gone');
  idp.release();
  assert.equal((await second).status, 200);
  assert.equal(idp.calls, 1);
});

test('a reload keeps what is known, but for an issuer that is asked elsewhere', async (t) => {
  const { idp, gw, ask, text } = await asked(t);
  idp.know('gold', { sub: 'ann' });
  assert.equal((await ask('gold')).status, 200);
  await gw.reload(text.replace('workers = 2', 'workers = 1'));
  assert.equal((await ask('gold')).status, 200);
  assert.equal(idp.calls, 1);
  await gw.reload(text.replace('/introspect"', '/elsewhere"'));
  await until(async () => (await ask('gold')).status === 200 && idp.calls === 2, 'a new question');
  assert.equal(idp.questions[1].path, '/elsewhere');
});

test('connections to the provider are kept', async (t) => {
  const { idp, ask } = await asked(t, { workers: 1 });
  let connected = 0;
  idp.server.on('connection', () => {
    connected += 1;
  });
  for (let i = 0; i < 20; i += 1) {
    idp.know(`token-${i}`, { sub: 'ann' });
    assert.equal((await ask(`token-${i}`)).status, 200);
  }
  assert.equal(idp.calls, 20);
  assert.equal(connected, 1);
});
