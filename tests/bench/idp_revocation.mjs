// How long a token still passes that its issuer has ended: from the moment the issuer knows it to
// the first request that is refused, for many tokens in use, in each way that it can be set up.

import { asking, introspectionServer } from '../harness/introspection.mjs';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { connections, get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { table } from './report.mjs';
import { expect } from './tally.mjs';

const TOKENS = 50;
/* Between two requests with a token. */
const EVERY_MS = 20;
const PATIENCE_MS = 15_000;
/* Upper ends of the columns. */
const EDGES_MS = [50, 250, 500, 750, 1000, 1500, 2000, 3000, 5500];

const SETTINGS = [
  { title: 'both, `revalidate = 1`', validate: 'both', more: 'revalidate = 1' },
  { title: 'both, `revalidate = 5`', validate: 'both', more: 'revalidate = 5' },
  { title: 'introspect, `introspection_ttl = 1`', more: 'introspection_ttl = 1' },
  { title: '`max_staleness = 0`', more: '', route: 'max_staleness = 0' },
];

const sleep = (ms) => new Promise((resume) => setTimeout(resume, ms));

/* One token: used for a while, ended, used until it is refused, and a few times more. */
async function timeOf({ idp, gw, agent, span }, token) {
  const status = async () => (await get(`${gw.url}/orders`, { token, agent })).status;
  const end = performance.now() + span * Math.random();
  do {
    const found = await status();
    if (found !== 200) return { wrong: `${found} before it was ended` };
    await sleep(EVERY_MS);
  } while (performance.now() < end);
  idp.forget(token);
  const since = performance.now();
  let passed = 0;
  for (; (await status()) === 200; passed += 1) {
    if (performance.now() - since > PATIENCE_MS) return { wrong: 'never refused' };
    await sleep(EVERY_MS);
  }
  const ms = performance.now() - since;
  for (let i = 0; i < 20; i += 1) {
    if ((await status()) === 200) return { wrong: 'it passed again' };
    await sleep(EVERY_MS);
  }
  return { ms, passed };
}

async function measureOne({ title, validate, more, route = '' }, key, span) {
  const [api, idp] = await Promise.all([backend(), introspectionServer()]);
  const text = conf({
    servers: [api.url],
    accessLog: 'off',
    // all tokens may be new at once
    issuer: asking(idp, { validate, more: `calls = ${4 * TOKENS} ${more}` }),
    route,
  });
  const gw = await gateway(text, { files: { 'jwks.json': jwksOf(key) } });
  const agent = connections(TOKENS);
  try {
    const tokens = await Promise.all(Array.from({ length: TOKENS }, () => mint(key)));
    tokens.forEach((token) => idp.know(token, { sub: 'ann' }));
    const site = { idp, gw, agent, span };
    const found = await Promise.all(tokens.map((token) => timeOf(site, token)));
    const wrong = found.filter((one) => one.wrong !== undefined).map((one) => one.wrong);
    const kinds = [...new Set(wrong)].join(', ');
    expect(`idp-revocation, ${title}`, wrong.length === 0 ? null : `${wrong.length}: ${kinds}`);
    const times = found.map(({ ms }) => ms).filter((ms) => ms !== undefined);
    const passed = Math.max(...found.map((one) => one.passed ?? 0));
    return { title, passed, times: times.sort((a, b) => a - b) };
  } finally {
    agent.destroy();
    await gw.stop();
    await Promise.all([idp.stop(), api.stop()]);
  }
}

/** Gives, for each setting, the sorted times in ms, and how many requests a token made in it. */
export async function measureRevocation({ smoke }) {
  const key = newKey('ES256');
  const found = [];
  for (const setting of SETTINGS) {
    const one = await measureOne(setting, key, smoke ? 500 : 6_000);
    console.error(`idp-revocation, ${one.title}: at most ${Math.round(one.times.at(-1))} ms`);
    found.push(one);
  }
  return found;
}

/** Of a setting, by its place in the list: the longest time, and the most requests that passed. */
export const longest = (place) => (found) => found[place].times.at(-1);
export const mostPassed = (place) => (found) => found[place].passed;

/** The histogram. */
export function revocationReport(found) {
  const columns = EDGES_MS.map((edge) => `${edge} ms`);
  const head = ['tokens refused within', ...columns, 'longest', 'requests passed'];
  const rows = found.map(({ title, passed, times }) => [
    title,
    ...EDGES_MS.map((edge, i) =>
      times.filter((ms) => ms <= edge && ms > (EDGES_MS[i - 1] ?? -1)).length || '',
    ),
    `${Math.round(times.at(-1))} ms`,
    `${passed}`,
  ]);
  return [
    '## From the end of a token at its issuer to the first refusal',
    table(head, rows),
    `\`idp-revocation\`. ${TOKENS} JWTs in use at a time, a request with each about every ` +
      `${EVERY_MS} ms; each is ended at a moment of its own. Between two columns is what took ` +
      'longer than the one and not longer than the other. Requests passed: the most that one ' +
      'token made after its end and got 200 for.',
  ].join('\n\n');
}
