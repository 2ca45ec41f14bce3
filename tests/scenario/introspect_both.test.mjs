// validate = "both": a JWT passes by its signature, its issuer is asked behind the scenes, and what
// it ends does not pass again, whatever the caches forget.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { flood } from '../harness/flood.mjs';
import { connections, get } from '../harness/http.mjs';
import { asked } from '../harness/introspection.mjs';
import { jwksOf, mint, misSigned, newKey, now } from '../harness/keys.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const files = { 'jwks.json': jwksOf(key) };

const house = (t, { more = 'revalidate = 1', ...options } = {}) =>
  asked(t, { validate: 'both', keys: 'jwks_file = "jwks.json"', files, more, ...options });

test('a good token passes at once, however slow its issuer is, and is asked about unseen', async (t) => {
  const { api, idp, gw, ask } = await house(t);
  const token = await mint(key, { sub: 'ann', jti: 'a' });
  idp.know(token, { sub: 'somebody else', aud: 'elsewhere' });
  idp.hold();
  const first = await ask(token);
  assert.equal(first.status, 200);
  await until(() => idp.calls === 1, 'the question');
  assert.equal((await ask(token)).status, 200);
  assert.equal(idp.calls, 1);
  idp.release();
  await until(async () => (await ask(token)).status === 200 && idp.calls === 3, 'two more');
  /* what the signature covers stays */
  assert.ok(api.seen.every(({ headers }) => headers['x-authenticated-userid'] === 'ann'));
  const line = await gw.logged(({ request_id: id }) => id === first.headers['x-request-id']);
  assert.equal(line.source, 'verified');
  assert.equal(line.duration_ms < 1000, true);
});

test('what the issuer ends is refused within revalidate, and stays so', async (t) => {
  const { idp, ask } = await house(t, { more: 'revalidate = 1 negative_ttl = 1' });
  const token = await mint(key, { jti: 'b' });
  idp.know(token);
  assert.equal((await ask(token)).status, 200);
  await until(() => idp.calls >= 1, 'the question');
  idp.forget(token);
  const since = Date.now();
  await until(async () => (await ask(token)).status === 401, 'the refusal');
  assert.ok(Date.now() - since < 5_000);
  /* over and over: the refusal is forgotten, the signature is good, and it is asked about first */
  const calls = idp.calls;
  await until(async () => {
    assert.equal((await ask(token)).status, 401);
    return idp.calls >= calls + 3;
  }, 'three more questions');
  idp.mode = 'error';
  await until(async () => (await ask(token)).status === 503, 'a question without an answer');
  for (let i = 0; i < 10; i += 1) assert.notEqual((await ask(token)).status, 200);
  /* its "no" was a hiccup */
  idp.mode = 'good';
  idp.know(token);
  await until(async () => (await ask(token)).status === 200, 'the token to pass again');
});

test('another spelling of a refused token is the same token', async (t) => {
  const { idp, ask } = await house(t, { more: 'revalidate = 1' });
  const token = await mint(key, { jti: 'c' });
  await until(async () => (await ask(token)).status === 401, 'the refusal');
  const [header, payload, signature] = token.split('.');
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const raw = Buffer.from(signature, 'base64url').toString('hex');
  const s = (order - BigInt(`0x${raw.slice(64)}`)).toString(16).padStart(64, '0');
  const twin = Buffer.from(raw.slice(0, 64) + s, 'hex').toString('base64url');
  const before = idp.calls;
  assert.equal((await ask(`${header}.${payload}.${twin}`)).status, 401);
  assert.equal(idp.calls, before + 1);
});

test('a flood that empties the caches revives nothing', async (t) => {
  const { idp, gw, ask } = await house(t, {
    accessLog: 'off',
    top: 'shared_memory { token_cache = "1M" negative_cache = "256K" }',
    more: 'revalidate = 1 negative_ttl = 60 rate = ""',
  });
  const token = await mint(key, { jti: 'd' });
  await until(async () => (await ask(token)).status === 401, 'the refusal');
  const calls = idp.callsFor(token);
  assert.equal((await ask(token)).status, 401);
  assert.equal(idp.callsFor(token), calls);
  /* the same with other signatures: each is a bad token of its own */
  const text = token.slice(0, token.lastIndexOf('.'));
  const bad = () => `${text}.${randomBytes(64).toString('base64url')}`;
  assert.deepEqual(await flood(gw, 8000, bad), { 401: 8000 });
  assert.equal((await ask(token)).status, 401);
  assert.ok(idp.callsFor(token) > calls, 'the refusal was never forgotten');
});

test('what a signature or a claim spoils is not asked about', async (t) => {
  const { idp, ask } = await house(t);
  const good = await mint(key, { jti: 'e' });
  for (const token of [
    misSigned(good),
    await mint(key, { exp: now() - 1 }),
    await mint(key, { aud: 'billing-api' }),
    await mint(newKey('ES256')),
  ])
    assert.equal((await ask(token)).status, 401);
  assert.equal(idp.calls, 0);
});

test('a token that is no JWT waits for its first answer, and is renewed unseen', async (t) => {
  const { idp, ask } = await house(t);
  idp.know('gold', { sub: 'ann' });
  assert.equal((await ask('gold')).status, 200);
  assert.equal(idp.calls, 1);
  await until(async () => (await ask('gold')).status === 200 && idp.calls >= 3, 'renewals');
  idp.forget('gold');
  await until(async () => (await ask('gold')).status === 401, 'the refusal');
});

test('without answers the token passes for max_staleness, then for stale_if_error, then not', async (t) => {
  const { idp, gw, ask } = await house(t, {
    route: 'max_staleness = 2',
    sections: 'route "lax" { paths = {"/lax"} upstream = "api" max_staleness = 2 stale_if_error = 600 }',
  });
  const token = await mint(key, { jti: 'f' });
  idp.mode = 'error';
  assert.equal((await ask(token)).status, 200);
  await gw.sees(/can't be asked about tokens/);
  await until(async () => (await ask(token)).status === 503, 'the end of max_staleness');
  for (let i = 0; i < 50; i += 1) assert.equal((await ask(token, '/lax')).status, 200);
  /* the provider is spared: a second, two, four */
  assert.ok(idp.calls < 40, `${idp.calls} questions`);
  idp.mode = 'good';
  idp.know(token);
  assert.equal((await ask(token)).status, 200);
});

test('max_staleness = 0 asks for every request, and refuses at once', async (t) => {
  const { idp, ask } = await house(t, { route: 'max_staleness = 0', more: 'negative_ttl = 0' });
  const token = await mint(key, { jti: 'g' });
  idp.know(token);
  for (let i = 1; i <= 5; i += 1) {
    assert.equal((await ask(token)).status, 200);
    assert.equal(idp.calls, i);
  }
  idp.forget(token);
  assert.equal((await ask(token)).status, 401);
  idp.know(token);
  assert.equal((await ask(token)).status, 200);
});

test('many live tokens are asked about once each in their time', async (t) => {
  const { idp, gw } = await house(t, { more: 'revalidate = 60', workers: 3 });
  const tokens = await Promise.all(
    Array.from({ length: 200 }, (_, i) => mint(key, { jti: `many-${i}` })),
  );
  tokens.forEach((token) => idp.know(token));
  const agent = connections(50);
  t.after(() => agent.destroy());
  const round = () =>
    Promise.all(tokens.map((token) => get(`${gw.url}/orders`, { token, agent })));
  await until(async () => {
    for (const { status } of await round()) assert.equal(status, 200);
    return idp.calls >= 200;
  }, 'all of them');
  for (let i = 0; i < 5; i += 1) await round();
  tokens.forEach((token) => assert.equal(idp.callsFor(token), 1));
});

const FULL = /shared_memory.inactive is too small/;

/** Has so many tokens refused, made by `fresh(name)`, that one more is not remembered. */
async function fill(t, gw, fresh) {
  const agent = connections(32);
  t.after(() => agent.destroy());
  for (let i = 0; i < 40 && !FULL.test(gw.log()); i += 1) {
    const tokens = await Promise.all(Array.from({ length: 400 }, (_, k) => fresh(`${i}-${k}`)));
    await Promise.all(tokens.map((token) => get(`${gw.url}/orders`, { token, agent })));
  }
  await gw.sees(FULL);
}

test('where no more can be remembered, a new token waits for its first answer', async (t) => {
  const { idp, gw, ask } = await house(t, {
    accessLog: 'off',
    top: 'shared_memory { inactive = "256K" }',
    more: 'negative_ttl = 60',
  });
  const fresh = (i) => mint(key, { jti: `x-${i}` });
  const known = await fresh('known');
  idp.know(known);
  assert.equal((await ask(known)).status, 200);
  await until(() => idp.callsFor(known) === 1, 'its question');
  await fill(t, gw, fresh);
  assert.equal((await ask(known)).status, 200);
  const late = await fresh('late');
  idp.know(late);
  idp.hold();
  const answer = ask(late);
  await until(() => idp.callsFor(late) === 1, 'the question');
  idp.forget(late);
  idp.release();
  assert.equal((await answer).status, 401);
});

test('and no longer than until what was to be remembered has expired', async (t) => {
  const { idp, gw, ask } = await house(t, {
    accessLog: 'off',
    top: 'shared_memory { inactive = "256K" }',
  });
  const exp = Math.floor(Date.now() / 1000) + 20;
  await fill(t, gw, (i) => mint(key, { jti: `y-${i}`, exp }));
  const over = /every token that shared_memory.inactive had no room for has expired/;
  await gw.errors.find((line) => over.test(line), over, 0, 60_000);
  assert.ok(Date.now() / 1000 >= exp);
  const late = await mint(key, { jti: 'late' });
  idp.know(late);
  idp.hold();
  assert.equal((await ask(late)).status, 200);
  idp.release();
});
