// The way to the database is encrypted as libpq offers it: sslmode, sslrootcert.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { conf, gateway } from '../harness/gateway.mjs';
import { postgres } from '../harness/postgres.mjs';
import { until } from '../harness/wait.mjs';

const KEYS = { 'jwks.json': { keys: [] } };

/** A certificate of its own for `name`, where the server finds it. */
function certify(db, name) {
  const [key, cert] = ['server.key', 'server.crt'].map((file) => join(db.folder, file));
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`],
    ...['-keyout', key, '-out', cert],
  ], { stdio: 'ignore' });
  chmodSync(key, 0o600);
  if (db.who.uid !== undefined) chownSync(key, db.who.uid, db.who.gid);
  return { cert, settings: ['ssl=on', `ssl_key_file=${key}`, `ssl_cert_file=${cert}`] };
}

function text(db, query) {
  const url = `postgresql://postgres@localhost:${db.port}/gatehouse?${query}`;
  const keys = 'jwks_uri = "http://127.0.0.1:9/"';
  const more = `database { url = "${url}" timeout = 1 }\n`;
  return conf({ servers: ['http://127.0.0.1:9'], workers: 1, keys, more });
}

async function secured(t, name) {
  const db = await postgres({ fast: true });
  t.after(() => db.remove());
  await db.migrate();
  const { cert, settings } = certify(db, name);
  await db.restart('fast', settings);
  return { db, cert };
}

const encrypted = async (db) =>
  Number(
    await db.value(`SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
      WHERE s.ssl AND a.application_name = 'gatehouse'`),
  );

test('a server that proves its name is spoken to, all connections encrypted', async (t) => {
  const { db, cert } = await secured(t, 'localhost');
  const gw = await gateway(text(db, `sslmode=verify-full&sslrootcert=${cert}`), { files: KEYS });
  t.after(() => gw.stop());

  await until(async () => (await encrypted(db)) >= 2, "the worker's and the keeper's connection");
  assert.equal(
    Number(
      await db.value(`SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
        WHERE NOT s.ssl AND a.application_name = 'gatehouse'`),
    ),
    0,
  );
});

test('a server of another name gets no connection, and nothing is said in the clear', async (t) => {
  const { db, cert } = await secured(t, 'elsewhere.test');
  const gw = await gateway(text(db, `sslmode=verify-full&sslrootcert=${cert}`), { files: KEYS });
  t.after(() => gw.stop());

  await until(() => /certificate for "elsewhere.test" .*does not match/.test(gw.log()), 'the reason');
  assert.equal(await gw.metric('gatehouse_database_connections{state="up"}'), 0);
  assert.equal(await encrypted(db), 0);
});
