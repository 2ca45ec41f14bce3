// A gateway with a token service that clients find by its metadata: its issuer is the very address it
// listens on, and its clients are made by the command line, as an operator makes them.
//
//   const house = await provider({ service: 'refresh_grace = 2' });
//   after(() => house.stop());
//   const { id, secret } = await house.client('--scopes', 'orders:read');

import { backend } from './backend.mjs';
import { AUDIENCE, command, conf, gateway } from './gateway.mjs';
import { freePort } from './jwks.mjs';
import { jwksOf, newKey } from './keys.mjs';
import { postgres } from './postgres.mjs';

const section = (issuer, more) => `token_service {
  issuer = "${issuer}"
  audience = {"${AUDIENCE}"}
  encryption_key = "thirty-two bytes or so for tests"
  ${more}
}
`;

class Provider {
  constructor(own) {
    Object.assign(this, own);
  }

  /** Runs a command of the gateway's, and gives what it says as JSON. */
  async tell(args, files = {}) {
    const end = await command(['-c', 'gatehouse.conf', ...args, '--json'], {
      conf: this.text,
      files: { ...this.files, ...files },
    });
    if (end.code !== 0) throw new Error(`gatehouse ${args.join(' ')}: ${end.stderr}`);
    return JSON.parse(end.stdout);
  }

  /** A new client of the one consumer there is; with `jwks` it signs who it is. */
  async client(...args) {
    const made = await this.tell(['client', 'add', '--consumer', 'shop', ...args]);
    return { id: made.client_id, secret: made.client_secret };
  }

  async keyClient(jwks, ...args) {
    const made = await this.tell(
      ['client', 'add', '--consumer', 'shop', '--jwks', 'client.json', ...args],
      { 'client.json': jwks },
    );
    return { id: made.client_id };
  }

  async stop() {
    try {
      await this.gw.stop();
    } finally {
      await this.api.stop();
      await this.db.remove();
    }
  }
}

/**
 * Starts all of it; `service` are lines more in the section, `path` of the issuer,
 * `keys` those of the other issuer, `more` further sections.
 */
export async function provider({
  service = '',
  path = '',
  workers = 2,
  keys = jwksOf(newKey('ES256')),
  more = '',
} = {}) {
  const [api, db, port] = await Promise.all([backend(), postgres({ fast: true }), freePort()]);
  await db.migrate();
  const url = `http://127.0.0.1:${port}`;
  const issuer = url + path;
  const text = conf({
    servers: [api.url],
    workers,
    top: `listen "127.0.0.1:${port}" { }`,
    route: 'issuers = {"self"}',
    more: db.section() + section(issuer, service) + more,
  });
  const files = { 'jwks.json': keys };
  const house = new Provider({ api, db, url, issuer, text, files });
  try {
    await house.tell(['consumer', 'add', 'shop']);
    house.gw = await gateway(text, { files });
  } catch (error) {
    /* the port may have been taken meanwhile; what is left running would keep the process alive */
    await Promise.allSettled([api.stop(), db.remove()]);
    throw error;
  }
  return house;
}
