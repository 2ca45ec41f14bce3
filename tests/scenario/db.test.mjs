// The database behind a gateway: its schema, how many connections a node has, and that they come back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conf, gateway } from '../harness/gateway.mjs';
import { postgres } from '../harness/postgres.mjs';
import { until } from '../harness/wait.mjs';

const KEYS = { 'jwks.json': { keys: [] } };

async function database(t) {
  const db = await postgres({ fast: true });
  t.after(() => db.remove());
  return db;
}

function text(db, { workers = 2, more = '' } = {}) {
  const keys = 'jwks_uri = "http://127.0.0.1:9/"';
  return conf({ servers: ['http://127.0.0.1:9'], workers, keys, more: db.section(more) });
}

const connections = async (db) =>
  Number(
    await db.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatehouse'"),
  );

test('a gateway does not start on a schema that is not its own', async (t) => {
  const db = await database(t);
  const start = async () => {
    const gw = await gateway(text(db), { files: KEYS, expect: 'failure' });
    const end = await gw.ended;
    const log = gw.log();
    await gw.stop();
    return { ...end, log };
  };

  let end = await start();
  assert.equal(end.code, 1);
  assert.match(end.log, /has schema 0, and this gatehouse needs \d+: run `gatehouse migrate`/);
  await db.migrate();
  await db.query("INSERT INTO schema_migrations VALUES (9999, '9999_later', 'x')");
  end = await start();
  assert.equal(end.code, 1);
  assert.match(end.log, /schema 9999 of a newer gatehouse/);
});

test('it starts without its database, and finds it when it comes', async (t) => {
  const db = await database(t);
  await db.migrate();
  await db.stop();
  const gw = await gateway(text(db), { files: KEYS });
  t.after(() => gw.stop());

  assert.match(gw.log(), /the database can't be reached: .*going on without it/);
  assert.equal(await gw.metric('gatehouse_database_connections{state="up"}'), 0);
  await db.start();
  await until(() => connections(db), 'a connection');
  for (const mode of ['fast', 'immediate']) {
    await db.restart(mode);
    await until(() => connections(db), `a connection after a restart (${mode})`);
  }
});

test('a hanging database does not hold up the start', async (t) => {
  const db = await database(t);
  await db.migrate();
  await db.pause();
  const gw = await gateway(text(db, { more: 'timeout = 0.2' }), { files: KEYS });
  t.after(() => gw.stop());

  assert.match(gw.log(), /does not answer in time; going on without it/);
  await db.resume();
  await until(() => connections(db), 'a connection');
});

test('a node has no more connections than it may, whatever happens to its workers', async (t) => {
  const db = await database(t);
  await db.migrate();
  const most = 3;
  const gw = await gateway(text(db, { workers: 4, more: `connections = ${most}` }), { files: KEYS });
  t.after(() => gw.stop());
  const workers = most - 1;
  const up = () => gw.metric('gatehouse_database_connections{state="up"}');
  const settled = () => until(async () => (await connections(db)) >= workers, 'all connections');

  await settled();
  for (let round = 0; round < 3; round++) {
    for (const pid of await gw.workers()) process.kill(pid, 'SIGKILL');
    await until(async () => (await gw.workers()).length === 4, 'new workers');
    assert.ok((await connections(db)) <= most);
    await settled();
  }
  await gw.reload();
  assert.ok((await connections(db)) <= most);
  await settled();
  assert.ok((await up()) >= workers && (await up()) <= most);
});
