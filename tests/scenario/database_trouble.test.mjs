// Trouble with the database: what can be answered without it goes on, what can't gets 503 in time, no
// revocation is acknowledged that is not committed, and all of it heals by itself.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { gateway } from '../harness/gateway.mjs';
import { connections, get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { busy } from '../harness/load.mjs';
import { tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
/* database.timeout is one second here; an answer that takes longer than this has hung */
const IN_TIME_MS = 4_000;
let house;
let shop;
let foreign;

before(async () => {
  house = await tokenHouse(undefined, {
    service: 'token_rate = "" reuse = 0 auth_failures = ""',
    database: 'timeout = 1',
    route: 'issuers = {"self", "main"}',
    keys: jwksOf(key),
  });
  shop = await house.client({ format: 'jwt' });
  foreign = await mint(key);
});
after(() => house.stop());

const orders = async (token, gw = house.gw) => (await get(`${gw.url}/orders`, { token })).status;

/** An answer that came in time, and with Retry-After if it is a 503. */
async function timely(asked) {
  const start = performance.now();
  const answer = await asked;
  const ms = performance.now() - start;
  assert.ok(ms < IN_TIME_MS, `${answer.status} after ${ms} ms`);
  if (answer.status === 503) assert.ok(Number(answer.headers['retry-after']) > 0, answer.body);
  return answer;
}

const issue = (options) => timely(house.token(shop, {}, options));

async function token() {
  const answer = await until(async () => {
    const one = await issue();
    return one.status === 200 && one;
  }, 'a token');
  return answer.json.access_token;
}

async function refusedToIssue(options) {
  const answer = await issue(options);
  assert.equal(answer.status, 503, answer.body);
  assert.equal(answer.json.error, 'temporarily_unavailable');
  assert.equal(answer.headers['cache-control'], 'no-store');
}

async function refusedToRevoke(one) {
  const answer = await timely(house.revoke(shop, one));
  assert.equal(answer.status, 503, answer.body);
}

/** A token that can be revoked as soon as the trouble is over, and then is dead. */
async function revocable(one) {
  await until(async () => {
    const answer = await timely(house.revoke(shop, one));
    assert.ok([200, 503].includes(answer.status), answer.body);
    return answer.status === 200;
  }, 'a revocation');
  assert.equal(await orders(one), 401);
  const { jti } = JSON.parse(Buffer.from(one.split('.')[1], 'base64url'));
  assert.ok((await house.rows('revocations', `value = '${jti}'`)) > 0, 'it is in the store');
}

afterEach(async () => {
  /* whatever a story did: the same processes serve again, with nothing restarted */
  const [master, ...before] = [house.gw.pid, ...(await house.gw.workers())];
  const one = await token();
  assert.equal(await orders(one), 200);
  assert.equal(await orders(foreign), 200);
  await revocable(one);
  assert.deepEqual([house.gw.pid, ...(await house.gw.workers())], [master, ...before]);
});

test('down at the start: it starts, says 503, and serves when the database is there', async () => {
  const one = await token();
  await revocable(one);
  await house.db.stop();
  const late = await gateway(house.text, { files: house.files });
  try {
    for (const any of [one, foreign]) assert.equal(await orders(any, late), 503);
    await refusedToIssue({ gw: late });
    assert.equal((await timely(house.revoke(shop, one, { gw: late }))).status, 503);
    await house.db.start();
    await until(async () => (await orders(foreign, late)) === 200, 'the start to be over');
    await until(async () => (await issue({ gw: late })).status === 200, 'a token');
    assert.equal(await orders(one, late), 401, 'what was revoked before is known');
  } finally {
    await late.stop();
  }
});

test('stopped for a while: tokens are checked all the time, 503 for the rest', async () => {
  const one = await token();
  await house.db.stop('immediate');
  await refusedToIssue();
  await refusedToRevoke(one);
  assert.equal(await orders(one), 200);
  assert.equal(await orders(await mint(key)), 200, 'one that it has never seen');
  await house.db.start();
  await revocable(one);
});

test('crashed and started under load: no call fails, and each token is answered in time', async () => {
  const one = await token();
  const load = busy(`${house.gw.url}/orders`, [
    { name: 'known', token: () => one },
    { name: 'foreign', token: () => foreign },
  ]);
  const agent = connections(8);
  const seen = new Set();
  let going = true;
  const askers = Array.from({ length: 8 }, async () => {
    while (going) seen.add((await issue({ agent })).status);
  });
  for (let i = 0; i < 2; i += 1) {
    const { total } = load.tally;
    await until(() => load.tally.total > total + 200, 'some load');
    await house.db.restart('immediate');
    await until(async () => (await issue()).status === 200, 'tokens again');
  }
  going = false;
  await Promise.all(askers);
  agent.destroy();
  const tally = await load.stop();
  assert.deepEqual(tally.failures, []);
  assert.deepEqual([...tally.statuses.keys()].sort(), ['foreign 200', 'known 200']);
  assert.ok(seen.has(200) && [...seen].every((status) => status === 200 || status === 503));
});

test('hanging: only what needs it waits, and not for long', async () => {
  const one = await token();
  await house.db.pause();
  try {
    const answered = [];
    const waiting = issue().then(({ status }) => answered.push(`token ${status}`));
    for (let i = 0; i < 20; i += 1) assert.equal(await orders(one), 200);
    answered.push('calls');
    await waiting;
    assert.deepEqual(answered, ['calls', 'token 503'], 'nothing was held up meanwhile');
    await refusedToRevoke(one);
    await Promise.all(Array.from({ length: 50 }, () => refusedToIssue()));
  } finally {
    await house.db.resume();
  }
  await revocable(one);
});

test('out of connections', async () => {
  const one = await token();
  await house.db.restart('fast', [
    'max_connections=1',
    'superuser_reserved_connections=0',
    'max_wal_senders=0',
  ]);
  const statuses = new Set();
  for (let i = 0; i < 30; i += 1) statuses.add((await issue()).status);
  assert.ok([...statuses].every((status) => status === 200 || status === 503), `${[...statuses]}`);
  assert.equal(await orders(one), 200);
  const answer = await timely(house.revoke(shop, one));
  assert.equal(await orders(one), answer.status === 200 ? 401 : 200);
  await house.db.restart('fast');
});

test('a role that may hold no connection at all', async () => {
  await house.db.query(
    `CREATE ROLE gate LOGIN;
     GRANT ALL ON ALL TABLES IN SCHEMA public TO gate;
     GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO gate`,
  );
  const text = house.text.replace('postgresql://postgres@', 'postgresql://gate@');
  const other = await gateway(text, { files: house.files });
  try {
    await until(async () => (await issue({ gw: other })).status === 200, 'a token');
    await house.db.query(
      `ALTER ROLE gate CONNECTION LIMIT 0;
       SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gate'`,
    );
    await until(async () => (await issue({ gw: other })).status === 503, 'no connection');
    await refusedToIssue({ gw: other });
    assert.equal(await orders(foreign, other), 200);
    await house.db.query('ALTER ROLE gate CONNECTION LIMIT -1');
    await until(async () => (await issue({ gw: other })).status === 200, 'a token again');
  } finally {
    await other.stop();
  }
});

test('read-only, as after a failover to a standby', async () => {
  const one = await token();
  const set = async (how) => {
    await house.db.query(`ALTER SYSTEM ${how}`);
    await house.db.query('SELECT pg_reload_conf()');
  };
  await set('SET default_transaction_read_only = on');
  await until(async () => (await issue()).status === 503, 'it to be read-only');
  await refusedToIssue();
  await refusedToRevoke(one);
  assert.equal(await orders(one), 200);
  assert.equal((await house.introspect(shop, one)).json.active, true);
  await set('RESET default_transaction_read_only');
  await revocable(one);
});

test('connections that are broken again and again', async () => {
  const one = await token();
  for (let i = 0; i < 10; i += 1) {
    await house.db.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = 'gatehouse'",
    );
    const { status } = await issue();
    assert.ok(status === 200 || status === 503, `${status}`);
    assert.equal(await orders(one), 200);
  }
  await revocable(one);
});

/** A file system of a few megabytes; a reason instead of it where there can't be one. */
function smallDisk() {
  if (process.getuid() !== 0) return { reason: 'only root can mount a small file system' };
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'pipe' });
  } catch {
    rmSync(folder, { recursive: true });
    return { reason: 'no file system can be mounted here' };
  }
  execFileSync('chown', ['postgres:', folder]);
  return {
    folder,
    remove: () => {
      execFileSync('umount', [folder]);
      rmSync(folder, { recursive: true });
    },
  };
}

test('a full disk', async (t) => {
  const disk = smallDisk();
  if (disk.reason) return t.skip(disk.reason);
  /* so many that the pages which are there already can't hold all their revocations */
  const many = await Promise.all(Array.from({ length: 120 }, token));
  const move = async (where) => {
    for (const table of ['tokens', 'revocations'])
      await house.db.query(`ALTER TABLE ${table} SET TABLESPACE ${where}`);
  };
  try {
    await house.db.query(`CREATE TABLESPACE small LOCATION '${disk.folder}'`);
    await move('small');
    await house.db.query('CREATE TABLE filler (bytes text) TABLESPACE small');
    await house.db.query('ALTER TABLE filler ALTER bytes SET STORAGE PLAIN');
    for (const bytes of [7_000, 300])
      await assert.rejects(
        house.db.query(
          `DO $$ BEGIN LOOP INSERT INTO filler VALUES (repeat('x', ${bytes})); COMMIT; END LOOP; END $$`,
        ),
        /No space left/,
      );
    await until(async () => (await issue()).status === 503, 'the disk to be full');
    await refusedToIssue();
    const revoked = [];
    for (const one of many) {
      const { status } = await timely(house.revoke(shop, one));
      if (status !== 200) break;
      revoked.push(one);
    }
    assert.ok(revoked.length < many.length, 'no revocation was refused');
    const rest = many.slice(revoked.length);
    for (const one of revoked) assert.equal(await orders(one), 401);
    for (const one of rest) assert.equal(await orders(one), 200);
    await house.db.query('DROP TABLE filler');
    for (const one of rest.slice(0, 3)) await revocable(one);
    for (const one of revoked) await revocable(one);
  } finally {
    await house.db.query('DROP TABLE IF EXISTS filler');
    await move('pg_default');
    await house.db.query('DROP TABLESPACE small');
    disk.remove();
  }
});
