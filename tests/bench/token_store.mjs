// The PostgreSQL of a case of the token service, durable as it comes, and the clients in it.

import { createHash } from 'node:crypto';
import { postgres } from '../harness/postgres.mjs';
import { FILLED, MIGRATED } from './token_peers.mjs';

// no collection of old rows in the midst of one peer's load
const SETTINGS = ['autovacuum=off'];
// while millions of rows are made
const QUICK = ['fsync=off', 'synchronous_commit=off', 'max_wal_size=16GB'];
const DIGITS = 6;

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const idOf = (n) => `client-${String(n).padStart(DIGITS, '0')}`;
const secretOf = (n) => sha256(`secret of the benchmark ${n}`);

/** The credentials of clients for HTTP's Basic scheme, all of one length. */
export const basicOf = (n) => Buffer.from(`${idOf(n)}:${secretOf(n)}`).toString('base64');

/** What oauth2-server keeps of the first clients. */
export const digestsOf = (count) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [idOf(n), sha256(secretOf(n))]));

// one consumer each: limits are a consumer's
const insertClients = (count, { format }) => `
  INSERT INTO consumers (name)
    SELECT 'consumer-' || n FROM generate_series(0, ${count - 1}) n;
  INSERT INTO clients (client_id, consumer, secret_salt, secret_hash, grants, scopes, audiences,
      format, introspection)
    SELECT 'client-' || lpad(n::text, ${DIGITS}, '0'), k.id, salt,
      sha256(salt || convert_to(secret, 'UTF8')), '{client_credentials}', '{orders:read}', '{}',
      '${format}', 'any'
    FROM generate_series(0, ${count - 1}) n
    JOIN consumers k ON k.name = 'consumer-' || n,
    LATERAL (SELECT decode(md5('salt ' || n), 'hex') AS salt,
      encode(sha256(convert_to('secret of the benchmark ' || n, 'UTF8')), 'hex') AS secret) made`;

// tokens of the last hour, as they would have come: ids and ends grow with time
const insertTokens = (count, { lifetime }) => `
  INSERT INTO tokens (id, digest, client, issued_at, expires_at, scope, audience)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' ||
        substr(chance, 1, 3) || '8' || substr(chance, 4, 15))::uuid,
      sha256(int8send(n)), 1, at, at + interval '${lifetime} s', 'orders:read', '["orders-api"]'
    FROM generate_series(1, ${count}) n,
    LATERAL (SELECT now() - (${count} - n) * interval '3600 s' / ${count} AS at,
      md5(n::text) AS chance) made`;

/** The lowest id of tokens made from now on. */
const lowestId = () => {
  const hex = Date.now().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
};

/**
 * Starts it, with the schema and `count` clients for Gatehouse and the tables of the other peers.
 * Gives { db, since }: ids of tokens from then on are not below `since`.
 */
export async function openStore(item, peers, count) {
  const db = await postgres({ settings: SETTINGS });
  try {
    if (peers.some(({ database }) => database === MIGRATED)) {
      await db.migrate();
      await db.query(insertClients(count, item));
      await db.query('ANALYZE');
    }
    if (item.millions !== undefined) {
      await db.restart('fast', QUICK);
      await db.query(`CREATE DATABASE ${FILLED} TEMPLATE ${MIGRATED}`);
      await db.query(insertTokens(item.millions * 1e6, item), { name: FILLED });
      await db.query('VACUUM ANALYZE tokens', { name: FILLED });
      await db.restart();
    }
    for (const { database, schema } of peers.filter((peer) => peer.schema !== undefined)) {
      await db.query(`CREATE DATABASE ${database}`);
      await db.query(schema, { name: database });
    }
    await db.query('CHECKPOINT');
  } catch (error) {
    await db.remove();
    throw error;
  }
  return { db, since: lowestId() };
}
