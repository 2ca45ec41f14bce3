// Starts processes so that they end with us whatever happens, and reads what the kernel knows of
// them: CPU time and memory, summed over a process and all its descendants.

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

const TICK_US = 10_000; // of /proc: USER_HZ is 100 on every Linux

const groups = new Set();

const hit = (pid, signal) => {
  try {
    process.kill(-pid, signal);
  } catch {
    /* it has ended */
  }
};

process.on('exit', () => groups.forEach((pid) => hit(pid, 'SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

// each has a process group of its own, so that its workers end with it
function start(command, args, options) {
  const child = spawn(command, args.map(String), { ...options, detached: true });
  if (child.pid !== undefined) groups.add(child.pid);
  child.ended = new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  child.ended.then(() => groups.delete(child.pid));
  return child;
}

/**
 * Runs a command to its end; gives what it printed, on either output. With `ready`, a command that
 * says "ready" is let go on by a line, right after ready() is called. `heard` is called with
 * each word it says on a line of its own.
 */
export async function run(command, args, ready, heard) {
  const child = start(command, args, { stdio: [ready ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += part));
  if (heard) child.stdout.on('data', (part) => String(part).match(/^\w+$/gm)?.forEach(heard));
  if (ready) {
    child.stdin.on('error', () => {});
    child.stdout.once('data', () => {
      ready();
      child.stdin.write('\n');
    });
  }
  const end = await child.ended;
  if (end !== 0) throw new Error(`${command} ended with ${end}:\n${text}`);
  return text;
}

/** Starts a server in a folder made anew, with its output in the file log. */
export function serve({ command, args, env, files, folder }) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const log = openSync(join(folder, 'log'), 'w');
  const child = start(command, args, {
    cwd: folder,
    stdio: ['ignore', log, log],
    env: { ...process.env, ...env },
  });
  let ended = null;
  child.ended.then((end) => (ended = end));
  return {
    pid: child.pid,
    /** Throws when the server is not there any more. */
    check() {
      if (ended === null) return;
      throw new Error(
        `${command} ended with ${ended}:\n${readFileSync(join(folder, 'log'), 'utf8')}`,
      );
    },
    async stop() {
      hit(child.pid, 'SIGTERM');
      const stubborn = setTimeout(() => hit(child.pid, 'SIGKILL'), 2_000);
      await child.ended;
      clearTimeout(stubborn);
    },
  };
}

function bindable(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A free port below the range that outgoing connections take theirs from. */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    if (await bindable(port)) return port;
  }
}

const fields = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop().split(' ');

/** Process ids of a process and all its descendants. */
export function family(pid) {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
  return [pid, ...children.flatMap((child) => family(Number(child)))];
}

// to the nanosecond where the kernel has schedstat, else in ticks of 10 ms
function ranUs(pid, ticks) {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .map((task) => readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8'))
      .reduce((sum, text) => sum + Number(text.split(' ')[0]) / 1000, 0);
  } catch {
    return ticks * TICK_US;
  }
}

/** CPU time used so far by these processes, all their threads included. */
export function cpuOf(pids) {
  const each = pids.map((pid) => {
    const [user, system] = fields(pid).slice(11, 13).map(Number);
    return { user, system, us: ranUs(pid, user + system) };
  });
  const sum = (key) => each.reduce((total, one) => total + one[key], 0);
  return { us: sum('us'), userUs: sum('user') * TICK_US, systemUs: sum('system') * TICK_US };
}

/**
 * The same of a process and all its descendants, those that have ended included: a server that
 * forks one for each connection.
 */
export function cpuOfTree(pid) {
  for (;;) {
    try {
      const [user, system] = fields(pid).slice(13, 15).map(Number);
      return cpuOf(family(pid)).us + (user + system) * TICK_US;
    } catch (error) {
      // one ended while it was looked at
      if (!['ENOENT', 'ESRCH'].includes(error.code) || !existsSync(`/proc/${pid}`)) throw error;
    }
  }
}

/** CPU time of this program and of those of its children that have ended. */
export function cpuOfSelf() {
  const ticks = fields('self').slice(11, 15).map(Number);
  return ticks.reduce((total, one) => total + one, 0) * TICK_US;
}

/** CPU time the whole machine has spent, and what its host took away. */
export function cpuOfMachine() {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return {
    busyUs: (user + nice + system + irq + softirq) * TICK_US,
    stolenUs: steal * TICK_US,
  };
}

/** Memory of these processes in MB, what they share counted once. */
export function pssOf(pids) {
  const kilobytes = pids.map((pid) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(text.match(/^Pss:\s+(\d+)/m)[1]);
  });
  return kilobytes.reduce((total, one) => total + one, 0) / 1024;
}
