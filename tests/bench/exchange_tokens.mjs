// The subject tokens of the exchange's benchmark, as an identity provider with RS256 makes them: a
// pool of 100,000 in the shares of the load test that is reproduced, and some that are revoked
// during a load. Minting takes a minute, so the pool is kept in build/bench/exchange, for a week.
//
// A bad signature is a true one of another token: well-formed content, signed by the right key, but
// not this content. Revoked ones are minted valid; each run revokes them at the endpoint.

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const ISSUER = 'https://sso.example.com/realms/load';
export const FOLDER = new URL('../../build/bench/exchange', import.meta.url).pathname;

const named = (base, names) => names.split(' ').map((name) => base + name);

export const AUDIENCES = named(
  'https://api.example.com/',
  'gateway users payments orders inventory shipping notifications analytics reports billing ' +
    'support cms search recommendations reviews loyalty promotions subscriptions messaging files',
);
export const RESOURCES = named(
  'https://',
  'resource.example.com/api/v1 resource.example.com/api/v2 data.example.com/graphql ' +
    'storage.example.com/files events.example.com/stream batch.example.com/jobs ' +
    'realtime.example.com/ws cdn.example.com/assets auth.example.com/token ' +
    'metrics.example.com/ingest',
);
/** Each holds the one before it. */
export const SCOPES = [
  'openid',
  'openid profile',
  'openid profile email',
  'openid profile email address phone',
];
const SERVICES = named('service-', 'gateway bff worker scheduler notifier');

/** The classes, each by its letter in the pool (exchange.h), in the shares of fifty tokens. */
const SHARES = { v: 28, a: 7, e: 5, f: 5, r: 5 };
const FIFTY = Object.entries(SHARES).flatMap(([letter, n]) => Array(n).fill(letter));

const COUNT = 100_000;
const SPARE = 4_000; // revoked during loads
const BATCH = 1_000;
const DAY_S = 86_400;

/** Two thirds of the subject tokens end before the tokens that are asked for would. */
export const LIFETIME_S = 20 * DAY_S;
const lifeOf = (n) => (9 + (n % 3) * 8) * DAY_S;

const now = () => Math.floor(Date.now() / 1000);
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const signLater = promisify(sign);

function claimsOf(letter, n) {
  const at = now();
  const past = { iat: at - 7200, exp: at - 3600 };
  const times = letter === 'e' ? past : { iat: at, exp: at + lifeOf(n) };
  return {
    iss: ISSUER,
    sub: `user-bench-${n}`,
    aud: ISSUER,
    client_id: 'bench-app',
    scope: SCOPES[n % SCOPES.length],
    ...times,
    jti: randomUUID(),
  };
}

const actorOf = (n) => ({
  ...claimsOf('a', n),
  sub: `client:${SERVICES[n % SERVICES.length]}`,
  client_id: SERVICES[n % SERVICES.length],
  scope: 'openid',
});

function minter({ kid, pem }) {
  const key = createPrivateKey(pem);
  const top = encode({ alg: 'RS256', typ: 'at+jwt', kid });
  return async (claims) => {
    const text = `${top}.${encode(claims)}`;
    return `${text}.${(await signLater('sha256', Buffer.from(text), key)).toString('base64url')}`;
  };
}

async function lineOf(mint, letter, n) {
  const token = await mint(claimsOf(letter, n));
  const parts = [letter, n % SCOPES.length];
  if (letter === 'a') return [...parts, token, await mint(actorOf(n))].join(' ');
  if (letter !== 'f') return [...parts, token].join(' ');
  const [top, , mark] = token.split('.');
  return [...parts, `${top}.${encode(claimsOf('f', n))}.${mark}`].join(' ');
}

async function mintAll(file, key) {
  console.error(`minting ${COUNT + SPARE} subject tokens, kept for a week`);
  const mint = minter(key);
  const out = openSync(`${file}.new`, 'w');
  for (let made = 0; made < COUNT + SPARE; made += BATCH) {
    const lines = await Promise.all(
      Array.from({ length: BATCH }, (_, i) => {
        const n = made + i;
        // in an order in which the first of them have about the shares of all
        return lineOf(mint, n < COUNT ? FIFTY[(n * 37) % FIFTY.length] : 's', n);
      }),
    );
    writeSync(out, `${lines.join('\n')}\n`);
  }
  closeSync(out);
  renameSync(`${file}.new`, file);
}

const newKey = () => ({
  made: now(),
  kid: randomBytes(32).toString('base64url'),
  pem: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  }),
});

/** The pool's file, minted if it is not there, and the JWK Set that verifies it. */
export async function subjectPool() {
  const files = { key: join(FOLDER, 'key.json'), pool: join(FOLDER, `pool-${COUNT + SPARE}`) };
  const kept = existsSync(files.key) ? JSON.parse(readFileSync(files.key)) : undefined;
  if (kept === undefined || now() - kept.made > 7 * DAY_S || !existsSync(files.pool)) {
    rmSync(FOLDER, { recursive: true, force: true });
    mkdirSync(FOLDER, { recursive: true });
    const key = newKey();
    await mintAll(files.pool, key);
    writeFileSync(files.key, JSON.stringify(key), { mode: 0o600 });
    return subjectPool();
  }
  const jwk = createPublicKey(kept.pem).export({ format: 'jwk' });
  return {
    file: files.pool,
    jwks: { keys: [{ ...jwk, kid: kept.kid, alg: 'RS256', use: 'sig' }] },
  };
}

/** Tokens of the pool by their class's letter. */
export const tokensOf = (file, letter) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line[0] === letter)
    .map((line) => line.split(' ')[2]);
