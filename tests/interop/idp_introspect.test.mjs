// validate = "introspect" with a real OpenID provider: it is asked about every token, and believed.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { connections, get } from '../harness/http.mjs';
import { newKey } from '../harness/keys.mjs';
import { JWT, OPAQUE, openIdHouse } from '../harness/openid.mjs';
import { assertRefused } from '../harness/verdicts.mjs';
import { until } from '../harness/wait.mjs';

for (const auth of ['basic', 'post', 'private_key_jwt']) {
  test(`opaque tokens and JWTs pass by the provider's word, asked with ${auth}`, async (t) => {
    const { idp, gw, ask } = await openIdHouse(t, { auth });
    for (const resource of [OPAQUE, JWT]) {
      const token = await idp.token({ resource, scope: 'orders:read orders:write' });
      const before = idp.calls();
      const answer = await ask(token);
      assert.equal(answer.status, 200, `${answer.body}\n${gw.log()}`);
      const { headers } = answer.json;
      assert.equal(headers['x-consumer-id'], 'shop');
      assert.equal(headers['x-authenticated-scope'], 'orders:read orders:write');
      assert.equal(headers.authorization, `Bearer ${token}`);
      for (let i = 0; i < 20; i += 1) assert.equal((await ask(token)).status, 200);
      assert.equal(idp.calls(), before + 1);
    }
  });
}

test("a user's token names the user and the client that it was issued to", async (t) => {
  const { idp, ask } = await openIdHouse(t, { issuer: 'consumer_claim = "client_id"' });
  const { access } = await idp.signIn('ann');
  const { headers } = (await ask(access)).json;
  assert.equal(headers['x-authenticated-userid'], 'ann');
  assert.equal(headers['x-credential-identifier'], 'web');
  assert.equal(headers['x-consumer-id'], 'web');
});

test('what the provider does not know, and what is no access token, is refused', async (t) => {
  const { idp, api, ask } = await openIdHouse(t);
  const good = await idp.token();
  const [header, , signature] = (await idp.token({ resource: JWT })).split('.');
  const claims = Buffer.from(JSON.stringify({ iss: idp.issuer, sub: 'root' })).toString('base64url');
  for (const token of [`${good}x`, 'gone', `${header}.${claims}.${signature}`])
    assertRefused(await ask(token), { says: /not active/ });
  /* this provider answers 400 to JWTs that are no access tokens, which is no answer */
  const { id } = await idp.signIn('ann');
  assert.equal((await ask(id)).status, 503);
  assert.equal(api.hits, 0);
});

test('scopes of a route hold for what the provider says', async (t) => {
  const { idp, ask } = await openIdHouse(t, { route: 'scopes = {"orders:write"}' });
  assert.equal((await ask(await idp.token())).status, 403);
  assert.equal((await ask(await idp.token({ scope: 'orders:write' }))).status, 200);
});

test('a token revoked at the provider is refused when its answer has run out', async (t) => {
  const { idp, ask } = await openIdHouse(t, { more: 'introspection_ttl = 1 negative_ttl = 1' });
  for (const resource of [OPAQUE, JWT]) {
    const token = await idp.token({ resource });
    assert.equal((await ask(token)).status, 200);
    await idp.revoke(token);
    await until(async () => (await ask(token)).status === 401, 'the refusal');
    assertRefused(await ask(token), { says: /not active/ });
  }
});

test('with max_staleness = 0 the next request is refused', async (t) => {
  const { idp, ask } = await openIdHouse(t, { route: 'max_staleness = 0' });
  for (const resource of [OPAQUE, JWT]) {
    const token = await idp.token({ resource });
    for (let i = 0; i < 5; i += 1) assert.equal((await ask(token)).status, 200);
    await idp.revoke(token);
    assertRefused(await ask(token), { says: /not active/ });
  }
});

test('hundreds of requests at once with a new token are one question', async (t) => {
  const { idp, gw } = await openIdHouse(t, { workers: 3 });
  const token = await idp.token();
  const agent = connections(200);
  t.after(() => agent.destroy());
  const all = Array.from({ length: 400 }, () => get(`${gw.url}/orders`, { token, agent }));
  for (const { status } of await Promise.all(all)) assert.equal(status, 200);
  assert.equal(idp.calls(), 1);
});

test("a key that the provider does not know is our fault, not the token's", async (t) => {
  const { idp, gw, ask } = await openIdHouse(t, { auth: 'private_key_jwt' });
  assert.equal((await ask(await idp.token())).status, 200);
  idp.gatewayKey = newKey('ES256', idp.gatewayKey.kid);
  await idp.become();
  const answer = await ask(await idp.token());
  assert.equal(answer.status, 503);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  await gw.sees(/401/);
});
