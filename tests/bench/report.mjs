// Turns the samples of the cases into the tables that are printed and saved (Markdown).
//
// A sample is what one round of one peer measured. Ratios are taken inside a round, where both
// peers met the same machine, and only then summed up over the rounds.

import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { DISTURBED } from './measure.mjs';
import { ANSWERS } from './peers.mjs';
import { WORKERS } from './site.mjs';
import { POOLS } from './tokens.mjs';

const sorted = (values) => [...values].sort((a, b) => a - b);

/** The middle of the values. */
export function median(values) {
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

const bulk = ({ answer, upload }) => answer !== undefined || upload !== undefined;
const service = (item) => item.service === true;
const asked = (item) => item.asked === true;

// one row a column of the table of peers: null where a peer has no such figure; `only`: the cases
const COLUMNS = [
  { head: 'requests/s', of: (s) => s.perSecond, show: whole, range: true },
  { head: 'MB/s', of: (s) => s.mbPerSecond, show: whole, only: bulk },
  { head: 'CPU µs/request', of: (s) => s.cpuUs, show: fixed(1), range: true },
  { head: 'of it system', of: (s) => s.systemShare, show: percent },
  { head: '+ in PostgreSQL', of: (s) => s.backendUs, show: fixed(1), range: true, only: service },
  { head: 'p50 ms', of: (s) => s.p50Ms, show: fixed(2) },
  { head: 'p99 ms', of: (s) => s.p99Ms, show: fixed(2), range: true },
  { head: 'p99.9 ms', of: (s) => s.p999Ms, show: fixed(2) },
  { head: 'max ms', of: (s) => s.maxMs, show: fixed(1), range: true, only: service },
  { head: 'questions/s', of: (s) => s.callsPerSecond, show: whole, range: true, only: asked },
  { head: 'rows', of: (s) => s.rows, show: whole, range: true, only: service },
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

// what a proxy adds to calling the backend directly, in a case of a fixed rate
const ADDED = [
  { head: 'p50', of: (s) => s.p50Ms },
  { head: 'p99', of: (s) => s.p99Ms },
];

const row = (cells) => `| ${cells.join(' | ')} |`;

/** A table of Markdown, the first column of words, the others of figures. */
export const table = (head, rows) =>
  [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(row)].join('\n');

function cell({ of, show, range }, samples) {
  const values = samples.map(of);
  if (values.includes(null)) return '';
  const { min, median: middle, max } = spread(values);
  return range && values.length > 1
    ? `${show(middle)} (${show(min)}-${show(max)})`
    : show(middle);
}

function peerTable({ item, peers, samples }) {
  const columns = COLUMNS.filter(({ only }) => only === undefined || only(item));
  return table(
    ['median (min-max)', ...columns.map((column) => column.head)],
    peers.map((peer) => [
      peer.title,
      ...columns.map((column) => cell(column, samples.get(peer.name))),
    ]),
  );
}

/** Minimum, median and maximum of a figure of two peers, round by round. */
export const pairs = (samples, yard, combine) => spread(samples.map((s, i) => combine(s, yard[i])));
export const quotient = (of) => (a, b) => of(a) / of(b);
const rivals = ({ peers, item }) =>
  peers.filter((peer) => peer.name !== item.yard && peer.command !== undefined);

function ratioTable(one) {
  const yard = one.samples.get(one.item.yard);
  if (yard === undefined || rivals(one).length === 0) return [];
  const rows = rivals(one).flatMap(({ name }) =>
    RATIOS.map(({ head, of }) => {
      const { min, median: middle, max } = pairs(one.samples.get(name), yard, quotient(of));
      return [`${name}, ${head}`, ...[min, middle, max].map(fixed(2))];
    }),
  );
  return [table([`ratio to ${one.item.yard}, round by round`, 'min', 'median', 'max'], rows)];
}

function addedTable({ item, peers, samples }) {
  const direct = samples.get('direct');
  if (item.rate === undefined || direct === undefined) return [];
  const rows = peers
    .filter(({ name }) => name !== 'direct')
    .flatMap(({ name }) =>
      ADDED.map(({ head, of }) => {
        const { min, median: middle, max } = pairs(
          samples.get(name),
          direct,
          (a, b) => of(a) - of(b),
        );
        return [`${name}, ${head}`, ...[min, middle, max].map(fixed(2))];
      }),
    );
  return [table(['added to direct, ms, round by round', 'min', 'median', 'max'], rows)];
}

const quality = ({ disturbed, repeated }) =>
  (disturbed > DISTURBED ? '**Not a quiet machine.** ' : '') +
  `Other programs and the host took at most ${percent(disturbed)} of the machine in a ` +
  `round; ${repeated} rounds that were disturbed more were repeated.`;

const took = ({ verify }, openssl) =>
  openssl.length === 0
    ? ''
    : `\`openssl speed\`: a ${verify === undefined ? 'signature' : 'verification'} takes ` +
      `${openssl.map(fixed(1)).join(' and ')} µs`;

const roundsOf = ({ once }, { rounds, seconds }, start) => [
  `${rounds} rounds of ${once ? 'at most ' : ''}${seconds} s`,
  `load average ${start.toFixed(1)} before them`,
];

function serviceSetting({ item, given, start, openssl }) {
  const { tokens, clients, millions, format, signing, reuse } = item;
  const asked = tokens === undefined ? `${whole(clients)} new to each load` : whole(tokens);
  const parts = [
    `${tokens === undefined ? 'Clients' : 'Tokens'}: ${asked}`,
    format === 'jwt' ? `${signing} JWTs` : 'opaque tokens',
    reuse > 0 ? `the same token while ${percent(reuse)} of its life are left` : 'no reuse',
    millions === undefined ? '' : `${millions} million rows before the start`,
    `${given.connections} connections`,
    `${WORKERS} workers each`,
    ...roundsOf(item, given, start),
    took(item, openssl),
  ];
  return `${parts.filter(Boolean).join(', ')}.`;
}

/** The setting of a case in words. */
export function settingOf(one) {
  return one.item.service ? serviceSetting(one) : proxySetting(one);
}

function proxySetting({ item, given, token, start, openssl }) {
  const many = item.pool === undefined ? 'Token' : `${POOLS[item.pool].alg} tokens`;
  const parts = [
    token > 0 ? `${many} of about ${token} bytes` : 'No token',
    item.status >= 400 ? `answers ${item.status}` : '',
    item.express ? '' : `answers of ${ANSWERS[item.answer ?? 'order'].length} bytes`,
    item.open === undefined ? '' : `${item.open} open connections`,
    `${given.connections} requests under way at a time`,
    `${item.workers ?? WORKERS} workers each`,
    ...roundsOf(item, given, start),
    took(item, openssl),
  ];
  return `${parts.filter(Boolean).join(', ')}.`;
}

/** The tables of one case: `samples` maps a peer's name to its samples, round by round. */
export const caseReport = (one) =>
  [
    `## ${one.item.title}`,
    `\`${one.item.name}\`. ${one.setting}`,
    peerTable(one),
    ...ratioTable(one),
    ...addedTable(one),
    quality(one),
  ].join('\n\n');

/** The summaries of both kinds of cases, as far as there are any. */
export const summaryReports = (cases) =>
  [
    ['CPU µs per request, and Gatehouse\'s ratios', cases.filter(({ item }) => !item.service)],
    ['The token service: the same, without PostgreSQL', cases.filter(({ item }) => item.service)],
  ].flatMap(([title, those]) => (those.length > 0 ? [summaryReport(title, those)] : []));

/* One line a case: CPU of all peers, and Gatehouse's ratios to the yardstick. */
function summaryReport(title, cases) {
  const names = [...new Set(cases.flatMap(({ peers }) => peers.map(({ name }) => name)))];
  const ratio = (one, of) => {
    const ours = one.samples.get('gatehouse');
    const yard = one.samples.get(one.item.yard);
    if (ours === undefined || yard === undefined) return '';
    const { min, median: middle, max } = pairs(ours, yard, quotient(of));
    return `${middle.toFixed(2)} (${min.toFixed(2)}-${max.toFixed(2)})`;
  };
  const rows = cases.map((one) => [
    one.item.title,
    ...names.map((name) =>
      one.samples.has(name) ? median(one.samples.get(name).map((s) => s.cpuUs)).toFixed(1) : '',
    ),
    one.item.yard,
    ratio(one, (s) => s.cpuUs),
    ratio(one, (s) => s.perSecond),
    ratio(one, (s) => s.p99Ms),
    percent(one.disturbed),
  ]);
  const head = ['case', ...names, 'ratio to', 'CPU', 'requests/s', 'p99', 'disturbed'];
  return `## ${title}\n\n${table(head, rows)}`;
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
