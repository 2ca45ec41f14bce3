// openid-client at our token service: it configures itself by our metadata, whichever of them it reads.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import * as client from 'openid-client';
import { get } from '../harness/http.mjs';
import { jwksOf, newKey } from '../harness/keys.mjs';
import { provider } from '../harness/provider.mjs';

/* an issuer with a path: the two documents then lie in different places */
const PATH = '/tenants/shop';
let house;

before(async () => {
  house = await provider({ path: PATH });
});
after(() => house.stop());

const configured = (one, proof, algorithm) =>
  client.discovery(new URL(house.issuer), one.id, undefined, proof, {
    algorithm,
    execute: [client.allowInsecureRequests],
  });

const orders = (token) => get(`${house.url}/orders`, { token });

async function tour(config) {
  const issued = await client.clientCredentialsGrant(config, { scope: 'orders:read' });
  assert.equal(issued.scope, 'orders:read');
  assert.ok(issued.expiresIn() > 3500);
  assert.equal((await orders(issued.access_token)).status, 200);
  assert.equal((await client.tokenIntrospection(config, issued.access_token)).active, true);
  const again = await client.clientCredentialsGrant(config, { scope: 'orders:read' });
  assert.equal(again.access_token, issued.access_token, 'it is reused');
  await client.tokenRevocation(config, issued.access_token);
  assert.equal((await client.tokenIntrospection(config, issued.access_token)).active, false);
  assert.equal((await orders(issued.access_token)).status, 401);
}

for (const algorithm of ['oauth2', 'oidc'])
  test(`client_secret_basic and client_secret_post, found by ${algorithm}`, async () => {
    const one = await house.client('--scopes', 'orders:read');
    await tour(await configured(one, client.ClientSecretBasic(one.secret), algorithm));
    await tour(await configured(one, client.ClientSecretPost(one.secret), algorithm));
  });

test('private_key_jwt', async () => {
  const key = newKey('ES256');
  const one = await house.keyClient(jwksOf(key), '--scopes', 'orders:read');
  const der = createPrivateKey({ key: key.private, format: 'jwk' }).export({
    type: 'pkcs8',
    format: 'der',
  });
  const curve = { name: 'ECDSA', namedCurve: 'P-256' };
  const secret = await crypto.subtle.importKey('pkcs8', der, curve, false, ['sign']);
  await tour(await configured(one, client.PrivateKeyJwt({ key: secret, kid: key.kid }), 'oauth2'));
});

test('refresh with rotation; a used token again ends the family after the grace', async () => {
  const one = await house.client('--grants', 'client_credentials refresh_token');
  const config = await configured(one, client.ClientSecretBasic(one.secret), 'oauth2');
  const first = await client.clientCredentialsGrant(config);
  const second = await client.refreshTokenGrant(config, first.refresh_token);
  const third = await client.refreshTokenGrant(config, second.refresh_token);

  assert.equal(new Set([first, second, third].map((t) => t.refresh_token)).size, 3);
  assert.equal((await orders(third.access_token)).status, 200);
  /* as if the grace had passed since the first was used */
  await house.db.query("UPDATE refresh_tokens SET used_at = used_at - interval '1 minute'");
  await assert.rejects(client.refreshTokenGrant(config, first.refresh_token), {
    error: 'invalid_grant',
  });
  await assert.rejects(client.refreshTokenGrant(config, third.refresh_token), {
    error: 'invalid_grant',
  });
  for (const { access_token: token } of [first, second, third])
    assert.equal((await orders(token)).status, 401);
});

test('a wrong secret', async () => {
  const one = await house.client();
  const config = await configured(one, client.ClientSecretPost('not it'), 'oauth2');
  await assert.rejects(client.clientCredentialsGrant(config), (error) => error.status === 401);
});
