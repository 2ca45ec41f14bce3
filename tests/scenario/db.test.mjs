// The database behind a gateway: its schema, how many connections a node has, and that they come back.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { conf, gateway } from '../harness/gateway.mjs';
import { postgres } from '../harness/postgres.mjs';
import { tokenHouse } from '../harness/tokens.mjs';
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

test('workers without a connection of their own get their turn', async (t) => {
  const house = await tokenHouse(t, {
    workers: 4,
    database: 'connections = 2',
    service: 'reuse = 0 token_rate = ""',
  });
  const shop = await house.client();
  const end = Date.now() + 3_000;
  const answers = new Map();
  const asker = async () => {
    while (Date.now() < end) {
      const { status } = await house.token(shop);
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  };

  await Promise.all(Array.from({ length: 32 }, asker));
  assert.deepEqual([...answers.keys()], [200]);
  assert.ok((await connections(house.db)) <= 2);
  assert.equal(await house.rows('tokens'), answers.get(200));
});

test('no token that was answered is lost when the database crashes under load', async (t) => {
  const house = await tokenHouse(t, { fast: false, service: 'reuse = 0 token_rate = ""' });
  const shop = await house.client();
  const tokens = [];
  const statuses = new Set();
  let asking = true;
  const asker = async () => {
    while (asking) {
      const { status, json } = await house.token(shop);
      statuses.add(status);
      if (status === 200) tokens.push(json.access_token);
    }
  };
  const askers = Array.from({ length: 16 }, asker);

  for (let round = 1; round <= 3; round++) {
    const before = tokens.length;
    await until(() => tokens.length > before + 200, 'tokens');
    await house.db.restart('immediate');
  }
  const before = tokens.length;
  await until(() => tokens.length > before, 'tokens after the last crash');
  asking = false;
  await Promise.all(askers);
  assert.deepEqual([...statuses].filter((status) => status !== 200 && status !== 503), []);
  const digests = await house.db.query('SELECT encode(digest, \'hex\') FROM tokens');
  const kept = new Set(digests.flat());
  const digest = (token) => createHash('sha256').update(token).digest('hex');
  assert.equal(tokens.filter((token) => !kept.has(digest(token))).length, 0);
});
