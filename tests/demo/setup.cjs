// Prepares the demo's folder: a signing key (kept from start to start), its JWKS, the conf, and a
// file of tokens for the shell. Needs nothing but Node.
//
//   node setup.cjs FOLDER PORT API_PORT ADMIN_PORT

'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const HOUR_S = 3600;
const ISSUER = 'https://id.demo.example';

function keyIn(folder) {
  const file = path.join(folder, 'private-key.pem');
  if (!fs.existsSync(file)) {
    const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    fs.writeFileSync(file, pair.privateKey.export({ type: 'pkcs8', format: 'pem' }), {
      mode: 0o600,
    });
  }
  return crypto.createPrivateKey(fs.readFileSync(file));
}

function publicJwk(key) {
  const jwk = crypto.createPublicKey(key).export({ format: 'jwk' });
  const kid = crypto
    .createHash('sha256')
    .update(jwk.x + jwk.y)
    .digest('base64url')
    .slice(0, 12);
  return { ...jwk, kid, alg: 'ES256', use: 'sig' };
}

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function token(key, kid, changes, header = {}) {
  const now = Math.floor(Date.now() / 1000);
  const text = [
    encode({ alg: 'ES256', typ: 'at+jwt', kid, ...header }),
    encode({
      iss: ISSUER,
      aud: 'orders-api',
      sub: 'alice',
      client_id: 'shop',
      scope: 'orders:read orders:write',
      iat: now,
      exp: now + 8 * HOUR_S,
      jti: crypto.randomUUID(),
      ...changes,
    }),
  ].join('.');
  const mark = crypto.sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${mark.toString('base64url')}`;
}

function tokens(key, kid) {
  const now = Math.floor(Date.now() / 1000);
  const reader = token(key, kid, { sub: 'bob', scope: 'orders:read' });
  const [top, , mark] = reader.split('.');
  const claims = JSON.parse(Buffer.from(reader.split('.')[1], 'base64url'));
  return {
    GOOD: token(key, kid, {}),
    READER: reader,
    EXPIRED: token(key, kid, { iat: now - 2 * HOUR_S, exp: now - HOUR_S }),
    FORGED: `${encode({ alg: 'none', typ: 'at+jwt' })}.${encode({ ...claims, sub: 'root' })}.`,
    ALTERED: `${top}.${encode({ ...claims, scope: 'orders:read orders:write' })}.${mark}`,
    MISDIRECTED: token(key, kid, { aud: 'billing-api' }),
  };
}

// Started by root, the workers change to a user without rights, who must be able to reach the folder;
// a clone in root's own home is closed to all others.
function isOpen(folder) {
  const dir = path.resolve(folder);
  return (fs.statSync(dir).mode & 0o001) !== 0 && (dir === '/' || isOpen(path.dirname(dir)));
}

const stayRoot = (folder) =>
  isOpen(folder) ? '' : '# this folder is closed to other users\nuser = ""\n';

const conf = (
  folder,
  port,
  apiPort,
  adminPort,
) => `# The demo's conf, written by make run. etc/gatehouse.conf explains every directive.
workers = 2
drain_timeout = 5
${stayRoot(folder)}listen "127.0.0.1:${port}" { }
admin "127.0.0.1:${adminPort}" { }
access_log = "access.log"
error_log = "-"

issuer "demo" {
  issuer    = "${ISSUER}"
  audience  = {"orders-api"}
  jwks_file = "jwks.json"
}

upstream "orders" {
  servers = {"http://127.0.0.1:${apiPort}"}
}

route "read" {
  paths    = {"/orders"}
  methods  = {"GET", "HEAD"}
  upstream = "orders"
  scopes   = {"orders:read"}
}

route "write" {
  paths    = {"/orders"}
  methods  = {"POST"}
  upstream = "orders"
  scopes   = {"orders:write"}
}
`;

const [folder, port, apiPort, adminPort] = process.argv.slice(2);
fs.mkdirSync(folder, { recursive: true });
const key = keyIn(folder);
const jwk = publicJwk(key);
const lines = Object.entries(tokens(key, jwk.kid)).map(([name, value]) => `${name}=${value}\n`);
fs.writeFileSync(path.join(folder, 'jwks.json'), `${JSON.stringify({ keys: [jwk] }, null, 2)}\n`);
fs.writeFileSync(path.join(folder, 'gatehouse.conf'), conf(folder, port, apiPort, adminPort));
fs.writeFileSync(path.join(folder, 'tokens.sh'), lines.join(''));
