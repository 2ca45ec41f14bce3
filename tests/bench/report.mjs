// Turns the samples of a case into the table that is printed and saved (Markdown).
//
// A sample is what one round of one peer measured. Ratios are taken inside a round, where both
// peers met the same machine, and only then summed up over the rounds.

import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { DISTURBED } from './measure.mjs';

const sorted = (values) => [...values].sort((a, b) => a - b);

function median(values) {
  const all = sorted(values);
  const half = all.length >> 1;
  return all.length % 2 === 1 ? all[half] : (all[half - 1] + all[half]) / 2;
}

const spread = (values) => {
  const all = sorted(values);
  return { min: all[0], median: median(all), max: all.at(-1) };
};

const whole = (value) => Math.round(value).toLocaleString('en-US');
const fixed = (digits) => (value) => value.toFixed(digits);
const percent = (value) => `${Math.round(value * 100)} %`;

// one row a column of the table of peers: null where a peer has no such figure
const COLUMNS = [
  { head: 'requests/s', of: (s) => s.perSecond, show: whole, range: true },
  { head: 'CPU µs/request', of: (s) => s.cpuUs, show: fixed(1), range: true },
  { head: 'of it system', of: (s) => s.systemShare, show: percent },
  { head: 'p50 ms', of: (s) => s.p50Ms, show: fixed(2) },
  { head: 'p99 ms', of: (s) => s.p99Ms, show: fixed(2), range: true },
  { head: 'p99.9 ms', of: (s) => s.p999Ms, show: fixed(2) },
  { head: 'PSS MB, at rest', of: (s) => s.restMb, show: fixed(1) },
  { head: 'loaded', of: (s) => s.loadedMb, show: fixed(1) },
];

// one row a line of the table of ratios
const RATIOS = [
  { head: 'CPU per request', of: (s) => s.cpuUs },
  { head: 'requests/s', of: (s) => s.perSecond },
  { head: 'p50', of: (s) => s.p50Ms },
  { head: 'p99', of: (s) => s.p99Ms },
  { head: 'p99.9', of: (s) => s.p999Ms },
];

const row = (cells) => `| ${cells.join(' | ')} |`;

const table = (head, rows) =>
  [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(row)].join('\n');

function cell({ of, show, range }, samples) {
  const values = samples.map(of);
  if (values.includes(null)) return '';
  const { min, median: middle, max } = spread(values);
  return range && values.length > 1
    ? `${show(middle)} (${show(min)}-${show(max)})`
    : show(middle);
}

const peerTable = (peers, samplesOf) =>
  table(
    ['median (min-max)', ...COLUMNS.map((column) => column.head)],
    peers.map((peer) => [
      peer.title,
      ...COLUMNS.map((column) => cell(column, samplesOf(peer.name))),
    ]),
  );

function ratioRows(peer, samples, yard) {
  return RATIOS.map(({ head, of }) => {
    const pairs = samples.map((sample, round) => of(sample) / of(yard[round]));
    const { min, median: middle, max } = spread(pairs);
    return [`${peer.name}, ${head}`, ...[min, middle, max].map(fixed(2))];
  });
}

/** The tables of one case: `samples` maps a peer's name to its samples, round by round. */
export function caseReport({ item, peers, yardstick, samples, setting, quality }) {
  const samplesOf = (name) => samples.get(name);
  const rivals = peers.filter((peer) => peer.name !== yardstick && peer.command !== undefined);
  const parts = [`## ${item.title}`, setting, peerTable(peers, samplesOf)];
  if (samplesOf(yardstick) !== undefined && rivals.length > 0) {
    parts.push(
      table(
        [`ratio to ${yardstick}, round by round`, 'min', 'median', 'max'],
        rivals.flatMap((peer) => ratioRows(peer, samplesOf(peer.name), samplesOf(yardstick))),
      ),
    );
  }
  parts.push(
    (quality.disturbed > DISTURBED ? '**Not a quiet machine.** ' : '') +
      `Other programs and the host took at most ${percent(quality.disturbed)} of the machine in a ` +
      `round; ${quality.repeated} rounds that were disturbed more were repeated.`,
  );
  return parts.join('\n\n');
}

/** One line on the machine and one on each version. */
export function machineReport(versions) {
  const system = readFileSync('/etc/os-release', 'utf8').match(/^PRETTY_NAME="(.*)"/m)?.[1];
  const [cpu] = cpus();
  return [
    `- ${cpus().length} x ${cpu.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB`,
    `- ${system}, Linux ${release()}`,
    ...versions.map((version) => `- ${version}`),
  ].join('\n');
}
