// Measures Gatehouse beside its peers: node bench.mjs [--rounds N] [--seconds N] [--connections N]
// [--threads N] [--case NAME] [--peers A,B] [--smoke]. Called by make bench and make bench-smoke.
//
// All peers are started once, each is held to right answers, then each is loaded in turn while the
// others stand idle. README.md says what is measured, and how.

import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES } from './cases.mjs';
import { measureCase } from './measure.mjs';
import { PEERS, YARDSTICK } from './peers.mjs';
import { run } from './processes.mjs';
import { caseReport, machineReport } from './report.mjs';
import { ANSWER, FOLDER, WORKERS, checkAnswers, startAll } from './site.mjs';
import { expect, tally } from './tally.mjs';
import { makeTokens } from './tokens.mjs';

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
  mkdirSync(FOLDER, { recursive: true });
  const parts = [machineReport(await versions(given.peers))];
  const start = loadavg()[0];
  const site = await startAll(given, jwks, tokens.good);
  await checkAnswers(site, given.cases, tokens);

  const results = {};
  for (const item of tally.failed === 0 ? given.cases : []) {
    const { samples, ...quality } = await measureCase(site, item, given, tokens);
    const setting =
      `Token of ${item.token ? tokens[item.token].length : 0} bytes, answer of ${ANSWER.length} ` +
      `bytes, ${given.connections} connections, ${WORKERS} workers each; ${given.rounds} rounds ` +
      `of ${given.seconds} s, load average ${start.toFixed(1)} before them.`;
    results[item.name] = Object.fromEntries(samples);
    parts.push(
      caseReport({ item, peers: site.peers, yardstick: YARDSTICK, samples, setting, quality }),
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
