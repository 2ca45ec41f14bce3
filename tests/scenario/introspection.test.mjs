// Introspection (RFC 7662): all that is known of a token, to those who may know; to others nothing.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { AUDIENCE, ISSUER } from '../harness/gateway.mjs';
import { altered, jwksOf, mint, misSigned, newKey, now } from '../harness/keys.mjs';
import { SELF, tokenHouse } from '../harness/tokens.mjs';

const key = newKey('ES256');
const INACTIVE = '{"active":false}\n';
let house;
let shop;
let other;
let warden;

before(async () => {
  house = await tokenHouse(undefined, { service: 'token_rate = ""', keys: jwksOf(key) });
  [shop, other, warden] = await Promise.all([
    house.client({ scopes: ['a', 'b'], audiences: ['orders-api', 'billing-api'], format: 'jwt' }),
    house.client(),
    house.client({ introspection: 'any' }),
  ]);
});
after(() => house.stop());

async function inactive(client, token) {
  const answer = await house.introspect(client, token);
  assert.equal(answer.status, 200, answer.body);
  assert.equal(answer.body, INACTIVE);
  assert.equal(answer.headers['cache-control'], 'no-store');
}

for (const format of ['jwt', 'opaque'])
  test(`a good token of its own, ${format}`, async () => {
    const client = await house.client({
      format,
      scopes: ['a', 'b'],
      audiences: ['billing-api'],
    });
    const issued = await house.token(
      client,
      'grant_type=client_credentials&scope=b&audience=orders-api&audience=billing-api',
    );
    const answer = await house.introspect(client, issued.json.access_token);
    assert.equal(answer.status, 200, answer.body);
    const { exp, iat, jti, ...rest } = answer.json;
    assert.deepEqual(rest, {
      active: true,
      scope: 'b',
      client_id: client.id,
      token_type: 'Bearer',
      sub: client.id,
      aud: ['billing-api', 'orders-api'],
      iss: SELF,
    });
    assert.equal(exp - iat, 3600);
    assert.ok(Math.abs(iat - now()) < 5);
    assert.equal(await house.rows('tokens', `id = '${jti}'`), 1);
    assert.equal(answer.headers['cache-control'], 'no-store');
    const one = await house.introspect(client, issued.json.access_token);
    assert.deepEqual(one.json, answer.json, 'the second time from the cache');
  });

test('a token of somebody else is nothing', async () => {
  const { json } = await house.token(shop);
  await inactive(other, json.access_token);
  const opaque = await house.token(await house.client());
  await inactive(shop, opaque.json.access_token);
});

test('who may see all sees all, and whom a token is meant for sees that one', async () => {
  const { json } = await house.token(shop);
  assert.equal((await house.introspect(warden, json.access_token)).json.client_id, shop.id);
  const meant = await house.client({ id: 'billing-api' });
  const token = await house.token(shop, { audience: 'billing-api' });
  assert.equal((await house.introspect(meant, token.json.access_token)).json.aud, 'billing-api');
  await inactive(meant, json.access_token);
});

test('tokens of other issuers, for those who may see all', async () => {
  const token = await mint(key, { nbf: now() - 5 });
  const { json } = await house.introspect(warden, token);
  assert.equal(json.iss, ISSUER);
  assert.equal(json.aud, AUDIENCE);
  assert.equal(json.sub, 'user-1');
  assert.equal(json.nbf, now() - 5);
  await inactive(shop, token);
  const named = await mint(key, { client_id: shop.id });
  await inactive(shop, named, 'a client of that name at another issuer is another client');
});

test('what is no good token is nothing', async () => {
  const { access_token: jwt } = (await house.token(shop)).json;
  for (const token of [
    'x',
    'a.b.c',
    misSigned(jwt),
    altered(jwt, { scope: 'admin' }),
    await mint(key, { exp: now() - 1 }),
    await mint(key, { nbf: now() + 300 }),
    await mint(key, { aud: 'other' }),
    await mint(newKey('ES256')),
    'gha_',
    `gha_${'A'.repeat(75)}`,
    `ghr_${'A'.repeat(75)}`,
    ' ',
    `${jwt} `,
    'x'.repeat(20_000),
  ])
    await inactive(warden, token);
});

test('an expired token is nothing', async () => {
  const brief = await house.client({ format: 'opaque' });
  const { access_token: token } = (await house.token(brief)).json;
  await house.db.query(
    `UPDATE tokens SET expires_at = now() - interval '1 s' WHERE digest = sha256('${token}')`,
  );
  await inactive(brief, token);
});

test('refresh tokens', async () => {
  const app = await house.client({
    grants: ['client_credentials', 'refresh_token'],
    scopes: ['x'],
  });
  const { refresh_token: token } = (await house.token(app)).json;
  const { json } = await house.introspect(app, token);
  assert.equal(json.active, true);
  assert.equal(json.client_id, app.id);
  assert.equal(json.scope, 'x');
  assert.equal(json.token_type, undefined);
  assert.equal(json.exp - json.iat, 86400);
  await inactive(shop, token);
  await house.refresh(app, token);
  await inactive(app, token);
});

test('a caller that is nobody learns nothing', async () => {
  const { json } = await house.token(shop);
  const token = json.access_token;
  const none = await house.introspect(undefined, token);
  assert.equal(none.status, 401);
  assert.equal(none.json.error, 'invalid_client');
  const bearer = { headers: { authorization: `Bearer ${token}` } };
  assert.equal((await house.introspect(undefined, token, bearer)).status, 401);
  const wrong = { ...shop, secret: randomUUID() };
  assert.equal((await house.introspect(wrong, token)).status, 401);
});

test('the form', async () => {
  const refused = async (form) => {
    const answer = await house.ask('introspect', shop, form);
    assert.equal(answer.status, 400);
    assert.equal(answer.json.error, 'invalid_request');
  };
  await refused('');
  await refused('token=');
  await refused('token=a&token=b');
  const { json } = await house.token(shop);
  for (const hint of ['access_token', 'refresh_token', 'x', '']) {
    const form = { token: json.access_token, token_type_hint: hint };
    assert.equal((await house.ask('introspect', shop, form)).json.active, true, hint);
  }
});

test('log and metrics', async () => {
  const { json } = await house.token(shop);
  await house.introspect(shop, json.access_token);
  const line = await house.gw.logged((entry) => entry.verdict === 'active');
  assert.equal(line.route, '/oauth2/introspect');
  await inactive(shop, 'x');
  await house.gw.logged((entry) => entry.verdict === 'inactive');
  assert.ok(!JSON.stringify(house.gw.accessLog()).includes(json.access_token));
});
