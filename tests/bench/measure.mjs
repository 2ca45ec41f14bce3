// The rounds: each loads all peers in turn, in the opposite order of the round before, so that a
// machine that grows slower or faster favors none.

import { cpus } from 'node:os';
import { load, warm, wrongAnswers } from './load.mjs';
import { ANSWERS } from './peers.mjs';
import { cpuOf, cpuOfMachine, cpuOfSelf, cpuOfTree, family, pssOf } from './processes.mjs';
import { introspections, reached } from './site.mjs';
import { expect } from './tally.mjs';
import { POOLS } from './tokens.mjs';

/** The share of the machine that others may have in a round; above it the round is repeated. */
export const DISTURBED = 0.05;

const share = (part, total) => (total > 0 ? part / total : 0);

// what the kernel's clocks say at this moment
const readClocks = (pids, behind) => ({
  own: cpuOf(pids),
  backend: behind === null ? 0 : cpuOfTree(behind),
  self: cpuOfSelf(),
  machine: cpuOfMachine(),
  at: performance.now() * 1000,
});

function sampleOf({ a, b, result, peer, loadedMb, item, more }) {
  const usedUs = b.own.us - a.own.us;
  const userUs = b.own.userUs - a.own.userUs;
  const systemUs = b.own.systemUs - a.own.systemUs;
  const busyUs = b.machine.busyUs - a.machine.busyUs;
  const stolenUs = b.machine.stolenUs - a.machine.stolenUs;
  const oursUs = usedUs + (b.backend - a.backend) + (b.self - a.self);
  const perSecond = (result.requests * 1e6) / result.duration_us;
  const answerMb = (item.upload ?? ANSWERS[item.answer ?? 'order'].length) / 1e6;
  return {
    requests: result.requests,
    perSecond,
    mbPerSecond: perSecond * answerMb,
    cpuUs: share(usedUs, result.requests),
    // in ticks for what has ended meanwhile: an idle one may seem to have run backwards
    backendUs: share(Math.max(0, b.backend - a.backend), result.requests),
    systemShare: share(systemUs, userUs + systemUs),
    p50Ms: result.p50_us / 1000,
    p99Ms: result.p99_us / 1000,
    p999Ms: result.p999_us / 1000,
    maxMs: result.max_us / 1000,
    restMb: peer.restMb,
    loadedMb: peer.restMb === null ? null : loadedMb,
    // the share of the machine that other programs and the host took meanwhile
    disturbed: (Math.max(0, busyUs - oursUs) + stolenUs) / ((b.at - a.at) * cpus().length),
    ...more,
  };
}

async function checkReached({ backend, before, calls, result, name, item, connections }) {
  if (before === null) return;
  // what was under way when the load ended has reached the backend, but was not counted
  const told = item.status < 400 ? result.requests : 0;
  const more = (await reached(backend)) - before - 1 - calls - told;
  const right = more >= -calls && more <= 2 * connections;
  const wrong = right ? null : `${more} more than were answered`;
  expect(`${name}, ${item.name}, requests that reached the backend`, wrong);
}

/*
 * The first token of the pool that the peer has not seen, where each is to come once. A third is
 * sent before: the first entry in each page of a cache costs the page, once in a life. With less
 * than a sixth left the peer starts anew.
 */
async function unseen(site, peer, item, { connections }) {
  if (!item.once || !peer.caches) return 0;
  const { count } = POOLS[item.pool];
  if (peer.seen === undefined || peer.seen > (count * 5) / 6) {
    await peer.renew();
    peer.seen = Math.floor(count / 3);
    await warm({ url: peer.url, item, tokenFile: site.tokenFile, connections, count: peer.seen });
  }
  return peer.seen;
}

// one load of a proxy; a site of another kind brings a turn of its own
async function proxyTurn(site, peer, item, given, tokens) {
  const { backend, tokenFile } = site;
  const { seconds, connections, threads } = given;
  const first = await unseen(site, peer, item, given);
  const token = item.token && tokens[item.token];
  const before = await reached(backend);
  const asked = await introspections(peer);
  const what = { url: peer.url, item, token, tokenFile, seconds, connections, threads };
  return {
    load: (started) => load({ ...what, once: item.once, first }, started),
    async check(result) {
      peer.seen = first + result.requests + connections;
      const { name } = peer;
      expect(`${name}, ${item.name}, load`, wrongAnswers(result, item.status));
      const calls = (await introspections(peer)) - asked;
      await checkReached({ backend, before, calls, result, name, item, connections });
      return { callsPerSecond: peer.asks ? (calls * 1e6) / result.duration_us : null };
    },
  };
}

// one peer, one round
async function measure(site, peer, item, given, tokens) {
  const turn = await (site.turn?.(peer, item, given) ??
    proxyTurn(site, peer, item, given, tokens));
  const pids = family(peer.server.pid);
  const behind = peer.server === site.backend.server ? null : site.backend.server.pid;
  let a;
  const result = await turn.load(() => (a = readClocks(pids, behind)));
  const b = readClocks(pids, behind);
  const loadedMb = pssOf(pids);
  const more = await turn.check(result);
  const same = family(peer.server.pid).join() === pids.join();
  expect(`${peer.name}, processes`, same ? null : 'one was replaced under load');
  return sampleOf({ a, b, result, peer, loadedMb, item, more });
}

// each peer once: a map from its name to its sample
async function measureRound(site, order, item, given, tokens) {
  const round = new Map();
  for (const peer of order) {
    const seconds = given.warming ? peer.warmUpSeconds ?? 1 : given.seconds;
    const sample = await measure(site, peer, item, { ...given, seconds }, tokens);
    round.set(peer.name, sample);
    console.error(
      `${item.name}, ${peer.name}: ${Math.round(sample.perSecond)} requests/s, ` +
        `${sample.cpuUs.toFixed(1)} µs each, ${Math.round(sample.disturbed * 100)} % disturbed`,
    );
  }
  return round;
}

async function warmUp(site, item, given, tokens) {
  for (const peer of site.peers.filter(({ caches }) => item.warm && caches)) {
    const { connections } = given;
    const result = await warm({ url: peer.url, item, tokenFile: site.tokenFile, connections });
    expect(`${peer.name}, ${item.name}, every token once`, wrongAnswers(result, item.status));
  }
  if (!given.smoke) {
    await measureRound(site, site.peers, item, { ...given, warming: true }, tokens);
  }
}

/**
 * Gives the rounds asked for. One that was disturbed is put aside and repeated, whatever its
 * figures; when too many were, the least disturbed of them fill the gap.
 */
export async function measureCase(site, item, given, tokens) {
  await warmUp(site, item, given, tokens);
  const rounds = [];
  const most = (round) => Math.max(...[...round.values()].map((sample) => sample.disturbed));
  const quiet = () => rounds.filter((round) => most(round) <= DISTURBED).length;
  const patience = given.rounds * (given.smoke ? 1 : 2);
  while (quiet() < given.rounds && rounds.length < patience) {
    const order = rounds.length % 2 === 0 ? site.peers : [...site.peers].reverse();
    rounds.push(await measureRound(site, order, item, given, tokens));
  }
  const kept = rounds.sort((a, b) => most(a) - most(b)).slice(0, given.rounds);
  const samples = new Map(
    site.peers.map(({ name }) => [name, kept.map((round) => round.get(name))]),
  );
  return { samples, repeated: rounds.length - kept.length, disturbed: most(kept.at(-1)) };
}
