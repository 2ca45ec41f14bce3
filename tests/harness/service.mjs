// A gateway with a token service and its database, and what an operator does with both.
//
//   const { gw, db, run } = await service(t);
//   await run('token revoke --jti J');          // a command on the same configuration

import assert from 'node:assert/strict';
import { createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { backend } from './backend.mjs';
import { command, conf, gateway } from './gateway.mjs';
import { get } from './http.mjs';
import { jwksOf, newKey } from './keys.mjs';
import { postgres } from './postgres.mjs';

export const SELF = 'https://self.test';
const KEY = 'a key for nothing but tests';
/* Of the issuer "main", whose tokens tests mint by themselves. */
export const foreign = newKey('ES256');

const serviceSection = (more) => `token_service { issuer = "${SELF}" audience = {"orders-api"}
  encryption_key = "${KEY}" ${more} }
`;

/** A database with the schema, removed with the test. */
export async function migrated(t, options = { fast: true }) {
  const db = await postgres(options);
  t.after(() => db.remove());
  return db.migrate();
}

/** Another gateway on a database; `more` are lines of the token service, `options` conf()'s. */
export async function join(t, db, { more = '', database = '', ...options } = {}) {
  const api = await backend();
  const section = db.section(database) + serviceSection(more);
  const text = conf({ servers: [api.url], ...options, top: `${section}${options.top ?? ''}` });
  const files = { 'jwks.json': jwksOf(foreign) };
  const gw = await gateway(text, { files }).catch(async (error) => {
    await Promise.allSettled([api.stop()]);
    throw error;
  });
  t.after(async () => {
    await gw.stop();
    await api.stop();
  });
  /* a command that must succeed */
  const run = async (args) => {
    const words = typeof args === 'string' ? args.split(' ') : args;
    const end = await command(['-c', 'gatehouse.conf', ...words], { conf: text, files });
    assert.equal(end.code, 0, `${args}: ${end.stderr}`);
    return words.includes('--json') ? JSON.parse(end.stdout) : end.stdout;
  };
  const ask = (token, path = '/orders') => get(`${gw.url}${path}`, { token });
  return { api, db, gw, run, ask, text };
}

/** A gateway with a database of its own. */
export const service = async (t, options) => join(t, await migrated(t), options);

/* What tells tokens that were made here from made-up ones. */
const tag = (text) =>
  createHmac('sha256', Buffer.from(hkdfSync('sha256', KEY, SELF, 'opaque tokens', 32)))
    .update(text)
    .digest()
    .subarray(0, 8);

/** An opaque token as the service makes them: { token, id, digest }. */
export function opaque() {
  const bytes = randomBytes(48);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = 0x70 | (bytes[6] & 15);
  bytes[8] = 0x80 | (bytes[8] & 63);
  const tagged = Buffer.concat([bytes, tag(Buffer.concat([Buffer.from('gha_'), bytes]))]);
  const token = `gha_${tagged.toString('base64url')}`;
  const id = bytes.subarray(0, 16).toString('hex');
  return { token, id, digest: createHash('sha256').update(token).digest('hex') };
}

/** Puts a client into the store; its number. */
export const addClient = async (db, id = 'app') =>
  db.value(`WITH k AS (INSERT INTO consumers (name, custom_id)
      VALUES ('of ${id}', 'number of ${id}') RETURNING id)
    INSERT INTO clients (client_id, consumer, jwks, grants)
    SELECT '${id}', id, '{}', '{client_credentials}' FROM k RETURNING id`);

/** Puts the row of an opaque token into the store, as if it had been issued; the token. */
export async function issued(
  db,
  client,
  { life = 300, scope = 'orders:read', aud, subject, claims } = {},
) {
  const made = opaque();
  const text = (value) => (value === undefined ? 'NULL' : `'${value}'`);
  await db.query(`INSERT INTO tokens (id, digest, client, issued_at, expires_at, scope, audience,
    subject, claims) VALUES ('${made.id}', '\\x${made.digest}', ${client}, now() - interval '5 seconds',
    now() + interval '${life} seconds', '${scope}', '${JSON.stringify(aud ?? ['orders-api'])}',
    ${text(subject)}, ${text(claims)})`);
  return made.token;
}
