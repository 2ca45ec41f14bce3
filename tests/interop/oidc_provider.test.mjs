// A real OpenID provider: its discovery, its keys, its access tokens, and a rotation of its keys while
// requests run.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import Provider from 'oidc-provider';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get, post } from '../harness/http.mjs';
import { newKey } from '../harness/keys.mjs';
import { busy } from '../harness/load.mjs';
import { assertRefused } from '../harness/verdicts.mjs';
import { until } from '../harness/wait.mjs';

const RESOURCE = 'https://orders.test';
const first = newKey('ES256', 'first');
const second = newKey('ES256', 'second');

let server;
let issuer;
let provider;
let api;
let gw;
let fetches = 0;

/** The provider with these keys; it signs with the first of them. */
function providerWith(...keys) {
  return new Provider(issuer, {
    clients: [
      {
        client_id: 'shop',
        client_secret: 'a-secret-of-the-shop',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: keys.map((key) => key.private) },
    scopes: ['orders:read'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          audience: 'orders-api',
          scope: 'orders:read',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
}

async function tokenFromProvider(resource = RESOURCE) {
  const form = new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders:read' });
  if (resource) form.set('resource', resource);
  const answer = await post(`${issuer}/token`, {
    body: form.toString(),
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from('shop:a-secret-of-the-shop').toString('base64')}`,
    },
  });
  assert.equal(answer.status, 200, answer.body);
  return answer.json.access_token;
}

before(async () => {
  server = http
    .createServer((req, res) => {
      if (req.url.startsWith('/jwks')) fetches += 1;
      provider.callback()(req, res);
    })
    .listen(0, '127.0.0.1');
  await once(server, 'listening');
  issuer = `http://127.0.0.1:${server.address().port}`;
  provider = providerWith(first);
  api = await backend();
  gw = await gateway(
    conf({ servers: [api.url], keys: '', issuer: 'jwks_cooldown = 1 jwks_refresh = 2' }).replace(
      'https://id.test',
      issuer,
    ),
  );
});
after(async () => {
  await gw.stop();
  await api.stop();
  server.close();
  server.closeAllConnections();
});

const statusOf = async (token) => (await get(`${gw.url}/orders`, { token })).status;

test('keys are found by discovery, and the provider’s tokens pass', async () => {
  const token = await tokenFromProvider();
  await until(async () => (await statusOf(token)) === 200, 'the keys to be found');
  const { json } = await get(`${gw.url}/orders`, { token });
  assert.equal(json.headers['x-consumer-id'], 'shop');
  assert.equal(json.headers['x-authenticated-scope'], 'orders:read');
});

test('an opaque token of the provider is refused', async () => {
  assertRefused(await get(`${gw.url}/orders`, { token: await tokenFromProvider(null) }), {
    says: /malformed/,
  });
});

test('keys are rotated while requests run: no good token is refused, and the old key dies', async () => {
  const old = await tokenFromProvider();
  let current = old;
  const kinds = [
    { name: 'old', token: () => old },
    { name: 'current', token: () => current },
  ];
  const load = busy(`${gw.url}/orders`, kinds, { clients: 4 });

  provider = providerWith(first, second);
  const fetched = fetches;
  await until(() => fetches > fetched, 'the gateway to fetch both keys');

  provider = providerWith(second, first);
  const young = await tokenFromProvider();
  await until(async () => (await statusOf(young)) === 200, 'the new key to be known');
  current = young;
  const seen = api.hits;
  await until(() => api.hits > seen + 100, 'requests with both keys');
  const tally = await load.stop();
  assert.deepEqual(tally.failures, []);
  for (const { name } of kinds)
    assert.equal(tally.of(name, 200), tally.sent.get(name), `${[...tally.statuses]}`);

  provider = providerWith(second);
  await until(async () => (await statusOf(old)) === 401, 'the old key to be dead');
  for (let i = 0; i < 20; i += 1) {
    assert.equal(await statusOf(old), 401);
    assert.equal(await statusOf(young), 200);
  }
});
