// Prepares the demo's folder. What is secret is made once, and only its owner can read it. Needs nothing
// but Node.
//
//   node setup.cjs conf FOLDER PORT API_PORT ADMIN_PORT SOCKET    the conf, and what it refers to
//   node setup.cjs tokens FOLDER PORT                             the file of the tour, for the shell

'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

const HOUR_S = 3600;
/* the other issuer: one good token of its user alice, and many bad ones */
const ISSUER = 'https://id.demo.example';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

function writeSecret(file, text) {
  fs.rmSync(file, { force: true });
  fs.writeFileSync(file, text, { mode: 0o600 });
}

/** A secret that stays the same from start to start. */
function kept(folder, name, make) {
  const file = path.join(folder, name);
  if (!fs.existsSync(file)) writeSecret(file, make());
  return fs.readFileSync(file, 'utf8');
}

const random = () => crypto.randomBytes(32).toString('base64url');

function newKey() {
  const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' });
}

const keyIn = (folder) => crypto.createPrivateKey(kept(folder, 'private-key.pem', newKey));

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

/** What must be refused. */
function badTokens(key, kid) {
  const now = Math.floor(Date.now() / 1000);
  const reader = token(key, kid, { sub: 'bob', scope: 'orders:read' });
  const [top, , mark] = reader.split('.');
  const claims = JSON.parse(Buffer.from(reader.split('.')[1], 'base64url'));
  return {
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
  { port, apiPort, adminPort, socket, password },
) => `# The demo's conf, written by make run. etc/gatehouse.conf explains every directive.
workers = 2
drain_timeout = 5
${stayRoot(folder)}listen "127.0.0.1:${port}" { }
admin "127.0.0.1:${adminPort}" { }
access_log = "access.log"
error_log = "-"

database {
  url = "postgresql://gatehouse:${password}@/gatehouse?host=${encodeURIComponent(socket)}"
}

# tokens of its own, for clients of the store: build/gatehouse -c THIS_FILE client list
token_service {
  issuer   = "http://127.0.0.1:${port}"
  audience = {"orders-api"}
  encryption_key_file = "encryption.key"
}

# tokens of somebody else
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

/** The file of the tour: the client's credentials, ways to ask for tokens, and others' tokens. */
function tour(folder, port) {
  const key = keyIn(folder);
  const client = JSON.parse(fs.readFileSync(path.join(folder, 'client.json'), 'utf8'));
  const { kid } = publicJwk(key);
  const lines = Object.entries({ ALICE: token(key, kid), ...badTokens(key, kid) });
  return `CLIENT=${client.client_id}:${client.client_secret}
ask() {
  curl -s -u "$CLIENT" "$@" http://127.0.0.1:${port}/oauth2/token |
    sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/'
}
token() {
  ask -d grant_type=client_credentials "$@"
}
exchange() {
  ask -d grant_type=${EXCHANGE} -d "subject_token=$1" -d subject_token_type=${ACCESS_TOKEN} "\${@:2}"
}
${lines.map(([name, value]) => `${name}=${value}\n`).join('')}`;
}

const modes = {
  conf(folder, port, apiPort, adminPort, socket) {
    const password = kept(folder, 'database.password', random);
    const parts = { port, apiPort, adminPort, socket, password };
    const jwks = { keys: [publicJwk(keyIn(folder))] };
    kept(folder, 'encryption.key', random);
    fs.writeFileSync(path.join(folder, 'jwks.json'), `${JSON.stringify(jwks, null, 2)}\n`);
    writeSecret(path.join(folder, 'gatehouse.conf'), conf(folder, parts));
  },
  tokens(folder, port) {
    writeSecret(path.join(folder, 'tokens.sh'), tour(folder, port));
  },
};

const [mode, folder, ...rest] = process.argv.slice(2);
fs.mkdirSync(folder, { recursive: true });
modes[mode](folder, ...rest);
