// Token exchange (RFC 8693): whose tokens, on whose behalf, for what and for how long.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { ACCESS, JWT, exchange, exchanger, payload, refused, said } from '../harness/exchange.mjs';
import { ISSUER } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey, now } from '../harness/keys.mjs';
import { SELF, tokenHouse } from '../harness/tokens.mjs';

const key = newKey('ES256');
const rsa = newKey('RS256');
let house;
let shop;
let bff;

before(async () => {
  house = await tokenHouse(undefined, {
    service: 'token_rate = "" exchange_depth = 3',
    keys: jwksOf(key, rsa),
    route: 'issuers = {"self", "main"}',
  });
  shop = await house.client({ id: 'shop', format: 'jwt', scopes: ['read', 'write'] });
  bff = await house.client(
    exchanger({
      id: 'bff',
      consumer: 'front office',
      exchange_from: '{shop}',
      delegation: 'allowed',
      audiences: ['billing-api', 'https://api.test/stock'],
    }),
  );
});
after(() => house.stop());

const own = async (client, form) => (await house.token(client, form)).json.access_token;
const ask = (token) => get(`${house.gw.url}/orders`, { token });

test('impersonation: the same subject, elsewhere', async () => {
  const subject = await mint(key, { sub: 'alice', exp: now() + 200 });
  const answer = await exchange(house, bff, subject, { audience: 'billing-api' });
  const { iat, jti, lineage, ...claims } = said(answer);
  assert.deepEqual(claims, {
    iss: SELF,
    sub: 'alice',
    client_id: 'bff',
    aud: 'billing-api',
    scope: 'orders:read orders:write',
    exp: payload(subject).exp,
    consumer: 'front office',
  });
  const { jti: from, iat: since } = payload(subject);
  assert.deepEqual(lineage, [
    { jti: from, iss: ISSUER, client_id: 'shop', kid: key.kid, iat: since },
  ]);
  const { access_token: token, ...rest } = answer.json;
  assert.deepEqual(rest, {
    token_type: 'Bearer',
    expires_in: claims.exp - iat,
    issued_token_type: ACCESS,
    scope: 'orders:read orders:write',
  });
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(await house.rows('tokens', `id = '${jti}' AND subject = 'alice'`), 1);
  assert.equal((await ask(token)).status, 401, 'it is for billing');
});

test('delegation: act names the actor', async () => {
  const subject = await own(shop);
  const actor = await own(bff);
  const { act, sub, lineage } = said(await exchange(house, bff, subject, { actor_token: actor }));
  assert.deepEqual([sub, act], ['shop', { sub: 'bff' }]);
  assert.deepEqual(Object.keys(lineage[0]), ['jti', 'client_id', 'kid', 'iat']);
  const user = await mint(key, { sub: 'clerk', client_id: 'desk' });
  const other = said(await exchange(house, bff, subject, { actor_token: user }));
  assert.deepEqual(other.act, { sub: 'clerk', iss: ISSUER, client_id: 'desk' });
});
