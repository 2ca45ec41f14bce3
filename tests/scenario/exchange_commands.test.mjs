// Token exchange as an operator has it: clients made by commands, a policy that changes under a gateway
// that runs, and exchanged tokens looked at and revoked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchange, payload, refused } from '../harness/exchange.mjs';
import { command } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey, now } from '../harness/keys.mjs';
import { tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');

/** A gateway, commands on its configuration, and what the backend says to a token. */
async function operated(t) {
  const house = await tokenHouse(t, { keys: jwksOf(key), service: 'token_rate = "1000/s"' });
  const run = async (args, input) => {
    const words = typeof args === 'string' ? args.split(' ') : args;
    const end = await command(['-c', 'gatehouse.conf', ...words, '--json'], {
      conf: house.text, files: house.files, input,
    });
    assert.equal(end.code, 0, `${args}: ${end.stderr}`);
    return JSON.parse(end.stdout);
  };
  const add = async (...args) => {
    const made = await run(['client', 'add', '--consumer', 'shop', ...args]);
    return { id: made.client_id, secret: made.client_secret };
  };
  await run('consumer add shop');
  const ask = async (token) => (await get(`${house.gw.url}/orders`, { token })).status;
  return { house, run, add, ask };
}

const good = (answer) => {
  assert.equal(answer.status, 200, answer.body);
  return answer.json.access_token;
};

test('a change of the policy counts for the very next exchanges', async (t) => {
  const { house, run, add } = await operated(t);
  const edge = await add('--id', 'edge', '--grants', 'client_credentials token-exchange');
  const subject = await mint(key, { sub: 'alice', client_id: 'web' });
  const status = async (more) => (await exchange(house, edge, subject, more)).status;
  const change = async (args, expected, more) => {
    await run(['client', 'change', 'edge', ...args]);
    await until(async () => (await status(more)) === expected, `${args} to count`);
  };

  await refused(exchange(house, edge, subject), 'invalid_request', /may not exchange/);
  for (const names of ['web', 'main/web', 'main/*']) {
    await change(['--exchange-from', names], 200);
    await change(['--exchange-from', ''], 400);
  }
  await change(['--exchange-from', 'self/web'], 400);
  await change(['--exchange-from', 'self/* main/web'], 200);
  await change(['--impersonation', 'denied'], 400);
  const more = { actor_token: await mint(key, { sub: 'clerk', client_id: 'desk' }) };
  await change(['--delegation', 'allowed'], 200, more);
  await change(['--delegation', 'self'], 400, more);
  const self = { actor_token: (await house.token(edge)).json.access_token };
  assert.equal(await status(self), 200);
  await change(['--impersonation', 'allowed', '--grants', 'client_credentials'], 400);
  await change(['--grants', 'token-exchange'], 200);
});

for (const format of ['opaque', 'jwt'])
  test(`exchanged tokens (${format}) are seen and revoked by commands`, async (t) => {
    const { house, run, add, ask } = await operated(t);
    const edge = await add('--id', 'edge', '--grants', 'token-exchange', '--format', format,
      '--exchange-from', 'main/web self/*', '--delegation', 'allowed');
    const foreign = (jti) => mint(key, { jti, sub: 'alice', client_id: 'web', exp: now() + 90 });
    const actor = await mint(key, { sub: 'clerk', client_id: 'desk' });
    const first = good(await exchange(house, edge, await foreign('j1'), { actor_token: actor }));
    const second = good(await exchange(house, edge, first));
    const other = good(await exchange(house, edge, await foreign('j2')));

    const [seen] = await run('token list --limit 2').then((rows) => rows.slice(1));
    const inspected = await run('token inspect -', second);
    const { jti } = inspected.store;
    assert.deepEqual([seen.jti, seen.subject, seen.client_id], [jti, 'alice', 'edge']);
    assert.deepEqual(seen.lineage, inspected.store.lineage.map((one) => one.jti));
    assert.equal(seen.lineage[0], 'j1');
    assert.deepEqual(inspected.store.act, { sub: 'clerk', iss: 'https://id.test', client_id: 'desk' });
    assert.equal(inspected.store.subject, 'alice');
    if (format === 'jwt')
      assert.deepEqual(inspected.store.lineage, payload(second).lineage);
    for (const token of [first, second, other]) assert.equal(await ask(token), 200);

    await run('token revoke -', first);
    await until(async () => (await ask(second)) === 401, 'what came of it to be refused');
    assert.equal(await ask(other), 200);
    const { revoked, revocations } = await run('token inspect -', second);
    assert.deepEqual([revoked, revocations[0].ancestor], [true, seen.lineage[1]]);
    await run('token revoke --subject alice --issuer main');
    await until(async () => (await ask(other)) === 401, 'what came of the subject to be refused');
    await refused(exchange(house, edge, other), 'invalid_request', /^subject_token: .*revoked/);
  });

test('tokens without a row are revoked by what they say, and with their client', async (t) => {
  const { house, run, add, ask } = await operated(t);
  const edge = await add('--id', 'edge', '--grants', 'token-exchange', '--recording', 'none',
    '--exchange-from', 'main/*');
  const subject = await mint(key, { sub: 'alice', client_id: 'web', exp: now() + 90 });
  const [one, two] = [good(await exchange(house, edge, subject)), good(await exchange(house, edge, subject))];

  assert.deepEqual(await run('token list'), []);
  const inspected = await run('token inspect -', one);
  assert.deepEqual([inspected.store, inspected.revoked], [null, false]);
  await run('token revoke -', one);
  await until(async () => (await ask(one)) === 401, 'it to be refused');
  assert.equal((await run('token inspect -', one)).revoked, true);
  assert.equal(await ask(two), 200);
  await run('client remove edge');
  await until(async () => (await ask(two)) === 401, 'those of its client to be refused');
  assert.equal(payload(two).client_id, 'edge');
  assert.equal((await exchange(house, edge, subject)).status, 401);
});
