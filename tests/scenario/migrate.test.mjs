// gatehouse migrate: once, in order, and never over what it does not know.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { command } from '../harness/gateway.mjs';
import { postgres } from '../harness/postgres.mjs';

async function database(t) {
  const db = await postgres({ fast: true });
  t.after(() => db.remove());
  return db;
}

test('an empty database is brought to the schema, and a second time nothing happens', async (t) => {
  const db = await database(t);

  let end = await db.gatehouse(['migrate', 'status']);
  assert.equal(end.code, 1);
  assert.match(end.stdout, /0001_token_service +not applied/);
  end = await db.gatehouse(['migrate', '--json']);
  assert.equal(end.code, 0, end.stderr);
  const { version, applied } = JSON.parse(end.stdout);
  assert.equal(version, applied);
  assert.equal((await db.gatehouse()).stdout, 'the schema is up to date');
  end = await db.gatehouse(['migrate', 'status', '--json']);
  const status = JSON.parse(end.stdout);
  assert.equal(end.code, 0);
  assert.equal(status.current, true);
  assert.equal(status.migrations.length, version);
  assert.match(status.migrations[0].applied_at, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.equal(await db.value('SELECT count(*) FROM tokens'), '0');
});

test('a database of the first schema keeps what it holds', async (t) => {
  const db = await database(t);
  const first = await readFile(new URL('../../migrations/0001_token_service.sql', import.meta.url), 'utf8');
  const id = '01890000-0000-7000-8000-000000000000';
  const sum = createHash('sha256').update(first).digest('hex');
  await db.query(first);
  await db.query(`CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL,
      checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO schema_migrations VALUES (1, '0001_token_service', '${sum}');
    INSERT INTO consumers (name) VALUES ('shop');
    INSERT INTO clients (client_id, consumer, jwks, grants) SELECT 'app', id, '{}', '{}' FROM consumers;
    INSERT INTO tokens VALUES ('${id}', NULL, 1, now(), now() + interval '1 hour', 'a', '["x"]');
    INSERT INTO revocations (kind, identity, expires_at, issuer, value)
      VALUES ('jti', sha256('x'), now() + interval '1 hour', 'i', 'v')`);

  assert.equal((await db.gatehouse(['client', 'list'])).code, 1);
  const end = await db.gatehouse();
  assert.match(end.stdout, /^applied 0002_token_exchange/);
  assert.doesNotMatch(end.stdout, /0001/);
  assert.deepEqual(
    await db.query('SELECT exchange_from, impersonation, delegation, recording FROM clients'),
    [['{}', 'allowed', 'denied', 'full']],
  );
  assert.deepEqual(
    await db.query('SELECT scope, subject IS NULL, claims IS NULL FROM tokens'),
    [['a', 't', 't']],
  );
  assert.equal((await db.gatehouse(['client', 'show', 'app'])).code, 0);
  const kinds = (kind) => db.query(`INSERT INTO revocations (kind, identity, expires_at, issuer, value)
    VALUES ('${kind}', sha256('x'), now(), 'i', 'v')`);
  await kinds('session');
  await assert.rejects(kinds('sessions'), /revocations_kind_check/);
  for (const change of ["impersonation = 'self'", "delegation = ''", "recording = NULL"])
    await assert.rejects(db.query(`UPDATE clients SET ${change}`), /violates/);
});

test('two at the same time do it once', async (t) => {
  const db = await database(t);
  const ends = await Promise.all([db.gatehouse(), db.gatehouse(), db.gatehouse()]);

  assert.deepEqual(ends.map((end) => end.code), [0, 0, 0]);
  assert.equal(ends.filter((end) => /^applied/.test(end.stdout)).length, 1);
});

test('a step that fails leaves nothing behind', async (t) => {
  const db = await database(t);
  await db.query('CREATE TABLE signing_keys ()');
  const end = await db.gatehouse();

  assert.equal(end.code, 1);
  assert.match(end.stderr, /0001_token_service: relation "signing_keys" already exists/);
  assert.equal(await db.value('SELECT count(*) FROM schema_migrations'), '0');
  assert.equal(await db.value("SELECT to_regclass('tokens') IS NULL"), 't');
});

test('an altered or unknown migration is refused', async (t) => {
  const db = await database(t);
  await db.migrate();
  await db.query("UPDATE schema_migrations SET checksum = 'x' WHERE version = 1");
  assert.match((await db.gatehouse()).stderr, /0001_token_service has another text/);
  await db.query("UPDATE schema_migrations SET version = 9999, name = '9999_later' WHERE version = 1");
  const end = await db.gatehouse(['migrate', 'status']);
  assert.equal(end.code, 1);
  assert.match(end.stderr, /9999_later.*a newer one/);
});

test('without a database it says so, and never tells the password', async (t) => {
  const db = await database(t);
  await db.migrate();
  await db.stop();
  const url = `postgresql://joe:hunter2@127.0.0.1:${db.port}/gatehouse`;
  const text = `listen "127.0.0.1:0" { }
issuer "main" { issuer = "https://id.test" audience = {"a"} }
upstream "api" { servers = {"http://127.0.0.1:9"} }
route "all" { upstream = "api" }
`;
  const run = (more) =>
    command(['-c', 'gatehouse.conf', 'migrate'], { conf: text + more });

  assert.match((await run('')).stderr, /no database section/);
  const away = await run(`database { url = "${url}" }`);
  assert.equal(away.code, 1);
  assert.match(away.stderr, /the database can't be reached: .*refused/);
  assert.doesNotMatch(away.stderr, /hunter2/);
  const broken = await run(`database { url = "${url.replace('ql:', ':').replace('//', '/')}" }`);
  assert.match(broken.stderr, /database\.url: it is no connection string/);
  assert.doesNotMatch(broken.stderr, /hunter2/);
  assert.equal((await command(['migrate', 'up'])).code, 2);
});
