// Where the time of one cached request goes: node where.mjs [--case NAME] [--seconds N]. Called by
// make bench-where. Counts system calls with strace, and samples the processor with perf; says so
// where one of them is not there. For nginx and Gatehouse, of which the first is the measure.
//
// strace slows a proxy several times, which does not change what it calls, but how much it finds
// ready at each epoll_wait. perf samples the clock (no hardware counters are needed), so shares of
// less than a percent are guesses; a function that was inlined counts where it went.

import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BINARY } from '../harness/gateway.mjs';
import { CASES } from './cases.mjs';
import { load, warm } from './load.mjs';
import { PEERS } from './peers.mjs';
import { cpuOf, family } from './processes.mjs';
import { table } from './report.mjs';
import { FOLDER, startAll } from './site.mjs';
import { makeTokens } from './tokens.mjs';

const MEASURED = ['nginx', 'gatehouse'];
const TOP = 25;

// one row a stage: its source files, or the object that samples fell into; the first that fits
const STAGES = [
  { name: 'kernel', dso: /^\[/ },
  { name: 'hash, signatures (libcrypto)', dso: /libcrypto/ },
  { name: 'libc: copies, searches, memory', dso: /libc[.-]|ld-linux|vdso/ },
  { name: 'parse: llhttp', symbol: /^llhttp|^on_/ },
  { name: 'parse: heads', file: /http\/(head|fields?|target|inbox|url|body|stream)\.c/ },
  { name: 'route', file: /request\/(route|gate|trusted)\.c/ },
  { name: 'find the token', file: /access\/credential\.c/ },
  { name: 'cache', file: /token\/|shm\/(cache|bucket|lock)\.c|access\/judge\.c/ },
  { name: 'policy and limits', file: /access\/(authorize|admit|limit)\.c|shm\/rate\.c/ },
  { name: 'upstream', file: /^upstream\// },
  { name: 'head rewriting', file: /access\/|base\/(text|encode)\.c|http\/(out|reply)\.c/ },
  { name: 'log', file: /base\/log\.c|access_log\.c/ },
  { name: 'metrics', file: /base\/metric|shm\/(counter|board)\.c/ },
  { name: 'loop, connections, request', file: /loop\/|request\/|http\/|base\// },
  { name: 'all else', dso: /./ },
];

const there = (command) => {
  try {
    execFileSync('which', [command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/* Runs a command beside a load; gives the load's result. */
async function beside(command, args, what, ready) {
  const child = spawn(command, args.map(String), { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  await new Promise((resolve) => {
    child.stderr.on('data', (text) => ready.test(text) && resolve());
    setTimeout(resolve, 1_000);
  });
  const result = await load(what);
  child.kill('SIGINT');
  await ended;
  return result;
}

async function systemCalls(peer, what) {
  const file = join(FOLDER, 'strace');
  const pids = family(peer.server.pid).flatMap((pid) => ['-p', pid]);
  const result = await beside('strace', ['-c', '-f', '-o', file, ...pids], what, /attached/);
  const line = /^ *[\d.]+ +[\d.]+ +\d+ +(\d+) (?:.* )?(\w+)$/gm;
  const rows = [...readFileSync(file, 'utf8').matchAll(line)];
  return rows
    .filter(([, , name]) => name !== 'total')
    .map(([, calls, name]) => ({ name, each: Number(calls) / result.requests }))
    .filter(({ each }) => each >= 0.005);
}

/* Of each function of the binary, the source file it stands in. */
function sources() {
  const text = execFileSync('nm', ['-l', '--defined-only', BINARY], { maxBuffer: 1 << 28 });
  const line = /^\w+ [tT] (\S+)\t.*?((?:gateway|shm|upstream)\/\S+):\d+$/gm;
  const rows = [...text.toString().matchAll(line)];
  return new Map(rows.map(([, name, file]) => [name, file]));
}

function stageOf({ dso, symbol }, files) {
  const file = files.get(symbol.replace(/\.(part|isra|constprop|cold).*/, '')) ?? '';
  return STAGES.find(
    (stage) =>
      (stage.dso?.test(dso) ?? false) ||
      (stage.symbol?.test(symbol) ?? false) ||
      (file !== '' && (stage.file?.test(file) ?? false)),
  ).name;
}

async function samples(peer, what) {
  const file = join(FOLDER, 'perf.data');
  const pids = family(peer.server.pid).join();
  const record = ['record', '-q', '-e', 'cpu-clock', '-F', 2000, '-o', file, '-p', pids];
  await beside('perf', record, what, /never/);
  const text = execFileSync(
    'perf',
    ['report', '--stdio', '-i', file, '--no-children', '-F', 'overhead,dso,sym', '-t', ';'],
    { stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 28 },
  ).toString();
  const rows = [...text.matchAll(/^ *([\d.]+)% *;([^;]+);\[[.k]\] (.*?) *$/gm)];
  // a library without symbols is one function
  const sum = new Map();
  for (const [, share, object, name] of rows) {
    const one = { share: 0, dso: object.trim(), symbol: name.replace(/^0x.*/, 'all of it') };
    const key = `${one.dso} ${one.symbol}`;
    const known = sum.get(key) ?? one;
    known.share += share / 100;
    sum.set(key, known);
  }
  return [...sum.values()].sort((a, b) => b.share - a.share);
}

async function cpuEach(peer, what) {
  const pids = family(peer.server.pid);
  const before = cpuOf(pids).us;
  const { requests } = await load(what);
  return (cpuOf(pids).us - before) / requests;
}

const nanoseconds = (us) => Math.round(us * 1000).toLocaleString('en-US');

function sampleTables(found, cpuUs) {
  const files = sources();
  const sum = new Map(STAGES.map(({ name }) => [name, 0]));
  for (const one of found) {
    const stage = stageOf(one, files);
    sum.set(stage, sum.get(stage) + one.share);
  }
  const line = (name, share) => [name, `${(share * 100).toFixed(1)} %`, nanoseconds(share * cpuUs)];
  const stages = [...sum].filter(([, share]) => share > 0).map((one) => line(...one));
  const user = found.filter(({ dso }) => !dso.startsWith('['));
  const top = user.slice(0, TOP).map(({ symbol, dso, share }) => line(`${symbol} (${dso})`, share));
  return [
    table(['stage', 'share', 'ns/request'], stages),
    table([`function, the first ${TOP} of user space`, 'share', 'ns/request'], top),
  ];
}

async function report(site, name, given) {
  const peer = site.peers.find((one) => one.name === name);
  const what = { ...given, url: peer.url, tokenFile: site.tokenFile, once: given.item.once };
  if (given.item.warm && peer.caches) await warm(what);
  const once = given.item.once && peer.caches;
  /* where each token comes once, no cache may know it from before */
  const fresh = () => (once ? peer.renew() : load({ ...what, seconds: 1 }));
  await fresh();
  const cpuUs = await cpuEach(peer, what);
  await fresh();
  const parts = [`## ${name}: ${cpuUs.toFixed(1)} µs/request`];
  if (there('strace')) {
    const rows = (await systemCalls(peer, what)).map((one) => [one.name, one.each.toFixed(2)]);
    parts.push(table(['system call', 'per request'], rows));
  } else parts.push('strace is not there: no system calls counted.');
  await fresh();
  if (there('perf')) parts.push(...sampleTables(await samples(peer, what), cpuUs));
  else parts.push('perf is not there: no stages.');
  return parts.join('\n\n');
}

const { values } = parseArgs({
  options: {
    case: { type: 'string', default: 'one-token' },
    seconds: { type: 'string', default: '4' },
  },
});
const item = CASES.find(({ name }) => name === values.case);
const { keys, tokens } = await makeTokens();
const given = { item, seconds: Number(values.seconds), connections: 64, threads: 1 };
const peers = PEERS.filter(({ name }) => MEASURED.includes(name));
const site = await startAll(item, { ...given, peers }, keys, tokens);
given.token = item.token && tokens[item.token];
for (const { name } of site.peers.filter((peer) => peer.command !== undefined)) {
  console.log(`${await report(site, name, given)}\n`);
}
await site.stop();
