// simple-oauth2 at our token service, as its readme says to use it.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { ClientCredentials } from 'simple-oauth2';
import { get } from '../harness/http.mjs';
import { provider } from '../harness/provider.mjs';

let house;

before(async () => {
  house = await provider();
});
after(() => house.stop());

const using = ({ id, secret }, options = {}) =>
  new ClientCredentials({
    client: { id, secret },
    auth: { tokenHost: house.url, tokenPath: '/oauth2/token', revokePath: '/oauth2/revoke' },
    options,
  });

const orders = (token) => get(`${house.url}/orders`, { token });

for (const authorizationMethod of ['header', 'body'])
  test(`credentials in the ${authorizationMethod}: issue, call, revoke`, async () => {
    const client = await house.client('--scopes', 'orders:read orders:write');
    const credentials = using(client, { authorizationMethod });
    const issued = await credentials.getToken({ scope: ['orders:write', 'orders:read'] });
    const { access_token: token, scope } = issued.token;

    assert.equal(scope, 'orders:read orders:write');
    assert.equal(issued.expired(60), false);
    assert.equal((await orders(token)).status, 200);
    assert.equal((await credentials.getToken({ scope })).token.access_token, token, 'it is reused');
    await issued.revoke('access_token');
    assert.equal((await orders(token)).status, 401);
  });

test('refresh with rotation, and revokeAll', async () => {
  const client = await house.client('--grants', 'client_credentials refresh_token');
  const one = await using(client).getToken({});
  const two = await one.refresh();

  assert.notEqual(two.token.refresh_token, one.token.refresh_token);
  assert.equal((await orders(two.token.access_token)).status, 200);
  await two.revokeAll();
  for (const { token } of [one, two])
    assert.equal((await orders(token.access_token)).status, 401);
  await assert.rejects(two.refresh(), (error) => error.data.payload.error === 'invalid_grant');
});

test('an id of every kind of character, in both ways of writing it', async () => {
  const id = 'a:b%20c+d/?&=~';
  const client = await house.client('--id', id);
  for (const options of [
    { authorizationMethod: 'header', credentialsEncodingMode: 'strict' },
    { authorizationMethod: 'body' },
  ]) {
    const { token } = await using({ id, secret: client.secret }, options).getToken({});
    assert.equal((await orders(token.access_token)).headers['x-request-id'].length > 0, true);
  }
});

test('a wrong secret is a 401 with an OAuth error', async () => {
  const { id } = await house.client();
  await assert.rejects(using({ id, secret: 'not it' }).getToken({}), (error) => {
    assert.equal(error.output.statusCode, 401);
    return error.data.payload.error === 'invalid_client';
  });
});
