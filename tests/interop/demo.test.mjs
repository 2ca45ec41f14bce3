// make run: the demo comes up, does what it prints, comes up again on what is there, and leaves nothing.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BINARY } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { freePort } from '../harness/jwks.mjs';
import { Lines } from '../harness/wait.mjs';

const SCRIPT = new URL('../demo/run.sh', import.meta.url).pathname;
const run = promisify(execFile);

async function demo(t, changes = {}) {
  const folder = changes.folder ?? (await mkdtemp(join(tmpdir(), 'gatehouse-demo-')));
  /* PostgreSQL and the workers run as other users than root */
  await chmod(folder, 0o755);
  t.after(() => rm(folder, { recursive: true, force: true }));
  const ports = {
    PORT: await freePort(),
    API_PORT: await freePort(),
    ADMIN_PORT: await freePort(),
    ...changes.ports,
  };
  const child = spawn('bash', [SCRIPT], {
    env: {
      ...process.env,
      ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
      GATEHOUSE_BIN: BINARY,
      DEMO_DIR: folder,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  t.after(() => {
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      /* it has ended */
    }
  });
  const ended = new Promise((done) => child.on('exit', (code, signal) => done({ code, signal })));
  return {
    child,
    ended,
    folder,
    ports,
    out: new Lines(child.stdout),
    err: new Lines(child.stderr),
  };
}

/* the first start makes a database: on a busy machine that takes a while */
const ready = (one) => one.out.find((line) => line.includes('Ctrl-C'), 'Ctrl-C', 0, 60_000);
const isFree = (port) =>
  get(`http://127.0.0.1:${port}/`).then(
    () => false,
    () => true,
  );

async function allGone({ ports, child }) {
  for (const port of Object.values(ports))
    assert.ok(await isFree(port), `port ${port} is still open`);
  await assert.rejects(async () => process.kill(-child.pid, 0), 'a process stayed');
}

const DEMO_LINE = /^ {2}(\S.*?) +# (.*)$/;
const part = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

/** What each printed line does, all in one shell, as somebody pastes them: [line, wanted, output]. */
async function pasted(one) {
  const lines = one.out.all.map((line) => line.match(DEMO_LINE)).filter(Boolean);
  const mark = '===== the next line =====';
  const script = lines.map(([, line]) => `${line.replace(/^curl /, 'curl -s ')}\necho; echo '${mark}'`);
  const { stdout } = await run('bash', ['-c', script.join('\n')]);
  const outputs = stdout.split(`\n${mark}\n`);
  return lines.map(([, line, wanted], i) => ({ line, wanted, output: outputs[i] }));
}

const bodyOf = ({ output }) => JSON.parse(output.split('\r\n\r\n')[1]);

test('each printed line does what stands beside it', async (t) => {
  const one = await demo(t);
  await ready(one);
  const all = await pasted(one);
  const calls = all.filter(({ line }) => line.startsWith('curl '));
  assert.ok(calls.length >= 14, one.out.text());
  for (const { line, wanted, output } of calls) {
    assert.equal(output.match(/^HTTP\/1\.1 (\d+)/)?.[1], wanted.slice(0, 3), `${line}\n${output}`);
    const reason = wanted.match(/40[13]: .*?(expired|signature|audience|no token|scope|revoked)/);
    if (reason) assert.match(output, new RegExp(reason[1].replace('no token', 'no bearer token')));
  }
  for (const { line, output } of all)
    if (!line.startsWith('curl ')) assert.equal(output.trim(), '', line);

  const [first, second] = calls.map(bodyOf);
  assert.equal(second.access_token, first.access_token, 'the same token');
  assert.equal(part(first.access_token).client_id, 'demo');
  const [before, after] = calls.filter(({ line }) => line.includes('/introspect')).map(bodyOf);
  assert.equal(before.jti, part(first.access_token).jti);
  assert.deepEqual(after, { active: false });
  one.child.kill('SIGTERM');
  assert.equal((await one.ended).code, 0);
});

test('secrets are in files of their owner, and neither printed nor logged', async (t) => {
  const one = await demo(t);
  await ready(one);
  const secret = JSON.parse(await readFile(join(one.folder, 'client.json'), 'utf8')).client_secret;
  for (const name of ['client.json', 'tokens.sh', 'gatehouse.conf', 'encryption.key', 'database.password'])
    assert.equal((await stat(join(one.folder, name))).mode & 0o077, 0, name);
  const said = `${one.out.text()}${one.err.text()}`;
  for (const name of ['encryption.key', 'database.password'])
    assert.ok(!said.includes(await readFile(join(one.folder, name), 'utf8')), name);
  assert.ok(!said.includes(secret));
  one.child.kill('SIGTERM');
  await one.ended;
});

test('Ctrl-C ends all of it cleanly, and a second start takes up what is there', async (t) => {
  const one = await demo(t);
  await ready(one);
  const [{ access_token: token }] = (await pasted(one)).slice(1, 2).map(bodyOf);
  const kept = ['jwks.json', 'client.json', 'encryption.key', 'database.password'];
  const read = (folder) => Promise.all(kept.map((name) => readFile(join(folder, name), 'utf8')));
  const files = await read(one.folder);
  process.kill(-one.child.pid, 'SIGINT');
  assert.deepEqual(await one.ended, { code: 0, signal: null });
  await allGone(one);
  const two = await demo(t, { folder: one.folder, ports: one.ports });
  await ready(two);
  assert.deepEqual(await read(two.folder), files);
  const answer = await get(`http://127.0.0.1:${two.ports.PORT}/orders`, { token });
  assert.match(answer.body, /revoked/, 'what was revoked stays revoked');
  two.child.kill('SIGTERM');
  assert.deepEqual(await two.ended, { code: 0, signal: null });
  await allGone(two);
});

test('a demo that was killed leaves nothing that a start would stumble over', async (t) => {
  const one = await demo(t);
  await ready(one);
  one.child.kill('SIGKILL');
  await one.ended;
  /* the others are still there: nobody has told them to end */
  const two = await demo(t, { folder: one.folder });
  await ready(two);
  two.child.kill('SIGTERM');
  assert.deepEqual(await two.ended, { code: 0, signal: null });
});

test('two demos in one folder: the second says so', async (t) => {
  const one = await demo(t);
  await ready(one);
  const two = await demo(t, { folder: one.folder });
  assert.equal((await two.ended).code, 1);
  assert.match(two.err.text(), /another demo runs in .*DEMO_DIR=/);
  one.child.kill('SIGTERM');
  await one.ended;
});

for (const name of ['PORT', 'API_PORT', 'ADMIN_PORT']) {
  test(`a ${name} that is taken: the message names it, and nothing stays`, async (t) => {
    const squatter = http.createServer((req, res) => res.end()).listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    t.after(() => squatter.close());
    const { port } = squatter.address();
    const one = await demo(t, { ports: { [name]: port } });
    assert.equal((await one.ended).code, 1);
    assert.match(one.err.text(), new RegExp(`port ${port} is taken.*${name}=`));
    for (const [other, number] of Object.entries(one.ports))
      if (other !== name) assert.ok(await isFree(number));
  });
}
