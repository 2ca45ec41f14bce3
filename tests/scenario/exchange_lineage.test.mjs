// Lineage: what was exchanged ends with what it came of, on the next request and on every node.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { exchange, exchanger, payload, refused, said } from '../harness/exchange.mjs';
import { ISSUER, command, gateway } from '../harness/gateway.mjs';
import { connections, get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { SELF, tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
let house;
let shop;
let warden;
let bff;

before(async () => {
  house = await tokenHouse(undefined, {
    service: 'token_rate = "" reuse = 0',
    keys: jwksOf(key),
    route: 'issuers = {"self", "main"}',
    workers: 3,
    database: 'timeout = 20',
  });
  shop = await house.client({ id: 'shop', format: 'jwt', scopes: ['read'] });
  warden = await house.client({ revocation: 'any', introspection: 'any' });
  bff = await house.client(
    exchanger({ id: 'bff', exchange_from: '{shop,bff,app}', delegation: 'self' }),
  );
});
after(() => house.stop());

const own = async (client, form) => (await house.token(client, form)).json.access_token;

async function exchanged(subject, client = bff, form = {}) {
  const answer = await exchange(house, client, subject, form);
  said(client.opaque ? { status: answer.status, json: { access_token: 'x.e30.' } } : answer);
  return answer.json.access_token;
}

/** The statuses of a route over many connections, which all workers serve. */
async function called(token, gw = house.gw, times = 24) {
  const agent = connections(times);
  const answers = await Promise.all(
    Array.from({ length: times }, () => get(`${gw.url}/orders`, { token, agent })),
  );
  agent.destroy();
  return [...new Set(answers.map((answer) => answer.status))];
}

async function revoke(token, client = warden) {
  const answer = await house.revoke(client, token);
  assert.equal(answer.status, 200, answer.body);
}

async function operator(...args) {
  const { text, files } = house;
  const end = await command(['-c', 'gatehouse.conf', ...args], { conf: text, files });
  assert.equal(end.code, 0, end.stderr);
}

const dead = (token, gw) =>
  until(async () => (await called(token, gw)).join() === '401', 'the token to be refused');

for (const [what, columns] of [
  ['a JWT', {}],
  ['an opaque token', { format: 'opaque' }],
  ['a JWT that is not recorded', { recording: 'none' }],
])
  test(`a revoked subject token takes along what it became: ${what}`, async () => {
    const client = await house.client(
      exchanger({ exchange_from: '{shop,self/*}', delegation: 'self', ...columns }),
    );
    client.opaque = columns.format === 'opaque';
    const [subject, other] = await Promise.all([mint(key), mint(key)]);
    const child = await exchanged(subject, client);
    const grandchild = await exchanged(child, client, { actor_token: await own(client) });
    const sibling = await exchanged(other, client);
    for (const token of [child, grandchild, sibling]) assert.deepEqual(await called(token), [200]);
    await revoke(subject);
    for (const token of [child, grandchild]) {
      assert.deepEqual(await called(token), [401]);
      assert.match((await get(`${house.gw.url}/orders`, { token })).body, /revoked/);
      assert.equal((await house.introspect(client, token)).body, '{"active":false}\n');
      await refused(exchange(house, client, token), 'invalid_request', /subject_token: .*revoked/);
    }
    assert.deepEqual(await called(sibling), [200]);
  });

test('what became of a token may end without it', async () => {
  const subject = await mint(key);
  const child = await exchanged(subject);
  const grandchild = await exchanged(child);
  await revoke(child, bff);
  assert.deepEqual(await called(grandchild), [401]);
  assert.deepEqual(await called(child), [401]);
  assert.deepEqual(await called(subject), [200]);
});

test('a subject token without jti is found in the lineage all the same', async () => {
  const subject = await mint(key, { jti: undefined });
  const child = await exchanged(subject);
  await revoke(subject);
  assert.deepEqual(await called(child), [401]);
});

test('a subject token revoked while its exchange commits', async () => {
  const subject = await mint(key);
  const slow = await house.client(exchanger({ exchange_from: '{shop}' }));
  await house.db.query('CREATE TABLE the_signal (x int)');
  /* inserts wait for this lock; looking up and revoking do not */
  const held = house.db.query(`BEGIN; LOCK TABLE tokens IN SHARE MODE;
    DO $$ BEGIN
      FOR i IN 1..1000 LOOP
        EXIT WHEN EXISTS (SELECT FROM the_signal);
        PERFORM pg_sleep(0.01);
      END LOOP;
    END $$; COMMIT`);
  const locked = `SELECT count(*) FROM pg_locks WHERE relation = 'tokens'::regclass
    AND mode = 'ShareLock' AND granted`;
  await until(async () => (await house.db.value(locked)) === '1', 'the lock');
  const pending = exchange(house, slow, subject);
  const stuck = `SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE 'INSERT INTO tokens%' AND wait_event_type = 'Lock'`;
  await until(async () => (await house.db.value(stuck)) === '1', 'the insert to wait');
  await revoke(subject);
  await house.db.query('INSERT INTO the_signal VALUES (1)');
  await held;
  const answer = await pending;
  if (answer.status === 200) assert.deepEqual(await called(answer.json.access_token), [401]);
  else await refused(answer, 'invalid_request', /revoked/);
  await refused(exchange(house, slow, subject), 'invalid_request', /revoked/);
});

test('a subject or a client that is revoked takes all of it along', async () => {
  const app = await house.client({ id: 'app', format: 'jwt', scopes: ['read'] });
  const child = await exchanged(await own(app));
  const user = await mint(key, { sub: 'ann' });
  const annas = await exchanged(user);
  const bobs = await exchanged(await mint(key, { sub: 'bob' }));
  await operator('token', 'revoke', '--client', 'app');
  await dead(child);
  await operator('token', 'revoke', '--subject', 'ann', '--issuer', 'main');
  await dead(annas);
  assert.deepEqual(await called(bobs), [200]);
});

test('a family that is revoked takes along what its access tokens became', async () => {
  const app = await house.client({
    id: 'family',
    format: 'jwt',
    scopes: ['read'],
    grants: ['client_credentials', 'refresh_token'],
  });
  const both = await house.client(exchanger({ exchange_from: '{family}' }));
  const one = (await house.token(app)).json;
  const child = await exchanged(one.access_token, both);
  assert.deepEqual(await called(child), [200]);
  await revoke(one.refresh_token, app);
  assert.deepEqual(await called(child), [401]);
});

test('the actor’s token may be revoked: it is not what the new one came of', async () => {
  const actor = await own(bff);
  const child = await exchanged(await mint(key), bff, { actor_token: actor });
  await revoke(actor, bff);
  assert.deepEqual(await called(child), [200]);
  await refused(
    exchange(house, bff, await mint(key), { actor_token: actor }),
    'invalid_request',
    /actor_token: .*revoked/,
  );
});

test('lineage means nothing in a token of somebody else', async () => {
  const victim = await own(shop);
  const { jti } = payload(victim);
  const stranger = await mint(key, { lineage: [{ jti, iss: SELF }] });
  assert.deepEqual(await called(stranger), [200]);
  const child = await exchanged(stranger);
  assert.equal(payload(child).lineage.length, 1);
  await revoke(victim, shop);
  assert.deepEqual(await called(child), [200]);
});

test('a reload changes nothing about it, nor does a new gateway on the database', async () => {
  const subject = await mint(key);
  const [known, fresh] = [await exchanged(subject), await exchanged(subject)];
  assert.deepEqual(await called(known), [200]);
  await revoke(subject);
  await house.gw.reload();
  for (const token of [known, fresh]) assert.deepEqual(await called(token), [401]);
  const next = await gateway(house.text, { files: house.files });
  for (const token of [known, fresh])
    await until(async () => (await called(token, next)).join() === '401', 'the lists to be read');
  await next.stop();
});

test('another node refuses it too', async () => {
  const far = await gateway(house.text, { files: house.files });
  try {
    for (const format of ['jwt', 'opaque']) {
      const client = await house.client(exchanger({ exchange_from: '{shop}', format }));
      client.opaque = format === 'opaque';
      const subject = await mint(key);
      const child = await exchanged(subject, client);
      await until(async () => (await called(child, far)).join() === '200', 'the node to be sure');
      await revoke(subject);
      assert.deepEqual(await called(child), [401]);
      await dead(child, far);
      await until(
        async () => (await exchange(house, client, subject, {}, { gw: far })).status === 400,
        'the other node to exchange it no more',
      );
    }
  } finally {
    await far.stop();
  }
});

test('what is revoked stays so until the last of the line has expired', async () => {
  const subject = await mint(key);
  const child = await exchanged(subject);
  assert.ok(payload(child).exp <= payload(subject).exp);
  await revoke(subject);
  const ends = await house.db.value(`SELECT extract(epoch FROM expires_at)::bigint
    FROM revocations WHERE value = '${payload(subject).jti}' AND issuer = '${ISSUER}'`);
  assert.ok(Number(ends) >= payload(child).exp);
});
