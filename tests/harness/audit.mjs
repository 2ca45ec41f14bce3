// Runs `gatehouse audit` with keys and tokens of its own.

import assert from 'node:assert/strict';
import { command } from './gateway.mjs';
import { jwksOf, mint, newKey, now } from './keys.mjs';

/**
 * An auditor whose good token is `good`, else one of the key. `run` gives { code, stdout, stderr },
 * `json` what was told too; both hold that the token is nowhere in the output. Files may be named in
 * the arguments; `jwks: false` leaves the issuer's keys out.
 */
export async function auditor({ key = newKey('RS256'), good, changes } = {}) {
  const token = good ?? (await mint(key, changes));
  const expired = await mint(key, { ...changes, exp: now() - 60 });
  const run = async (url, args = [], { files = {}, jwks = true } = {}) => {
    const keys = jwks ? ['--jwks', 'keys.json'] : [];
    /* a busy machine may take its time; the last --timeout counts */
    const words = [url, '--token-file', 'good', '--timeout', '30', ...keys, ...args];
    const end = await command(['audit', ...words], {
      files: { good: `${token}\n`, expired, 'keys.json': jwksOf(key), ...files },
    });
    assert.ok(!`${end.stdout}${end.stderr}`.includes(token), 'the token is in the output');
    return end;
  };
  const json = async (url, args = [], options = {}) => {
    const all = ['--expired-token-file', 'expired', '--json', ...args];
    const end = await run(url, all, options);
    assert.match(end.stdout, /^\{/, end.stderr);
    return { ...end, told: JSON.parse(end.stdout) };
  };
  return { key, token, expired, run, json };
}

/** The probes of a verdict, as "group/name". */
export function named(told, verdict) {
  return told.probes
    .filter((p) => p.verdict === verdict)
    .map((p) => `${p.group}/${p.name}`)
    .sort();
}

/** The probes of some groups. */
export function all(told, ...groups) {
  return told.probes
    .filter((p) => groups.includes(p.group))
    .map((p) => `${p.group}/${p.name}`)
    .sort();
}
