// The admin listener and the access log: what operators and their programs rely on.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get, post } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { connect, head } from '../harness/raw.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const token = await mint(key);
let api;
let gw;

before(async () => {
  api = await backend();
  gw = await gateway(conf({ servers: [api.url] }), { files: { 'jwks.json': jwksOf(key) } });
});
after(async () => {
  await gw.stop();
  await api.stop();
});

/** The sum of all lines of a metric whose labels hold each of these. */
async function sum(name, ...labels) {
  const lines = (await gw.metrics())
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines
    .filter((line) => labels.every((label) => line.includes(label)))
    .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

test('/healthz and /readyz are 200 on a gateway that serves', async () => {
  for (const path of ['/healthz', '/readyz'])
    assert.equal((await get(`${gw.adminUrl}${path}`)).status, 200);
});

test('/metrics is Prometheus text, each metric with its help and type', async () => {
  await get(`${gw.url}/orders`, { token });
  const answer = await get(`${gw.adminUrl}/metrics`);
  assert.equal(answer.status, 200);
  assert.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  for (const line of answer.body.split('\n').filter(Boolean)) {
    assert.match(
      line,
      /^(# (HELP|TYPE) gatehouse_\w+ .+|gatehouse_\w+(\{(\w+="([^"\\\n]|\\.)*",?)*\})? [-+0-9.eEinfNa]+)$/,
    );
  }
  for (const name of [
    'gatehouse_workers',
    'gatehouse_requests_total',
    'gatehouse_cache_entries',
    'gatehouse_reloads_total',
  ]) {
    assert.match(answer.body, new RegExp(`# TYPE ${name} `), name);
  }
});

test('requests, hits and misses are counted over all workers', async () => {
  const before = {
    all: await sum('gatehouse_requests_total'),
    good: await sum('gatehouse_requests_total', 'status="200"'),
    refused: await sum('gatehouse_requests_total', 'status="401"'),
    hits: await sum('gatehouse_cache_hits_total'),
  };
  for (let i = 0; i < 10; i += 1) await get(`${gw.url}/orders`, { token });
  for (let i = 0; i < 5; i += 1) await get(`${gw.url}/orders`);
  await until(async () => (await sum('gatehouse_requests_total')) - before.all >= 15, 'the counts');
  assert.equal((await sum('gatehouse_requests_total', 'status="200"')) - before.good, 10);
  assert.equal((await sum('gatehouse_requests_total', 'status="401"')) - before.refused, 5);
  assert.ok((await sum('gatehouse_cache_hits_total')) - before.hits >= 9);
  assert.equal(await sum('gatehouse_workers'), 2);
});

test('a reload is counted by its result', async () => {
  const good = await sum('gatehouse_reloads_total');
  await gw.reload();
  await until(
    async () => (await sum('gatehouse_reloads_total')) > good,
    'the reload to be counted',
  );
});

test('the admin listener refuses what it does not know, and is no proxy', async () => {
  assert.equal((await get(`${gw.adminUrl}/nowhere`)).status, 404);
  assert.equal((await post(`${gw.adminUrl}/metrics`)).status, 405);
  const hits = api.hits;
  assert.equal((await get(`${gw.adminUrl}/orders`, { token })).status, 404);
  assert.equal(api.hits, hits);
  assert.equal((await get(`${gw.url}/metrics`)).status, 401);
});

test('rubbish and idle connections do not hold up the keeper', async () => {
  const idle = await Promise.all(Array.from({ length: 20 }, () => connect(gw.adminPort)));
  const rude = await connect(gw.adminPort);
  rude.write(Buffer.from('\x00\xff nonsense\r\n\r\n', 'latin1'));
  await rude.over();
  const split = await connect(gw.adminPort);
  await split.dribble(head('GET /healthz HTTP/1.1', 'Host: a'));
  assert.equal((await split.answers(1))[0].status, 200);
  assert.equal((await get(`${gw.adminUrl}/healthz`)).status, 200);
  [...idle, rude, split].forEach((client) => client.destroy());
});

test('an access log line says all it promises', async () => {
  const { headers } = await post(`${gw.url}/orders/7?secret=1`, { token, body: 'hello' });
  const line = await gw.logged((entry) => entry.request_id === headers['x-request-id']);
  const {
    time,
    duration_ms: duration,
    upstream_ms: upstreamMs,
    worker,
    bytes_in: up,
    bytes_out: down,
    ...rest
  } = line;
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000, time);
  for (const number of [duration, upstreamMs, worker, up, down])
    assert.equal(typeof number, 'number');
  assert.ok(up >= 5 && down > 0);
  assert.ok(!JSON.stringify(line).includes('secret'));
  const { client, method, host, path, route, status, consumer, issuer, verdict, source, upstream } =
    rest;
  assert.deepEqual(
    { client, method, path, route, status, consumer, issuer, verdict },
    {
      client: '127.0.0.1',
      method: 'POST',
      path: '/orders/7',
      route: 'all',
      status: 200,
      consumer: 'shop',
      issuer: 'main',
      verdict: 'active',
    },
  );
  assert.match(host, /^127\.0\.0\.1/);
  assert.match(source, /^(cache|verified)$/);
  assert.ok(upstream.includes(String(api.port)));
});

test('refusals are logged with their verdict, and strangers cannot forge a line', async () => {
  const expired = await mint(key, { exp: 1 });
  const { headers } = await get(`${gw.url}/orders`, {
    token: expired,
    headers: { 'user-agent': 'x"}\\n{"forged":1' },
  });
  const line = await gw.logged((entry) => entry.request_id === headers['x-request-id']);
  assert.equal(line.status, 401);
  assert.equal(line.verdict, 'expired');
  const none = await get(`${gw.url}/or%22ders`);
  const other = await gw.logged((entry) => entry.request_id === none.headers['x-request-id']);
  assert.equal(other.source, 'none');
  assert.ok(gw.accessLog().every((entry) => entry.forged === undefined));
});
