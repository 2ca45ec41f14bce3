// Issuers tell of logouts (OpenID Connect Back-Channel Logout 1.0), and what belonged to them is
// refused: by a gateway without a database here, with one in logout_database.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { command, conf, gateway } from '../harness/gateway.mjs';
import { connections, get } from '../harness/http.mjs';
import { asking, introspectionServer } from '../harness/introspection.mjs';
import { jwksOf, mint, misSigned, newKey, now } from '../harness/keys.mjs';
import { EVENT, logOut, logoutLines, logoutToken } from '../harness/logout.mjs';
import { postgres } from '../harness/postgres.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const stranger = newKey('ES256');

async function house(t, { issuer = '', ...parts } = {}) {
  const api = await backend();
  const options = { servers: [api.url], issuer: `${logoutLines()} ${issuer}`, ...parts };
  const gw = await gateway(conf(options), { files: { 'jwks.json': jwksOf(key) } });
  t.after(async () => {
    await gw.stop();
    await api.stop();
  });
  return { api, gw, options, ask: (token) => get(`${gw.url}/orders`, { token }) };
}

/** Asked on fresh connections, so that every worker is likely to be among those who answer. */
async function all(ask, token, status) {
  const answers = await Promise.all(Array.from({ length: 16 }, () => ask(token)));
  assert.deepEqual([...new Set(answers.map((one) => one.status))], [status]);
  return answers[0];
}

test('a session that has ended takes its tokens along, at once and on every worker', async (t) => {
  const { gw, ask } = await house(t);
  const mine = await mint(key, { sid: 's1', sub: 'ann' });
  const again = await mint(key, { sid: 's1', sub: 'ann', iat: now() - 60 });
  const other = await mint(key, { sid: 's2', sub: 'ann' });
  const none = await mint(key, { sub: 'ann' });
  for (const token of [mine, again, other, none]) await all(ask, token, 200);

  const answer = await logOut(gw, await logoutToken(key, { sid: 's1', sub: 'ann' }));
  assert.deepEqual([answer.status, answer.body], [200, '']);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(answer.headers['content-length'], '0');

  for (const token of [mine, again]) {
    const refused = await all(ask, token, 401);
    assert.match(refused.headers['www-authenticate'], /error="invalid_token".*revoked/);
  }
  for (const token of [other, none]) await all(ask, token, 200);
  /* a session does not come back */
  await all(ask, await mint(key, { sid: 's1', sub: 'ann', iat: now() + 1 }), 401);

  const line = await gw.logged((one) => one.path === '/logout/main');
  assert.deepEqual([line.verdict, line.issuer, line.status], ['logout', 'main', 200]);
  const page = await gw.metrics();
  assert.match(page, /requests_total\{[^}]*status="200",verdict="logout"\} 1/);
  assert.match(page, /^gatehouse_revocations 1$/m);
});

test('a subject that has logged out takes along what was issued until then', async (t) => {
  const { gw, ask } = await house(t);
  const at = now() - 5;
  const old = await mint(key, { sid: 's1', sub: 'ann', iat: at });
  const opaque = await mint(key, { sub: 'ann', iat: undefined });
  const young = await mint(key, { sid: 's2', sub: 'ann', iat: at + 1 });
  const bob = await mint(key, { sub: 'bob', iat: at });
  const client = await mint(key, { sub: 'carl', client_id: 'ann', iat: at });
  const end = await logoutToken(key, { sub: 'ann', iat: at });
  /* the second time changes nothing: who logged in again stays */
  for (let i = 0; i < 3; i += 1) {
    assert.equal((await logOut(gw, end)).status, 200);
    for (const token of [old, opaque]) await all(ask, token, 401);
    for (const token of [young, bob, client]) await all(ask, token, 200);
  }
  assert.equal((await logOut(gw, await logoutToken(key, { sub: 'ann' }))).status, 200);
  await all(ask, young, 401);
});

test('what is no good logout token ends nothing', async (t) => {
  const { gw, ask } = await house(t);
  const token = await mint(key, { sid: 's1', sub: 'ann' });
  const who = { sid: 's1', sub: 'ann' };
  const good = await logoutToken(key, who);
  const rows = [
    [token, /typ is not logout/],
    [await mint(key, { ...who, aud: 'gate' }, { typ: 'JWT' }), /no back-channel logout/],
    [await mint(key, { ...who, aud: 'gate', events: { [EVENT]: {} } }), /typ is not logout/],
    [await logoutToken(key, { ...who, events: { [EVENT]: [] } }), /no back-channel logout/],
    [misSigned(good), /signature is wrong/],
    [await logoutToken({ ...stranger, kid: key.kid }, who), /signature is wrong/],
    [await logoutToken(stranger, who), /key is unknown/],
    [await logoutToken(key, { ...who, iss: 'https://other.test' }), /iss is not the issuer/],
    [await logoutToken(key, { ...who, aud: 'orders-api' }), /audience is not accepted/],
    [await logoutToken(key, { ...who, iat: now() - 3600 }), /issued too long ago/],
    [await logoutToken(key, { ...who, exp: now() - 1 }), /expired/],
    [await logoutToken(key, { ...who, nonce: 'n' }), /nonce/],
    [await logoutToken(key, { ...who, jti: undefined }), /jti is missing/],
    [await logoutToken(key, {}), /neither a session nor a subject/],
    ['no token', /malformed/],
    ['', /logout_token is missing/],
  ];
  for (const [text, why] of rows) {
    const answer = await logOut(gw, text);
    assert.equal(answer.status, 400, `${why}`);
    assert.equal(answer.json.error, 'invalid_request');
    assert.match(answer.json.error_description, why);
    assert.equal(answer.headers['cache-control'], 'no-store');
  }
  const forms = [
    [{ form: `logout_token=${good}&logout_token=${good}` }, 400],
    [{ headers: { 'content-type': 'application/json' }, form: `{"logout_token":"${good}"}` }, 400],
    [{ path: '/logout/main?x=1' }, 400],
    [{ form: `logout_token=${'x'.repeat(70_000)}` }, 413],
  ];
  for (const [options, status] of forms)
    assert.equal((await logOut(gw, good, options)).status, status);
  const got = await get(`${gw.url}/logout/main?logout_token=${good}`);
  assert.deepEqual([got.status, got.headers.allow], [405, 'POST']);
  assert.equal((await ask(good)).status, 401, 'a logout token opens nothing');
  await all(ask, token, 200);
  assert.equal((await logOut(gw, good)).status, 200);
  await all(ask, token, 401);
});

test('it holds over reloads, killed workers and another binary', async (t) => {
  const { gw, ask } = await house(t);
  const token = await mint(key, { sid: 's1' });
  const good = await mint(key, { sid: 's2' });
  assert.equal((await logOut(gw, await logoutToken(key, { sid: 's1' }))).status, 200);
  await gw.reload();
  await all(ask, token, 401);
  for (const pid of [...(await gw.workers()), await gw.keeper()]) process.kill(pid, 'SIGKILL');
  await gw.sees(/worker \d+ was ended by signal 9/);
  await until(async () => (await ask(good).catch(() => ({}))).status === 200, 'workers');
  await all(ask, token, 401);

  const from = gw.errors.all.length;
  gw.kill('SIGUSR2');
  const line = await gw.sees(/ready, \d+ workers?/, from);
  gw.adopt(Number(line.match(/master\[(\d+)\]/)[1]));
  await gw.ended;
  await all(ask, good, 200);
  await all(ask, token, 401);
});

test('a database that comes by a reload forgets none, and none that it told of', async (t) => {
  const db = await postgres({ fast: true });
  t.after(() => db.remove());
  await db.migrate();
  const { gw, options, ask } = await house(t);
  const token = await mint(key, { sid: 's1' });
  const told = await mint(key, { sub: 'bob', iat: now() - 10 });
  assert.equal((await logOut(gw, await logoutToken(key, { sid: 's1' }))).status, 200);
  await db.query(`INSERT INTO revocations (kind, identity, expires_at, issuer, value)
    SELECT 'subject', gatehouse_identity('subject', 'https://id.test', 'bob'),
      now() + interval '1 hour', 'https://id.test', 'bob'`);
  await all(ask, told, 200);
  await gw.reload(conf({ ...options, more: db.section() }));
  /* until the table has been read nothing passes */
  await until(async () => {
    const { status } = await ask(told);
    assert.notEqual(status, 200);
    return status === 401;
  }, 'the table to be read');
  await all(ask, token, 401);
  await gw.reload(conf(options));
  for (const one of [token, told]) await all(ask, one, 401);
});

test('an issuer that is asked about its tokens tells of logouts too', async (t) => {
  const idp = await introspectionServer();
  t.after(() => idp.stop());
  const { gw, ask } = await house(t, { issuer: asking(idp) });
  idp.know('gold', { sub: 'ann', sid: 's1', iat: now() - 10 });
  idp.know('lead', { sub: 'ann', iat: now() - 10 });
  for (const token of ['gold', 'lead']) await all(ask, token, 200);
  assert.equal((await logOut(gw, await logoutToken(key, { sid: 's1' }))).status, 200);
  await all(ask, 'gold', 401);
  await all(ask, 'lead', 200);
  assert.equal((await logOut(gw, await logoutToken(key, { sub: 'ann' }))).status, 200);
  await all(ask, 'lead', 401);
});

test('a flood of forged ones holds up nobody', async (t) => {
  const { gw, ask } = await house(t);
  const token = await mint(key, { sid: 's1' });
  assert.equal((await ask(token)).status, 200);
  const agent = connections(32);
  t.after(() => agent.destroy());
  const forged = misSigned(await logoutToken(key, { sid: 's1' }));
  const flood = Promise.all(Array.from({ length: 2000 }, () => logOut(gw, forged, { agent })));
  await all(ask, token, 200);
  assert.deepEqual([...new Set((await flood).map((one) => one.status))], [400]);
  await all(ask, token, 200);
});

test('without room a logout is refused, and whoever did not log out goes on', async (t) => {
  const { gw, ask } = await house(t, { top: 'shared_memory { revocations = "256K" }' });
  const ended = await mint(key, { sid: 'first' });
  const token = await mint(key, { sid: 'another' });
  assert.equal((await logOut(gw, await logoutToken(key, { sid: 'first' }))).status, 200);
  const agent = connections(16);
  t.after(() => agent.destroy());
  const tally = new Map();
  await Promise.all(
    Array.from({ length: 16 }, async (_, k) => {
      for (let i = 0; i < 400; i += 1) {
        const one = await logoutToken(key, { sid: `${k}-${i}` });
        const { status } = await logOut(gw, one, { agent });
        tally.set(status, (tally.get(status) ?? 0) + 1);
      }
    }),
  );
  assert.deepEqual([...tally.keys()].sort(), [200, 503]);
  await gw.sees(/does not fit into shared_memory.revocations/);
  await all(ask, token, 200);
  await all(ask, ended, 401);
});

test('-t tells that without a database a restart forgets logouts', async () => {
  const text = conf({ servers: ['http://127.0.0.1:1'], issuer: logoutLines() });
  const files = { 'jwks.json': jwksOf(key) };
  const end = await command(['-t', '-c', 'gatehouse.conf'], { conf: text, files });
  assert.equal(end.code, 0);
  assert.match(end.stdout + end.stderr, /backchannel_logout: without a database/);
});
