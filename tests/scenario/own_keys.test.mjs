// The token service's keys: made where there are none, published, replaced, and never in the way.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { command } from '../harness/gateway.mjs';
import { get, send } from '../harness/http.mjs';
import { join, migrated, SELF, service } from '../harness/service.mjs';
import { tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const jwks = (gw, headers) => get(`${gw.url}/oauth2/jwks`, { headers });
const kids = async (gw) => (await jwks(gw)).json.keys.map((key) => key.kid);

test('the first key is there when the gateway is', async (t) => {
  const { gw, db } = await service(t);
  const answer = await jwks(gw);
  assert.equal(answer.status, 200);
  const [key, ...others] = answer.json.keys;
  assert.deepEqual(others, []);
  assert.deepEqual([key.kty, key.crv, key.alg, key.use], ['EC', 'P-256', 'ES256', 'sig']);
  assert.equal(key.d, undefined);
  assert.match(answer.headers['cache-control'], /^public, max-age=300$/);
  assert.equal(await db.value('SELECT count(*) FROM signing_keys'), '1');
});

test('who has the keys already is told so', async (t) => {
  const { gw } = await service(t, { workers: 1 });
  const { headers, body } = await jwks(gw);
  assert.match(headers.etag, /^"[0-9a-f]{32}"$/);
  for (const tag of [headers.etag, `W/${headers.etag}`, `"x", ${headers.etag}`, '*']) {
    const again = await jwks(gw, { 'if-none-match': tag });
    assert.deepEqual([again.status, again.body, again.headers.etag], [304, '', headers.etag]);
  }
  assert.equal((await jwks(gw, { 'if-none-match': '"x"' })).status, 200);
  const head = await send(`${gw.url}/oauth2/jwks`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers['content-length']], [200, String(body.length)]);
});

test('metadata tells where everything is', async (t) => {
  const { gw } = await service(t);
  const paths = ['oauth-authorization-server', 'openid-configuration'];
  for (const path of paths) {
    const { json } = await get(`${gw.url}/.well-known/${path}`);
    assert.equal(json.issuer, SELF);
    assert.equal(json.token_endpoint, `${SELF}/oauth2/token`);
    assert.equal(json.jwks_uri, `${SELF}/oauth2/jwks`);
    assert.ok(json.response_types_supported.length > 0);
  }
});

test('gateways that start together make one key between them', async (t) => {
  const db = await migrated(t);
  const houses = await Promise.all([1, 2, 3].map(() => join(t, db)));
  const answers = await Promise.all(houses.map(({ gw }) => jwks(gw)));
  assert.equal(await db.value('SELECT count(*) FROM signing_keys'), '1');
  assert.equal(new Set(answers.map(({ headers }) => headers.etag)).size, 1);
});

test('a new key is published everywhere before it signs', async (t) => {
  const db = await migrated(t);
  const [one, two] = await Promise.all([join(t, db), join(t, db)]);
  const [first] = await kids(one.gw);
  await one.run('keys rotate');
  for (const { gw } of [one, two])
    await until(async () => (await kids(gw)).length === 2, 'both keys to be published');
  assert.ok((await kids(two.gw)).includes(first));
  assert.equal(await db.value('SELECT count(*) FROM signing_keys WHERE active_from > now()'), '1');
});

test('another algorithm gets a key of its own', async (t) => {
  const { gw, text } = await service(t);
  await gw.reload(text.replace('token_service {', 'token_service { signing = "EdDSA"'));
  await until(async () => (await jwks(gw)).json.keys.length === 2, 'a second key');
  const algs = (await jwks(gw)).json.keys.map((key) => key.alg).sort();
  assert.deepEqual(algs, ['ES256', 'EdDSA']);
});

test('without its database the gateway starts, and has keys once it is there', async (t) => {
  const db = await migrated(t);
  await db.stop();
  const { gw } = await join(t, db);
  const answer = await jwks(gw);
  assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
  await db.start();
  await until(async () => (await jwks(gw)).status === 200, 'keys');
});

test('keys stay while the database is away', async (t) => {
  const { gw, db } = await service(t);
  const before = await kids(gw);
  await db.stop('immediate');
  await gw.sees(/the database can.t be used/);
  assert.deepEqual(await kids(gw), before);
  process.kill(await gw.keeper(), 'SIGKILL');
  await gw.sees(/keeper \d+ was ended by signal 9/);
  assert.deepEqual(await kids(gw), before);
});

for (const signing of ['ES256', 'RS256', 'EdDSA'])
  test(`tokens signed with ${signing} are what everybody's are, until their key is killed`, async (t) => {
    const house = await tokenHouse(t, { service: `signing = "${signing}"` });
    const { gw } = house;
    const shop = await house.client({ format: 'jwt', scopes: ['orders:read'] });
    const { access_token: token } = (await house.token(shop)).json;
    const verified = await jwtVerify(token, createLocalJWKSet((await jwks(gw)).json), {
      issuer: 'https://gate.test',
      audience: 'orders-api',
      typ: 'at+jwt',
    });
    const { protectedHeader, payload } = verified;
    assert.equal(protectedHeader.alg, signing);
    assert.deepEqual([payload.sub, payload.client_id], [shop.id, shop.id]);
    assert.equal(payload.scope, 'orders:read');
    const ask = async () => (await get(`${gw.url}/orders`, { token })).status;
    assert.equal(await ask(), 200);
    const words = ['-c', 'gatehouse.conf', 'keys', 'kill', protectedHeader.kid];
    assert.equal((await command(words, { conf: house.text, files: house.files })).code, 0);
    await until(async () => (await ask()) === 401, 'the token to be refused');
    await until(async () => {
      const fresh = (await house.token(shop)).json.access_token;
      return fresh !== token && (await get(`${gw.url}/orders`, { token: fresh })).status === 200;
    }, 'tokens of another key');
  });
