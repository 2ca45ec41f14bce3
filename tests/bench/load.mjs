// The load: wrk, as many connections as asked for, each sending its next request as soon as the
// last is answered.

import { run } from './processes.mjs';

const SCRIPT = new URL('wrk.lua', import.meta.url).pathname;

/** Runs wrk for whole seconds; gives the figures that wrk.lua prints. */
export async function load({ url, token, seconds, connections, threads }) {
  const header = token === null ? [] : ['-H', `Authorization: Bearer ${token}`];
  const text = await run('wrk', [
    ...['-t', threads, '-c', connections, '-d', `${seconds}s`, '--latency', '-s', SCRIPT],
    ...header,
    url,
  ]);
  const line = text.split('\n').find((one) => one.startsWith('result '));
  if (line === undefined) throw new Error(`wrk told no result:\n${text}`);
  return JSON.parse(line.slice('result '.length));
}

/**
 * What was wrong with the answers of a run, or null. wrk counts every status over 399: none may be
 * there where 200 is right, and nothing else where a refusal is.
 */
export function wrongAnswers({ requests, failed, over_399 }, status) {
  if (requests === 0) return 'no request was answered';
  if (failed > 0) return `${failed} requests failed`;
  const wrong = status < 400 ? over_399 : requests - over_399;
  return wrong > 0 ? `${wrong} of ${requests} answers were not ${status}` : null;
}
