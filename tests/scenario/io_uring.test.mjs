// What is posted to io_uring arrives whole and in order, however slowly it is read; without io_uring too.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { conf, gateway } from '../harness/gateway.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { head } from '../harness/raw.mjs';
import { until } from '../harness/wait.mjs';

const REQUESTS = 3_000;
const SIZE = 7_000; // short enough to be posted; in all, more than the sockets hold
const key = newKey('ES256');
const token = await mint(key);

const bodyOf = (path) => path.padEnd(SIZE, 'abcdefg');

async function house(t, top) {
  const asked = [];
  const server = createServer((req, res) => {
    asked.push(req.url);
    res.setHeader('Content-Length', SIZE);
    res.end(bodyOf(req.url));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const servers = [`http://127.0.0.1:${server.address().port}`];
  const gw = await gateway(conf({ servers, workers: 1, top }), {
    files: { 'jwks.json': jwksOf(key) },
  });
  t.after(async () => {
    await gw.stop();
    server.close();
  });
  return { gw, asked };
}

const requests = () =>
  Array.from({ length: REQUESTS }, (_, i) =>
    head(
      `GET /${i} HTTP/1.1`,
      'Host: a',
      `Authorization: Bearer ${token}`,
      ...(i === REQUESTS - 1 ? ['Connection: close'] : []),
    ),
  ).join('');

/* True once the server is asked no more: the gateway waits for the client to read. */
async function isStuck(gw, asked) {
  const before = asked.length;
  for (let i = 0; i < 20; i += 1) await gw.metrics();
  return before > 0 && asked.length === before;
}

for (const uses of [true, false]) {
  const how = uses ? 'with' : 'without';

  test(`${how} io_uring, a client that stops reading gets every answer`, async (t) => {
    const { gw, asked } = await house(t, `io_uring = ${uses}`);
    const client = net.connect({ port: gw.port, host: '127.0.0.1' });
    await once(client, 'connect');
    client.pause();
    client.write(requests());
    await until(() => isStuck(gw, asked), 'the gateway to stop asking');
    assert.ok(asked.length < REQUESTS, 'the sockets hold more than the test thinks');

    const parts = [];
    for await (const part of client) parts.push(part);
    const answers = Buffer.concat(parts).toString('latin1').split('HTTP/1.1 200 OK\r\n').slice(1);
    assert.equal(answers.length, REQUESTS);
    answers.forEach((answer, i) => {
      assert.equal(answer.slice(answer.indexOf('\r\n\r\n') + 4), bodyOf(`/${i}`), `answer ${i}`);
    });
  });
}

test('the log tells whether io_uring is used', async (t) => {
  const off = await house(t, 'io_uring = false');
  assert.match(off.gw.log(), /worker\[\d+\]: io_uring is off: a system call for each send/);
  const on = await house(t, 'io_uring = true');
  assert.match(on.gw.log(), /worker\[\d+\]: (sends through io_uring|no io_uring \(.*\))/);
});
