// Logouts that issuers tell of, with a database: committed before they are answered, known to other
// nodes, and after a new start. No token service is needed.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { command, conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksServer } from '../harness/jwks.mjs';
import { jwksOf, mint, newKey, now } from '../harness/keys.mjs';
import { logOut, logoutLines, logoutToken } from '../harness/logout.mjs';
import { migrated } from '../harness/service.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const files = { 'jwks.json': jwksOf(key) };

/** A gateway on a database, without a token service. */
async function node(t, db, parts = {}) {
  const api = await backend();
  const text = conf({ servers: [api.url], issuer: logoutLines(), more: db.section(), ...parts });
  const gw = await gateway(text, { files });
  t.after(async () => {
    await gw.stop();
    await api.stop();
  });
  const ask = async (token) => (await get(`${gw.url}/orders`, { token })).status;
  return { gw, ask, text };
}

const refused = ({ ask }, token) =>
  until(async () => (await ask(token)) === 401, 'the token to be refused');

test('a logout is committed, and true on both nodes and after a new start', async (t) => {
  const db = await migrated(t);
  const [one, two] = await Promise.all([node(t, db), node(t, db)]);
  const at = now() - 5;
  const mine = await mint(key, { sid: 's1', sub: 'ann', iat: at });
  const other = await mint(key, { sid: 's2', sub: 'ann', iat: at });
  const young = await mint(key, { sid: 's3', sub: 'ann', iat: at + 1 });
  for (const { ask } of [one, two])
    for (const token of [mine, other, young]) assert.equal(await ask(token), 200);

  assert.equal((await logOut(one.gw, await logoutToken(key, { sid: 's1', sub: 'ann' }))).status, 200);
  assert.equal(await one.ask(mine), 401, 'at the next request');
  await refused(two, mine);
  const end = await logoutToken(key, { sub: 'ann', iat: at });
  for (let i = 0; i < 3; i += 1) assert.equal((await logOut(two.gw, end)).status, 200);
  assert.equal(await two.ask(other), 401);
  await refused(one, other);
  for (const { ask } of [one, two]) assert.equal(await ask(young), 200);

  const rows = await db.query(`SELECT kind, issuer, value, extract(epoch FROM before_at)::bigint,
    expires_at > now() + interval '30 days' FROM revocations ORDER BY seq`);
  assert.deepEqual(rows, [
    ['session', 'https://id.test', 's1', rows[0][3], 't'],
    ['subject', 'https://id.test', 'ann', String(at), 't'],
  ]);
  assert.ok(!rows[0][3], 'a session is ended for good');

  const three = await node(t, db);
  for (const token of [mine, other]) assert.equal(await three.ask(token), 401);
  assert.equal(await three.ask(young), 200);
});

test('what can not be committed is not answered with 200, and works when told again', async (t) => {
  const db = await migrated(t);
  const house = await node(t, db);
  const token = await mint(key, { sid: 's1' });
  assert.equal(await house.ask(token), 200);
  const end = await logoutToken(key, { sid: 's1' });
  await db.stop('fast');
  const answer = await logOut(house.gw, end);
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  assert.equal(answer.json.error, 'temporarily_unavailable');
  assert.equal(await house.ask(token), 200);
  await db.start();
  await until(async () => (await logOut(house.gw, end)).status === 200, 'the logout to be taken');
  assert.equal(await house.ask(token), 401);
  assert.equal(await db.value("SELECT count(*) FROM revocations WHERE value = 's1'"), '1');
});

test('a key that is new is fetched for a logout token too', async (t) => {
  const [first, second] = [newKey('ES256'), newKey('RS256')];
  const server = await jwksServer(jwksOf(first));
  t.after(() => server.stop());
  const db = await migrated(t);
  const house = await node(t, db, {
    keys: `jwks_uri = "${server.url}" jwks_cooldown = 1`,
    issuer: `${logoutLines()} validate = "introspect"
      introspection { endpoint = "http://127.0.0.1:1/" client_id = "g" client_secret = "s" }`,
  });
  assert.equal((await logOut(house.gw, await logoutToken(first, { sid: 's1' }))).status, 200);
  server.keys = jwksOf(second);
  await until(
    async () => (await logOut(house.gw, await logoutToken(second, { sid: 's2' }))).status === 200,
    'the new key to be used',
  );
});

test('an operator ends a session by hand', async (t) => {
  const db = await migrated(t);
  const house = await node(t, db);
  const token = await mint(key, { sid: 's 1', iat: now() - 5 });
  assert.equal(await house.ask(token), 200);
  const run = (...args) =>
    command(['-c', 'gatehouse.conf', 'token', 'revoke', ...args], { conf: house.text, files });
  const wrong = await run('--session', 's 1');
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /--issuer is missing/);
  const end = await run('--session', 's 1', '--issuer', 'main');
  assert.equal(end.code, 0, end.stderr);
  await refused(house, token);
});
