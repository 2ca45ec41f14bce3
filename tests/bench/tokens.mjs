// A token as Keycloak makes it for a client of a web shop (RS256, 2048 bits, about 1.1 KB), and the
// bad ones that are sent to make sure that they are refused.

import { createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';

export const ISSUER = 'https://sso.example.com/realms/shop';
export const AUDIENCE = 'orders-api';

const DAY_S = 86_400;
const KID = 'FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE';

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function claims(changes) {
  const now = Math.floor(Date.now() / 1000);
  const session = randomUUID();
  return {
    exp: now + DAY_S,
    iat: now,
    jti: randomUUID(),
    iss: ISSUER,
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
    ...changes,
  };
}

function signed(key, content) {
  const text = `${encode({ alg: 'RS256', typ: 'JWT', kid: KID })}.${encode(content)}`;
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

/** A new key, its JWK Set, and tokens by name. */
export function makeTokens() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' });
  const now = Math.floor(Date.now() / 1000);
  const good = signed(privateKey, claims({}));
  const [top, , mark] = good.split('.');
  return {
    jwks: { keys: [{ ...jwk, kid: KID, alg: 'RS256', use: 'sig' }] },
    tokens: {
      good,
      expired: signed(privateKey, claims({ iat: now - 600, exp: now - 300 })),
      altered: `${top}.${encode(claims({ azp: 'root' }))}.${mark}`,
      unsigned: `${encode({ alg: 'none', typ: 'JWT' })}.${encode(claims({}))}.`,
    },
  };
}
