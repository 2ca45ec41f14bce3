// A protected resource (RFC 9728): a client that is refused finds out who gives out tokens for it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { backend } from '../harness/backend.mjs';
import { conf, gateway, ISSUER } from '../harness/gateway.mjs';
import { get, send } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { head, rawRequest } from '../harness/raw.mjs';

const key = newKey('ES256');
const RESOURCE = 'https://api.test/orders';
const WELL_KNOWN = '/.well-known/oauth-protected-resource';
let api;
let gw;

const route = (name, more) => `route "${name}" { paths = {"/${name}"} upstream = "api" ${more} }\n`;
const more = `
issuer "other" { issuer = "https://other.test" audience = {"x"} jwks_file = "jwks.json" }
issuer "nameless" { issuer = "urn:nameless" audience = {"x"} jwks_file = "jwks.json" }
${route('read', `resource = "${RESOURCE}" issuers = {"main", "nameless"} scopes = {"orders:read"}`)}
${route('write', `resource = "${RESOURCE}" issuers = {"other", "main"}
  scopes = {"orders:read", "orders:write"}`)}
${route('root', 'resource = "https://api.test/"')}
${route('open', 'resource = "https://api.test/open" anonymous = true issuers = {"nameless"}')}
${route('here', 'resource = "http://127.0.0.1:8080/twice" issuers = {"main"}')}
${route('there', 'resource = "http://localhost:8080/twice" issuers = {"other"}')}`;

before(async () => {
  api = await backend();
  gw = await gateway(conf({ servers: [api.url], more }), { files: { 'jwks.json': jwksOf(key) } });
});
after(async () => {
  await gw.stop();
  await api.stop();
});

const metadata = (path, headers) => get(`${gw.url}${WELL_KNOWN}${path}`, { headers });

test('the metadata of a resource are those of all its routes', async () => {
  const answer = await metadata('/orders');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['access-control-allow-origin'], '*');
  assert.deepEqual(answer.json, {
    resource: RESOURCE,
    authorization_servers: [ISSUER, 'https://other.test'],
    scopes_supported: ['orders:read', 'orders:write'],
    bearer_methods_supported: ['header'],
  });
});

test('what there is none of is left out', async () => {
  assert.deepEqual((await metadata('/open')).json, {
    resource: 'https://api.test/open',
    bearer_methods_supported: ['header'],
  });
});

test('a resource without a path has no slash behind the well-known name', async () => {
  assert.equal((await metadata('')).json.resource, 'https://api.test/');
});

test('only GET and HEAD, and only what there is', async () => {
  const status = async (method, path) =>
    (await send(`${gw.url}${WELL_KNOWN}${path}`, { method })).status;
  assert.equal(await status('HEAD', '/orders'), 200);
  assert.equal(await status('POST', '/orders'), 405);
  /* to the route of "/": a token is needed */
  assert.equal(await status('GET', '/ORDERS'), 401);
  assert.equal(await status('GET', '/orders/'), 401);
});

test('two resources with the same path are told apart by the host', async () => {
  const seen = async (host) =>
    (await rawRequest(gw.port, head(`GET ${WELL_KNOWN}/twice HTTP/1.1`, `Host: ${host}`))).answers[0];
  assert.match((await seen('127.0.0.1')).body, /127\.0\.0\.1:8080\/twice.*id\.test/);
  assert.match((await seen('LocalHost:81')).body, /localhost:8080\/twice.*other\.test/);
  assert.equal((await seen('evil.test')).status, 401);
});

const challenged = (answer, status, url) => {
  assert.equal(answer.status, status);
  const value = answer.headers['www-authenticate'];
  assert.match(value, /^Bearer realm="gatehouse"/);
  if (url === undefined) assert.doesNotMatch(value, /resource_metadata/);
  else assert.ok(value.endsWith(`, resource_metadata="${url}"`), value);
};

test('challenges name the metadata', async () => {
  const url = `https://api.test${WELL_KNOWN}/orders`;
  challenged(await get(`${gw.url}/read`), 401, url);
  challenged(await get(`${gw.url}/read`, { token: 'a.b.c' }), 401, url);
  challenged(await get(`${gw.url}/write`, { token: await mint(key, { scope: 'x' }) }), 403, url);
  challenged(await get(`${gw.url}/read?access_token=x`), 400, url);
  challenged(await get(`${gw.url}/root`), 401, `https://api.test${WELL_KNOWN}`);
  challenged(await get(`${gw.url}/elsewhere`), 401, undefined);
});

test('a reload changes the metadata', async () => {
  const changed = more.replace('"orders:write"', '"orders:change"');
  assert.match(await gw.reload(conf({ servers: [api.url], more: changed })), /ready/);
  assert.deepEqual((await metadata('/orders')).json.scopes_supported, [
    'orders:read',
    'orders:change',
  ]);
});
