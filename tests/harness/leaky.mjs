// A small gateway and backend in one, which is careful in all it does but for one known hole.
//
//   const gw = await leaky({ key, hole: 'none' });
//   t.after(() => gw.stop());
//
// It answers a request that passes by telling, as JSON, what headers a backend behind it would get.

import { createHmac, createPublicKey, timingSafeEqual, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { join } from 'node:path';
import { importJWK, jwtVerify } from 'jose';
import { AUDIENCE, ISSUER } from './gateway.mjs';

const IDENTITY = /^x[-_.]?(consumer|credential|authenticated|anonymous)/i;

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());
const hs256 = (secret, text) => createHmac('sha256', secret).update(text).digest();

function sameBytes(a, b) {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** One spelling only of each part. */
function isCanonical(token) {
  const parts = token.split('.');
  return (
    parts.length === 3 &&
    parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)
  );
}

const publicKeyText = {
  pem: (key) => createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }),
  chomped: (key) => publicKeyText.pem(key).trimEnd(),
  der: (key) => createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'der' }),
  jwk: (key) => JSON.stringify(key),
};

/* A file of this machine, for a gateway that looks for keys by name. */
const FILES = { '/dev/null': '', '/proc/sys/kernel/randomize_va_space': '2\n' };

/* What a hole makes of a token, before the careful check: true lets it pass. */
const ACCEPTS = {
  decode: ({ header }) => header.alg !== undefined,
  none: ({ header }) => header.alg === 'none',
  'none in any case': ({ header }) => /^none$/i.test(header.alg),
  'no signature': ({ mark }) => mark === '',
  'null signature': ({ mark }) => Buffer.from(mark, 'base64url').every((byte) => byte === 0),
  'any secret': ({ header, text, mark }) =>
    header.alg === 'HS256' &&
    ['', 'secret', 'your-256-bit-secret'].some((secret) => signs(secret, text, mark)),
  'key file': ({ header, text, mark }) => {
    const secret = FILES[join('/etc/keys', String(header.kid))];
    return header.alg === 'HS256' && secret !== undefined && signs(secret, text, mark);
  },
};

for (const form of Object.keys(publicKeyText))
  ACCEPTS[`secret ${form}`] = ({ header, text, mark, key }) =>
    header.alg === 'HS256' && signs(publicKeyText[form](key.public), text, mark);

function signs(secret, text, mark) {
  return sameBytes(hs256(secret, text), Buffer.from(mark, 'base64url'));
}

/* The key a hole verifies with. */
const KEYS = {
  'embedded jwk': ({ jwk }, key) => jwk ?? key,
  'embedded x5c': ({ x5c }, key) =>
    x5c === undefined
      ? key
      : new X509Certificate(Buffer.from(x5c[0], 'base64')).publicKey.export({ format: 'jwk' }),
};

async function isGood(token, key, hole) {
  const parts = token.split('.');
  if (parts.length !== 3 && hole !== 'more parts') return false;
  try {
    const header = decode(parts[0]);
    const text = `${parts[0]}.${parts[1]}`;
    decode(parts[1]);
    if (ACCEPTS[hole]?.({ header, text, mark: parts[2], key })) return true;
    const jwk = (KEYS[hole] ?? ((_, own) => own))(header, key.public);
    const whole = hole === 'more parts' ? parts.slice(0, 3).join('.') : token;
    if (hole !== 'two spellings' && !isCanonical(whole)) return false;
    await jwtVerify(whole, await importJWK(jwk, key.alg), {
      algorithms: [key.alg],
      issuer: ISSUER,
      audience: AUDIENCE,
      clockTolerance: hole === 'expired' ? 1e9 : 0,
    });
    return true;
  } catch {
    return false;
  }
}

function fieldsOf(req, name) {
  const all = req.rawHeaders;
  return all.filter((_, i) => i % 2 === 1 && all[i - 1].toLowerCase() === name);
}

/** The values of Authorization that count; one, where nothing is wrong. */
function credentials(req, hole) {
  const all = fieldsOf(req, 'authorization');
  if (hole === 'first header') return all.slice(0, 1);
  if (hole === 'last header') return all.slice(-1);
  if (hole === 'last of a list') return all.flatMap((value) => value.split(/,\s*/)).slice(-1);
  return all;
}

async function bodyOf(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts).toString();
}

/* Requests that a hole lets pass without looking at a token. */
const EXEMPT = {
  open: () => true,
  'only GET': (req) => req.method !== 'GET',
  'path as written': (req) => !req.url.startsWith('/orders'),
  'static files': (req) => /\.css$/.test(req.url),
  'from here': (req) => req.headers['x-forwarded-for'] === '127.0.0.1',
  'other url': (req) => req.headers['x-original-url'] === '/',
  'method override': (req) => req.headers['x-http-method-override'] === 'OPTIONS',
  'knows who': (req) => req.headers['x-consumer-id'] !== undefined,
  'unknown scheme': (req) => /^(?!Bearer )./.test(req.headers.authorization ?? ''),
  'once a connection': (req) => req.socket.known === true,
};

async function mayPass(req, { key, hole, opaque }) {
  const url = new URL(req.url, 'http://gate.test');
  const body = await bodyOf(req);
  if (EXEMPT[hole]?.(req)) return true;
  const tokens = credentials(req, hole).map((value) => value.match(/^Bearer +(\S+)$/i)?.[1]);
  if (hole === 'query' && tokens.length === 0) tokens.push(url.searchParams.get('access_token'));
  if (hole === 'form') tokens.push(...new URLSearchParams(body).getAll('access_token'));
  if (tokens.length !== 1 || !tokens[0]) return false;
  const good = opaque === undefined ? await isGood(tokens[0], key, hole) : tokens[0] === opaque;
  req.socket.known = good;
  return good;
}

/** The headers a backend would get. */
function onward(req, hole) {
  const names = {
    'passes identities': /^$/,
    'passes lookalikes': /^x-(consumer|credential|authenticated|anonymous)-[-a-z]*$/i,
  };
  const forged = names[hole] ?? IDENTITY;
  const kept = Object.entries(req.headers).filter(([name]) => !forged.test(name));
  const headers = { ...Object.fromEntries(kept), 'x-consumer-id': 'shop' };
  const named = (req.headers.connection ?? '').toLowerCase().split(/,\s*/);
  if (hole === 'strips by connection') for (const name of named) delete headers[name];
  if (hole === 'passes identities') Object.assign(headers, Object.fromEntries(kept));
  delete headers.connection;
  return headers;
}

/** Starts one; `opaque` is the one good token instead of JWTs; `answer` replaces the echo. */
export async function leaky({ key, hole, opaque, answer, limit = Infinity, status = 401 }) {
  let served = 0;
  const server = http.createServer(async (req, res) => {
    served += 1;
    if (served > limit) {
      res.statusCode = 429;
      return res.setHeader('retry-after', '1').end();
    }
    if (!(await mayPass(req, { key, hole, opaque }).catch(() => false))) {
      res.statusCode = status;
      return res.end('no');
    }
    const told = answer ?? { headers: onward(req, hole) };
    return res.setHeader('content-type', 'application/json').end(JSON.stringify(told));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    get served() {
      return served;
    },
    stop: () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  };
}
