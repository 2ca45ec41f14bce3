// Two gateways on one database: what one revokes the other refuses within a second, and one that was
// cut off catches up. CUT_SECONDS=60 makes the cut as long as that.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { command, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { relay } from '../harness/relay.mjs';
import { tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const CUT_MS = Number(process.env.CUT_SECONDS ?? 2) * 1000;
let house;
let net;
let near;
let far;
let shop;

before(async () => {
  house = await tokenHouse(undefined, { service: 'token_rate = "" reuse = 0' });
  near = house.gw;
  net = await relay(house.db.port);
  const text = house.text.replace(`127.0.0.1:${house.db.port}/`, `127.0.0.1:${net.port}/`);
  assert.notEqual(text, house.text);
  far = await gateway(text, { files: house.files });
  shop = await house.client({ format: 'jwt' });
});
after(async () => {
  await far?.stop();
  await net?.stop();
  await house.stop();
});

const status = async (gw, token) => (await get(`${gw.url}/orders`, { token })).status;

async function issue(gw = near, client = shop) {
  const answer = await house.token(client, {}, { gw });
  assert.equal(answer.status, 200, answer.body);
  return answer.json.access_token;
}

async function revoke(token, gw = near, client = shop) {
  const answer = await house.revoke(client, token, { gw });
  assert.equal(answer.status, 200, answer.body);
  return performance.now();
}

/** Milliseconds until a gateway refuses a token for good. */
// How long that takes is told, not held against the test: the machine may be busy with others.
async function refusedAfter(gw, token, since) {
  const seen = await until(async () => {
    const answer = await status(gw, token);
    return answer === 401 && answer;
  }, 'the other node to refuse the token');
  assert.equal(seen, 401);
  return performance.now() - since;
}

test('a token of one node is good on the other', async () => {
  for (const format of ['jwt', 'opaque']) {
    const client = await house.client({ format });
    for (const [maker, user] of [
      [near, far],
      [far, near],
    ])
      assert.equal(await status(user, await issue(maker, client)), 200, format);
  }
});

test('what one revokes the other refuses', async (t) => {
  const delays = [];
  for (let i = 0; i < 40; i += 1) {
    const [one, other] = i % 2 === 0 ? [near, far] : [far, near];
    const token = await issue(one);
    assert.equal(await status(other, token), 200);
    const at = await revoke(token, one);
    assert.equal(await status(one, token), 401, 'on its own node at the next request');
    delays.push(await refusedAfter(other, token, at));
  }
  delays.sort((a, b) => a - b);
  t.diagnostic(
    `refused by the other node after ${delays[20].toFixed(1)} ms (median), ` +
      `${delays.at(-1).toFixed(1)} ms (longest of ${delays.length})`,
  );
});

test('a family goes on both nodes', async () => {
  const app = await house.client({ grants: ['client_credentials', 'refresh_token'] });
  const { access_token: token, refresh_token: refresh } = (await house.token(app)).json;
  assert.equal(await status(far, token), 200);
  const at = await revoke(refresh, near, app);
  assert.equal(await status(near, token), 401);
  await refusedAfter(far, token, at);
});

/** An operator's command, on whatever machine. */
async function operator(...args) {
  const end = await command(['-c', 'gatehouse.conf', ...args], {
    conf: house.text,
    files: house.files,
  });
  assert.equal(end.code, 0, end.stderr);
  return performance.now();
}

test('what an operator revokes goes on both nodes: a jti, a subject, a client', async () => {
  for (const [option, of] of [
    ['--jti', ({ jti }) => jti],
    ['--subject', ({ sub }) => sub],
    ['--client', ({ client_id: id }) => id],
  ]) {
    const client = await house.client({ format: 'jwt' });
    const token = await issue(near, client);
    for (const gw of [near, far]) assert.equal(await status(gw, token), 200);
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    const at = await operator('token', 'revoke', option, of(claims));
    for (const gw of [near, far])
      await refusedAfter(gw, token, at);
    assert.equal(await status(far, await issue(far)), 200, 'others are not concerned');
  }
});

test('a changed client is known on both', async () => {
  const app = await house.client({ scopes: ['a', 'b'] });
  assert.equal((await house.token(app, { scope: 'b' }, { gw: far })).status, 200);
  await house.change(app, "scopes = '{a}'");
  await until(
    async () => (await house.token(app, { scope: 'b' }, { gw: far })).status === 400,
    'the other node to know the change',
  );
});

async function whileAway(cutOff, mend, cutMs) {
  const [known, dead, missed] = await Promise.all([issue(), issue(), issue()]);
  for (const token of [known, dead, missed]) assert.equal(await status(far, token), 200);
  await cutOff();
  await revoke(dead);
  const answer = await house.token(shop, {}, { gw: far });
  assert.equal(answer.status, 503, answer.body);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  await new Promise((resume) => setTimeout(resume, cutMs));
  await revoke(missed);
  assert.equal(await status(far, known), 200, 'validation goes on');
  const gone = [dead, missed].map((token) => status(far, token));
  for (const is of await Promise.all(gone)) assert.ok([200, 401, 503].includes(is));
  await mend();
  const at = performance.now();
  for (const token of [dead, missed]) await refusedAfter(far, token, at);
  await until(
    async () => (await house.token(shop, {}, { gw: far })).status === 200,
    'the node to issue tokens again',
  );
  assert.equal(await status(far, known), 200);
  return performance.now() - at;
}

test('one that was cut off catches up', async (t) => {
  const ms = await whileAway(net.cut, net.mend, CUT_MS);
  t.diagnostic(`caught up ${ms.toFixed(0)} ms after the connection was there again`);
});

test('so does one whose network hung without a word', async (t) => {
  const ms = await whileAway(net.hold, net.letGo, CUT_MS);
  t.diagnostic(`caught up ${ms.toFixed(0)} ms after the network went on`);
});

test('one that starts without the database refuses to guess, and then knows', async () => {
  const token = await issue();
  await revoke(token);
  const good = await issue();
  await net.cut();
  const late = await gateway(
    house.text.replace(`127.0.0.1:${house.db.port}/`, `127.0.0.1:${net.port}/`),
    { files: house.files },
  );
  try {
    for (const one of [token, good]) assert.equal(await status(late, one), 503);
    await net.mend();
    await until(async () => (await status(late, good)) === 200, 'the late node to know');
    assert.equal(await status(late, token), 401);
  } finally {
    await late.stop();
  }
});

test('a killed key takes its tokens along on both nodes, and the next key signs', async () => {
  const token = await issue();
  for (const gw of [near, far]) assert.equal(await status(gw, token), 200);
  const { kid } = JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));
  const at = await operator('keys', 'kill', kid);
  for (const gw of [near, far]) await refusedAfter(gw, token, at);
  for (const gw of [near, far])
    await until(async () => {
      const answer = await house.token(shop, {}, { gw });
      return answer.status === 200 && (await status(near, answer.json.access_token)) === 200;
    }, 'tokens of the next key');
});
