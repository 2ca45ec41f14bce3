// An Express API that checks our tokens by itself (express-oauth2-jwt-bearer), by our metadata and keys.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import express from 'express';
import bearer from 'express-oauth2-jwt-bearer';
import { AUDIENCE } from '../harness/gateway.mjs';
import { get, post } from '../harness/http.mjs';
import { misSigned } from '../harness/keys.mjs';
import { provider } from '../harness/provider.mjs';

const { auth, requiredScopes } = bearer;
const houses = {};

/** The API behind no gateway at all. */
async function api(house) {
  const app = express();
  app.use(auth({ issuerBaseURL: house.issuer, audience: AUDIENCE, strict: true }));
  app.get('/orders', requiredScopes('orders:read'), (req, res) => res.json(req.auth.payload));
  app.use((error, req, res, next) => {
    if (error.status === undefined) next(error);
    else res.status(error.status).set(error.headers).json({ error: error.code });
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}/orders`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

before(async () => {
  for (const signing of ['ES256', 'RS256', 'EdDSA']) {
    const house = await provider({ service: `signing = "${signing}"`, workers: 1 });
    houses[signing] = { house, checked: await api(house) };
  }
});
after(async () => {
  for (const { house, checked } of Object.values(houses)) {
    checked.stop();
    await house.stop();
  }
});

async function token(house, client, form = {}) {
  const answer = await post(`${house.url}/oauth2/token`, {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: client.id,
      client_secret: client.secret,
      ...form,
    }).toString(),
  });
  assert.equal(answer.status, 200, answer.body);
  return answer.json.access_token;
}

for (const signing of ['ES256', 'RS256', 'EdDSA'])
  test(`tokens signed with ${signing} are accepted by our published keys`, async () => {
    const { house, checked } = houses[signing];
    const client = await house.client('--scopes', 'orders:read orders:write');
    const good = await token(house, client);
    const answer = await get(checked.url, { token: good });

    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.json.sub, client.id);
    assert.equal(answer.json.client_id, client.id);
    assert.equal((await get(`${house.url}/orders`, { token: good })).status, 200);
    assert.equal((await get(checked.url, { token: misSigned(good) })).status, 401);
    const less = await token(house, client, { scope: 'orders:write' });
    assert.equal((await get(checked.url, { token: less })).status, 403);
  });

test('a token for somebody else is refused by both', async () => {
  const { house, checked } = houses.ES256;
  const client = await house.client('--scopes', 'orders:read', '--audiences', 'billing-api');
  const other = await token(house, client, { audience: 'billing-api' });
  assert.equal((await get(checked.url, { token: other })).status, 401);
  assert.equal((await get(`${house.url}/orders`, { token: other })).status, 401);
});

test('after a rotation of keys both old and new tokens are good', async () => {
  const { house, checked } = houses.RS256;
  const client = await house.client('--scopes', 'orders:read');
  const old = await token(house, client);
  await house.tell(['keys', 'rotate']);
  assert.equal((await get(checked.url, { token: old })).status, 200);
  assert.equal((await get(`${house.url}/orders`, { token: old })).status, 200);
});
