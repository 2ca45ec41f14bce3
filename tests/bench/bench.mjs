// Measures Gatehouse beside its peers: node bench.mjs [--rounds N] [--seconds N] [--connections N]
// [--threads N] [--case A,B] [--peers A,B] [--smoke]. Called by make bench and make bench-smoke.
//
// For each case all its peers are started, each is held to right answers, then each is loaded in
// turn while the others stand idle. README.md says what is measured, and how.

import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES } from './cases.mjs';
import { goalsReport } from './goals.mjs';
import { measureRevocation, revocationReport } from './idp_revocation.mjs';
import { measureCase } from './measure.mjs';
import { measureMemory, memoryReport } from './memory.mjs';
import { PEERS } from './peers.mjs';
import { run } from './processes.mjs';
import { caseReport, machineReport, settingOf, summaryReports } from './report.mjs';
import { FOLDER, WORKERS, checkAnswers, startAll } from './site.mjs';
import { expect, tally } from './tally.mjs';
import { TOKEN_CASES } from './token_cases.mjs';
import { TOKEN_PEERS } from './token_peers.mjs';
import { startTokenSite } from './token_site.mjs';
import { makeTokens } from './tokens.mjs';

/** Not a case of load: what a connection, a request and a token take, of memory. */
const MEMORY = { name: 'memory' };
/** No load either: how soon a token is refused that its issuer has ended. */
const REVOCATION = { name: 'idp-revocation' };
const OTHERS = new Map([
  [MEMORY, measureMemory],
  [REVOCATION, measureRevocation],
]);
const LOADS = [...CASES, ...TOKEN_CASES];
const EVERYBODY = [...PEERS, ...TOKEN_PEERS];
const POSTGRES = ['psql', '--version'];

/** Not in the short run: on a busy machine they drop connections, which says nothing of us. */
const SLOW = ['oauth2-server', 'apache', 'apache-introspect'];

function pick(all, names, what) {
  return names.split(',').map((name) => {
    const found = all.find((one) => one.name === name);
    const known = all.map((one) => one.name).join(', ');
    if (found === undefined) throw new Error(`no such ${what}: "${name}" (there are ${known})`);
    return found;
  });
}

const everyCase = [...LOADS, ...OTHERS.keys()];

function options() {
  const text = { type: 'string' };
  const names = ['rounds', 'seconds', 'connections', 'threads', 'case', 'peers'];
  const { values } = parseArgs({
    options: {
      ...Object.fromEntries(names.map((name) => [name, text])),
      smoke: { type: 'boolean', default: false },
    },
  });
  const number = (name, usual) => {
    const value = Number(values[name] ?? usual);
    if (Number.isInteger(value) && value > 0) return value;
    throw new Error(`--${name} must be a whole number above 0, not "${values[name]}"`);
  };
  const all = values.smoke ? LOADS.filter(({ smoke }) => smoke) : everyCase;
  const usual = values.smoke ? EVERYBODY.filter(({ name }) => !SLOW.includes(name)) : EVERYBODY;
  return {
    smoke: values.smoke,
    rounds: number('rounds', values.smoke ? 1 : 5),
    seconds: number('seconds', values.smoke ? 1 : 2),
    connections: number('connections', 64),
    threads: number('threads', 1),
    cases: values.case === undefined ? all : pick(everyCase, values.case, 'case'),
    peers: values.peers === undefined ? usual : pick(EVERYBODY, values.peers, 'peer'),
  };
}

async function versions(peers) {
  const known = [...peers.filter((peer) => peer.version).map((peer) => peer.version), POSTGRES];
  const texts = await Promise.all(known.map(([command, ...args]) => run(command, args)));
  return [...new Set(texts.map((text) => text.trim().split('\n').slice(0, 2).join(', ')))];
}

// OpenSSL's own times to make and to verify a signature, in microseconds of one core
async function speedOf(what) {
  const text = await run('openssl', ['speed', '-seconds', 1, what]);
  const [signUs, verifyUs] = text.trim().split(/\s+/).slice(-2).map((count) => 1e6 / count);
  return { signUs, verifyUs };
}

// The time of the signature that the case names, and nothing if it names none. Signing keeps all
// workers busy, and cores that share a part slow each other down: so as many run at a time. (Those
// of `openssl speed -multi` count the time in which other programs run, too.)
async function signatureUs({ verify, sign }) {
  if (verify !== undefined) return [(await speedOf(verify)).verifyUs];
  if (sign === undefined) return [];
  const each = await Promise.all(Array.from({ length: WORKERS }, () => speedOf(sign)));
  return [each.reduce((sum, { signUs }) => sum + signUs, 0) / WORKERS];
}

async function startSite(item, given, { keys, tokens }) {
  if (item.service) return startTokenSite(item, given);
  const site = await startAll(item, given, keys, tokens);
  return { ...site, check: () => checkAnswers(site, item, tokens) };
}

async function runCase(item, usual, made) {
  const { tokens } = made;
  const given = { ...usual, connections: item.connections ?? usual.connections };
  const site = await startSite(item, given, made);
  try {
    const start = loadavg()[0];
    await site.check(item);
    if (tally.failed > 0) return null;
    const early = await signatureUs(item);
    const measured = await measureCase(site, item, given, tokens);
    const openssl = [...early, ...(await signatureUs(item))];
    const token = item.token ? tokens[item.token].length : 0;
    const setting = settingOf({ item, given, token, start, openssl });
    return { item, peers: site.peers, setting, openssl, ...measured };
  } finally {
    await site.stop();
  }
}

function save(head, found, name) {
  const cases = [...found.values()].filter(({ samples }) => samples !== undefined);
  const text = [
    head,
    ...summaryReports(cases),
    ...goalsReport(found),
    ...(found.has(MEMORY.name) ? [memoryReport(found.get(MEMORY.name))] : []),
    ...(found.has(REVOCATION.name) ? [revocationReport(found.get(REVOCATION.name))] : []),
    ...cases.map(caseReport),
    '',
  ].join('\n\n');
  const raw = cases.map(({ item, samples }) => [item.name, Object.fromEntries(samples)]);
  const others = [...OTHERS.keys()].map(({ name }) => [name, found.get(name)]);
  const results = Object.fromEntries([...raw, ...others]);
  const file = join(FOLDER, name);
  writeFileSync(`${file}.md`, text);
  writeFileSync(`${file}.json`, `${JSON.stringify(results, null, 2)}\n`);
  return text;
}

async function main() {
  const given = options();
  mkdirSync(FOLDER, { recursive: true });
  const made = await makeTokens();
  const head = machineReport(await versions(given.peers));
  const name = given.smoke ? 'smoke' : 'results';
  const found = new Map();
  let text = '';
  for (const item of given.cases) {
    if (tally.failed > 0) return;
    const measured = OTHERS.get(item) ?? runCase.bind(null, item);
    found.set(item.name, await measured(given, made));
    if (tally.failed > 0) return;
    // after each case: an end before the end of all leaves what was measured
    text = save(head, found, name);
  }
  console.log(`\n${text}\nSaved in ${relative(process.cwd(), join(FOLDER, name))}.md and .json.`);
}

try {
  await main();
} catch (error) {
  expect('bench', error.stack);
}
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exit(tally.failed === 0 ? 0 : 1);
