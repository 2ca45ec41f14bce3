// A steady stream of requests of several kinds over kept-alive connections, each answer tallied.

import { connections, send } from './http.mjs';

export class Tally {
  statuses = new Map();
  failures = [];
  sent = new Map();

  count(kind, status) {
    const key = `${kind} ${status}`;
    this.statuses.set(key, (this.statuses.get(key) ?? 0) + 1);
  }

  of(kind, status) {
    return this.statuses.get(`${kind} ${status}`) ?? 0;
  }

  get total() {
    return [...this.sent.values()].reduce((sum, n) => sum + n, 0);
  }
}

async function one(tally, url, kind, agent) {
  tally.sent.set(kind.name, (tally.sent.get(kind.name) ?? 0) + 1);
  try {
    const answer = await send(url, {
      agent,
      headers: { 'x-test-class': kind.name, ...kind.headers?.() },
      token: kind.token?.(),
    });
    tally.count(kind.name, answer.status);
  } catch (error) {
    tally.failures.push(`${kind.name}: ${error.code ?? error.message}`);
  }
}

/**
 * Sends `perSecond` requests a second, `total` in all, their kinds in turn, whatever the answers do
 * (an open loop, so a slow gateway cannot slow its load). Resolves to the Tally.
 */
export async function steady(url, kinds, { perSecond, total, sockets = 32 }) {
  const tally = new Tally();
  const agent = connections(sockets);
  const under = [];
  const start = performance.now();
  for (let sent = 0; sent < total;) {
    const due = Math.min(total, Math.ceil(((performance.now() - start) / 1000) * perSecond));
    for (; sent < due; sent += 1) under.push(one(tally, url, kinds[sent % kinds.length], agent));
    await new Promise((resume) => setTimeout(resume, 5));
  }
  await Promise.all(under);
  agent.destroy();
  return tally;
}

/**
 * Keeps `clients` kept-alive connections busy, each sending its next request when it has its
 * answer, until stop() is called. stop() resolves to the Tally.
 */
export function busy(url, kinds, { clients = 8 } = {}) {
  const tally = new Tally();
  let going = true;
  const client = async (number) => {
    const agent = connections(1);
    for (let i = number; going; i += 1) await one(tally, url, kinds[i % kinds.length], agent);
    agent.destroy();
  };
  const all = Array.from({ length: clients }, (_, number) => client(number));
  const stop = async () => {
    going = false;
    await Promise.all(all);
    return tally;
  };
  return { tally, stop };
}
