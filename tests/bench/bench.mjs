// Measures Gatehouse beside its peers: node bench.mjs [--rounds N] [--seconds N] [--connections N]
// [--threads N] [--case NAME] [--peers A,B] [--smoke]. Called by make bench and make bench-smoke.
//
// All peers are started once and stand idle while one of them is loaded. Before any load each is held
// to right answers. Every round then loads each in turn, and each round in the opposite order of the
// last, so that a machine that grows slower or faster favors none. README.md says what is measured.

import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { get } from '../harness/http.mjs';
import { until } from '../harness/wait.mjs';
import { CASES, REFUSED } from './cases.mjs';
import { load, wrongAnswers } from './load.mjs';
import { BACKEND, PEERS, YARDSTICK } from './peers.mjs';
import {
  cpuOf,
  cpuOfMachine,
  cpuOfSelf,
  family,
  freePort,
  pssOf,
  run,
  serve,
} from './processes.mjs';
import { caseReport, machineReport, median } from './report.mjs';
import { AUDIENCE, ISSUER, makeTokens } from './tokens.mjs';

const FOLDER = new URL('../../build/bench', import.meta.url).pathname;
const ANSWER =
  '{"id":17,"item":"teapot","quantity":1,"price":"24.90","currency":"EUR","note":"blue, with lid"}';
const WORKERS = 2;

const tally = { passed: 0, failed: 0 };

function expect(what, wrong) {
  if (wrong === null) {
    tally.passed += 1;
    return;
  }
  tally.failed += 1;
  console.error(`FAIL  ${what}: ${wrong}`);
}

function options() {
  const text = { type: 'string' };
  const { values } = parseArgs({
    options: {
      rounds: text,
      seconds: text,
      connections: text,
      threads: text,
      case: text,
      peers: text,
      smoke: { type: 'boolean', default: false },
    },
  });
  const number = (name, usual) => {
    const value = Number(values[name] ?? usual);
    if (Number.isInteger(value) && value > 0) return value;
    throw new Error(`--${name} must be a whole number above 0, not "${values[name]}"`);
  };
  const pick = (all, names, what) =>
    names.map((name) => {
      const found = all.find((one) => one.name === name);
      const known = all.map((one) => one.name).join(', ');
      if (found === undefined) throw new Error(`no such ${what}: "${name}" (there are ${known})`);
      return found;
    });
  return {
    smoke: values.smoke,
    rounds: number('rounds', values.smoke ? 1 : 5),
    seconds: number('seconds', values.smoke ? 1 : 5),
    connections: number('connections', 64),
    threads: number('threads', 1),
    cases: values.case === undefined ? CASES : pick(CASES, values.case.split(','), 'case'),
    peers: values.peers === undefined ? PEERS : pick(PEERS, values.peers.split(','), 'peer'),
  };
}

async function startOne(row, site) {
  const { command, args, files, name } = row;
  const server = serve({ command, args, files: files(site), folder: join(FOLDER, name) });
  const url = `http://127.0.0.1:${site.port}`;
  await until(async () => {
    server.check();
    // a refusal is an answer too; a gateway that has no keys yet says 503
    return get(url).then((answer) => answer.status < 500, () => false);
  }, `${name} to answer`);
  return { ...row, url, server, restMb: pssOf(family(server.pid)) };
}

async function startAll({ peers, connections }, jwks) {
  const port = await freePort();
  const common = { workers: WORKERS, connections, answer: ANSWER };
  const backend = await startOne(BACKEND, { ...common, port });
  const site = { ...common, backend: port, issuer: ISSUER, audience: AUDIENCE, jwks };
  const started = [];
  for (const row of peers) {
    const own = { ...site, port: await freePort(), adminPort: await freePort() };
    const direct = { ...row, url: backend.url, server: backend.server, restMb: null };
    started.push(row.command === undefined ? direct : await startOne(row, own));
  }
  return { backend, peers: started };
}

/** Requests the backend has answered since it started. */
async function reached(backend) {
  const { body } = await get(`${backend.url}/status`);
  return Number(body.match(/requests\n\s*\d+ \d+ (\d+)/)[1]);
}

async function probe(peer, { path, status, token, body }) {
  const answer = await get(`${peer.url}${path}`, { token: token ?? undefined });
  if (answer.status !== status) return `answered ${answer.status} instead of ${status}`;
  if (body !== undefined && answer.body !== body) return `the body was ${answer.body}`;
  return null;
}

// the answers of every peer to every case and to each token that must be refused
async function checkAnswers({ backend, peers }, cases, tokens) {
  const path = '/orders';
  for (const peer of peers) {
    for (const item of cases) {
      const body = item.status === 200 ? ANSWER : undefined;
      const token = item.token && tokens[item.token];
      expect(`${peer.name}, ${item.name}`, await probe(peer, { ...item, token, body }));
    }
    if (!peer.refuses) continue;
    const before = await reached(backend);
    for (const name of REFUSED) {
      const token = name && tokens[name];
      expect(`${peer.name}, token ${name}`, await probe(peer, { path, token, status: 401 }));
    }
    const passed = (await reached(backend)) - before - 1;
    expect(`${peer.name}, refusals`, passed === 0 ? null : `${passed} reached the backend`);
  }
}

const share = (part, total) => (total > 0 ? part / total : 0);

// one peer, one round
async function measure({ backend }, peer, item, { seconds, connections, threads }, tokens) {
  const pids = family(peer.server.pid);
  const others = peer.server === backend.server ? [] : family(backend.server.pid);
  const clock = () => ({
    own: cpuOf(pids),
    backend: cpuOf(others).us,
    self: cpuOfSelf(),
    machine: cpuOfMachine(),
    at: performance.now() * 1000,
  });
  const sent = { url: `${peer.url}${item.path}`, token: item.token && tokens[item.token] };
  const passedOn = await reached(backend);
  const a = clock();
  const result = await load({ ...sent, seconds, connections, threads });
  const b = clock();
  const loadedMb = pssOf(pids);

  expect(`${peer.name}, ${item.name}, load`, wrongAnswers(result, item.status));
  // what was under way when the load ended has reached the backend, but was not counted
  const more = (await reached(backend)) - passedOn - 1 - (item.status < 400 ? result.requests : 0);
  expect(
    `${peer.name}, ${item.name}, backend`,
    more >= 0 && more <= 2 * connections ? null : `${more} more requests reached it than answered`,
  );
  expect(
    `${peer.name}, processes`,
    family(peer.server.pid).join() === pids.join() ? null : 'one was replaced under load',
  );

  const usedUs = b.own.us - a.own.us;
  const userUs = b.own.userUs - a.own.userUs;
  const systemUs = b.own.systemUs - a.own.systemUs;
  const busyUs = b.machine.busyUs - a.machine.busyUs;
  const oursUs = usedUs + (b.backend - a.backend) + (b.self - a.self);
  const spanUs = b.at - a.at;
  return {
    perSecond: (result.requests * 1e6) / result.duration_us,
    cpuUs: share(usedUs, result.requests),
    systemShare: share(systemUs, userUs + systemUs),
    p50Ms: result.p50_us / 1000,
    p99Ms: result.p99_us / 1000,
    p999Ms: result.p999_us / 1000,
    restMb: peer.restMb,
    loadedMb: peer.restMb === null ? null : loadedMb,
    others: Math.max(0, busyUs - oursUs) / spanUs,
    stolen: (b.machine.stolenUs - a.machine.stolenUs) / spanUs,
  };
}

async function measureCase(site, item, given, tokens) {
  const samples = new Map(site.peers.map((peer) => [peer.name, []]));
  if (!given.smoke) {
    for (const peer of site.peers) await measure(site, peer, item, { ...given, seconds: 1 }, tokens);
  }
  for (let round = 0; round < given.rounds; round++) {
    const order = round % 2 === 0 ? site.peers : [...site.peers].reverse();
    for (const peer of order) {
      const sample = await measure(site, peer, item, given, tokens);
      samples.get(peer.name).push(sample);
      console.error(
        `${item.name}, round ${round + 1}, ${peer.name}: ${Math.round(sample.perSecond)} ` +
          `requests/s, ${sample.cpuUs.toFixed(1)} µs each`,
      );
    }
  }
  return samples;
}

function noiseOf(samples, cores) {
  const all = [...samples.values()].flat();
  const of = (key) => all.map((sample) => sample[key] / cores);
  return {
    others: median(of('others')),
    othersMax: Math.max(...of('others')),
    stolen: median(of('stolen')),
    stolenMax: Math.max(...of('stolen')),
  };
}

async function versions(peers) {
  const known = [...peers.filter((peer) => peer.version).map((peer) => peer.version)];
  const texts = await Promise.all(known.map(([command, ...args]) => run(command, args)));
  return texts.map((text) => text.trim().split('\n').join(', '));
}

function save(parts, results, name) {
  const text = `${parts.join('\n\n')}\n`;
  const file = join(FOLDER, name);
  writeFileSync(`${file}.md`, text);
  writeFileSync(`${file}.json`, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`\n${text}\nSaved in ${relative(process.cwd(), file)}.md and .json.`);
}

async function main() {
  const given = options();
  const { tokens, jwks } = makeTokens();
  const cores = cpus().length;
  mkdirSync(FOLDER, { recursive: true });
  const parts = [machineReport(await versions(given.peers))];
  const start = loadavg()[0];
  const site = await startAll(given, jwks);
  await checkAnswers(site, given.cases, tokens);

  const results = {};
  for (const item of tally.failed === 0 ? given.cases : []) {
    const samples = await measureCase(site, item, given, tokens);
    const setting =
      `Token of ${item.token ? tokens[item.token].length : 0} bytes, answer of ${ANSWER.length} ` +
      `bytes, ${given.connections} connections, ${WORKERS} workers each; ${given.rounds} rounds ` +
      `of ${given.seconds} s, load average ${start.toFixed(1)} before them.`;
    const noise = noiseOf(samples, cores);
    results[item.name] = Object.fromEntries(samples);
    parts.push(
      caseReport({ item, peers: site.peers, yardstick: YARDSTICK, samples, setting, noise }),
    );
  }
  for (const { server } of [...site.peers, site.backend]) await server.stop();

  if (tally.failed === 0) save(parts, results, given.smoke ? 'smoke' : 'results');
}

try {
  await main();
} catch (error) {
  expect('bench', error.message);
}
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exit(tally.failed === 0 ? 0 : 1);
