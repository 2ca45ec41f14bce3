// make run: the demo comes up, does what it prints, comes up again on what is there, and leaves nothing.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
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

const ready = (one) => one.out.find((line) => line.includes('Ctrl-C'), 'Ctrl-C');
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

test('each printed curl line gets the answer that stands beside it', async (t) => {
  const one = await demo(t);
  await ready(one);
  const lines = one.out.all.filter((line) => line.trim().startsWith('curl '));
  assert.ok(lines.length >= 9, one.out.text());
  for (const line of lines) {
    const [command, wanted] = line.split(' # ');
    const { stdout } = await run('bash', ['-c', `. ${one.folder}/tokens.sh; ${command.trim()} -s`]);
    assert.equal(stdout.match(/^HTTP\/1\.1 (\d+)/)[1], wanted.slice(0, 3), `${line}\n${stdout}`);
    const reason = wanted.match(/40[13]: .*?(expired|signature|audience|no token|scope)/);
    if (reason) assert.match(stdout, new RegExp(reason[1].replace('no token', 'no bearer token')));
  }
  assert.ok(
    one.out.all.some((line) => /^\s+GOOD=ey/.test(line)),
    'the tokens are printed',
  );
  one.child.kill('SIGTERM');
  assert.equal((await one.ended).code, 0);
});

test('Ctrl-C ends all of it cleanly, and a second start takes up what is there', async (t) => {
  const one = await demo(t);
  await ready(one);
  const keys = await readFile(join(one.folder, 'jwks.json'), 'utf8');
  process.kill(-one.child.pid, 'SIGINT');
  assert.deepEqual(await one.ended, { code: 0, signal: null });
  await allGone(one);
  const two = await demo(t, { folder: one.folder, ports: one.ports });
  await ready(two);
  assert.equal(await readFile(join(two.folder, 'jwks.json'), 'utf8'), keys);
  two.child.kill('SIGTERM');
  assert.deepEqual(await two.ended, { code: 0, signal: null });
  await allGone(two);
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
