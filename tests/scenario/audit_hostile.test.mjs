// Whatever a server answers an audit, it ends by itself, in order, and shows nothing of what it was sent.
// (The sanitized run of the same stories is where a wrong byte would be seen.)

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { auditor, named } from '../harness/audit.mjs';

let audit;

before(async () => {
  audit = await auditor();
});

const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\nhere is the order';
const long = (n, c = 'a') => c.repeat(n);

/* What is sent, or what is done, instead of a refusal. */
const answers = {
  'nothing, and closes': () => '',
  'random bytes': () => randomBytes(4096),
  'NUL bytes': () => Buffer.alloc(70_000),
  'half a status line': () => 'HTTP/1.1 4',
  'a status that is none': () => 'HTTP/1.1 099 \r\n\r\n',
  'a status of four digits': () => 'HTTP/1.1 2000 OK\r\n\r\n',
  'another protocol': () => 'SSH-2.0-OpenSSH_9.2\r\n',
  'bare line feeds': () => 'HTTP/1.1 401 no\nContent-Length: 2\n\nno',
  'folded lines': () => 'HTTP/1.1 401 no\r\nA: b\r\n c\r\n\td\r\n\r\n',
  'two lengths': () => 'HTTP/1.1 401 no\r\nContent-Length: 1\r\nContent-Length: 9\r\n\r\nno',
  'a huge length': () => 'HTTP/1.1 401 no\r\nContent-Length: 99999999999999999999999\r\n\r\n',
  'a bad chunk': () => 'HTTP/1.1 401 no\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n',
  'a huge chunk': () => 'HTTP/1.1 401 no\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffe\r\nx',
  'a body cut short': () => 'HTTP/1.1 401 no\r\nContent-Length: 1000\r\n\r\nno',
  'a long reason': () => `HTTP/1.1 401 ${long(100_000)}\r\n\r\n`,
  'a long name': () => `HTTP/1.1 401 no\r\n${long(100_000)}: b\r\n\r\n`,
  'a long value': () => `HTTP/1.1 401 no\r\nRetry-After: ${long(100_000, '9')}\r\n\r\n`,
  'many headers': () => `HTTP/1.1 401 no\r\n${'A: b\r\n'.repeat(20_000)}\r\n`,
  'interim answers without end': () => 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(5_000),
  'many answers': () => 'HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n'.repeat(5_000),
  'an upgrade': () => `HTTP/1.1 401 no\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n${long(1000)}`,
  'a terminal told to obey': () => 'HTTP/1.1 401 \u001b]0;x\u0007\u001b[2J\r\n\r\n\u001b[2J',
};

/** The request that deserves an answer: the good token, and nothing odd about it. */
function deserves(text, token) {
  const lines = text.split('\r\n');
  return (
    /^GET \/orders HTTP\/1\.1$/.test(lines[0]) &&
    lines.filter((line) => /^authorization:/i.test(line)).length === 1 &&
    lines.includes(`Authorization: Bearer ${token}`)
  );
}

async function serve(t, answer) {
  const server = net.createServer((socket) => {
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (part) => {
      const first = text === '';
      text += part.toString('latin1');
      if (!text.includes('\n\r\n') && !text.includes('\n\n')) return;
      if (!first && text.length - part.length > text.indexOf('\r\n\r\n') + 4) return;
      if (deserves(text, audit.token)) socket.end(GOOD);
      else answer(socket, text);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/orders`;
}

for (const [name, make] of Object.entries(answers))
  test(`answered with ${name}`, async (t) => {
    const url = await serve(t, (socket) => socket.end(make()));
    const { code, stdout, stderr } = await audit.run(url, ['--timeout', '2']);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /\n0 of \d+ got through/);
    assert.equal(stderr, '');
    assert.doesNotMatch(stdout, /[^\n -~]/, 'a byte that no table has');
  });

test('the first answer of all is garbage', async (t) => {
  for (const make of Object.values(answers)) {
    const server = net.createServer((socket) => socket.on('error', () => {}).end(make()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { code, stdout, stderr } = await audit.run(
      `http://127.0.0.1:${server.address().port}/`,
      ['--timeout', '1'],
    );
    assert.equal(code, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^the good token gets \d+|gives the good token no answer|no connection/);
    assert.doesNotMatch(stderr, /[^\n -~]/);
  }
});

test('an answer without end is left at its time, and judged by its status', async (t) => {
  let drips = 0;
  const url = await serve(t, (socket) => {
    drips += 1;
    if (drips > 3) return socket.end('HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n');
    socket.write('HTTP/1.1 401 no\r\nTransfer-Encoding: chunked\r\n\r\n');
    const drip = setInterval(() => socket.write('1\r\nx\r\n'), 50);
    return socket.on('close', () => clearInterval(drip));
  });
  const { code, stdout } = await audit.run(url, ['--timeout', '1']);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^refused +401 +refused +no-token/m);
});

test('silence is no refusal', async (t) => {
  let silent = 0;
  const url = await serve(t, (socket) => {
    silent += 1;
    if (silent === 4) return;
    socket.end('HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n');
  });
  const { stdout } = await audit.run(url, ['--timeout', '1']);
  assert.match(stdout, /^not judged +silence +refused +\S+: .*\n +no answer came in time/m);
});

test('a request that got through behind a refused one is found', async (t) => {
  const no = 'HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n';
  const url = await serve(t, (socket, text) => {
    const both = /content-length: \d/i.test(text) && /transfer-encoding: chunked/i.test(text);
    socket.end(both ? no + GOOD : no);
  });
  const { code, told } = await audit.json(url);
  assert.deepEqual(named(told, 'passed'), [
    'smuggling/bare-cr-te',
    'smuggling/bare-lf-te',
    'smuggling/cl-te',
    'smuggling/te-cl',
  ]);
  assert.equal(code, 1);
});
