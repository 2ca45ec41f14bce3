// Large answers pass through pipes of the kernel: each arrives whole, whatever became of the one before.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { conf, gateway } from '../harness/gateway.mjs';
import { open } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';

const MEGABYTE = 2 ** 20;
const key = newKey('ES256');
const token = await mint(key);
let server;
let connected = 0;
let gw;

/* N megabytes, each filled with one letter of the path's name, so that no two answers are alike. */
const letterOf = (name, i) => name.charCodeAt(i % name.length);

function* parts(name, megabytes) {
  for (let i = 0; i < megabytes; i += 1) {
    if (name === 'cut' && i === megabytes - 1) throw new Error('cut');
    yield Buffer.alloc(MEGABYTE, letterOf(name, i));
  }
}

function answer(req, res) {
  const [, name, megabytes] = req.url.split('/');
  res.writeHead(200, { 'Content-Length': megabytes * MEGABYTE });
  // a client that leaves early is no error
  pipeline(Readable.from(parts(name, Number(megabytes))), res).catch(() => {});
}

before(async () => {
  server = createServer(answer).on('connection', () => (connected += 1));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const servers = [`http://127.0.0.1:${server.address().port}`];
  gw = await gateway(conf({ servers, workers: 1 }), { files: { 'jwks.json': jwksOf(key) } });
});
after(async () => {
  await gw.stop();
  server.close();
});

const ask = (name, megabytes) => {
  const { request, answered } = open(`${gw.url}/${name}/${megabytes}`, { token });
  request.end();
  return answered;
};

async function whole(name, megabytes) {
  let at = 0;
  for await (const bytes of await ask(name, megabytes)) {
    for (let i = 0; i < bytes.length; i += 4096) {
      assert.equal(bytes[i], letterOf(name, Math.floor((at + i) / MEGABYTE)), `byte ${at + i}`);
    }
    at += bytes.length;
  }
  assert.equal(at, megabytes * MEGABYTE);
}

test('one after the other, over one connection to the backend', async () => {
  for (const name of ['abc', 'defg', 'hi']) await whole(name, 12);
  assert.equal(connected, 1);
});

test('more at once than there are pipes', () =>
  Promise.all(Array.from({ length: 24 }, (_, i) => whole(`at-once-${i}`, 4))));

test('a client that leaves takes its bytes along', async () => {
  for (let i = 0; i < 3; i += 1) {
    const response = await ask('left', 64);
    await once(response, 'readable');
    response.destroy();
    await whole('next', 8);
  }
});

test('an answer that breaks off does not look whole', async () => {
  const response = await ask('cut', 8);
  await assert.rejects(async () => {
    for await (const bytes of response) assert.ok(bytes.length > 0);
  });
  await whole('next', 8);
});
