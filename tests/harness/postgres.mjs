// A PostgreSQL of a test's own: a fresh cluster in a temporary folder, on a port the kernel chose.
// Durable as it comes; `fast: true` for tests that never crash it.
//
//   const db = await postgres();
//   t.after(() => db.remove());
//   await db.migrate();                         // the schema of the binary under test
//   conf({ ..., more: db.section() })           // database { url = "..." }
//   await db.query('SELECT 1')                  // [['1']]

import { execFile, spawn } from 'node:child_process';
import { chmod, chown, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { command } from './gateway.mjs';
import { Lines } from './wait.mjs';

const PACKAGES = '/usr/lib/postgresql';
const COLUMN = '\x1f';
const run = promisify(execFile);

const running = new Set();
process.on('exit', () =>
  running.forEach((pid) => {
    try {
      process.kill(pid, 'SIGQUIT');
      process.kill(pid, 'SIGCONT');
    } catch {
      /* gone */
    }
  }),
);

/** The folder of the server's programs, of the newest version there is. */
async function programs() {
  const versions = (await readdir(PACKAGES)).map(Number).filter(Boolean);
  return join(PACKAGES, String(Math.max(...versions)), 'bin');
}

/** Who the server is to run as: it refuses to be root. */
async function whoRuns() {
  if (process.getuid() !== 0) return {};
  const ids = await Promise.all(['-u', '-g'].map((option) => run('id', [option, 'postgres'])));
  const [uid, gid] = ids.map(({ stdout }) => Number(stdout));
  return { uid, gid };
}

function freePort() {
  return new Promise((done, failed) => {
    const server = createServer().on('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

class Postgres {
  constructor(own) {
    Object.assign(this, own);
  }

  /** How a gateway reaches it; `user` and `name` for others than the owner of everything. */
  url({ user = 'postgres', name = 'gatehouse' } = {}) {
    return `postgresql://${user}@127.0.0.1:${this.port}/${name}`;
  }

  /** The section of a gateway's conf. */
  section(more = '') {
    return `database { url = "${this.url()}" ${more} }\n`;
  }

  /** Starts the server; `settings` are for this time only: ['max_connections=5']. */
  async start(settings = []) {
    const options = [...this.settings, ...settings].flatMap((setting) => ['-c', setting]);
    this.child = spawn(
      join(this.bin, 'postgres'),
      ['-D', join(this.folder, 'data'), '-k', this.folder, '-p', String(this.port), ...options],
      { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], ...this.who },
    );
    const { child } = this;
    this.pid = child.pid;
    running.add(child.pid);
    this.ended = new Promise((done) => child.on('exit', done));
    this.ended.then(() => running.delete(child.pid));
    this.log = new Lines(child.stderr);
    await this.log.find((line) => /ready to accept connections/.test(line), 'a ready server');
    return this;
  }

  /** 'smart' waits for its clients, 'fast' sends them away, 'immediate' is a crash. */
  async stop(mode = 'fast') {
    const signals = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' };
    if (!running.has(this.pid)) return;
    process.kill(this.pid, signals[mode]);
    await this.ended;
  }

  async restart(mode = 'fast', settings = []) {
    await this.stop(mode);
    return this.start(settings);
  }

  /** Stops it and removes all of it. */
  async remove() {
    if (running.has(this.pid)) await this.resume();
    await this.stop('immediate');
    await rm(this.folder, { recursive: true, force: true });
  }

  #signal(pid, signal) {
    try {
      process.kill(pid, signal);
    } catch {
      /* it has ended meanwhile */
    }
  }

  /** It hangs: connections are accepted by the kernel, and nothing is ever answered. */
  async pause() {
    process.kill(this.pid, 'SIGSTOP');
    for (const pid of await this.#children()) this.#signal(pid, 'SIGSTOP');
  }

  async resume() {
    for (const pid of await this.#children()) this.#signal(pid, 'SIGCONT');
    process.kill(this.pid, 'SIGCONT');
  }

  async #children() {
    const path = `/proc/${this.pid}/task/${this.pid}/children`;
    const list = await readFile(path, 'utf8').catch(() => '');
    return list.trim().split(' ').filter(Boolean).map(Number);
  }

  /** Runs statements; the rows as lists of texts. Throws what the server says. */
  async query(text, { name = 'gatehouse' } = {}) {
    const { stdout } = await run(
      'psql',
      ['-XqAt', '-F', COLUMN, '-v', 'ON_ERROR_STOP=1', '-d', this.url({ name }), '-c', text],
      { cwd: '/', maxBuffer: 1 << 28 },
    );
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(COLUMN));
  }

  /** The first value of a query. */
  async value(text) {
    return (await this.query(text))[0]?.[0];
  }

  /** `gatehouse migrate`, or with arguments another command: { code, stdout, stderr }. */
  gatehouse(args = ['migrate'], conf = '') {
    const text = `${this.section()}${conf === '' ? MINIMAL : conf}`;
    return command(['-c', 'gatehouse.conf', ...args], { conf: text });
  }

  async migrate() {
    const end = await this.gatehouse();
    if (end.code !== 0) throw new Error(`gatehouse migrate failed: ${end.stderr}`);
    return this;
  }
}

/* What a configuration needs besides its database. */
const MINIMAL = `listen "127.0.0.1:0" { }
issuer "main" { issuer = "https://id.test" audience = {"orders-api"} }
upstream "api" { servers = {"http://127.0.0.1:9"} }
route "all" { upstream = "api" }
`;

/**
 * Makes a cluster with an empty database "gatehouse" and starts it. `settings` hold for each start.
 */
export async function postgres({ fast = false, settings = [] } = {}) {
  const [bin, who, port] = await Promise.all([programs(), whoRuns(), freePort()]);
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-postgres-'));
  await chmod(folder, 0o755);
  if (who.uid !== undefined) await chown(folder, who.uid, who.gid);
  const data = join(folder, 'data');
  await run(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { cwd: '/', ...who },
  );
  const speed = fast ? ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'] : [];
  const all = ['listen_addresses=127.0.0.1', 'log_checkpoints=off', ...speed, ...settings];
  const db = await new Postgres({ bin, who, folder, port, settings: all }).start();
  await db.query('CREATE DATABASE gatehouse', { name: 'postgres' });
  return db;
}
