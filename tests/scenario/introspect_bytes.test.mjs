// What an issuer answers, by the byte: answers made to be read in two ways are none, and what comes
// beside an answer is never taken for the next one.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { asking } from '../harness/introspection.mjs';

/** A provider that writes what `script(token)` returns, and `connected` tells how often it was reached. */
async function house(t, script) {
  const state = { connected: 0 };
  const server = net.createServer({ noDelay: true }, (socket) => {
    state.connected += 1;
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (part) => {
      text += part.toString('latin1');
      const at = text.indexOf('\r\n\r\n') + 4;
      const end = at + Number(text.match(/content-length: (\d+)/i)?.[1]);
      if (at < 4 || text.length < end) return;
      const token = new URLSearchParams(text.slice(at, end)).get('token');
      text = text.slice(end);
      socket.write(script(token));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const api = await backend();
  const idp = { url: `http://127.0.0.1:${server.address().port}` };
  const text = conf({
    servers: [api.url],
    workers: 1,
    keys: '',
    issuer: asking(idp, { more: 'timeout = 0.3' }),
  });
  const gw = await gateway(text);
  t.after(async () => {
    await gw.stop();
    await api.stop();
    server.close();
  });
  return { api, state, ask: (token) => get(`${gw.url}/orders`, { token }) };
}

const ACTIVE = '{"active":true,"sub":"ann","aud":"orders-api"}';
const INACTIVE = '{"active":false}';
const ok = (body, more = '') =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${more}\r\n${body}`;
const chunked = (body, first = body.length.toString(16), more = '') =>
  `HTTP/1.1 200 OK\r\n${more}Transfer-Encoding: chunked\r\n\r\n${first}\r\n${body}\r\n0\r\n\r\n`;
const inside = (members) => ok(`${ACTIVE.slice(0, -1)},${members}}`);

const NONE = {
  'an escaped twin of active': ok(`{"active":false,"\\u0061ctive":true${ACTIVE.slice(14)}`),
  'two subjects': inside('"sub":"bob"'),
  'two audiences': inside('"aud":"other"'),
  'a byte order mark': ok(`\ufeff${ACTIVE}`),
  'a NUL after it': ok(`${ACTIVE}\0`),
  'a NUL in it': inside('"x":"\0"'),
  'an escaped NUL': inside('"x":"\\u0000"'),
  'two objects': ok(ACTIVE + ACTIVE),
  'half an object': ok(ACTIVE.slice(0, -1)),
  'depth': inside(`"x":${'['.repeat(20_000)}${']'.repeat(20_000)}`),
  'compression': ok(ACTIVE, 'Content-Encoding: gzip\r\n'),
  'two lengths': ok(ACTIVE, 'Content-Length: 5\r\n'),
  'a length and chunks': chunked(ACTIVE, undefined, 'Content-Length: 5\r\n'),
  'a chunk without a size': chunked(ACTIVE, 'zz'),
  'a chunk of all memory': chunked(ACTIVE, 'ffffffffffffffff'),
  'another transfer coding': chunked(ACTIVE, undefined, 'Transfer-Encoding: gzip\r\n'),
  'a folded field': ok(ACTIVE, 'X: a\r\n b\r\n'),
  'an endless head': `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(100_000)}\r\n`,
  'other versions': ok(ACTIVE).replace('1.1', '2.0'),
  'another protocol': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
  'interim answers only': 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(50),
  'status 201': ok(ACTIVE).replace('200', '201'),
  'status 206': ok(ACTIVE).replace('200', '206'),
};

test('an answer that could be read in two ways is none', async (t) => {
  const names = Object.keys(NONE);
  const { api, ask } = await house(t, (token) => NONE[names[Number(token.slice(4))]]);
  for (const [i, name] of names.entries())
    assert.equal((await ask(`none${i}`)).status, 503, name);
  assert.equal(api.seen.length, 0);
});

test('an answer counts in every shape that HTTP allows', async (t) => {
  const shapes = [
    ok(`${ACTIVE}\n `),
    `HTTP/1.1 100 Continue\r\n\r\n${ok(ACTIVE)}`,
    chunked(ACTIVE),
    ok(ACTIVE).replace('1.1', '1.0'),
    ok(ACTIVE, 'Connection: close\r\n'),
  ];
  const { ask } = await house(t, (token) => shapes[Number(token.slice(4))]);
  for (const i of shapes.keys()) assert.equal((await ask(`fine${i}`)).status, 200, shapes[i]);
});

test('what comes beside an answer is not the answer to the next question', async (t) => {
  const { api, state, ask } = await house(t, () => ok(INACTIVE) + ok(ACTIVE));
  for (let i = 1; i <= 50; i += 1) {
    assert.equal((await ask(`lead${i}`)).status, 401);
    assert.equal(state.connected, i);
  }
  assert.equal(api.seen.length, 0);
});
