// The lines that Gatehouse is to stay below (or above), and whether it does: one row each. They
// are ratios inside one run; a row whose cases were not run is left out.

import { longest, mostPassed } from './idp_revocation.mjs';
import { median, pairs, quotient, table } from './report.mjs';

const cpu = (s) => s.cpuUs;
const rate = (s) => s.perSecond;
const p50 = (s) => s.p50Ms;
const p99 = (s) => s.p99Ms;

/* Gatehouse to a peer, in one case: the median over the rounds. */
const to = (peer, of) => (one) =>
  pairs(one.samples.get('gatehouse'), one.samples.get(peer), quotient(of)).median;

/* Gatehouse set up in another way, to a peer. */
const asks = (name, peer, of) => (one) =>
  pairs(one.samples.get(name), one.samples.get(peer), quotient(of)).median;

/* Two cases meet the machine at different times, so each is taken to nginx first. */
const toOneToken = (many, one) => to('nginx', cpu)(many) / to('nginx', cpu)(one);

/* What a validation costs beyond the cached case, in verifications as OpenSSL does them. */
function verifications(uncached, one) {
  const middle = (name) => median(uncached.samples.get(name).map(cpu));
  const cached = middle('nginx') * to('nginx', cpu)(one);
  return (middle('gatehouse') - cached) / median(uncached.openssl);
}

/* A figure of Gatehouse by itself: the median over the rounds, or the most of them. */
const own = (of) => (one) => median(one.samples.get('gatehouse').map(of));
const worst = (of) => (one) => Math.max(...one.samples.get('gatehouse').map(of));
const max = (s) => s.maxMs;
const rows = (s) => s.rows;
const withStore = (s) => s.cpuUs + s.backendUs;

/* What a JWT costs beyond an opaque token, in signatures as OpenSSL makes them. */
const signatures = (jwt, opaque) =>
  (own(withStore)(jwt) - own(withStore)(opaque)) / median(jwt.openssl);

/* Tokens for the CPU time in which OpenSSL makes one signature: 1 would be nothing but signing. */
const ofSigning = (jwt) => median(jwt.openssl) / own(cpu)(jwt);

const most = (limit) => ({ limit: `<= ${limit}`, met: (value) => value <= limit });
const least = (limit) => ({ limit: `>= ${limit}`, met: (value) => value >= limit });

const ONE = 'introspected';
const BOTH = 'gatehouse-both';
const REVOKED = 'idp-revocation';

const GOALS = [
  ['cached token, CPU to nginx', most(1), to('nginx', cpu), 'one-token'],
  ['the same, later', most(0.8), to('nginx', cpu), 'one-token'],
  ['the same, to HAProxy without authentication', most(1), to('haproxy', cpu), 'one-token'],
  ['cached token, requests/s to nginx', least(1), to('nginx', rate), 'one-token'],
  ['cached token, p99 to nginx', most(1), to('nginx', p99), 'one-token'],
  ['10,000 tokens, CPU to one token', most(1.05), toOneToken, 'tokens-10k', 'one-token'],
  ['1,000,000 tokens, CPU to one token', most(1.15), toOneToken, 'tokens-1m', 'one-token'],
  [
    'uncached RS256 beyond cached, in verifications of OpenSSL',
    ...[most(1.25), verifications, 'uncached-rs256', 'one-token'],
  ],
  [
    'uncached ES256 beyond cached, in verifications of OpenSSL',
    ...[most(1.25), verifications, 'uncached-es256', 'one-token'],
  ],
  ['expired token, CPU to HAProxy', most(0.6), to('haproxy-jwt', cpu), 'expired'],
  ['forged token, CPU to HAProxy', most(0.6), to('haproxy-jwt', cpu), 'forged'],
  [
    'forged tokens, each another, CPU to HAProxy',
    ...[most(0.6), to('haproxy-jwt', cpu), 'forged-once'],
  ],
  [
    'introspected token, cached: CPU to nginx',
    ...[most(1), asks('gatehouse-introspect', 'nginx', cpu), ONE],
  ],
  ['the same, to local', most(1.05), asks('gatehouse-introspect', 'gatehouse', cpu), ONE],
  ['both, revalidate = 1: CPU to local', most(1.05), asks(BOTH, 'gatehouse', cpu), ONE],
  ['the same, p50', most(1.05), asks(BOTH, 'gatehouse', p50), ONE],
  ['the same, p99', most(1.1), asks(BOTH, 'gatehouse', p99), ONE],
  ['new connection, CPU to nginx', most(1), to('nginx', cpu), 'new-connection'],
  ['10 MB answers, MB/s to HAProxy', least(1), to('haproxy', rate), 'answer-10m'],
  ['Express at 1,000/s, p50 to nginx', most(1), to('nginx', p50), 'express'],
  ['Express at 1,000/s, p99 to nginx', most(1), to('nginx', p99), 'express'],
  ['a token again, requests/s to nginx', least(0.6), to('nginx-fixed', rate), 'token-reuse'],
  ['the same, p99 in ms', most(5), own(p99), 'token-reuse'],
  ['the same, max in ms with the first request', most(50), worst(max), 'token-reuse'],
  ['the same, rows a period', most(1), worst(rows), 'token-reuse'],
  [
    'new opaque tokens, requests/s to oauth2-server',
    ...[least(10), to('oauth2-server', rate), 'token-new-opaque'],
  ],
  ['the same, requests/s', least(20_000), own(rate), 'token-new-opaque'],
  ['the same, CPU in µs with PostgreSQL', most(35), own(withStore), 'token-new-opaque'],
  ['the same, p99 in ms', most(10), own(p99), 'token-new-opaque'],
  [
    'new JWTs, CPU beyond opaque tokens, in ES256 signatures of OpenSSL',
    ...[most(1.2), signatures, 'token-new-jwt', 'token-new-opaque'],
  ],
  ['new RS256 JWTs a core, to signing by OpenSSL', least(0.9), ofSigning, 'token-rs256'],
  ['introspection, requests/s to nginx', least(0.6), to('nginx-fixed', rate), 'introspection'],
  [
    'five million rows, requests/s to an empty table',
    ...[least(0.85), to('gatehouse-empty', rate), 'rows-5m'],
  ],
  ['a token ended by its issuer, revalidate = 1: longest in ms', most(2000), longest(0), REVOKED],
  ['the same, max_staleness = 0: requests that passed', most(0), mostPassed(3), REVOKED],
  [
    'memory at rest, to HAProxy',
    most(1),
    (memory) => memory.gatehouse.restMb / memory.haproxy.restMb,
    'memory',
  ],
  ['bytes per idle connection', most(1024), (memory) => memory.gatehouse.idle, 'memory'],
];

const inWords = (value) => (value < 100 ? value.toFixed(2) : Math.round(value).toString());

/** The table of goals; `found` maps names to what was measured: cases, and "memory". */
export function goalsReport(found) {
  const rows = GOALS.filter(([, , , ...names]) => names.every((name) => found.has(name))).flatMap(
    ([title, { limit, met }, of, ...names]) => {
      try {
        const value = of(...names.map((name) => found.get(name)));
        return [[title, limit, inWords(value), met(value) ? 'met' : '**missed**']];
      } catch {
        return []; // one of its peers was left out of the run
      }
    },
  );
  return rows.length === 0
    ? []
    : [`## Goals\n\n${table(['line', 'goal', 'median', 'verdict'], rows)}`];
}
