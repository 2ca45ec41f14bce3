// A real OpenID provider (oidc-provider) in a process of its own, which can be stopped in the midst
// of everything. openid.mjs starts it and says by messages what it is to be:
//
//   { issuer, port, keys, clients }   any later one takes the place of the one before; tokens stay
//
// Its own introspection endpoint refuses JWTs, of which it keeps nothing. Other providers do not, so
// each JWT has a twin here that it does keep: what it says of the twin it says of the JWT.

import { once } from 'node:events';
import http from 'node:http';
import { compactVerify, createLocalJWKSet } from 'jose';
import Provider from 'oidc-provider';
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js';

const TTL_S = 300;
/* outlives the provider's settings */
const adapter = createMemoryAdapter();
const twins = new Map();
const signedBy = new Map();
let provider;

/* By resource: what an access token for it looks like. None, and it is opaque and for nobody. */
const RESOURCES = {
  'https://jwt.test': { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  'https://opaque.test': { accessTokenFormat: 'opaque' },
};

const settings = ({ keys, clients }) => ({
  adapter,
  clients,
  jwks: { keys },
  scopes: ['openid', 'orders:read', 'orders:write'],
  cookies: { keys: ['of a test'] },
  ttl: { AccessToken: TTL_S, ClientCredentials: TTL_S, Grant: 600, Session: 600, Interaction: 600 },
  findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  /* as Keycloak does, where logout tokens name the session */
  extraTokenClaims: (ctx) => ({ sid: ctx.oidc.entities.AuthorizationCode?.sid }),
  /* it would refuse to call this machine */
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'https://opaque.test',
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => ({
        audience: 'orders-api',
        scope: 'orders:read orders:write',
        accessTokenTTL: TTL_S,
        ...RESOURCES[resource],
      }),
    },
  },
});

async function saveTwin(token) {
  const { jti, exp, iat, kind, ...rest } = token;
  const twin = new token.constructor({ ...rest, client: token.client, expiresIn: TTL_S });
  return twin.save();
}

/* What to ask the provider about instead of a JWT; it refuses those that have no twin. */
async function twinOf(token) {
  try {
    const { payload } = await compactVerify(token, createLocalJWKSet({ keys: [...signedBy.values()] }));
    return (await twins.get(JSON.parse(Buffer.from(payload)).jti)) ?? token;
  } catch {
    return 'none';
  }
}

async function swap(req) {
  let body = '';
  for await (const part of req) body += part;
  const form = new URLSearchParams(body);
  const token = form.get('token');
  if (token?.split('.').length === 3) form.set('token', await twinOf(token));
  req.body = Object.fromEntries(form);
}

function become(what) {
  for (const { d, ...key } of what.keys) signedBy.set(key.kid, key);
  provider = new Provider(what.issuer, settings(what));
  for (const name of ['access_token.issued', 'client_credentials.issued'])
    provider.on(name, (token) => twins.set(token.jti, saveTwin(token)));
  for (const name of ['server_error', 'backchannel.error'])
    provider.on(name, (ctx, error) => process.send({ error: error.message }));
}

const server = http.createServer(async (req, res) => {
  if (req.method === 'POST' && req.url.startsWith('/token/')) await swap(req);
  provider.callback()(req, res);
});
server.keepAliveTimeout = 60_000;

process.on('message', async (what) => {
  become(what);
  if (!server.listening) {
    server.listen(what.port, '127.0.0.1');
    await once(server, 'listening');
  }
  process.send({ port: server.address().port });
});
process.on('disconnect', () => process.exit());
