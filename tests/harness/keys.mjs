// Keys, true tokens minted with jose, and false ones put together by hand.

import {
  createHmac,
  createPrivateKey,
  constants,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import { SignJWT, importJWK } from 'jose';
import { AUDIENCE, ISSUER } from './gateway.mjs';

export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'HS256',
  'HS384',
  'HS512',
];

const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

function pairFor(alg) {
  if (alg.startsWith('ES')) return generateKeyPairSync('ec', { namedCurve: CURVES[alg] });
  if (alg === 'EdDSA' || alg === 'Ed25519') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

/** A new key of its own: { alg, kid, private, public }, both as JWK. */
export function newKey(alg, kid = `${alg}-${randomBytes(4).toString('hex')}`) {
  const marks = { kid, alg, use: 'sig' };
  if (alg.startsWith('HS')) {
    const secret = { kty: 'oct', k: randomBytes(64).toString('base64url'), ...marks };
    return { alg, kid, private: secret, public: secret };
  }
  const pair = pairFor(alg);
  return {
    alg,
    kid,
    private: { ...pair.privateKey.export({ format: 'jwk' }), ...marks },
    public: { ...pair.publicKey.export({ format: 'jwk' }), ...marks },
  };
}

export const jwksOf = (...keys) => ({ keys: keys.map((key) => key.public) });

export const now = () => Math.floor(Date.now() / 1000);

/** The claims of a good token; `changes` override, and undefined removes. */
export function claims(changes = {}) {
  const at = now();
  const all = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'user-1',
    client_id: 'shop',
    scope: 'orders:read orders:write',
    iat: at,
    exp: at + 300,
    jti: randomUUID(),
    ...changes,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** A token as an honest provider makes it, signed by jose. */
export async function mint(key, changes, header = {}) {
  return new SignJWT(claims(changes))
    .setProtectedHeader({ alg: key.alg, typ: 'at+jwt', kid: key.kid, ...header })
    .sign(await importJWK(key.private, key.alg));
}

export const b64 = (value) =>
  Buffer.from(
    typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value),
  ).toString('base64url');

/** The signature bytes of `alg` over `text`, by node:crypto, with no opinion on what is signed. */
export function signature(alg, jwk, text) {
  const hash = `sha${alg.slice(2)}`;
  if (alg.startsWith('HS'))
    return createHmac(hash, Buffer.from(jwk.k, 'base64url')).update(text).digest();
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  if (alg === 'EdDSA' || alg === 'Ed25519') return sign(null, Buffer.from(text), key);
  if (alg.startsWith('ES'))
    return sign(hash, Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  if (alg.startsWith('PS')) {
    return sign(hash, Buffer.from(text), {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    });
  }
  return sign(hash, Buffer.from(text), key);
}

/**
 * A truly signed token over any header and any content, as objects or as the very text: what only
 * a careless or hostile issuer would sign.
 */
export function forge(
  key,
  { header = {}, payload = claims(), alg = key.alg, signer = key.private } = {},
) {
  const top =
    typeof header === 'string' ? header : { alg: key.alg, typ: 'at+jwt', kid: key.kid, ...header };
  const text = `${b64(top)}.${b64(payload)}`;
  return `${text}.${signature(alg, signer, text).toString('base64url')}`;
}

/** The token with its claims changed and its signature left as it was. */
export function altered(token, changes) {
  const [top, payload, mark] = token.split('.');
  const content = JSON.parse(Buffer.from(payload, 'base64url'));
  return `${top}.${b64({ ...content, ...changes })}.${mark}`;
}

/** The token with some bytes of its signature changed. */
export function misSigned(token) {
  const [top, payload, mark] = token.split('.');
  const bytes = Buffer.from(mark, 'base64url');
  bytes[bytes.length >> 1] ^= 0x55;
  return `${top}.${payload}.${bytes.toString('base64url')}`;
}

/** A token with alg none, in whatever spelling. */
export function unsigned(changes, alg = 'none') {
  return `${b64({ alg, typ: 'at+jwt' })}.${b64(claims(changes))}.`;
}
