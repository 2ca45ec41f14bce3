// The tables of the token exchange under load (Markdown), and the lines that it is held to.

import { table } from './report.mjs';

const whole = (value) => Math.round(value).toLocaleString('en-US');
const ms = (value) => value.toFixed(2);
const us = (value) => value.toFixed(1);
const percent = (value) => `${Math.round(value * 100)} %`;

const CHOICES = { users: 'four tokens per user', random: 'of 100,000 by chance' };
const CLASSES = {
  valid: 'valid',
  with_actor: 'with actor',
  expired: 'expired',
  forged: 'bad signature',
  revoked: 'revoked',
};

/** What the original reports: an edge deployment, asked over a network. */
const ORIGINAL = ['reported: edge deployment, RS256', '2,500', '', '76', '225', '297'];

const asked = ({ rate }) => (rate === 0 ? 'saturation' : whole(rate));

// one row a column: its head, and what stands in it
const TIMES = [
  ['asked', asked],
  ['reached', (s) => whole(s.perSecond)],
  ['P50 ms', (s) => ms(s.p50Ms)],
  ['P95 ms', (s) => ms(s.p95Ms)],
  ['P99 ms', (s) => ms(s.p99Ms)],
  ['max ms', (s) => us(s.maxMs)],
  ['CPU µs/request', (s) => us(s.cpuUs)],
  ['+ in PostgreSQL', (s) => us(s.storeUs)],
  ['+ the load', (s) => us(s.loadUs)],
  ['disturbed', (s) => percent(s.disturbed)],
];

const both = ({ right, wrong }) => `${whole(right)} / ${whole(wrong)}`;

const VERDICTS = [
  ['asked', asked],
  ...Object.entries(CLASSES).map(([key, title]) => [title, (s) => both(s.verdicts[key])]),
  ['no answer', (s) => whole(s.failed)],
  ['never sent', (s) => whole(s.unsent)],
  ['tokens checked', (s) => whole(s.tokens.checked)],
  ['of them wrong', (s) => whole(s.wrongTokens)],
  ['rows', (s) => whole(s.rows)],
];

const MIXED = ({ signing, recording, choice }) =>
  `${signing}, recording ${recording}, ${CHOICES[choice]}`;

const tableOf = (columns, samples, more = []) =>
  table(
    columns.map(([head]) => head),
    [...more, ...samples.map((sample) => columns.map(([, of]) => of(sample)))],
  );

function seriesReports(loads) {
  const titles = [...new Set(loads.map(MIXED))];
  return titles.map((title) => {
    const samples = loads.filter((one) => MIXED(one) === title);
    return [
      `### ${title}`,
      tableOf(TIMES, samples),
      'Verdicts, right / wrong, the warm-up included:',
      tableOf(VERDICTS, samples),
    ].join('\n\n');
  });
}

const EDGES_US = [100, 200, 300, 500, 1_000, 2_000, 5_000, 10_000, Infinity];
const edgeName = (edge, i) =>
  edge === Infinity ? `> ${EDGES_US[i - 1] / 1000} ms` : `<= ${edge / 1000} ms`;

const between = (times, i) =>
  times.filter((time) => time <= EDGES_US[i] && time > (EDGES_US[i - 1] ?? -1)).length;

function revocationReport(revocations) {
  if (revocations.length === 0) return [];
  const head = ['', 'revoked', 'refused after 200', '**accepted after 200**'];
  const rows = revocations.map((one) => [
    `${one.signing}, recording ${one.recording}`,
    whole(one.revoked),
    whole(one.refused + one.raced_refused),
    whole(one.accepted + one.raced_accepted),
    whole(one.raced),
    ...EDGES_US.map((_, i) => whole(between(one.times_us, i))),
  ]);
  return [
    '### Revocation during the load',
    table([...head, 'of them raced', ...EDGES_US.map(edgeName)], rows),
    'At 2,500 requests/s, from the moment the 200 of the revocation was read to the first ' +
      'refusal of an exchange or of a call, both begun after it: nothing but the time that one ' +
      'request takes. Raced are tokens that came of exchanges under way during the revocation.',
  ];
}

const most = (limit) => ({ limit: `<= ${limit}`, met: (value) => value <= limit });
const least = (limit) => ({ limit: `>= ${limit}`, met: (value) => value >= limit });

const at = (wanted, of) => ({ loads }) => {
  const found = loads.find((one) =>
    Object.entries(wanted).every(([name, value]) => one[name] === value),
  );
  return found === undefined ? undefined : of(found);
};
const total = (of) => ({ loads, revocations }) =>
  [...loads, ...revocations].reduce((all, one) => all + of(one), 0);
const late = ({ revocations }) =>
  revocations.length === 0
    ? undefined
    : revocations.reduce((all, one) => all + one.accepted + one.raced_accepted, 0);

const SATURATED = { signing: 'ES256', recording: 'full', choice: 'random', rate: 0 };
const REPORTED = { ...SATURATED, rate: 2_500 };
const ORIGINALLY = { signing: 'RS256', recording: 'full', choice: 'users', rate: 2_500 };

// one row a goal; a row whose load was not run is left out
const GOALS = [
  [
    'ES256, 100,000 by chance, at saturation, requests/s',
    ...[least(12_000), at(SATURATED, (s) => s.perSecond)],
  ],
  ['the same, P95 in ms', most(10), at(SATURATED, (s) => s.p95Ms)],
  ['ES256, 100,000 by chance, at 2,500/s, P95 in ms', most(2), at(REPORTED, (s) => s.p95Ms)],
  ['the same, P99 in ms', most(5), at(REPORTED, (s) => s.p99Ms)],
  ['RS256, four tokens per user, at 2,500/s, P95 in ms', most(2), at(ORIGINALLY, (s) => s.p95Ms)],
  ['the same, P99 in ms', most(5), at(ORIGINALLY, (s) => s.p99Ms)],
  ['wrong verdicts in all loads', most(0), total((s) => s.wrong)],
  ['wrong tokens in all loads', most(0), total((s) => s.wrongTokens ?? 0)],
  ['accepted though begun after the 200 of a revocation', most(0), late],
];

function goalsReport(found) {
  const rows = GOALS.map(([title, goal, of]) => [title, goal, of(found)])
    .filter(([, , value]) => value !== undefined)
    .map(([title, { limit, met }, value]) => [
      title,
      limit,
      value < 100 && !Number.isInteger(value) ? ms(value) : whole(value),
      met(value) ? 'met' : '**missed**',
    ]);
  return ['### Goals', table(['line', 'goal', 'measured', 'verdict'], rows)];
}

/** All of it, of what has been measured so far. */
export function exchangeReport(found) {
  const { warmUp, ramp, seconds } = found.given;
  return [
    '## Token exchange under load',
    found.head,
    `${warmUp} s at 50/s after each start, then for each rate a ramp of ${ramp} s and ` +
      `${seconds} s that are measured. The load before the first began at ` +
      `${found.busy.toFixed(2)}.`,
    table(['', 'requests/s', '', 'P50 ms', 'P95 ms', 'P99 ms'], [ORIGINAL]),
    ...goalsReport(found),
    ...seriesReports(found.loads),
    ...revocationReport(found.revocations),
    '',
  ].join('\n\n');
}
