// Logout tokens (OpenID Connect Back-Channel Logout 1.0), and how an issuer posts them.

import { randomUUID } from 'node:crypto';
import { SignJWT, importJWK } from 'jose';
import { ISSUER } from './gateway.mjs';
import { post } from './http.mjs';
import { now } from './keys.mjs';

export const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** Lines of an issuer's section. */
export const logoutLines = (path = '/logout/main') =>
  `backchannel_logout = "${path}" logout_audience = {"gate"}`;

/** The claims of a logout token that names nobody; `changes` override, and undefined removes. */
export function logoutClaims(changes = {}) {
  const all = {
    iss: ISSUER,
    aud: 'gate',
    iat: now(),
    exp: now() + 120,
    jti: randomUUID(),
    events: { [EVENT]: {} },
    ...changes,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** As an honest provider makes it. */
export async function logoutToken(key, changes, header = {}) {
  return new SignJWT(logoutClaims(changes))
    .setProtectedHeader({ alg: key.alg, typ: 'logout+jwt', kid: key.kid, ...header })
    .sign(await importJWK(key.private, key.alg));
}

/** Posts a logout token, or a whole form, to a gateway. */
export function logOut(gw, token, { path = '/logout/main', headers = {}, form, agent } = {}) {
  return post(`${gw.url}${path}`, {
    agent,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: form ?? new URLSearchParams({ logout_token: token }).toString(),
  });
}
