// oauth4webapi, a client that checks all that the RFCs say of an answer, at our token service.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { AUDIENCE } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, newKey } from '../harness/keys.mjs';
import { provider } from '../harness/provider.mjs';

const loopback = { [oauth.allowInsecureRequests]: true };
let house;
let server;

before(async () => {
  house = await provider({ service: 'refresh_grace = 1' });
  server = await discover('oauth2');
});
after(() => house.stop());

async function discover(algorithm) {
  const url = new URL(house.issuer);
  const answer = await oauth.discoveryRequest(url, { algorithm, ...loopback });
  return oauth.processDiscoveryResponse(url, answer);
}

/** One client at work: how it proves who it is goes into every call. */
function at(client, proof) {
  const who = { client_id: client.id };
  const call = async (request, process, ...more) =>
    process(server, who, await request(server, who, proof, ...more, loopback));
  return {
    issue: (parameters = {}) =>
      call(
        oauth.clientCredentialsGrantRequest,
        oauth.processClientCredentialsResponse,
        new URLSearchParams(parameters),
      ),
    refresh: (token) =>
      call(oauth.refreshTokenGrantRequest, oauth.processRefreshTokenResponse, token),
    introspect: (token) =>
      call(oauth.introspectionRequest, oauth.processIntrospectionResponse, token),
    revoke: (token) =>
      call(oauth.revocationRequest, (_server, _who, answer) => oauth.processRevocationResponse(answer), token),
  };
}

const orders = (token) => get(`${house.url}/orders`, { token });

/** What the library itself says of a token, by our keys. */
const validated = (token, audience = AUDIENCE) =>
  oauth.validateJwtAccessToken(
    server,
    new Request(`${house.url}/orders`, { headers: { authorization: `Bearer ${token}` } }),
    audience,
    loopback,
  );

/** The key as the library wants it: PrivateKeyJwt takes a CryptoKey. */
function cryptoKey(key, algorithm) {
  const der = createPrivateKey({ key: key.private, format: 'jwk' }).export({
    type: 'pkcs8',
    format: 'der',
  });
  return crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

test('discovery: both documents say the same, and all that the library needs', async () => {
  assert.deepEqual(await discover('oidc'), server);
  assert.equal(server.issuer, house.issuer);
  for (const name of ['token', 'introspection', 'revocation'])
    assert.ok(server[`${name}_endpoint`].startsWith(`${house.url}/`), name);
  assert.deepEqual(server.token_endpoint_auth_methods_supported.sort(), [
    'client_secret_basic',
    'client_secret_post',
    'private_key_jwt',
  ]);
});

for (const [name, proof] of [
  ['client_secret_basic', oauth.ClientSecretBasic],
  ['client_secret_post', oauth.ClientSecretPost],
])
  test(`${name}: issue, call, introspect, revoke`, async () => {
    const client = await house.client('--scopes', 'orders:read orders:write');
    const me = at(client, proof(client.secret));
    const issued = await me.issue({ scope: 'orders:read' });

    assert.equal(issued.token_type, 'bearer');
    assert.equal(issued.scope, 'orders:read');
    const claims = await validated(issued.access_token);
    assert.equal(claims.client_id, client.id);
    assert.equal(claims.scope, 'orders:read');
    assert.equal((await orders(issued.access_token)).status, 200);
    const told = await me.introspect(issued.access_token);
    assert.equal(told.active, true);
    assert.equal(told.client_id, client.id);
    assert.equal(told.jti, claims.jti);
    assert.equal(told.exp, claims.exp);
    await me.revoke(issued.access_token);
    assert.deepEqual(await me.introspect(issued.access_token), { active: false });
    assert.equal((await orders(issued.access_token)).status, 401);
    assert.notEqual((await me.issue({ scope: 'orders:read' })).access_token, issued.access_token);
  });

for (const [alg, algorithm] of [
  ['ES256', { name: 'ECDSA', namedCurve: 'P-256' }],
  ['RS256', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }],
  ['EdDSA', { name: 'Ed25519' }],
])
  test(`private_key_jwt with ${alg}: each call has an assertion of its own`, async () => {
    const key = newKey(alg);
    const client = await house.keyClient(jwksOf(key));
    const named = { key: await cryptoKey(key, algorithm), kid: key.kid };
    /* the library's own name for EdDSA is a later RFC's (Ed25519) */
    const asRegistered = { [oauth.modifyAssertion]: (header) => Object.assign(header, { alg }) };
    const me = at(client, oauth.PrivateKeyJwt(named, asRegistered));
    const { access_token: token } = await me.issue();

    assert.equal((await validated(token)).sub, client.id);
    assert.equal((await me.introspect(token)).active, true);
    await me.revoke(token);
    assert.equal((await me.introspect(token)).active, false);
  });

test('an opaque token is as good, and no JWT', async () => {
  const client = await house.client('--format', 'opaque', '--scopes', 'orders:read');
  const me = at(client, oauth.ClientSecretBasic(client.secret));
  const { access_token: token } = await me.issue();

  assert.equal(token.split('.').length, 1);
  assert.equal((await orders(token)).status, 200);
  const told = await me.introspect(token);
  assert.equal(told.active, true);
  assert.equal(told.scope, 'orders:read');
  await me.revoke(token);
  assert.equal((await orders(token)).status, 401);
});

test('refresh: rotation, and a revoked one takes its access tokens along', async () => {
  const client = await house.client('--grants', 'client_credentials refresh_token');
  const me = at(client, oauth.ClientSecretBasic(client.secret));
  const one = await me.issue();
  const two = await me.refresh(one.refresh_token);

  assert.notEqual(two.refresh_token, one.refresh_token);
  assert.notEqual(two.access_token, one.access_token);
  assert.equal((await orders(two.access_token)).status, 200);
  await me.revoke(two.refresh_token);
  for (const { access_token: token } of [one, two])
    assert.equal((await orders(token)).status, 401);
  await assert.rejects(me.refresh(two.refresh_token), { error: 'invalid_grant', status: 400 });
});

test('refusals are what the library takes for OAuth errors', async () => {
  const client = await house.client('--scopes', 'orders:read');
  const wrong = at(client, oauth.ClientSecretBasic('not it'));
  const me = at(client, oauth.ClientSecretPost(client.secret));

  await assert.rejects(wrong.issue(), (error) => {
    const [challenge] = error.cause;
    return error.code === oauth.WWW_AUTHENTICATE_CHALLENGE && challenge.scheme === 'basic';
  });
  await assert.rejects(me.issue({ scope: 'admin' }), { error: 'invalid_scope', status: 400 });
  await assert.rejects(me.issue({ resource: 'https://other.test/' }), {
    error: 'invalid_target',
    status: 400,
  });
  await assert.rejects(me.refresh('x'), { error: 'unauthorized_client', status: 400 });
});
