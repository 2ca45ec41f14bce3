// The backend and all peers, up and answering right.

import { join } from 'node:path';
import { get } from '../harness/http.mjs';
import { until } from '../harness/wait.mjs';
import { REFUSED } from './cases.mjs';
import { BACKEND } from './peers.mjs';
import { family, freePort, pssOf, serve } from './processes.mjs';
import { expect } from './tally.mjs';
import { AUDIENCE, ISSUER } from './tokens.mjs';

export const FOLDER = new URL('../../build/bench', import.meta.url).pathname;
export const WORKERS = 2;
export const ANSWER =
  '{"id":17,"item":"teapot","quantity":1,"price":"24.90","currency":"EUR","note":"blue, with lid"}';

async function startOne(row, site, token) {
  const { command, args, files, name } = row;
  const server = serve({ command, args, files: files(site), folder: join(FOLDER, name) });
  const url = `http://127.0.0.1:${site.port}`;
  await until(async () => {
    server.check();
    // a gateway that has no keys yet says 503
    return get(url, { token }).then((answer) => answer.status < 500, () => false);
  }, `${name} to answer`);
  return { ...row, url, server, restMb: pssOf(family(server.pid)) };
}

/**
 * Starts the backend and the peers, and waits until each takes the token; gives { backend, peers },
 * each with its url and server.
 */
export async function startAll({ peers, connections }, jwks, token) {
  const port = await freePort();
  const common = { workers: WORKERS, connections, answer: ANSWER };
  const backend = await startOne(BACKEND, { ...common, port });
  const site = { ...common, backend: port, issuer: ISSUER, audience: AUDIENCE, jwks };
  const started = [];
  for (const row of peers) {
    const own = { ...site, port: await freePort(), adminPort: await freePort() };
    const direct = { ...row, url: backend.url, server: backend.server, restMb: null };
    started.push(row.command === undefined ? direct : await startOne(row, own, token));
  }
  return { backend, peers: started };
}

/** Requests the backend has answered since it started. */
export async function reached(backend) {
  const { body } = await get(`${backend.url}/status`);
  return Number(body.match(/requests\n\s*\d+ \d+ (\d+)/)[1]);
}

async function probe(peer, { path, status, token, body }) {
  const answer = await get(`${peer.url}${path}`, { token: token ?? undefined });
  if (answer.status !== status) return `answered ${answer.status} instead of ${status}`;
  if (body !== undefined && answer.body !== body) return `the body was ${answer.body}`;
  return null;
}

/** Checks every peer's answer to every case, and to each token that must be refused. */
export async function checkAnswers({ backend, peers }, cases, tokens) {
  const path = '/orders';
  for (const peer of peers) {
    for (const item of cases) {
      const body = item.status === 200 ? ANSWER : undefined;
      const token = item.token && tokens[item.token];
      expect(`${peer.name}, ${item.name}`, await probe(peer, { ...item, token, body }));
    }
    if (!peer.refuses) continue;
    const before = await reached(backend);
    for (const name of REFUSED) {
      const token = name && tokens[name];
      expect(`${peer.name}, token ${name}`, await probe(peer, { path, token, status: 401 }));
    }
    const passed = (await reached(backend)) - before - 1;
    expect(`${peer.name}, refusals`, passed === 0 ? null : `${passed} reached the backend`);
  }
}
