// Gatehouse as the exchange's benchmark wants it: one client that may exchange what the foreign
// issuer signs, a tenth of whose tokens has been revoked at the endpoint; PostgreSQL, durable as it
// comes; and a backend for calls with the tokens that are issued.

import { createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BINARY, command } from '../harness/gateway.mjs';
import { connections, get, post } from '../harness/http.mjs';
import { postgres } from '../harness/postgres.mjs';
import { until } from '../harness/wait.mjs';
import { AUDIENCES, FOLDER, ISSUER, LIFETIME_S, RESOURCES, SCOPES } from './exchange_tokens.mjs';
import { tokensOf } from './exchange_tokens.mjs';
import { BACKEND } from './peers.mjs';
import { freePort, serve } from './processes.mjs';

export const CLIENT = 'bench';
export const CALLED = '/orders';
const WORKERS = 2;
const REVOKING = 32; // connections
const PATIENCE_MS = 30_000;
const TYPE = 'urn:ietf:params:oauth:token-type:access_token';
const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';

const conf = ({ port, adminPort, backend, url, signing }) => `
workers = ${WORKERS}
access_log = "off"
error_log = "-"
listen "127.0.0.1:${port}" { }
admin "127.0.0.1:${adminPort}" { }
database { url = "${url}" }
token_service {
  issuer = "http://127.0.0.1:${port}"
  audience = {"https://api.example.com"}
  encryption_key = "of the benchmark, whose tokens open nothing"
  signing = "${signing}"
  lifetime = ${LIFETIME_S}
  token_rate = ""
}
issuer "main" {
  issuer = "${ISSUER}"
  audience = {"${ISSUER}"}
  algorithms = {"RS256"}
  jwks_file = "jwks.json"
}
upstream "api" { servers = {"http://127.0.0.1:${backend}"} }
route "all" { upstream = "api"  issuers = {"self"}  audience = {"${AUDIENCES[0]}"} }
`;

class ExchangeSite {
  constructor(own) {
    Object.assign(this, own);
  }

  ask(endpoint, form, agent) {
    return post(`${this.url}/oauth2/${endpoint}`, {
      headers: {
        authorization: `Basic ${this.basic}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: new URLSearchParams(form).toString(),
      agent,
    });
  }

  exchange(token) {
    return this.ask('token', {
      grant_type: GRANT,
      subject_token: token,
      subject_token_type: TYPE,
      audience: AUDIENCES[0],
    });
  }

  /** Revokes tokens at the endpoint, a few at a time. */
  async revoke(tokens) {
    const agent = connections(REVOKING);
    let next = 0;
    const some = async () => {
      while (next < tokens.length) {
        const { status, body } = await this.ask('revoke', { token: tokens[next++] }, agent);
        if (status !== 200) throw new Error(`a revocation was answered ${status} ${body}`);
      }
    };
    await Promise.all(Array.from({ length: REVOKING }, some));
    agent.destroy();
  }

  /** How many tokens the store has. */
  async rows() {
    return Number(await this.db.value('SELECT count(*) FROM tokens'));
  }

  async stop() {
    await Promise.all([this.server, this.backend].map((server) => server?.stop()));
    await this.db.remove();
  }
}

// the words that requests are made of, as exchange.h reads them
function writeWords(basic) {
  const file = join(FOLDER, 'words');
  writeFileSync(file, `${[...AUDIENCES, ...RESOURCES, ...SCOPES, basic].join('\n')}\n`);
  return file;
}

async function addClient({ db, recording, files }) {
  const run = async (...args) => {
    const words = ['-c', 'gatehouse.conf', ...args, '--json'];
    const end = await command(words, { conf: files['gatehouse.conf'], files });
    if (end.code !== 0) throw new Error(`gatehouse ${args.join(' ')}: ${end.stderr}`);
    return JSON.parse(end.stdout);
  };
  await run('consumer', 'add', 'bench');
  const made = await run(
    ...['client', 'add', '--consumer', 'bench', '--id', CLIENT, '--format', 'jwt'],
    ...['--grants', 'token-exchange', '--exchange-from', 'main/*', '--recording', recording],
    ...['--delegation', 'allowed', '--revocation', 'any', '--scopes', SCOPES.at(-1)],
    ...['--audiences', [...AUDIENCES, ...RESOURCES].join(' ')],
  );
  return Buffer.from(`${made.client_id}:${made.client_secret}`).toString('base64');
}

// the public key of the tokens that are issued, for the check of their signatures
async function publicKey({ url }, signing) {
  // made at the first start
  const find = async () =>
    (await get(`${url}/oauth2/jwks`)).json.keys?.find(({ alg }) => alg === signing);
  const jwk = await until(find, 'a signing key', PATIENCE_MS);
  const file = join(FOLDER, 'public.pem');
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  writeFileSync(file, key.export({ type: 'spki', format: 'pem' }));
  return { file, kid: jwk.kid };
}

function startBackend(port) {
  const files = BACKEND.files({ port, connections: 64, item: {} });
  const { command, args } = BACKEND;
  return serve({ command, args: args(), files, folder: join(FOLDER, BACKEND.name) });
}

async function startGateway(site) {
  const folder = join(FOLDER, 'gatehouse');
  const { adminPort, files } = site;
  site.server = serve({ command: BINARY, args: ['-c', 'gatehouse.conf'], files, folder });
  const answers = async () => {
    site.server.check();
    const answer = await get(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined);
    return answer?.status === 200;
  };
  await until(answers, 'Gatehouse to be ready', PATIENCE_MS).catch((error) => {
    throw new Error(`${error.message}:\n${readFileSync(join(folder, 'log'), 'utf8')}`);
  });
}

/** Starts all of it and revokes what is to be revoked. */
export async function startExchangeSite({ signing, recording, pool }) {
  const db = await postgres({ settings: ['autovacuum=off'] });
  const site = new ExchangeSite({ db, signing, recording });
  try {
    await db.migrate();
    const ports = { port: await freePort(), adminPort: await freePort() };
    const backend = await freePort();
    Object.assign(site, ports, { url: `http://127.0.0.1:${ports.port}` });
    site.files = {
      'gatehouse.conf': conf({ ...ports, backend, url: db.url(), signing }),
      'jwks.json': JSON.stringify(pool.jwks),
    };
    site.basic = await addClient(site);
    site.words = writeWords(site.basic);
    site.backend = startBackend(backend);
    await startGateway(site);
    site.key = await publicKey(site, signing);
    await site.revoke(tokensOf(pool.file, 'r'));
    await db.query('CHECKPOINT');
  } catch (error) {
    await site.stop();
    throw error;
  }
  return site;
}
