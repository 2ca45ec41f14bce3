// The backend and all peers of one case, up and answering right.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { get, send } from '../harness/http.mjs';
import { until } from '../harness/wait.mjs';
import { REFUSED } from './cases.mjs';
import { ANSWERS, BACKEND, EXPRESS } from './peers.mjs';
import { family, freePort, pssOf, serve } from './processes.mjs';
import { expect } from './tally.mjs';
import { AUDIENCE, ISSUER, poolFile } from './tokens.mjs';

export const FOLDER = new URL('../../build/bench', import.meta.url).pathname;
export const WORKERS = 2;

const PATIENCE_MS = 30_000;

async function startOne(row, site, token) {
  const { command, args, env, files, name } = row;
  const url = `http://127.0.0.1:${site.port}`;
  const start = async () => {
    const folder = join(FOLDER, name);
    const server = serve({ command, args: args(site), env, files: files(site), folder });
    const answers = async () => {
      server.check();
      // a gateway that has no keys yet says 503
      return get(`${url}/orders`, { token }).then(({ status }) => status < 500, () => false);
    };
    await until(answers, `${name} to answer`, PATIENCE_MS);
    return server;
  };
  const { adminPort } = site;
  const peer = { ...row, url, adminPort, server: await start() };
  peer.restMb = pssOf(family(peer.server.pid));
  /** Ends it and starts another in its place, which has seen no token but the good one. */
  peer.renew = async () => {
    await peer.server.stop();
    peer.server = await start();
  };
  return peer;
}

async function tokenFile(item, token) {
  if (item.pool !== undefined) return poolFile(item.pool);
  const file = join(FOLDER, 'token');
  writeFileSync(file, `${token}\n`);
  return file;
}

/**
 * Starts the backend and the peers of a case, and waits until each takes the good token; gives
 * { backend, peers, tokenFile, stop() }, backend and peers each with its url and server.
 */
export async function startAll(item, { peers, connections }, keys, tokens) {
  const open = Math.max(connections, item.open ?? 0);
  const workers = item.workers ?? WORKERS;
  const common = { workers, connections, open, item, keys, issuer: ISSUER, audience: AUDIENCE };
  const behind = item.express ? EXPRESS : BACKEND;
  const port = await freePort();
  const backend = await startOne(behind, { ...common, connections: open, port }, tokens.good);
  const started = [];
  for (const name of item.peers) {
    const row = peers.find((one) => one.name === name);
    if (row === undefined) continue;
    const own = { ...common, backend: port, port: await freePort(), adminPort: await freePort() };
    const direct = { ...row, url: backend.url, server: backend.server, restMb: null };
    started.push(row.command === undefined ? direct : await startOne(row, own, tokens.good));
  }
  return {
    backend,
    peers: started,
    tokenFile: await tokenFile(item, item.token && tokens[item.token]),
    async stop() {
      await Promise.all([backend, ...started].map(({ server }) => server.stop()));
    },
  };
}

/** Answers of an issuer that was asked by this peer, since it started. */
export async function introspections({ asks, adminPort }) {
  if (!asks) return 0;
  const { body } = await get(`http://127.0.0.1:${adminPort}/metrics`);
  const lines = body.match(/^gatehouse_introspections_total\{.*\} \d+$/gm) ?? [];
  return lines.reduce((sum, line) => sum + Number(line.split(' ').pop()), 0);
}

/** Requests the backend has answered since it started; null if it doesn't count them. */
export async function reached(backend) {
  if (backend.name === EXPRESS.name) return null;
  const { body } = await get(`${backend.url}/status`);
  return Number(body.match(/requests\n\s*\d+ \d+ (\d+)/)[1]);
}

async function probe(peer, { path, status, token, body, upload }) {
  const options = { token: token ?? undefined, method: upload === undefined ? 'GET' : 'POST' };
  const sent = upload === undefined ? undefined : 'x'.repeat(upload);
  const answer = await send(`${peer.url}${path}`, { ...options, body: sent });
  if (answer.status !== status) return `answered ${answer.status} instead of ${status}`;
  if (body === undefined || answer.body === body) return null;
  return `the body has ${answer.body.length} bytes and begins with ${answer.body.slice(0, 100)}`;
}

/** Checks every peer's answer to the case, and to each token that must be refused. */
export async function checkAnswers({ backend, peers }, item, tokens) {
  const path = '/orders';
  const right = item.express ? await get(`${backend.url}${item.path}`) : null;
  for (const peer of peers) {
    const body = item.status === 200 ? right?.body ?? ANSWERS[item.answer ?? 'order'] : undefined;
    const token = item.token && tokens[item.token];
    expect(`${peer.name}, ${item.name}`, await probe(peer, { ...item, token, body }));
    if (!peer.refuses) continue;
    const before = await reached(backend);
    const asked = await introspections(peer);
    for (const name of REFUSED) {
      const bad = name && tokens[name];
      expect(`${peer.name}, token ${name}`, await probe(peer, { path, token: bad, status: 401 }));
    }
    const more = (await introspections(peer)) - asked;
    const passed = before === null ? 0 : (await reached(backend)) - before - 1 - more;
    expect(`${peer.name}, refusals`, passed === 0 ? null : `${passed} reached the backend`);
  }
}
