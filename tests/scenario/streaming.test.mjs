// A gigabyte each way through little memory: bodies stream, and whoever is slow holds back the other.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { backend } from '../harness/backend.mjs';
import { conf, gateway, residentBytes } from '../harness/gateway.mjs';
import { open, read } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { until } from '../harness/wait.mjs';

const GIGABYTE = 2 ** 30;
const BOUND = 20 * 2 ** 20;
const key = newKey('ES256');
const token = await mint(key);
let api;
let gw;
let worker;
let rest;

before(async () => {
  api = await backend();
  gw = await gateway(conf({ servers: [api.url], workers: 1, route: 'max_body = "2G"' }), {
    files: { 'jwks.json': jwksOf(key) },
  });
  [worker] = await gw.workers();
  rest = await residentBytes(worker);
});
after(async () => {
  await gw.stop();
  await api.stop();
});

const grown = async () => (await residentBytes(worker)) - rest;

async function upload(headers) {
  const { request, answered } = open(`${gw.url}/sink`, { method: 'POST', token, headers });
  const part = Buffer.alloc(1 << 20, 'u');
  const hash = createHash('sha256');
  let most = 0;
  for (let sent = 0; sent < GIGABYTE; sent += part.length) {
    hash.update(part);
    if (!request.write(part)) await once(request, 'drain');
    if (sent % (64 << 20) === 0) most = Math.max(most, await grown());
  }
  request.end();
  const { json } = await read(await answered);
  assert.equal(json.bytes, GIGABYTE);
  assert.equal(json.sha256, hash.digest('hex'));
  assert.ok(most < BOUND, `${most} bytes more than at rest`);
}

test('1 GB up, its length given', () => upload({ 'content-length': GIGABYTE }));
test('1 GB up, in chunks', () => upload({}));

async function download(query) {
  const { request, answered } = open(`${gw.url}/big?bytes=${GIGABYTE}${query}`, { token });
  request.end();
  const response = await answered;
  let got = 0;
  let most = 0;
  let marks = 0;
  for await (const part of response) {
    got += part.length;
    if (got >> 26 > marks) {
      marks = got >> 26;
      most = Math.max(most, await grown());
    }
  }
  assert.equal(got, GIGABYTE);
  assert.ok(most < BOUND, `${most} bytes more than at rest`);
}

test('1 GB down, its length given', () => download(''));
test('1 GB down, in chunks', () => download('&chunked'));

test('a client that stops reading stops the backend', async () => {
  const { request, answered } = open(`${gw.url}/big?bytes=${GIGABYTE}`, { token });
  request.end();
  const response = await answered;
  response.pause();
  await until(() => response.readableLength > 0, 'the first bytes');
  for (let i = 0; i < 20; i += 1) {
    assert.ok((await grown()) < BOUND);
    await new Promise(setImmediate);
  }
  response.destroy();
});
