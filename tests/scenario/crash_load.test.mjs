// Crash and load together: workers are killed and PostgreSQL is crashed and started again while tokens
// are issued, exchanged and revoked. Afterwards each token that was answered with 200 is in the store and
// works, unless it was revoked or came of one that was; and each revocation that was answered with 200
// holds, one by one.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { exchange, exchanger } from '../harness/exchange.mjs';
import { connections, get } from '../harness/http.mjs';
import { tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const ROUNDS = Number(process.env.CRASHES ?? 3);
const CLIENTS = 24;

/** What was promised: token -> { client, parent, revoked: when 200 came, tried: without a clear answer }. */
class Ledger {
  tokens = new Map();
  answers = new Map();
  broken = [];

  count(what) {
    this.answers.set(what, (this.answers.get(what) ?? 0) + 1);
  }

  issued(token, client, asked) {
    const known = this.tokens.get(token);
    if (known === undefined) this.tokens.set(token, { client });
    else if (known.revoked < asked) this.broken.push(`handed out after its revocation: ${token}`);
  }

  exchanged(token, client, parent, asked) {
    this.tokens.set(token, { client, parent });
    if (this.tokens.get(parent).revoked < asked)
      this.broken.push(`exchanged after its revocation: ${parent}`);
  }

  get living() {
    return [...this.tokens].filter(([, entry]) => !entry.revoked && !entry.tried);
  }
}

/** A user of the token service: asks for tokens, exchanges some, and now and then revokes one. */
async function user(house, { clients, desks }, ledger, going, number) {
  const agent = connections(1);
  for (let i = number; going.on; i += 1) {
    const client = clients[i % clients.length];
    const asked = performance.now();
    try {
      const answer = await house.token(client, {}, { agent });
      ledger.count(`token ${answer.status}`);
      if (answer.status !== 200) continue;
      const { access_token: token } = answer.json;
      ledger.issued(token, client, asked);
      if (i % 2 === 0) {
        const desk = desks[(i / 2) % desks.length];
        const since = performance.now();
        const swap = await exchange(house, desk, token, {}, { agent });
        ledger.count(`exchange ${swap.status}`);
        if (swap.status === 200) ledger.exchanged(swap.json.access_token, desk, token, since);
      }
      if (i % 3 !== 0) continue;
      const entry = ledger.tokens.get(token);
      entry.tried = true;
      const revoked = await house.revoke(client, token, { agent });
      ledger.count(`revoke ${revoked.status}`);
      if (revoked.status === 200) entry.revoked ??= performance.now();
    } catch (error) {
      ledger.count(error.code ?? error.message);
    }
  }
  agent.destroy();
}

const jti = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).jti;

/** The store's condition for the row of a token. */
const rowOf = (token) =>
  token.startsWith('gha_')
    ? ['digest', createHash('sha256').update(token).digest('hex')]
    : ['id', jti(token)];

/** Which of the tokens the store knows, and which of them it holds for revoked. */
async function storeOf(house) {
  const rows = await house.db.query("SELECT id, coalesce(encode(digest, 'hex'), '') FROM tokens");
  const gone = await house.db.query("SELECT value FROM revocations WHERE kind = 'jti'");
  const revoked = new Set(gone.map(([value]) => value));
  const known = new Map();
  for (const [id, digest] of rows) known.set(digest === '' ? id : digest, revoked.has(id));
  return known;
}

async function crash(house, ledger, round) {
  const size = ledger.tokens.size;
  const more = async (n) => until(() => ledger.tokens.size > size + n, 'more tokens', 30_000);
  await more(50);
  const workers = await house.gw.workers();
  process.kill(workers[round % workers.length], 'SIGKILL');
  await more(100);
  await house.db.restart('immediate');
  await more(150);
  /* both at once */
  const [worker] = await house.gw.workers();
  process.kill(worker, 'SIGKILL');
  await house.db.restart('immediate');
  await more(200);
}

test('what was answered with 200 has happened, whatever crashed', { timeout: 240_000 }, async (t) => {
  const house = await tokenHouse(t, {
    fast: false,
    workers: 3,
    service: 'token_rate = ""',
    accessLog: 'off',
  });
  const made = Array.from({ length: CLIENTS }, (_, i) =>
    house.client({ format: i % 2 === 0 ? 'jwt' : 'opaque', scopes: ['read'] }),
  );
  const clients = await Promise.all(made);
  const exchange_from = `{${clients.map(({ id }) => id)}}`;
  const desks = await Promise.all(
    ['jwt', 'opaque'].map((format) => house.client(exchanger({ format, exchange_from }))),
  );
  const ledger = new Ledger();
  const going = { on: true };
  const users = Array.from({ length: 12 }, (_, i) =>
    user(house, { clients, desks }, ledger, going, i * 7),
  );
  try {
    for (let round = 0; round < ROUNDS; round += 1) await crash(house, ledger, round);
  } finally {
    going.on = false;
    await Promise.all(users);
  }
  t.diagnostic([...ledger.answers].map(([what, n]) => `${what}: ${n}`).join(', '));
  assert.deepEqual(ledger.broken, []);
  for (const [what, least] of [['token', 500], ['exchange', 200], ['revoke', 50]])
    assert.ok(ledger.answers.get(`${what} 200`) > least, what);

  const known = await storeOf(house);
  const agent = connections(8);
  const orders = async (token) => (await get(`${house.gw.url}/orders`, { token, agent })).status;
  const wrong = [];
  for (const [token, { client, parent, revoked, tried }] of ledger.tokens) {
    const [, key] = rowOf(token);
    const stored = known.get(key);
    const gone = stored || (parent !== undefined && known.get(rowOf(parent)[1]));
    const status = await orders(token);
    const { active } = (await house.introspect(client, token, { agent })).json;
    if (stored === undefined) wrong.push(`not in the store: ${key}`);
    if (revoked && stored !== true) wrong.push(`its revocation is not in the store: ${key}`);
    if (!tried && stored !== false) wrong.push(`revoked by nobody: ${key}`);
    if (status !== (gone ? 401 : 200) || active !== !gone)
      wrong.push(`${status}, active ${active}, and in the store revoked ${gone}: ${key}`);
  }
  agent.destroy();
  t.diagnostic(`${ledger.tokens.size} tokens held against the store and the gateway`);
  assert.deepEqual(wrong, []);
});
