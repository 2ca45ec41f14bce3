// Opaque tokens: looked up once, remembered by all workers, and free for whoever sends garbage.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connections, get } from '../harness/http.mjs';
import { addClient, issued, join, migrated, opaque } from '../harness/service.mjs';
import { until } from '../harness/wait.mjs';

const LOOKUPS = /FROM tokens t JOIN clients/;

/** A gateway whose database writes each statement to its log. */
async function watched(t, options) {
  const db = await migrated(t, { fast: true, settings: ['log_statement=all'] });
  const house = await join(t, db, options);
  const client = await addClient(db);
  const lookups = () =>
    db.log.all.filter((line) => /execute/.test(line) && LOOKUPS.test(line)).length;
  return { ...house, client, lookups };
}

test('a token is looked up once and then known to all', async (t) => {
  const { gw, db, ask, api, client, lookups } = await watched(t);
  const token = await issued(db, client, { scope: 'orders:read orders:write' });
  const first = await ask(token);
  assert.equal(first.status, 200);
  const { headers } = api.seen.at(-1);
  assert.equal(headers['x-consumer-id'], 'of app');
  assert.equal(headers['x-consumer-username'], 'of app');
  assert.equal(headers['x-consumer-custom-id'], 'number of app');
  assert.equal(headers['x-credential-identifier'], 'app');
  assert.equal(headers['x-authenticated-scope'], 'orders:read orders:write');
  assert.equal(headers['x-authenticated-userid'], undefined);
  for (let i = 0; i < 20; i += 1) assert.equal((await ask(token)).status, 200);
  await db.query('SELECT 1');
  assert.equal(lookups(), 1);
  const id = first.headers['x-request-id'];
  const line = await gw.logged((entry) => entry.request_id === id);
  assert.deepEqual([line.source, line.verdict, line.issuer], ['looked_up', 'active', 'self']);
});

test('many who bring one token at once make one query', async (t) => {
  const { gw, db, client, lookups } = await watched(t, { workers: 4 });
  const token = await issued(db, client);
  const agent = connections(64);
  t.after(() => agent.destroy());
  const asked = Array.from({ length: 64 }, () => get(`${gw.url}/orders`, { token, agent }));
  for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
  assert.equal(lookups(), 1);
});

test('what can be none of ours costs no query', async (t) => {
  const { db, ask, lookups } = await watched(t);
  const { token } = opaque();
  const bad = [
    'gha_',
    token.slice(0, -1),
    `${token}A`,
    token.replace('gha_', 'ghr_'),
    token.replace('gha_', 'GHA_'),
    `gha_${'!'.repeat(75)}`,
    `gha_${randomBytes(56).fill(0).toString('base64url')}`,
    `${token.slice(0, 20)}.${token.slice(21)}`,
  ];
  for (const one of bad) {
    const answer = await ask(one);
    assert.equal(answer.status, 401, one);
    assert.match(answer.body, /malformed/);
  }
  /* as well-formed as can be, but not made here */
  for (let i = 0; i < 100; i += 1) {
    const bytes = randomBytes(56);
    bytes[6] = 0x70 | (bytes[6] & 15);
    bytes[8] = 0x80 | (bytes[8] & 63);
    const answer = await ask(`gha_${bytes.toString('base64url')}`);
    assert.equal(answer.status, 401);
    assert.match(answer.body, /unknown/);
  }
  await db.query('SELECT 1');
  assert.equal(lookups(), 0);
});

test('an unknown one is remembered as such', async (t) => {
  const { gw, db, ask, lookups } = await watched(t);
  const { token } = opaque();
  for (let i = 0; i < 10; i += 1) {
    const answer = await ask(token);
    assert.equal(answer.status, 401);
    assert.match(answer.headers['www-authenticate'], /error="invalid_token".*unknown/);
  }
  assert.equal(lookups(), 1);
  await gw.logged((line) => line.verdict === 'unknown_token');
  await db.query('SELECT 1');
});

test('the id alone is not the token', async (t) => {
  const { db, ask, client } = await watched(t);
  const token = await issued(db, client);
  const bytes = Buffer.from(token.slice(4), 'base64url');
  for (let at = 16; at < 56; at += 1) {
    const other = Buffer.from(bytes);
    other[at] ^= 1;
    assert.equal((await ask(`gha_${other.toString('base64url')}`)).status, 401);
  }
  assert.equal((await ask(token)).status, 200);
  /* the row of a JWT has no digest, and its id is in every such token */
  await db.query(`UPDATE tokens SET digest = NULL`);
  const [, last] = token.match(/^gha_(.*)$/);
  assert.equal((await ask(`gha_${last.slice(0, 22)}${'A'.repeat(53)}`)).status, 401);
});

test('it ends when it expires, and fits only where it is meant for', async (t) => {
  const { db, ask, client } = await watched(t, {
    route: 'scopes = {"orders:read"}',
  });
  const short = await issued(db, client, { life: 2 });
  assert.equal((await ask(short)).status, 200);
  await until(async () => (await ask(short)).status === 401, 'the token to expire');
  const past = await issued(db, client, { life: -1 });
  assert.match((await ask(past)).body, /expired/);
  const narrow = await issued(db, client, { scope: 'orders:write' });
  assert.equal((await ask(narrow)).status, 403);
  const elsewhere = await issued(db, client, { aud: ['billing-api', 'x'] });
  assert.match((await ask(elsewhere)).body, /audience/);
  const both = await issued(db, client, { aud: ['billing-api', 'orders-api'] });
  assert.equal((await ask(both)).status, 200);
});

test('a revoked one is refused, whether it was known or not', async (t) => {
  const { db, ask, run, client } = await watched(t);
  const [known, fresh] = [await issued(db, client), await issued(db, client)];
  assert.equal((await ask(known)).status, 200);
  await run(['token', 'revoke', known]);
  await run(['token', 'revoke', fresh]);
  for (const token of [known, fresh])
    await until(async () => (await ask(token)).status === 401, 'the token to be refused');
  assert.match((await ask(known)).body, /revoked/);
});

test('one that was exchanged stands for its subject, and falls with what it came of', async (t) => {
  const { ask, api, db, run, client } = await watched(t);
  const parent = opaque().id.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  const lineage = [{ jti: parent, client_id: 'web', iat: Math.floor(Date.now() / 1000) - 9 }];
  const claims = JSON.stringify({ act: { sub: 'app' }, lineage });
  const [known, fresh] = [
    await issued(db, client, { subject: 'alice', claims }),
    await issued(db, client, { subject: 'alice', claims }),
  ];
  assert.equal((await ask(known)).status, 200);
  const { headers } = api.seen.at(-1);
  assert.equal(headers['x-authenticated-userid'], 'alice');
  assert.equal(headers['x-credential-identifier'], 'app');
  await run(`token revoke --jti ${parent}`);
  for (const token of [known, fresh])
    await until(async () => (await ask(token)).status === 401, 'the token to be refused');
  assert.match((await ask(fresh)).body, /revoked/);
});

test('what a row says beyond its columns can not contradict them', async (t) => {
  const { ask, db, client } = await watched(t);
  const fine = await issued(db, client, { claims: '{}' });
  assert.equal((await ask(fine)).status, 200);
  const bad = ['{"sub":"root"}', '{"act":"root"}', '{"lineage":{}}', '{"lineage":[7]}', '{"a":1},{"b":2}',
    '{"exp":99999999999}', '{"a":1}}'];
  for (const claims of bad) {
    const answer = await ask(await issued(db, client, { claims }));
    assert.equal(answer.status, 401, claims);
    assert.match(answer.body, /malformed/, claims);
  }
  for (const claims of ['', '{', '[]', 'null'])
    assert.equal((await ask(await issued(db, client, { claims }))).status, 503, claims);
});

test('without the database the known go on, and others are told to come again', async (t) => {
  const { gw, db, ask } = await join(t, await migrated(t, {}), { database: 'timeout = 1' });
  const client = await addClient(db);
  const [known, fresh] = [await issued(db, client), await issued(db, client)];
  assert.equal((await ask(known)).status, 200);
  await db.stop('immediate');
  const began = Date.now();
  const answer = await ask(fresh);
  assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
  assert.ok(Date.now() - began < 5000);
  assert.equal((await ask(known)).status, 200);
  await gw.logged((line) => line.verdict === 'store_unavailable');
  await db.start();
  await until(async () => (await ask(fresh)).status === 200, 'the token to be found');
});
