// The token service's own endpoints, asked about tokens of an issuer that is asked itself.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { get } from '../harness/http.mjs';
import { asking, introspectionServer } from '../harness/introspection.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');

for (const validate of ['introspect', 'both'])
  test(`${validate}: introspection and revocation know what the issuer says`, async (t) => {
    const idp = await introspectionServer();
    t.after(() => idp.stop());
    const house = await tokenHouse(t, {
      keys: jwksOf(key),
      issuer: asking(idp, { validate, more: 'revalidate = 1 negative_ttl = 1' }),
      route: 'issuers = {"self", "main"}',
    });
    const admin = await house.client({ introspection: 'any', revocation: 'any' });
    const pass = async (token) => (await get(`${house.gw.url}/orders`, { token })).status;

    const good = await mint(key, { sub: 'ann', jti: 'good' });
    idp.know(good, { sub: 'ann', jti: 'good', iss: 'https://id.test' });
    const told = (await house.introspect(admin, good)).json;
    assert.deepEqual([told.active, told.sub, told.iss], [true, 'ann', 'https://id.test']);

    const gone = await mint(key, { sub: 'ann', jti: 'gone' });
    await until(
      async () => (await house.introspect(admin, gone)).json.active === false,
      'the issuer to be heard',
    );
    assert.equal((await house.introspect(admin, 'opaque')).json.active, false);
    assert.equal(idp.callsFor('opaque'), 0);

    /* ours outlives whatever the issuer says */
    assert.equal(await pass(good), 200);
    assert.equal((await house.revoke(admin, good)).status, 200);
    assert.equal(await pass(good), 401);
    assert.equal((await house.introspect(admin, good)).json.active, false);

    if (validate === 'both') return;
    idp.mode = 'error';
    const unknown = await mint(key, { jti: 'unknown' });
    for (const answer of [
      await house.introspect(admin, unknown),
      await house.revoke(admin, unknown),
    ]) {
      assert.equal(answer.status, 503);
      assert.equal(answer.json.error, 'temporarily_unavailable');
      assert.ok(Number(answer.headers['retry-after']) > 0);
    }
  });

test('an opaque token of the issuer\'s, revoked here by what it is issued to', async (t) => {
  const idp = await introspectionServer();
  t.after(() => idp.stop());
  const house = await tokenHouse(t, {
    keys: jwksOf(key),
    issuer: asking(idp),
    route: 'issuers = {"self", "main"}',
  });
  idp.know('gold', { sub: 'ann', client_id: 'shop', iat: 1 });
  const pass = async () => (await get(`${house.gw.url}/orders`, { token: 'gold' })).status;
  await until(async () => (await pass()) === 200, 'the token to pass');
  await house.db.query(
    `WITH feed AS MATERIALIZED (SELECT gatehouse_feed_lock())
     INSERT INTO revocations (kind, identity, expires_at, issuer, value)
     SELECT 'subject', gatehouse_identity('subject', 'https://id.test', 'ann'),
       now() + interval '1 day', 'https://id.test', 'ann' FROM feed`,
  );
  await until(async () => (await pass()) === 401, 'the refusal');
  assert.equal(idp.calls, 1);
});
