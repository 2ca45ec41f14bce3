// What is held in memory: by a proxy at rest, and for each idle connection, request under way and
// cached token. All from PSS, as the difference that a known number of them makes, so what the
// kernel keeps for sockets is not in it.

import { connect, createServer } from 'node:net';
import { until } from '../harness/wait.mjs';
import { CASES } from './cases.mjs';
import { warm, wrongAnswers } from './load.mjs';
import { family, pssOf } from './processes.mjs';
import { table } from './report.mjs';
import { startAll } from './site.mjs';
import { expect } from './tally.mjs';
import { poolFile } from './tokens.mjs';

const IDLE = 8_000;
const ACTIVE = 1_000;
const TOKENS = 100_000;
const MEASURED = ['nginx', 'haproxy', 'haproxy-jwt', 'gatehouse'];

const BASE = CASES.find(({ name }) => name === 'one-token');
const bytes = (count) => Math.round(count).toLocaleString('en-US');
const pss = (peer) => pssOf(family(peer.server.pid)) * 2 ** 20;

const head = (path, token) =>
  `GET ${path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${token}\r\n\r\n`;

/* Opens connections and sends a request on each; gives them once all have answered, or are held. */
async function open(peer, count, request, answered) {
  const port = new URL(peer.url).port;
  let heard = 0;
  let gone = 0;
  const sockets = [];
  for (let n = 0; n < count; n += 1) {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => socket.write(request));
    socket.once('data', () => (heard += 1));
    socket.on('close', () => (gone += 1));
    socket.on('error', () => {});
    sockets.push(socket);
    // no more than the peer's queue of connections takes
    if (n % 100 === 99) await until(() => answered(heard) >= n - 400, 'connections', 30_000);
  }
  await until(() => answered(heard) >= count || gone > 0, `${count} connections`, 30_000);
  expect(`${peer.name}, ${count} connections`, gone === 0 ? null : `${gone} were closed`);
  return sockets;
}

async function close(sockets) {
  const ends = sockets.map((socket) => new Promise((resolve) => socket.on('close', resolve)));
  sockets.forEach((socket) => socket.destroy());
  await Promise.all(ends);
}

/* As set up for few connections: some take memory for all they may have at the start. */
async function restOf(given, made, name) {
  const site = await startAll({ ...BASE, peers: [name] }, given, made.keys, made.tokens);
  await site.stop();
  return site.peers[0].restMb;
}

/* Bytes per connection that has been idle for three seconds: each has had one answer before. */
async function idleBytes(peer, token) {
  const before = pss(peer);
  const sockets = await open(peer, IDLE, head('/orders', token), (heard) => heard);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const grown = pss(peer) - before;
  await close(sockets);
  return grown / IDLE;
}

/* A backend that takes requests and leaves them without an answer. */
async function silentBackend() {
  let held = 0;
  const server = createServer((socket) => {
    socket.once('data', () => (held += 1));
    socket.on('error', () => {});
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, held: () => held, server };
}

/* Bytes per request that waits for the backend, its connections on both sides included. */
async function activeBytes(given, made, name) {
  const silent = await silentBackend();
  const item = { ...BASE, open: ACTIVE, peers: [name] };
  const site = await startAll({ ...item, silent: silent.port }, given, made.keys, made.tokens);
  const [peer] = site.peers;
  const before = pss(peer);
  const sockets = await open(peer, ACTIVE, head('/held', made.tokens.good), silent.held);
  const grown = pss(peer) - before;
  await close(sockets);
  silent.server.close();
  await site.stop();
  return grown / ACTIVE;
}

async function tokenBytes(given, made) {
  const many = { pool: 'hs256', count: TOKENS, cache: '64M' };
  const item = { ...BASE, ...many, peers: ['gatehouse'] };
  const site = await startAll(item, given, made.keys, made.tokens);
  const [peer] = site.peers;
  const before = pss(peer);
  const what = { url: peer.url, item, tokenFile: await poolFile('hs256') };
  const result = await warm({ ...what, connections: given.connections });
  expect('gatehouse, tokens to hold', wrongAnswers(result, 200));
  const grown = pss(peer) - before;
  await site.stop();
  return grown / TOKENS;
}

/** Measures; gives figures by peer (restMb, idle and active bytes), and tokens in bytes. */
export async function measureMemory(given, made) {
  const names = MEASURED.filter((name) => given.peers.some((peer) => peer.name === name));
  const found = {};
  for (const name of names) {
    const restMb = await restOf(given, made, name);
    const item = { ...BASE, open: IDLE, peers: [name] };
    const site = await startAll(item, given, made.keys, made.tokens);
    const [peer] = site.peers;
    const idle = await idleBytes(peer, made.tokens.good);
    await site.stop();
    const active = await activeBytes(given, made, name);
    found[name] = { title: peer.title, restMb, idle, active };
  }
  const tokens = names.includes('gatehouse') ? await tokenBytes(given, made) : null;
  return { ...found, tokens };
}

/** The table of memory. */
export function memoryReport({ tokens, ...found }) {
  const rows = Object.values(found).map(({ title, restMb, idle, active }) => [
    title,
    ...[restMb.toFixed(1), bytes(idle), bytes(active)],
  ]);
  const columns = ['2 workers', 'PSS MB at rest', 'bytes per idle connection'];
  const cached = `A cached token takes ${bytes(tokens)} bytes of shared memory`;
  return [
    '## Memory',
    table([...columns, 'bytes per request under way'], rows),
    `${bytes(IDLE)} idle connections, each after one answer; ${bytes(ACTIVE)} requests that wait ` +
      'for the backend, with their connections on both sides.' +
      (tokens === null ? '' : ` ${cached} (${bytes(TOKENS)} tokens in a cache of 64 MB).`),
  ].join('\n\n');
}
