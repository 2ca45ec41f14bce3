// The load, by one of two programs: wrk where one request repeated says it all, else our own load.c
// (a token for each request, mostly idle connections, a fixed rate). Both print the same line.

import { run } from './processes.mjs';

const SCRIPT = new URL('wrk.lua', import.meta.url).pathname;
const LOAD = new URL('../../build/bench/load', import.meta.url).pathname;

function result(text) {
  const line = text.split('\n').find((one) => one.startsWith('result '));
  if (line === undefined) throw new Error(`the load told no result:\n${text}`);
  return JSON.parse(line.slice('result '.length));
}

async function byWrk({ url, item, token, seconds, connections, threads }, started) {
  const bearer = token === null ? [] : ['-H', `Authorization: Bearer ${token}`];
  const close = item.close ? ['-H', 'Connection: close'] : [];
  started();
  const text = await run('wrk', [
    ...['-t', threads, '-c', connections, '-d', `${seconds}s`, '--timeout', '10s', '--latency'],
    ...['-s', SCRIPT, ...bearer, ...close, `${url}${item.path}`],
    ...(item.upload === undefined ? [] : ['--', item.upload]),
  ]);
  return result(text);
}

async function byOurs(what, started) {
  const { url, item, tokenFile, seconds, connections, once, count = item.count, first = 0 } = what;
  const options = [
    ...['-p', new URL(url).port, '-u', item.path, '-t', tokenFile, '-d', seconds],
    ...['-c', Math.max(item.open ?? 0, connections), '-a', connections],
    ...(item.rate === undefined ? [] : ['-r', item.rate]),
    ...(count === undefined ? [] : ['-m', count]),
    ...(once ? ['-1', '-o', first] : []),
  ];
  return result(await run(LOAD, options, started));
}

/**
 * Loads a token endpoint: `request` is the file of what is sent, `lines` that of what comes into it.
 * Each answer is looked into.
 */
export async function loadTokens({ url, request, lines, item, seconds, connections }, started) {
  const options = [
    ...['-p', new URL(url).port, '-q', request, '-t', lines, '-x', item.holds],
    ...['-c', connections, '-a', connections, '-d', seconds],
  ];
  return result(await run(LOAD, options, started));
}

const needsOurs = ({ pool, open, rate }) =>
  pool !== undefined || open !== undefined || rate !== undefined;

/** Loads a peer for whole seconds; `started` is called right before. Gives what wrk.lua prints. */
export const load = (what, started = () => {}) =>
  (needsOurs(what.item) ? byOurs : byWrk)(what, started);

const WARM_S = 900;

/** Sends each token of the case's pool once. */
export const warm = (what) => byOurs({ ...what, seconds: WARM_S, once: true }, () => {});

/**
 * What was wrong with the answers of a run, or null. The load counts every status over 399: none
 * may be there where 200 is right, and nothing else where a refusal is.
 */
export function wrongAnswers({ requests, failed, over_399 }, status) {
  if (requests === 0) return 'no request was answered';
  if (failed > 0) return `${failed} requests failed`;
  const wrong = status < 400 ? over_399 : requests - over_399;
  return wrong > 0 ? `${wrong} of ${requests} answers were not ${status}` : null;
}
