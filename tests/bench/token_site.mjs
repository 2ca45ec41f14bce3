// PostgreSQL and all token endpoints of one case, up and answering right; and one load of one of
// them, with what is in the store counted against what was answered.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connections, post } from '../harness/http.mjs';
import { until } from '../harness/wait.mjs';
import { loadTokens, wrongAnswers } from './load.mjs';
import { family, freePort, pssOf, serve } from './processes.mjs';
import { FOLDER, WORKERS } from './site.mjs';
import { expect } from './tally.mjs';
import { FILLED, TOKEN_PEERS } from './token_peers.mjs';
import { basicOf, digestsOf, openStore } from './token_store.mjs';

const PATIENCE_MS = 30_000;
const FORM = 'application/x-www-form-urlencoded';
const GRANT = 'grant_type=client_credentials';
const TOKEN_PATH = '/oauth2/token';
/* Where Gatehouse is left out, nobody has answered before. */
const SAMPLE = JSON.stringify({
  access_token: 'x'.repeat(560),
  token_type: 'Bearer',
  expires_in: 3600,
  scope: 'orders:read',
});

function ask(url, path, basic, body, agent) {
  const headers = { authorization: `Basic ${basic}`, 'content-type': FORM };
  return post(`${url}${path}`, { headers, body, agent });
}

async function startOne(row, site) {
  const url = `http://127.0.0.1:${site.port}`;
  const files = row.files(site);
  const folder = join(FOLDER, row.name);
  const { command, env } = row;
  const server = serve({ command, args: row.args(site), env, files, folder });
  let answer;
  const answers = async () => {
    server.check();
    answer = await ask(url, TOKEN_PATH, basicOf(0), GRANT).catch(() => undefined);
    return answer?.status === 200;
  };
  await until(answers, `${row.name} to answer`, PATIENCE_MS).catch((error) => {
    throw new Error(`${error.message}; at last it said ${answer?.status} ${answer?.body}`);
  });
  return { ...row, url, server, restMb: pssOf(family(server.pid)), answer: answer.body };
}

// tokens to introspect, and what is said of one
async function issueTokens({ url }, count) {
  const agent = connections(1);
  const tokens = [];
  while (tokens.length < count) {
    const { json } = await ask(url, TOKEN_PATH, basicOf(0), GRANT, agent);
    tokens.push(json.access_token);
  }
  agent.destroy();
  return tokens;
}

// the body of a request that the case makes, and what it says of authentication and token
const formOf = ({ tokens }, token) => (tokens === undefined ? GRANT : `token=${token}`);

// a load's file of requests: load.c puts a client's credentials, or a token, where {} is
function requestOf({ path, tokens }, length) {
  const form = tokens === undefined ? GRANT : 'token={}';
  const bytes = tokens === undefined ? GRANT.length : 'token='.length + length;
  return [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Authorization: Basic ${tokens === undefined ? '{}' : basicOf(0)}`,
    `Content-Type: ${FORM}`,
    `Content-Length: ${bytes}`,
    '',
    form,
  ].join('\r\n');
}

class TokenSite {
  constructor(own) {
    Object.assign(this, own);
  }

  async stop() {
    await Promise.all(this.peers.map(({ server }) => server.stop()));
    await this.db.remove();
  }

  /** Tokens stored so far, or null for a peer without a store. */
  async rows({ rows, database }) {
    if (rows === undefined) return null;
    return Number((await this.db.query(rows(this), { name: database }))[0][0]);
  }

  /** Each peer gives the right answer, and those that look refuse a wrong secret. */
  async check({ path, tokens, holds, name }) {
    for (const peer of this.peers) {
      const what = `${peer.name}, ${name}`;
      const good = await ask(peer.url, path, basicOf(0), formOf({ tokens }, this.lines[0]));
      const right = good.status === 200 && good.body.includes(holds);
      expect(what, right ? null : `answered ${good.status} ${good.body.slice(0, 200)}`);
      if (!peer.refuses) continue;
      const before = await this.rows(peer);
      const wrong = Buffer.from(`${Buffer.from(basicOf(0), 'base64')}x`).toString('base64');
      const bad = await ask(peer.url, TOKEN_PATH, wrong, GRANT);
      expect(`${what}, a wrong secret`, bad.status === 401 ? null : `answered ${bad.status}`);
      const more = (await this.rows(peer)) - before;
      expect(`${what}, a wrong secret's rows`, more === 0 ? null : `${more} more`);
      if (tokens === undefined) continue;
      const other = await ask(peer.url, path, basicOf(0), `token=${this.lines[0]}x`);
      const active = other.status === 200 && other.json.active === false;
      expect(`${what}, a wrong token`, active ? null : `answered ${other.status} ${other.body}`);
    }
  }

  /* Credentials of clients that have not asked this peer, or the tokens to introspect. */
  #linesFor(peer, { tokens, clients }) {
    if (tokens !== undefined) return this.lines;
    peer.asked = (peer.asked ?? 1) + clients; // the first is for checks
    return Array.from({ length: clients }, (_, n) => basicOf(peer.asked - clients + n));
  }

  /** One load: { load(started), check(result) }, of which the second gives what only we know. */
  async turn(peer, item, { seconds, connections: active }) {
    const lines = this.#linesFor(peer, item);
    const files = { lines: join(FOLDER, 'lines'), request: join(FOLDER, 'request') };
    writeFileSync(files.lines, `${lines.join('\n')}\n`);
    writeFileSync(files.request, requestOf(item, lines[0].length));
    const before = await this.rows(peer);
    const load = (started) =>
      loadTokens({ ...files, url: peer.url, item, seconds, connections: active }, started);
    const check = async (result) => {
      const rows = before === null ? null : (await this.rows(peer)) - before;
      const what = `${peer.name}, ${item.name}`;
      expect(`${what}, load`, wrongAnswers(result, 200));
      expect(`${what}, answers`, result.wrong === 0 ? null : `${result.wrong} held no token`);
      if (rows !== null) expect(`${what}, rows`, wrongRows(peer, item, result, rows));
      return rows === null ? { rows, backendUs: null } : { rows };
    };
    return { load, check };
  }
}

// what is wrong with the number of rows that a load has left, or null
function wrongRows(peer, item, { requests, changed, chosen }, rows) {
  if (item.tokens !== undefined) return rows === 0 ? null : `${rows} for introspections`;
  if (!peer.reuses || item.reuse === 0) {
    // answered at the end of the load, but too late to count
    if (rows < requests || rows > requests + item.connections)
      return `${rows} for ${requests} tokens`;
    return changed === requests - 1 ? null : `one token was answered twice in a row`;
  }
  if (rows !== chosen) return `${rows} for ${chosen} clients`;
  return item.clients === 1 && changed > 0 ? `${changed + 1} tokens for one client` : null;
}

/** How many clients a case needs: new ones for each load, and loads may be repeated. */
const clientCount = ({ clients }, { rounds }) => 1 + clients * (2 * rounds + 1);

const inOrder = (names) => (a, b) => names.indexOf(a.name) - names.indexOf(b.name);

/** Starts PostgreSQL and the peers of a case; gives a site as measureCase wants it. */
export async function startTokenSite(item, given) {
  const chosen = TOKEN_PEERS.filter(
    ({ name }) => item.peers.includes(name) && given.peers.some((peer) => peer.name === name),
  ).map((row) => ({
    ...row,
    database: item.millions !== undefined && row.name === 'gatehouse' ? FILLED : row.database,
  }));
  const count = clientCount(item, given);
  const { db, since } = await openStore(item, chosen, count);
  const peers = [];
  const site = new TokenSite({ db, since, peers, backend: { server: { pid: db.pid } } });
  const common = { workers: WORKERS, connections: item.connections, item, answer: SAMPLE };
  try {
    const start = async (row) => {
      const ports = { port: await freePort(), adminPort: await freePort() };
      const url = row.database && db.url({ name: row.database });
      const clients = digestsOf(count);
      peers.push(await startOne(row, { ...common, ...ports, clients, url }));
    };
    // the fixed answer is what Gatehouse has answered
    const fixed = chosen.filter(({ database }) => database === undefined);
    for (const row of chosen.filter((one) => !fixed.includes(one))) await start(row);
    const ours = peers.find(({ name }) => name === 'gatehouse');
    site.lines = item.tokens && ours ? await issueTokens(ours, item.tokens) : ['x'.repeat(560)];
    if (ours !== undefined) {
      const form = formOf(item, site.lines[0]);
      common.answer = (await ask(ours.url, item.path, basicOf(0), form)).body;
    }
    for (const row of fixed) await start(row);
  } catch (error) {
    await site.stop();
    throw error;
  }
  peers.sort(inOrder(item.peers));
  return site;
}
