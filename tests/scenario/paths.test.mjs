// One normal form of the path decides the route and is what the backend gets.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { AUDIENCE, ISSUER, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { head, rawRequest } from '../harness/raw.mjs';

const key = newKey('ES256');
const token = await mint(key, { scope: 'user' });
let api;
let gw;

before(async () => {
  api = await backend();
  gw = await gateway(
    `
listen "127.0.0.1:0" { }
admin "127.0.0.1:0" { }
error_log = "-"
access_log = "-"
workers = 1
issuer "main" { issuer = "${ISSUER}" audience = {"${AUDIENCE}"} jwks_file = "jwks.json" }
upstream "api" { servers = {"${api.url}"} }
route "orders" { paths = {"/orders"} upstream = "api" }
route "admin" { paths = {"/orders/admin"} upstream = "api" scopes = {"admin"} }
route "stripped" { paths = {"/v1/shop"} upstream = "api" strip_path = true }
route "host" { hosts = {"shop.test"} paths = {"/by-host"} upstream = "api" }
route "wild" { hosts = {"*.shop.test"} paths = {"/by-host"} upstream = "api" scopes = {"admin"} }
route "posts" { paths = {"/posts"} methods = {"POST"} upstream = "api" }
`,
    { files: { 'jwks.json': jwksOf(key) } },
  );
});
after(async () => {
  await gw.stop();
  await api.stop();
});

async function ask(target, { host = 'a', method = 'GET' } = {}) {
  const bytes = head(
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    `Authorization: Bearer ${token}`,
  );
  const { answers } = await rawRequest(gw.port, bytes);
  return answers[0];
}

const PASSED = {
  '/orders': '/orders',
  '/orders/': '/orders/',
  '/orders/7': '/orders/7',
  '/orders?x=1&y=%2f%00': '/orders?x=1&y=%2f%00',
  '/orders?': '/orders?',
  '//orders': '/orders',
  '/orders///7': '/orders/7',
  '/%6frders/%37': '/orders/7',
  '/orders/a%20b': '/orders/a%20b',
  '/orders/%7euser': '/orders/~user',
  '/orders/%c3%a9': '/orders/%C3%A9',
  '/orders/7;v=1': '/orders/7;v=1',
  '/orders/..a/.b/...': '/orders/..a/.b/...',
  '/ORDERS/7': '/ORDERS/7',
  '/v1/shop/cart': '/cart',
  '/v1/shop': '/',
  '/v1/shop?x=1': '/?x=1',
};
for (const [target, wanted] of Object.entries(PASSED)) {
  test(`${target} reaches the backend as ${wanted}`, async () => {
    const answer = await ask(target);
    assert.equal(answer.status, 200, answer.body);
    assert.equal(JSON.parse(answer.body).url.toLowerCase(), wanted.toLowerCase());
  });
}

const REFUSED = [
  '/orders/../x',
  '/orders/./x',
  '/orders/..',
  '/orders/.',
  '/../orders',
  '/orders/%2e%2e/x',
  '/orders/%2e/x',
  '/orders/.%2e/x',
  '/orders/%2E%2E',
  '/orders/a%2fb',
  '/orders/a%2Fb',
  '/orders/a%5cb',
  '/orders/a\\b',
  '/orders/a%00',
  '/orders/%00',
  '/orders/#x',
  '/orders/a%0d%0ab',
  '/orders/%0a',
  '/orders/%7f',
  '/orders/%c0%af',
  '/orders/%c0%ae%c0%ae/',
  '/orders/%',
  '/orders/%2',
  '/orders/%zz',
  '/orders/%u002f',
  '/orders/..;/admin',
  '/orders/%252e%252e/%2e%2e',
];
for (const target of REFUSED) {
  test(`400: ${target}`, async () => {
    const before = api.hits;
    assert.equal((await ask(target)).status, 400);
    assert.equal(api.hits, before);
  });
}

/* The stricter route can't be talked around: each of these is /orders/admin to Express. */
for (const target of [
  '/orders/admin',
  '/orders/admin/',
  '/orders/ADMIN',
  '/orders//admin',
  '/orders/%61dmin',
  '/Orders/Admin/x',
  '//orders/admin?x=1',
  '/orders/admin/../admin',
  '/orders/x/../admin',
  '/orders/admin%2f',
]) {
  test(`never passes without the scope: ${target}`, async () => {
    const before = api.hits;
    const { status } = await ask(target);
    assert.ok([400, 403].includes(status), String(status));
    assert.equal(api.hits, before);
  });
}

test('a prefix ends where a segment ends', async () => {
  for (const target of ['/ordersx', '/order', '/', '/orders%20', '/x/orders', '/v1/shopping']) {
    const before = api.hits;
    assert.equal((await ask(target)).status, 404, target);
    assert.equal(api.hits, before);
  }
});

test('hosts choose the route, whatever their case and port', async () => {
  for (const host of ['shop.test', 'SHOP.test', 'shop.test:8080']) {
    assert.equal((await ask('/by-host', { host })).status, 200, host);
  }
  for (const host of ['eu.shop.test', 'EU.SHOP.TEST:1'])
    assert.equal((await ask('/by-host', { host })).status, 403, host);
  for (const host of ['other.test', 'xshop.test', 'shop.test.evil'])
    assert.equal((await ask('/by-host', { host })).status, 404, host);
  const absolute = await ask('http://shop.test/by-host', { host: 'shop.test' });
  assert.equal(absolute.status, 200);
  assert.equal(JSON.parse(absolute.body).url, '/by-host');
});

test('a method that no route of the path takes: 405 with Allow', async () => {
  const answer = await ask('/posts');
  assert.equal(answer.status, 405);
  assert.match(answer.headers.allow, /POST/);
  assert.equal((await ask('/posts', { method: 'POST' })).status, 200);
});

test('an unknown path is refused before a token is asked for, or after, but never served', async () => {
  const before = api.hits;
  assert.ok([401, 404].includes((await get(`${gw.url}/nowhere`)).status));
  assert.equal((await get(`${gw.url}/nowhere`, { token })).status, 404);
  assert.equal(api.hits, before);
});
