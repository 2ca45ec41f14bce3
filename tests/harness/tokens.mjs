// A gateway with a token service on a PostgreSQL of its own, and clients of it.
//
//   const house = await tokenHouse(t, { service: 'reuse = 0' });
//   const shop = await house.client({ scopes: ['orders:read'] });
//   const { json } = await house.token(shop, { scope: 'orders:read' });

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { backend } from './backend.mjs';
import { conf, gateway } from './gateway.mjs';
import { post } from './http.mjs';
import { jwksOf, newKey } from './keys.mjs';
import { postgres } from './postgres.mjs';

export const SELF = 'https://gate.test';

/** The section of a conf. */
export function serviceSection(more = '') {
  return `token_service {
  issuer = "${SELF}"
  audience = {"orders-api"}
  encryption_key = "a key of 32 bytes for the tests.."
  ${more}
}
`;
}

const quote = (text) => `'${String(text).replaceAll("'", "''")}'`;
const list = (texts) => `ARRAY[${texts.map(quote).join(',')}]::text[]`;
const encode = (text) => encodeURIComponent(text).replaceAll('%20', '+');

/** The value of an Authorization header, as RFC 6749 section 2.3.1 has it. */
export function basic({ id, secret }) {
  return `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`;
}

class TokenHouse {
  constructor(own) {
    Object.assign(this, own);
  }

  /** Puts a client into the store: { id, secret }. */
  async client({
    id = `client-${randomUUID()}`,
    consumer = `consumer of ${id}`,
    secret = randomBytes(32).toString('base64url'),
    grants = ['client_credentials'],
    scopes = [],
    audiences = [],
    format = 'opaque',
    ...columns
  } = {}) {
    const salt = randomBytes(16);
    const hash = createHash('sha256').update(salt).update(secret).digest('hex');
    const values = {
      client_id: quote(id),
      consumer: `(SELECT id FROM consumers WHERE name = ${quote(consumer)})`,
      secret_salt: `'\\x${salt.toString('hex')}'`,
      secret_hash: `'\\x${hash}'`,
      grants: list(grants),
      scopes: list(scopes),
      audiences: list(audiences),
      format: quote(format),
      ...Object.fromEntries(Object.entries(columns).map(([name, value]) => [name, quote(value)])),
    };
    await this.db.query(
      `INSERT INTO consumers (name) VALUES (${quote(consumer)}) ON CONFLICT DO NOTHING;
       INSERT INTO clients (${Object.keys(values)}) VALUES (${Object.values(values)})`,
    );
    return { id, secret };
  }

  /** Changes a client's record, and tells the gateways so. */
  change({ id }, what) {
    return this.db.query(
      `UPDATE clients SET ${what}, generation = generation + 1 WHERE client_id = ${quote(id)};
       WITH feed AS MATERIALIZED (SELECT gatehouse_feed_lock())
       INSERT INTO revocations (kind, identity, expires_at, issuer, value)
       SELECT 'change', gatehouse_identity('change', ${quote(SELF)}, ${quote(id)}),
         now() + interval '1 day', ${quote(SELF)}, ${quote(id)} FROM feed`,
    );
  }

  /** A form to an endpoint; with a client, by HTTP Basic. */
  ask(endpoint, client, form = {}, { headers = {}, gw = this.gw, ...options } = {}) {
    const authorization = client === undefined ? {} : { authorization: basic(client) };
    return post(`${gw.url}/oauth2/${endpoint}`, {
      ...options,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...authorization,
        ...headers,
      },
      body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    });
  }

  token(client, form = {}, options) {
    const body =
      typeof form === 'string' ? form : { grant_type: 'client_credentials', ...form };
    return this.ask('token', client, body, options);
  }

  refresh(client, token, form = {}, options) {
    return this.token(
      client,
      { grant_type: 'refresh_token', refresh_token: token, ...form },
      options,
    );
  }

  introspect(client, token, options) {
    return this.ask('introspect', client, { token }, options);
  }

  revoke(client, token, options) {
    return this.ask('revoke', client, { token }, options);
  }

  async stop() {
    try {
      await this.gw.stop();
    } finally {
      await this.api.stop();
      await this.db.remove();
    }
  }

  /** How many rows a table has. */
  async rows(table, where = 'true') {
    return Number(await this.db.value(`SELECT count(*) FROM ${table} WHERE ${where}`));
  }
}

/** Starts all of it, to be stopped with the test, if there is one; `service` and `database` are lines more in their sections. */
export async function tokenHouse(
  t,
  {
    service = '',
    database = '',
    route = 'issuers = {"self"}',
    keys = jwksOf(newKey('ES256')),
    settings,
    fast = true,
    ...parts
  } = {},
) {
  const [api, db] = await Promise.all([backend(), postgres({ fast, settings })]);
  await db.migrate();
  const text = conf({
    servers: [api.url],
    route,
    ...parts,
    more: db.section(database) + serviceSection(service) + (parts.more ?? ''),
  });
  const files = { 'jwks.json': keys };
  const gw = await gateway(text, { files }).catch(async (error) => {
    await Promise.allSettled([api.stop(), db.remove()]);
    throw error;
  });
  const house = new TokenHouse({ api, db, gw, text, files });
  t?.after(() => house.stop());
  return house;
}
