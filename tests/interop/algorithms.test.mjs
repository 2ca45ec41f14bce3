// The demo's Express API behind Gatehouse, with keys and tokens made by jose for every algorithm.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { SignJWT, exportJWK, generateKeyPair, generateSecret } from 'jose';
import { AUDIENCE, ISSUER, conf, gateway } from '../harness/gateway.mjs';
import { get, post } from '../harness/http.mjs';
import { jwksServer } from '../harness/jwks.mjs';
import { ALGORITHMS } from '../harness/keys.mjs';
import { assertRefused } from '../harness/verdicts.mjs';

const { api } = createRequire(import.meta.url)('../demo/api.cjs');

const signers = new Map();
let server;
let jwks;
let gw;

async function keyFor(alg) {
  const pair = alg.startsWith('HS')
    ? await generateSecret(alg, { extractable: true }).then((secret) => ({
        privateKey: secret,
        publicKey: secret,
      }))
    : await generateKeyPair(alg, { extractable: true });
  signers.set(alg, pair.privateKey);
  return { ...(await exportJWK(pair.publicKey)), alg, kid: `key-${alg}`, use: 'sig' };
}

const token = (alg, change = (jwt) => jwt) =>
  change(
    new SignJWT({ client_id: 'shop', scope: 'orders:read' })
      .setProtectedHeader({ alg, typ: 'at+jwt', kid: `key-${alg}` })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject('alice')
      .setIssuedAt()
      .setExpirationTime('5m')
      .setJti('1'),
  ).sign(signers.get(alg));

before(async () => {
  server = api().listen(0, '127.0.0.1');
  await once(server, 'listening');
  jwks = await jwksServer({ keys: await Promise.all(ALGORITHMS.map(keyFor)) });
  gw = await gateway(
    conf({
      servers: [`http://127.0.0.1:${server.address().port}`],
      keys: `jwks_uri = "${jwks.url}"`,
      issuer: `algorithms = {${ALGORITHMS.map((alg) => `"${alg}"`).join(', ')}}`,
    }),
  );
});
after(async () => {
  await gw.stop();
  await jwks.stop();
  server.close();
  server.closeAllConnections();
});

for (const alg of ALGORITHMS) {
  test(`${alg}: a good token passes, twice, and the API knows who asks`, async () => {
    const good = await token(alg);
    for (let i = 0; i < 2; i += 1) {
      assert.equal((await get(`${gw.url}/orders`, { token: good })).json.length >= 3, true);
      const who = (await get(`${gw.url}/orders/whoami`, { token: good })).json;
      assert.equal(who['x-consumer-id'], 'shop');
      assert.equal(who['x-authenticated-userid'], 'alice');
      assert.equal(who['x-authenticated-scope'], 'orders:read');
    }
  });

  test(`${alg}: what jose would refuse is refused`, async () => {
    const bad = {
      expired: await token(alg, (jwt) => jwt.setExpirationTime('1s ago')),
      'not valid yet': await token(alg, (jwt) => jwt.setNotBefore('5m')),
      audience: await token(alg, (jwt) => jwt.setAudience('billing-api')),
      issuer: await token(alg, (jwt) => jwt.setIssuer('https://evil.test')),
    };
    for (const [word, one] of Object.entries(bad)) {
      assertRefused(await get(`${gw.url}/orders`, { token: one }), { says: new RegExp(word) });
    }
  });
}

test('the API can be written to, and its own errors come through', async () => {
  const good = await token('ES256');
  const headers = { 'content-type': 'application/json' };
  const made = await post(`${gw.url}/orders`, {
    token: good,
    headers,
    body: JSON.stringify({ item: 'plate', quantity: 2 }),
  });
  assert.equal(made.status, 201);
  assert.equal((await get(`${gw.url}/orders/${made.json.id}`, { token: good })).json.item, 'plate');
  assert.equal((await get(`${gw.url}/orders/999`, { token: good })).status, 404);
  assert.equal((await post(`${gw.url}/orders`, { token: good, headers, body: '{}' })).status, 422);
});

test('one fetch of the keys was enough for all of it', () => assert.equal(jwks.fetches, 1));
