// Tokens as Keycloak makes them for a client of a web shop (about 1.1 KB, of a length that depends
// on the algorithm alone): the good one, the bad ones, and pools of many.
//
// Minting takes minutes, so keys and pools are kept in build/bench/pool, for a week.

import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const ISSUER = 'https://sso.example.com/realms/shop';
/** Of the HS256 tokens: they are cheap enough to make a million of. */
export const SECRET_ISSUER = 'https://sso.example.com/realms/mill';
export const AUDIENCE = 'orders-api';

const FOLDER = new URL('../../build/bench/pool', import.meta.url).pathname;
const DAY_S = 86_400;
const BATCH = 1_000;
/* What HS256 saves beside RS256 in base64url, put back as a claim: the same bytes to look at. */
const PADDING = 'x'.repeat(212);

const now = () => Math.floor(Date.now() / 1000);
const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
/* below the modulus, whatever that is: OpenSSL refuses a greater one without any work */
const forgedSignature = () =>
  Buffer.concat([Buffer.alloc(1), randomBytes(255)]).toString('base64url');
const signLater = promisify(sign);

/** Tokens that are kept, each a line of a file: name, algorithm and how many. */
export const POOLS = {
  rs256: { alg: 'RS256', count: 10_000 },
  'rs256-once': { alg: 'RS256', count: 120_000 },
  'es256-once': { alg: 'ES256', count: 120_000 },
  /* signatures of random bytes, which cost as much to check as true ones */
  'forged-once': { alg: 'RS256', count: 120_000, forged: true },
  hs256: { alg: 'HS256', count: 1_000_000 },
};

function newKeys() {
  const pem = (type, options) =>
    generateKeyPairSync(type, options).privateKey.export({ type: 'pkcs8', format: 'pem' });
  return {
    made: now(),
    RS256: { kid: randomBytes(32).toString('base64url'), pem: pem('rsa', { modulusLength: 2048 }) },
    ES256: { kid: randomBytes(32).toString('base64url'), pem: pem('ec', { namedCurve: 'P-256' }) },
    HS256: { kid: randomBytes(32).toString('base64url'), k: randomBytes(64).toString('base64url') },
  };
}

function keptKeys() {
  const file = join(FOLDER, 'keys.json');
  if (existsSync(file)) {
    const keys = JSON.parse(readFileSync(file));
    if (now() - keys.made < 7 * DAY_S) return keys;
  }
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(file, JSON.stringify(newKeys()));
  return JSON.parse(readFileSync(file));
}

function claims(alg, changes) {
  const session = randomUUID();
  return {
    exp: now() + 30 * DAY_S,
    iat: now(),
    jti: randomUUID(),
    iss: alg === 'HS256' ? SECRET_ISSUER : ISSUER,
    aud: AUDIENCE,
    sub: randomUUID(),
    typ: 'Bearer',
    azp: 'web-shop',
    session_state: session,
    acr: '1',
    realm_access: { roles: ['offline_access', 'uma_authorization', 'customer'] },
    scope: 'openid email orders:read orders:write',
    sid: session,
    email_verified: true,
    preferred_username: 'alice',
    email: 'alice@example.com',
    ...(alg === 'HS256' ? { note: PADDING } : {}),
    ...changes,
  };
}

/* Gives a function from changes of the claims to a token, or to the promise of one. */
function minter(alg, { kid, pem, k }) {
  const top = encode({ alg, typ: 'JWT', kid });
  if (alg === 'HS256') {
    const secret = createSecretKey(Buffer.from(k, 'base64url'));
    return (changes) => {
      const text = `${top}.${encode(claims(alg, changes))}`;
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
  }
  const key = { key: createPrivateKey(pem), dsaEncoding: 'ieee-p1363' };
  return async (changes) => {
    const text = `${top}.${encode(claims(alg, changes))}`;
    return `${text}.${(await signLater('sha256', Buffer.from(text), key)).toString('base64url')}`;
  };
}

const forger = (alg, { kid }) => () =>
  [encode({ alg, typ: 'JWT', kid }), encode(claims(alg, {})), forgedSignature()].join('.');

/** The file of a pool, minted if it is not there yet. */
export async function poolFile(name) {
  const { alg, count, forged } = POOLS[name];
  const file = join(FOLDER, `${name}-${count}`);
  const keys = keptKeys();
  if (existsSync(file)) return file;
  console.error(`minting ${count} ${alg} tokens, kept for a week`);
  const mint = forged ? forger(alg, keys[alg]) : minter(alg, keys[alg]);
  const out = openSync(`${file}.new`, 'w');
  for (let made = 0; made < count; made += BATCH) {
    const lines = await Promise.all(Array.from({ length: BATCH }, () => mint({})));
    writeSync(out, `${lines.join('\n')}\n`);
  }
  closeSync(out);
  renameSync(`${file}.new`, file);
  return file;
}

const publicPem = ({ pem }) => createPublicKey(pem).export({ type: 'spki', format: 'pem' });
const publicJwk = (alg, { kid, pem }) => ({
  ...createPublicKey(pem).export({ format: 'jwk' }),
  kid,
  alg,
  use: 'sig',
});

/** The public keys, as the peers want them, and tokens by name. */
export async function makeTokens() {
  const keys = keptKeys();
  const mint = minter('RS256', keys.RS256);
  const good = await mint({});
  const [top, , mark] = good.split('.');
  const jwk = { RS256: publicJwk('RS256', keys.RS256), ES256: publicJwk('ES256', keys.ES256) };
  const { kid, k } = keys.HS256;
  return {
    keys: {
      jwk,
      pem: { RS256: publicPem(keys.RS256), ES256: publicPem(keys.ES256) },
      jwks: { keys: Object.values(jwk) },
      secretJwks: { keys: [{ kty: 'oct', alg: 'HS256', use: 'sig', kid, k }] },
    },
    tokens: {
      good,
      expired: await mint({ iat: now() - 600, exp: now() - 300 }),
      altered: `${top}.${encode(claims('RS256', { azp: 'root' }))}.${mark}`,
      unsigned: `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims('RS256', {}))}.`,
    },
  };
}
