// Revocation (RFC 7009): 200 means that the token is dead, here and in the store.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connections, get } from '../harness/http.mjs';
import { jwksOf, mint, newKey, now } from '../harness/keys.mjs';
import { SELF, tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
let house;
let shop;
let other;
let warden;

before(async () => {
  house = await tokenHouse(undefined, {
    service: 'token_rate = ""',
    keys: jwksOf(key),
    route: 'issuers = {"self", "main"}',
    workers: 3,
  });
  [shop, other, warden] = await Promise.all([
    house.client({ format: 'jwt' }),
    house.client({ format: 'jwt' }),
    house.client({ revocation: 'any', introspection: 'any' }),
  ]);
});
after(() => house.stop());

async function done(answer) {
  assert.equal(answer.status, 200, answer.body);
  assert.equal(answer.headers['cache-control'], 'no-store');
}

/** The statuses of a route over many connections, which all workers serve. */
async function called(token, times = 24) {
  const agent = connections(times);
  const answers = await Promise.all(
    Array.from({ length: times }, () => get(`${house.gw.url}/orders`, { token, agent })),
  );
  agent.destroy();
  return [...new Set(answers.map((answer) => answer.status))];
}

const active = async (token) => (await house.introspect(warden, token)).json.active;

for (const format of ['jwt', 'opaque'])
  test(`a token of its own is dead at once, on every worker: ${format}`, async () => {
    const client = await house.client({ format });
    const { access_token: token } = (await house.token(client)).json;
    assert.deepEqual(await called(token), [200]);
    await done(await house.revoke(client, token));
    assert.deepEqual(await called(token), [401]);
    assert.equal(await active(token), false);
    const refused = await get(`${house.gw.url}/orders`, { token });
    assert.match(refused.headers['www-authenticate'], /error="invalid_token"/);
    await done(await house.revoke(client, token));
  });

test('it is in the store before it is answered', async () => {
  const { access_token: token } = (await house.token(shop)).json;
  const { jti, exp } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  await done(await house.revoke(shop, token));
  const [row] = await house.db.query(
    `SELECT kind, before_at IS NULL, extract(epoch FROM expires_at)::bigint >= ${exp},
       identity = gatehouse_identity('jti', issuer, value)
     FROM revocations WHERE value = '${jti}'`,
  );
  assert.deepEqual(row, ['jti', 't', 't', 't']);
});

test('the next token of the client is a new one, and good', async () => {
  const { access_token: token } = (await house.token(shop)).json;
  assert.equal((await house.token(shop)).json.access_token, token);
  await done(await house.revoke(shop, token));
  const next = (await house.token(shop)).json.access_token;
  assert.notEqual(next, token);
  assert.deepEqual(await called(next), [200]);
});

test('somebody else’s token is left alone, and nobody is told', async () => {
  const { access_token: token } = (await house.token(shop)).json;
  await done(await house.revoke(other, token));
  assert.deepEqual(await called(token), [200]);
  assert.equal((await house.introspect(shop, token)).json.active, true);
});

test('what is no token', async () => {
  for (const token of ['x', 'a.b.c', 'gha_', `gha_${'A'.repeat(64)}`, `ghr_${'A'.repeat(64)}`])
    await done(await house.revoke(shop, token));
  assert.equal(await house.rows('revocations', "value IN ('x', 'a.b.c')"), 0);
});

test('other issuers’ tokens, by those who may', async () => {
  const token = await mint(key, { scope: '' });
  const nameless = await mint(key, { jti: undefined, sub: 'user-2' });
  assert.deepEqual(await called(token), [200]);
  await done(await house.revoke(shop, token));
  assert.deepEqual(await called(token), [200], 'this one may not');
  for (const foreign of [token, nameless]) {
    await done(await house.revoke(warden, foreign));
    assert.deepEqual(await called(foreign), [401]);
  }
  assert.deepEqual(await called(await mint(key)), [200], 'others are not concerned');
  await done(await house.revoke(warden, await mint(key, { exp: now() - 1 })));
});

test('what is good later only is not said to be revoked', async () => {
  const early = await mint(key, { nbf: now() + 600 });
  const answer = await house.revoke(warden, early);
  assert.equal(answer.status, 400, answer.body);
  assert.match(answer.json.error_description, /not valid yet/);
});

test('a token of a revoked client gets a row of its own, which ends no sooner than it', async () => {
  const client = await house.client({ format: 'jwt' });
  const { access_token: token } = (await house.token(client)).json;
  const { jti } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  await house.db.query(`INSERT INTO revocations (kind, identity, before_at, expires_at, issuer, value)
    SELECT 'client', gatehouse_identity('client', '${SELF}', '${client.id}'),
      now() + interval '1 s', now() + interval '1 hour', '${SELF}', '${client.id}'`);
  await until(async () => (await called(token, 1))[0] === 401, 'the client to be revoked');
  await done(await house.revoke(client, token));
  assert.equal(await house.rows('revocations', `value = '${jti}'`), 1);
});

test('two who revoke a family do not wait for each other in a circle', async () => {
  const app = await house.client({ grants: ['client_credentials', 'refresh_token'] });
  const { refresh_token: token } = (await house.token(app)).json;
  const family = `(SELECT family FROM refresh_tokens WHERE digest = sha256('${token}'))`;
  /* as the commands do: the feed's lock first, then the family */
  const command = house.db.query(`BEGIN; SELECT gatehouse_feed_lock();
    DO $$ BEGIN
      WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) LOOP
        PERFORM pg_sleep(0.01);
      END LOOP;
    END $$;
    UPDATE refresh_families SET revoked_at = now() WHERE id = ${family} AND revoked_at IS NULL;
    COMMIT`);
  const held = `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted`;
  await until(async () => (await house.db.value(held)) === '1', 'the lock to be held');
  await done(await house.revoke(app, token));
  await command;
});

test('a refresh token takes its access tokens along', async () => {
  const app = await house.client({ grants: ['client_credentials', 'refresh_token'], format: 'jwt' });
  const one = (await house.token(app)).json;
  const two = (await house.refresh(app, one.refresh_token)).json;
  assert.deepEqual(await called(two.access_token), [200]);
  await done(await house.revoke(other, two.refresh_token));
  assert.deepEqual(await called(two.access_token), [200]);
  await done(await house.revoke(app, two.refresh_token));
  assert.deepEqual(await called(one.access_token), [401]);
  assert.deepEqual(await called(two.access_token), [401]);
  for (const token of [one.refresh_token, two.refresh_token])
    assert.equal((await house.refresh(app, token)).status, 400);
  await done(await house.revoke(app, two.refresh_token));
});

test('an access token leaves its refresh token alone', async () => {
  const app = await house.client({ grants: ['client_credentials', 'refresh_token'], format: 'jwt' });
  const one = (await house.token(app)).json;
  await done(await house.revoke(app, one.access_token));
  assert.equal((await house.refresh(app, one.refresh_token)).status, 200);
});

test('the form, and who asks', async () => {
  const { access_token: token } = (await house.token(shop)).json;
  assert.equal((await house.revoke(undefined, token)).status, 401);
  assert.equal((await house.ask('revoke', shop, {})).status, 400);
  for (const hint of ['refresh_token', 'x'])
    await done(await house.ask('revoke', shop, { token, token_type_hint: hint }));
  assert.deepEqual(await called(token), [401]);
});

test('without a commit there is no 200', async () => {
  const { access_token: token } = (await house.token(shop)).json;
  await house.db.query('ALTER TABLE revocations RENAME TO gone');
  const answer = await house.revoke(shop, token);
  await house.db.query('ALTER TABLE gone RENAME TO revocations');
  assert.equal(answer.status, 503, answer.body);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  assert.equal(answer.json.error, 'temporarily_unavailable');
  assert.deepEqual(await called(token), [200]);
  await done(await house.revoke(shop, token));
  assert.deepEqual(await called(token), [401]);
});

test('a server that takes commits lightly takes these seriously', async (t) => {
  const lazy = ['synchronous_commit=off', 'wal_writer_delay=10s'];
  const frail = await tokenHouse(t, { fast: false, settings: lazy });
  const client = await frail.client();
  await frail.db.query('CHECKPOINT');
  const one = (await frail.token(client)).json.access_token;
  await done(await frail.revoke(client, one));
  await frail.db.restart('immediate');
  assert.equal(await frail.rows('tokens', `digest = sha256('${one}')`), 1);
  assert.equal(await frail.rows('revocations', "kind = 'jti'"), 1);
});
