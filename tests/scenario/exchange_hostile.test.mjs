// Token exchange, read by somebody who means harm: what other issuers' tokens, names and changes of the
// configuration could do to a gateway and to who operates it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { exchange, exchanger, refused } from '../harness/exchange.mjs';
import { command } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { SELF, tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const parts = {
  service: 'token_rate = "" reuse = 0',
  keys: jwksOf(key),
  route: 'issuers = {"self", "main"}',
  issuer: 'max_token = "64K"',
};
const anyone = { exchange_from: '{main/*,self/*}', delegation: 'allowed' };
let house;
let plain;
let warden;
let bff;
let box;

before(async () => {
  house = await tokenHouse(undefined, parts);
  plain = await house.client({ id: 'plain', scopes: ['read'] });
  warden = await house.client({ revocation: 'any' });
  bff = await house.client(exchanger({ id: 'bff', ...anyone }));
  box = await house.client(exchanger({ id: 'box', format: 'opaque', ...anyone }));
});
after(() => house.stop());

const own = async (client) => (await house.token(client)).json.access_token;
const ask = (token) => get(`${house.gw.url}/orders`, { token });

async function exchanged(client, subject, form) {
  const answer = await exchange(house, client, subject, form);
  assert.equal(answer.status, 200, answer.body);
  return answer.json.access_token;
}

/** The token that comes of it works, or there is none. */
async function goodOrNone(client, subject, form) {
  const answer = await exchange(house, client, subject, form);
  if (answer.status === 200) assert.equal((await ask(answer.json.access_token)).status, 200);
  else await refused(answer, 'invalid_request', /^subject_token: /);
  return answer.status;
}

async function operator(...args) {
  const { text, files } = house;
  const end = await command(['-c', 'gatehouse.conf', ...args], { conf: text, files });
  assert.equal(end.code, 0, end.stderr);
  return end.stdout;
}

test('no token is given that can not be used: act as deep as can be read', async () => {
  const actor_token = await own(bff);
  const nested = (levels) => (levels === 0 ? 1 : [nested(levels - 1)]);
  const of = (levels) => mint(key, { act: { sub: 'x', deep: nested(levels) } });
  assert.equal(await goodOrNone(bff, await of(16), { actor_token }), 200);
  assert.equal(await goodOrNone(bff, await of(17)), 200);
  assert.equal(await goodOrNone(bff, await of(17), { actor_token }), 400);
});

test('no token is given that can not be used: as many names as can be read', async () => {
  const of = (n) =>
    mint(key, { act: Object.fromEntries(Array.from({ length: n }, (_, i) => [`n${i}`, 1])) });
  assert.equal(await goodOrNone(bff, await of(255)), 200);
  assert.equal(await goodOrNone(bff, await of(256)), 400);
});

test('no token is given that can not be used: text that grows as it is written', async () => {
  for (let n = 1000; n <= 4000; n += 200)
    await goodOrNone(box, await mint(key, { sub: 'a"'.repeat(n) }));
  assert.equal(await goodOrNone(box, await mint(key, { sub: 'a"'.repeat(1000) })), 200);
  assert.equal(await goodOrNone(box, await mint(key, { sub: 'a"'.repeat(3000) })), 400);
});

test('what an issuer may write, however large, is answered', async () => {
  for (const n of [8_000, 16_000, 22_000]) {
    const may_act = { sub: 'bff', x: '['.repeat(n) };
    const subject = await mint(key, { may_act, act: { sub: '['.repeat(n) } });
    await refused(exchange(house, bff, subject), 'invalid_request', /too large/);
  }
  assert.doesNotMatch(house.gw.log(), /signal/);
});

test('a client is no user of its name, whoever acts for it', async () => {
  for (const client of [bff, box]) {
    const once = await exchanged(client, await own(plain));
    for (const token of [once, await exchanged(client, once)]) {
      assert.equal((await ask(token)).status, 200);
      const { headers } = house.api.seen.at(-1);
      assert.equal(headers['x-credential-identifier'], client.id);
      assert.equal(headers['x-authenticated-userid'], undefined);
    }
    await ask(await exchanged(client, await mint(key, { sub: 'plain' })));
    assert.equal(house.api.seen.at(-1).headers['x-authenticated-userid'], 'plain');
  }
});

test('a terminal obeys no subject', async () => {
  await exchanged(bff, await mint(key, { sub: 'eve\u009b2J\u202e', jti: 'j\u009b31m', scope: 'a\u0085b' }));
  const table = await operator('token', 'list');
  assert.match(table, /eve\?\?2J/);
  assert.doesNotMatch(table, /[\u0080-\u009f\u202e]/);
  const json = await operator('token', 'list', '--json');
  assert.doesNotMatch(json, /[\u0080-\uffff]/);
  assert.ok(JSON.parse(json).some(({ subject }) => subject === 'eve\u009b2J\u202e'));
  const { text, files } = house;
  const forged = await mint(key, { iss: 'https://\u001b]0;x\u0007.test' });
  const end = await command(['-c', 'gatehouse.conf', 'token', 'revoke', forged], { conf: text, files });
  assert.equal(end.code, 1);
  assert.match(end.stderr, /its issuer "https:\/\/\?\]0;x\?\.test" is none of/);
});

test('a token of a long jti can be revoked by who operates', async () => {
  const subject = await mint(key, { jti: 'j'.repeat(3_000) });
  const child = await exchanged(bff, subject);
  await operator('token', 'revoke', subject);
  await until(async () => (await ask(child)).status === 401, 'the child to be refused');
  assert.equal((await ask(subject)).status, 401);
});

/* The order of P-256: with s, n - s too is a signature. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

function respelled(token) {
  const [header, payload, text] = token.split('.');
  const bytes = Buffer.from(text, 'base64url');
  const s = (ORDER - BigInt(`0x${bytes.toString('hex', 32)}`)).toString(16).padStart(64, '0');
  const signature = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s, 'hex')]);
  return [header, payload, signature.toString('base64url')].join('.');
}

for (const more of [{}, { jti: undefined }])
  test(`a signature can be spelled twice, a lineage not: ${Object.keys(more)}`, async () => {
    const subject = await mint(key, more);
    const again = respelled(subject);
    const child = await exchanged(bff, subject);
    const tokens = [subject, again, child, respelled(child), await exchanged(box, again)];
    tokens.push(await exchanged(box, respelled(child)));
    const statuses = () => Promise.all(tokens.map(async (token) => (await ask(token)).status));
    assert.deepEqual(new Set(await statuses()), new Set([200]));
    assert.equal((await house.revoke(warden, again)).status, 200);
    assert.deepEqual(new Set(await statuses()), new Set([401]));
  });

test('what was revoked stays so under another name of the token service', async (t) => {
  const there = await tokenHouse(t, parts);
  const judge = await there.client({ revocation: 'any' });
  const one = await there.client({ id: 'one', scopes: ['read'] });
  const two = await there.client(exchanger({ ...anyone, format: 'opaque' }));
  const fresh = async () => (await there.token(one)).json.access_token;
  const [subject, other] = [await fresh(), await fresh()];
  const child = (await exchange(there, two, subject)).json.access_token;
  const statuses = async (...tokens) =>
    (await Promise.all(tokens.map((token) => get(`${there.gw.url}/orders`, { token })))).map(
      ({ status }) => status,
    );
  assert.equal((await there.revoke(judge, subject)).status, 200);
  assert.deepEqual(await statuses(subject, child, other), [401, 401, 200]);
  /* no row tells by whom it was made, so none of them is the new one's */
  await there.gw.reload(there.text.replace(`issuer = "${SELF}"`, 'issuer = "https://new.test"'));
  assert.deepEqual(await statuses(subject, child, other, await fresh()), [401, 401, 401, 200]);
  await there.gw.reload(there.text);
  assert.deepEqual(await statuses(subject, child, other), [401, 401, 200]);
});
