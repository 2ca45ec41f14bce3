// Several servers behind one route: balanced, left alone while they are down, taken back when they
// are well; and what a route may do with a request on its way.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { head, rawBackend, rawRequest } from '../harness/raw.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const token = await mint(key);
const files = { 'jwks.json': jwksOf(key) };
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

async function started(t, text) {
  const gw = await gateway(text, { files });
  t.after(() => gw.stop());
  return gw;
}

for (const balance of ['round_robin', 'least_connections']) {
  test(`${balance} gives each server its share`, async (t) => {
    const servers = await Promise.all([backend(), backend(), backend()]);
    const gw = await started(
      t,
      conf({ servers: servers.map(({ url }) => url), upstream: `balance = "${balance}"` }),
    );
    for (let i = 0; i < 60; i += 1) await get(`${gw.url}/orders`, { token });
    const hits = servers.map((server) => server.hits);
    assert.equal(hits[0] + hits[1] + hits[2], 60);
    assert.ok(
      hits.every((n) => n > 0),
      hits.join(),
    );
    await Promise.all(servers.map((server) => server.stop()));
  });
}

test('consistent_hash sends a consumer to one server', async (t) => {
  const servers = await Promise.all([backend(), backend(), backend()]);
  const gw = await started(
    t,
    conf({ servers: servers.map(({ url }) => url), upstream: 'balance = "consistent_hash"' }),
  );
  for (const consumer of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
    servers.forEach((server) => server.forget());
    const one = await mint(key, { client_id: consumer });
    for (let i = 0; i < 10; i += 1) await get(`${gw.url}/orders`, { token: one });
    assert.deepEqual(
      servers.map((server) => server.hits).sort((a, b) => a - b),
      [0, 0, 10],
    );
  }
  await Promise.all(servers.map((server) => server.stop()));
});

test('a server that fails is left alone, and its health check brings it back', async (t) => {
  const good = await backend();
  let well = false;
  const sick = await rawBackend((socket) => (well ? socket.write(OK) : socket.destroy()));
  const gw = await started(
    t,
    conf({
      servers: [sick.url, good.url],
      upstream: `balance = "round_robin" retries = 1
        health_check { path = "/healthz" interval = 0.1 }`,
    }),
  );
  const orders = () => sick.heads.filter((text) => text.startsWith('GET /orders')).length;
  await until(() => sick.heads.some((text) => text.startsWith('GET /healthz')), 'a health check');
  for (let i = 0; i < 20; i += 1) {
    assert.ok((await get(`${gw.url}/orders`, { token })).status < 503);
  }
  const before = orders();
  for (let i = 0; i < 20; i += 1) {
    assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
  }
  assert.equal(orders(), before, 'the sick server was asked');
  well = true;
  await until(async () => {
    await get(`${gw.url}/orders`, { token });
    return orders() > before;
  }, 'the server to be taken back');
  await good.stop();
  await sick.stop();
});

test('a POST that a server may have seen is never sent twice', async (t) => {
  const server = await rawBackend((socket) => socket.destroy());
  const gw = await started(
    t,
    conf({
      servers: [server.url, server.url.replace('127.0.0.1', 'localhost')],
      upstream: 'retries = 3',
    }),
  );
  const { answers } = await rawRequest(
    gw.port,
    `${head('POST /orders HTTP/1.1', 'Host: a', `Authorization: Bearer ${token}`, 'Content-Length: 2')}hi`,
  );
  assert.equal(answers[0].status, 502);
  assert.equal(server.heads.length, 1);
  await server.stop();
});

test('a route can hide the token, keep the Host and tell claims in headers', async (t) => {
  const api = await backend();
  t.after(() => api.stop());
  const gw = await started(
    t,
    conf({
      servers: [api.url],
      route: `hide_credentials = true preserve_host = true
        claim_headers = {"email=X-User-Email", "realm_access.roles=X-Roles"}`,
      more: 'route "plain" { paths = {"/plain"} upstream = "api" }',
    }),
  );
  const one = await mint(key, { email: 'a@b.test', realm_access: { roles: ['x', 'y'] } });
  const ask = async (target) => {
    const bytes = head(
      `GET ${target} HTTP/1.1`,
      'Host: shop.test',
      `Authorization: Bearer ${one}`,
      'X-User-Email: root@b.test',
      'x_user_email: root@b.test',
      'X-Roles: admin',
    );
    return JSON.parse((await rawRequest(gw.port, bytes)).answers[0].body).headers;
  };
  const told = await ask('/orders');
  assert.equal(told.authorization, undefined);
  assert.equal(told.host, 'shop.test');
  assert.equal(told['x-user-email'], 'a@b.test');
  assert.equal(told['x-roles'], 'x,y');
  assert.equal(told.x_user_email, undefined);
  const plain = await ask('/plain');
  assert.equal(plain.authorization, `Bearer ${one}`);
  assert.notEqual(plain.host, 'shop.test');
});

test('a claim header that the token does not fill is not left to the client', async (t) => {
  const api = await backend();
  t.after(() => api.stop());
  const gw = await started(
    t,
    conf({ servers: [api.url], route: 'claim_headers = {"email=X-User-Email"}' }),
  );
  const { json } = await get(`${gw.url}/orders`, { token, headers: { 'x-user-email': 'root' } });
  assert.equal(json.headers['x-user-email'], undefined);
});

test('X-Forwarded-* is believed from trusted_proxies alone', async (t) => {
  const api = await backend();
  t.after(() => api.stop());
  const gw = await started(
    t,
    conf({ servers: [api.url], top: 'trusted_proxies = {"127.0.0.0/8"}' }),
  );
  const { headers, json } = await get(`${gw.url}/orders`, {
    token,
    headers: {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.test',
    },
  });
  assert.match(json.headers['x-forwarded-for'], /^203\.0\.113\.9(, 127\.0\.0\.1)?$/);
  assert.equal(json.headers['x-forwarded-proto'], 'https');
  assert.equal(json.headers['x-forwarded-host'], 'shop.test');
  const line = await gw.logged((entry) => entry.request_id === headers['x-request-id']);
  assert.equal(line.client, '203.0.113.9');
});
