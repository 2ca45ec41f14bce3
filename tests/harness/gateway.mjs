// Runs the real Gatehouse in a folder of its own, on ports the kernel chooses.
//
//   const gw = await gateway(conf({ servers: [api.url] }), { files: { 'jwks.json': keys.jwks() } });
//   t.after(() => gw.stop());

import { spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { get } from './http.mjs';
import { Lines, until } from './wait.mjs';

export const BINARY = resolve(
  process.env.GATEHOUSE_BIN ?? new URL('../../build/gatehouse', import.meta.url).pathname,
);

export const ISSUER = 'https://id.test';
export const AUDIENCE = 'orders-api';

/* What no test provokes: a sanitizer's finding, a failed must(), a fault (not the KILL of a test). */
const BROKEN = /Sanitizer|runtime error|bug: .* does not hold|ended by signal (4|6|7|8|11)\b/;

/* A sanitizer keeps freed memory for long, which the tests of memory would count. */
const SANITIZED = {
  ASAN_OPTIONS: `quarantine_size_mb=1:${process.env.ASAN_OPTIONS ?? 'detect_leaks=1'}`,
};

const running = new Set();
process.on('exit', () =>
  running.forEach((pid) => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      /* gone */
    }
  }),
);

/**
 * A whole conf from its parts: `servers` of the one upstream, then lines to add at the top, to the
 * issuer, the upstream or the one route, and further sections at the end. GATEHOUSE_IO_URING=false in the
 * environment runs what there is without io_uring.
 */
export function conf({
  servers,
  workers = 2,
  accessLog = '-',
  top = '',
  keys = 'jwks_file = "jwks.json"',
  issuer = '',
  upstream = '',
  route = '',
  more = '',
}) {
  const list = servers.map((server) => `"${server}"`).join(', ');
  const uring = process.env.GATEHOUSE_IO_URING;
  return `listen "127.0.0.1:0" { }
admin "127.0.0.1:0" { }
access_log = "${accessLog}"
error_log = "-"
workers = ${workers}
${uring === undefined || top.includes('io_uring') ? '' : `io_uring = ${uring}`}
${top}
issuer "main" {
  issuer = "${ISSUER}"
  audience = {"${AUDIENCE}"}
  ${keys}
  ${issuer}
}
upstream "api" {
  servers = {${list}}
  ${upstream}
}
route "all" {
  paths = {"/"}
  upstream = "api"
  ${route}
}
${more}
`;
}

class Gateway {
  constructor(child, folder) {
    this.child = child;
    this.folder = folder;
    this.pid = child.pid;
    this.errors = new Lines(child.stderr);
    this.accesses = new Lines(child.stdout);
    this.ended = new Promise((done) => {
      child.on('exit', (code, signal) => done({ code, signal }));
      child.on('error', (error) => done({ error }));
    });
  }

  /** Waits until the sockets are open and every worker accepts; the log tells the ports. */
  async ready() {
    const died = this.ended.then((end) => {
      throw new Error(`${BINARY} ended before it was ready: ${JSON.stringify(end)}\n${this.log()}`);
    });
    died.catch(() => {});
    await Promise.race([this.sees(/ready, \d+ workers?/), died]);
    this.port = this.#port(/listening on \S+:(\d+)/);
    this.adminPort = this.#port(/admin on \S+:(\d+)/);
    this.url = `http://127.0.0.1:${this.port}`;
    this.adminUrl = `http://127.0.0.1:${this.adminPort}`;
    return this;
  }

  #port(pattern) {
    const match = this.log().match(pattern);
    return match ? Number(match[1]) : undefined;
  }

  /** The error log so far. */
  log() {
    return this.errors.text();
  }

  /** Resolves to the first line of the error log that matches, from line number `from` on. */
  sees(pattern, from = 0) {
    return this.errors.find((line) => pattern.test(line), pattern, from);
  }

  /** The access log so far, as objects. */
  accessLog() {
    return this.accesses.all.map((line) => JSON.parse(line));
  }

  /** Resolves to the first access log object that `accepts` holds true for. */
  async logged(accepts) {
    const line = await this.accesses.find((text) => accepts(JSON.parse(text)), 'such an access');
    return JSON.parse(line);
  }

  async metrics() {
    return (await get(`${this.adminUrl}/metrics`)).body;
  }

  /** The value of a metric with its labels as written, as in metric('gatehouse_workers'). */
  async metric(name) {
    const line = (await this.metrics()).split('\n').find((text) => text.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.slice(name.length + 1));
  }

  kill(signal) {
    process.kill(this.pid, signal);
  }

  /** Puts another conf in place, if one is given, asks for it, and waits for the log's verdict. */
  async reload(text) {
    if (text !== undefined) await this.write('gatehouse.conf', text);
    const from = this.errors.all.length;
    this.kill('SIGHUP');
    return this.sees(/ready, \d+ workers?|reload.*(refused|failed|kept|goes on)/, from);
  }

  write(name, content) {
    return writeFile(join(this.folder, name), content);
  }

  /** Process ids of the master's children whose title holds `role`. */
  async children(role, master = this.pid) {
    const list = await readFile(`/proc/${master}/task/${master}/children`, 'utf8').catch(() => '');
    const pids = list.trim().split(' ').filter(Boolean).map(Number);
    const titles = await Promise.all(pids.map((pid) => title(pid)));
    return pids.filter((_, i) => titles[i].includes(role));
  }

  workers(master) {
    return this.children('worker', master);
  }

  keeper(master) {
    return this.children('keeper', master).then((pids) => pids[0]);
  }

  /** Ends it at once, removes its folder, and fails the test if a process broke on its way. */
  async stop() {
    for (const pid of running) {
      if (pid !== this.pid && !this.heirs?.includes(pid)) continue;
      try {
        process.kill(pid, 'SIGINT');
      } catch {
        /* it has ended by itself */
      }
    }
    const stubborn = setTimeout(() => this.child.kill('SIGKILL'), 5_000);
    await this.ended;
    clearTimeout(stubborn);
    running.delete(this.pid);
    await rm(this.folder, { recursive: true, force: true });
    if (BROKEN.test(this.log())) throw new Error(`a process broke:\n${this.log()}`);
  }

  /** Another master that grew out of this one (USR2), to be stopped with it. */
  adopt(pid) {
    this.heirs = [...(this.heirs ?? []), pid];
    running.add(pid);
  }
}

async function title(pid) {
  const parts = await Promise.all(
    ['cmdline', 'comm'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')),
  );
  return parts.join(' ');
}

/** Resident memory of a process, in bytes. */
export async function residentBytes(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(status.match(/VmRSS:\s+(\d+)/)[1]) * 1024;
}

export async function openFiles(pid) {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

async function folderWith(text, files) {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-test-'));
  await chmod(folder, 0o755);
  await writeFile(join(folder, 'gatehouse.conf'), text);
  for (const [name, content] of Object.entries(files)) {
    await writeFile(
      join(folder, name),
      typeof content === 'string' ? content : JSON.stringify(content),
    );
  }
  return folder;
}

/**
 * Starts a gateway on the conf's text. `files` are put beside it; `before` is a command to run it
 * under (as prlimit); `expect: 'failure'` gives back how it ended instead of waiting until it is ready.
 */
export async function gateway(
  text,
  { files = {}, before = [], args = [], env = {}, expect = 'ready' } = {},
) {
  const folder = await folderWith(text, files);
  const [command, ...rest] = [...before, BINARY, '-c', join(folder, 'gatehouse.conf'), ...args];
  const child = spawn(command, rest, {
    cwd: folder,
    env: { ...process.env, ...SANITIZED, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const gw = new Gateway(child, folder);
  running.add(child.pid);
  if (expect === 'failure') return gw;
  try {
    return await gw.ready();
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** Runs the binary to its end: { code, stdout, stderr }. */
export async function command(args, { files = {}, conf: text, input = '' } = {}) {
  const folder = await folderWith(text ?? '', files);
  const child = spawn(BINARY, args, { cwd: folder });
  child.stdin.on('error', () => {}).end(input);
  const out = new Lines(child.stdout);
  const err = new Lines(child.stderr);
  const code = await new Promise((done) => child.on('close', done));
  await rm(folder, { recursive: true, force: true });
  return { code, stdout: out.text(), stderr: err.text() };
}

/** Waits until the gateway takes requests through `path` without a server error. */
export function serving(gw, path, headers) {
  return until(
    async () => (await get(`${gw.url}${path}`, { headers })).status < 500,
    `${path} to be served`,
  );
}
