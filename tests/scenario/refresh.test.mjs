// Refresh tokens: each works once and brings the next; one that comes again too late ends them all.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connections } from '../harness/http.mjs';
import { tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

let house;
let app;

before(async () => {
  house = await tokenHouse(undefined, { service: 'token_rate = "" refresh_grace = 2' });
  app = await house.client({
    grants: ['client_credentials', 'refresh_token'],
    scopes: ['a', 'b', 'c'],
    audiences: ['billing-api'],
  });
});
after(() => house.stop());

async function begin(form = {}) {
  const answer = await house.token(app, form);
  assert.equal(answer.status, 200, answer.body);
  assert.match(answer.json.refresh_token, /^ghr_[\w-]{75}$/);
  return answer.json;
}

function refused(answer, error = 'invalid_grant') {
  assert.equal(answer.status, 400, answer.body);
  assert.equal(answer.json.error, error);
  assert.equal(answer.headers['cache-control'], 'no-store');
}

/** Sets back when a refresh token was used, as if the time had passed. */
const age = (token, seconds) =>
  house.db.query(
    `UPDATE refresh_tokens SET used_at = used_at - interval '${seconds} s'
     WHERE digest = sha256('${token}')`,
  );

test('only clients with that grant get one', async () => {
  const plain = await house.client();
  assert.equal((await house.token(plain)).json.refresh_token, undefined);
  refused(await house.refresh(plain, (await begin()).refresh_token), 'unauthorized_client');
});

test('it brings a new pair, and the store holds neither', async () => {
  const one = await begin();
  const answer = await house.refresh(app, one.refresh_token);
  assert.equal(answer.status, 200, answer.body);
  const two = answer.json;
  assert.notEqual(two.refresh_token, one.refresh_token);
  assert.notEqual(two.access_token, one.access_token);
  assert.equal(two.scope, 'a b c');
  assert.ok(two.expires_in > 3590);
  assert.equal(answer.headers['cache-control'], 'no-store');
  for (const token of [two.refresh_token, two.access_token])
    for (const table of ['tokens', 'refresh_tokens'])
      assert.equal(await house.rows(table, `${table}::text LIKE '%${token.slice(4)}%'`), 0);
  assert.equal((await house.refresh(app, two.refresh_token)).status, 200);
});

test('a client without scopes has refresh tokens like any other', async () => {
  const bare = await house.client({ grants: ['client_credentials', 'refresh_token'] });
  const one = (await house.token(bare)).json;
  const two = await house.refresh(bare, one.refresh_token);
  assert.equal(two.status, 200, two.body);
  assert.ok(!('scope' in two.json), 'no scope is told by leaving it out');
});

test('each answer is one of its kind, as nothing is reused', async () => {
  const [one, two] = [await begin(), await begin()];
  assert.notEqual(one.access_token, two.access_token);
  assert.notEqual(one.refresh_token, two.refresh_token);
});

test('an answer that was lost is given again within the grace, and by any worker', async () => {
  const { refresh_token: token } = await begin();
  const agent = connections(8);
  const answers = await Promise.all(
    Array.from({ length: 16 }, () => house.refresh(app, token, {}, { agent })),
  );
  agent.destroy();
  for (const { status, body, json } of answers) {
    assert.equal(status, 200, body);
    assert.equal(json.refresh_token, answers[0].json.refresh_token);
    assert.equal(json.access_token, answers[0].json.access_token);
  }
  const family = `(SELECT family FROM refresh_tokens WHERE digest = sha256('${token}'))`;
  assert.equal(await house.rows('refresh_tokens', `family = ${family}`), 2);
  assert.equal(await house.rows('tokens', `family = ${family}`), 2);
});

test('answers given again are no way around the rate of new tokens', async () => {
  const slow = await house.client({
    grants: ['client_credentials', 'refresh_token'],
    scopes: ['a', 'b', 'c'],
    rate_count: 2,
    rate_period_us: 3600e6,
  });
  const { refresh_token: token } = (await house.token(slow)).json;
  assert.equal((await house.refresh(slow, token)).status, 200);
  assert.equal((await house.refresh(slow, token)).status, 200, 'an answer that was lost');
  const more = [];
  for (const scope of ['a', 'b', 'c', 'a b', 'a c', 'b c'])
    more.push((await house.refresh(slow, token, { scope })).status);
  assert.deepEqual(more, [200, 429, 429, 429, 429, 429]);
});

test('after the grace it ends its family, before the answer', async () => {
  const one = await begin();
  const two = (await house.refresh(app, one.refresh_token)).json;
  await age(one.refresh_token, 5);
  refused(await house.refresh(app, one.refresh_token));
  refused(await house.refresh(app, two.refresh_token));
  refused(await house.refresh(app, one.refresh_token));
  const where = (token) => `id = (SELECT id FROM tokens WHERE digest = sha256('${token}'))`;
  for (const token of [one.access_token, two.access_token]) {
    assert.equal(await house.rows('tokens', where(token)), 1);
    const revoked = `value = (SELECT id::text FROM tokens WHERE digest = sha256('${token}'))`;
    assert.equal(await house.rows('revocations', revoked), 1, 'once each');
  }
  const line = await house.gw.logged((entry) => entry.verdict === 'refresh_reuse');
  assert.equal(line.status, 400);
});

test('the grace ends by itself', async () => {
  const { refresh_token: token } = await begin();
  await house.refresh(app, token);
  const answer = await until(async () => {
    const again = await house.refresh(app, token);
    return again.status !== 200 && again;
  }, 'the grace to end');
  refused(answer);
});

test('scope and audience may shrink, and never grow', async () => {
  const { refresh_token: first } = await begin({ scope: 'a b', audience: 'billing-api' });
  refused(await house.refresh(app, first, { scope: 'c' }), 'invalid_scope');
  refused(await house.refresh(app, first, { scope: 'a other' }), 'invalid_scope');
  refused(await house.refresh(app, first, { audience: 'orders-api' }), 'invalid_target');
  const two = (await house.refresh(app, first, { scope: 'b', audience: 'billing-api' })).json;
  assert.equal(two.scope, 'b');
  const audience = `SELECT audience FROM tokens WHERE digest = sha256('${two.access_token}')`;
  assert.equal(await house.db.value(audience), '["billing-api"]');
  const three = (await house.refresh(app, two.refresh_token)).json;
  assert.equal(three.scope, 'a b', 'the refresh token keeps its own');
});

test('the same token asked for less within the grace gives another access token', async () => {
  const { refresh_token: token } = await begin();
  const wide = (await house.refresh(app, token)).json;
  const narrow = (await house.refresh(app, token, { scope: 'a' })).json;
  assert.equal(narrow.scope, 'a');
  assert.equal(narrow.refresh_token, wide.refresh_token);
  assert.notEqual(narrow.access_token, wide.access_token);
  assert.equal(await house.rows('tokens', `digest = sha256('${narrow.access_token}')`), 1);
});

test('what is unknown, expired, changed or not its own', async () => {
  const { refresh_token: token } = await begin();
  const other = await house.client({ grants: ['client_credentials', 'refresh_token'] });
  refused(await house.refresh(other, token));
  const change = token.at(-1) === 'A' ? 'Q' : 'A';
  for (const bad of [
    token.slice(0, -1),
    `${token}x`,
    token.slice(0, -1) + change,
    token.slice(0, 40) + (token[40] === 'x' ? 'y' : 'x') + token.slice(41),
    token.replace('ghr_', 'gha_'),
    'ghr_',
    'x',
  ])
    refused(await house.refresh(app, bad));
  refused(await house.token(app, { grant_type: 'refresh_token' }), 'invalid_request');
  assert.equal((await house.refresh(app, token)).status, 200, 'nothing of that has used it up');

  const { refresh_token: old } = await begin();
  await house.db.query(
    `UPDATE refresh_tokens SET expires_at = now() WHERE digest = sha256('${old}')`,
  );
  refused(await house.refresh(app, old));
});

test('scopes that the client has lost are not given again', async () => {
  const client = await house.client({
    grants: ['client_credentials', 'refresh_token'],
    scopes: ['x', 'y'],
  });
  const { json } = await house.token(client);
  const changed = await house.client({ grants: ['client_credentials', 'refresh_token'], scopes: ['y'] });
  /* as if it had been changed: another client's record that has not been read yet */
  await house.db.query(
    `UPDATE refresh_tokens SET client = (SELECT id FROM clients WHERE client_id = '${changed.id}')
     WHERE digest = sha256('${json.refresh_token}')`,
  );
  assert.equal((await house.refresh(changed, json.refresh_token)).json.scope, 'y');
});
