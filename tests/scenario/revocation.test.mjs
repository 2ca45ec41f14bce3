// Revoked is revoked: on this node, on the others, after a restart, and never forgotten half.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { mint, now } from '../harness/keys.mjs';
import { foreign, join, migrated, service } from '../harness/service.mjs';
import { until } from '../harness/wait.mjs';

const refused = ({ ask }, token) =>
  until(async () => (await ask(token)).status === 401, 'the token to be refused');

/** A row as the command line or another gateway would write it, without a notice to anybody. */
const silently = (db, jti) =>
  db.query(`SET session_replication_role = replica;
    INSERT INTO revocations (kind, identity, expires_at, issuer, value)
    SELECT 'jti', gatehouse_identity('jti', 'https://id.test', '${jti}'),
      now() + interval '1 hour', 'https://id.test', '${jti}'`);

test("a foreign issuer's tokens are revoked by jti, subject, client and key", async (t) => {
  const house = await service(t);
  const { ask, run } = house;
  const rows = [
    [{ jti: 'j1' }, '--jti j1'],
    [{ sub: 'bob', jti: 'j2' }, '--subject bob'],
    [{ client_id: 'batch', jti: 'j3' }, '--client batch'],
    [{ jti: 'j4', sub: 'eve' }, `--kid ${foreign.kid}`],
  ];
  for (const [claims, how] of rows) {
    const token = await mint(foreign, { ...claims, iat: now() - 10 });
    assert.equal((await ask(token)).status, 200, how);
    await run(`token revoke ${how} --issuer main`);
    await refused(house, token);
    const answer = await ask(token);
    assert.match(answer.headers['www-authenticate'], /error="invalid_token".*revoked/);
  }
});

test('a whole token is revoked by itself, with a jti or without', async (t) => {
  const house = await service(t);
  const named = await mint(foreign);
  const nameless = await mint(foreign, { jti: undefined });
  const other = await mint(foreign, { jti: undefined, sub: 'another' });
  for (const token of [named, nameless, other]) assert.equal((await house.ask(token)).status, 200);
  for (const token of [named, nameless]) {
    await house.run(['token', 'revoke', token]);
    await refused(house, token);
  }
  assert.equal((await house.ask(other)).status, 200);
});

test('what is issued later to the same client is good', async (t) => {
  const house = await service(t);
  await house.run('token revoke --client app --issuer main');
  const old = await mint(foreign, { client_id: 'app', iat: now() - 5 });
  await refused(house, old);
  await until(async () => {
    const token = await mint(foreign, { client_id: 'app' });
    return (await house.ask(token)).status === 200;
  }, 'the second of the revocation to pass');
  assert.equal((await house.ask(old)).status, 401);
});

test('another node hears of it, and of what it missed', async (t) => {
  const db = await migrated(t);
  const [one, two] = await Promise.all([join(t, db), join(t, db)]);
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((jti) => mint(foreign, { jti })));
  for (const token of [a, b, c]) assert.equal((await two.ask(token)).status, 200);
  await one.run('token revoke --jti a --issuer main');
  await Promise.all([refused(one, a), refused(two, a)]);
  /* a notice that never came: the feed is read every few seconds all the same */
  await silently(db, 'b');
  await Promise.all([refused(one, b), refused(two, b)]);
  /* cut off meanwhile */
  await db.stop('fast');
  await db.start();
  await silently(db, 'c');
  await Promise.all([refused(one, c), refused(two, c)]);
});

test('it holds over a reload, a dead keeper, and a new start', async (t) => {
  const db = await migrated(t);
  const house = await join(t, db);
  const [token, good] = [await mint(foreign, { jti: 'j1' }), await mint(foreign, { jti: 'j2' })];
  await house.run('token revoke --jti j1 --issuer main');
  await refused(house, token);
  await house.gw.reload();
  for (let i = 0; i < 10; i += 1) assert.equal((await house.ask(token)).status, 401);
  process.kill(await house.gw.keeper(), 'SIGKILL');
  await house.gw.sees(/keeper \d+ was ended by signal 9/);
  for (let i = 0; i < 10; i += 1) assert.equal((await house.ask(token)).status, 401);
  assert.equal((await house.ask(good)).status, 200);
  const fresh = await join(t, db);
  assert.equal((await fresh.ask(token)).status, 401);
  assert.equal((await fresh.ask(good)).status, 200);
});

test('before anything is known nothing passes, and then it does', async (t) => {
  const db = await migrated(t);
  await db.stop();
  const house = await join(t, db);
  const token = await mint(foreign);
  const answer = await house.ask(token);
  assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
  assert.match(answer.body, /whether the token is revoked is not known/);
  assert.equal(await house.gw.metric('gatehouse_revocations_unsure'), 1);
  assert.equal(await house.gw.metric('gatehouse_revocation_lag_seconds'), undefined);
  assert.equal((await house.ask(undefined)).status, 401);
  await db.start();
  await until(async () => (await house.ask(token)).status === 200, 'the token to pass');
  assert.equal(await house.gw.metric('gatehouse_revocations_unsure'), 0);
  assert.ok((await house.gw.metric('gatehouse_revocation_lag_seconds')) < 10);
});

test('validation goes on while the database is away', async (t) => {
  const house = await service(t);
  const [old, token] = [await mint(foreign, { jti: 'j1' }), await mint(foreign, { jti: 'j2' })];
  await house.run('token revoke --jti j1 --issuer main');
  await refused(house, old);
  await house.db.stop('immediate');
  await house.gw.sees(/the database can't be used/);
  assert.equal((await house.ask(token)).status, 200);
  assert.equal((await house.ask(old)).status, 401);
});

test('more than fits is no reason to let anything pass', async (t) => {
  const db = await migrated(t);
  const house = await join(t, db, { top: 'shared_memory { revocations = "256K" }' });
  const token = await mint(foreign);
  assert.equal((await house.ask(token)).status, 200);
  await db.query(`INSERT INTO revocations (kind, identity, expires_at, issuer, value)
    SELECT 'jti', sha256(i::text::bytea), now() + interval '15 seconds', 'x', i::text
    FROM generate_series(1, 20000) i`);
  await until(async () => (await house.ask(token)).status === 503, 'the set to be full');
  await house.gw.sees(/do not fit into shared_memory.revocations/);
  /* as soon as there is room, it is known again what is in force */
  await db.query('DELETE FROM revocations');
  await until(async () => (await house.ask(token)).status === 200, 'room', 40_000);
});

test('rows of what has expired are taken away', async (t) => {
  const db = await migrated(t);
  await db.query(`INSERT INTO tokens SELECT gen_random_uuid(), NULL, 1, now(),
    now() + (i - 2500.5) * interval '1 hour', '', '[]' FROM generate_series(1, 5000) i`);
  await db.query(`INSERT INTO revocations (kind, identity, expires_at, issuer, value)
    SELECT 'jti', sha256(i::text::bytea), now() - interval '1 day', 'x', '' FROM
    generate_series(1, 1500) i`);
  await join(t, db);
  await until(
    async () => (await db.value('SELECT count(*) FROM revocations')) === '0',
    'old revocations to go',
    20_000,
  );
  assert.equal(await db.value('SELECT count(*) FROM tokens'), '2500');
});

test('a database that was restored from a backup counts anew, and is read anew', async (t) => {
  const house = await service(t);
  const { db, run, ask } = house;
  const [early, late] = [await mint(foreign, { jti: 'early' }), await mint(foreign, { jti: 'late' })];
  for (const jti of ['a', 'b', 'c', 'early']) await run(`token revoke --jti ${jti} --issuer main`);
  await refused(house, early);
  await db.query('DELETE FROM revocations; ALTER SEQUENCE revocations_seq_seq RESTART');
  await db.restart('fast');
  await silently(db, 'late');
  assert.equal(await db.value('SELECT max(seq) FROM revocations'), '1');
  await refused(house, late);
  assert.equal((await ask(early)).status, 401, 'what was known stays so');
});
