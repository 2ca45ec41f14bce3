// Introspection under attack: strangers who make the issuer look ill, answers made to be misread,
// and tokens that keep out of the caches.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { asked, asking, introspectionServer } from '../harness/introspection.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const files = { 'jwks.json': jwksOf(key) };

const house = (t, { more = 'revalidate = 1', ...options } = {}) =>
  asked(t, { validate: 'both', keys: 'jwks_file = "jwks.json"', files, more, ...options });

/** The provider answers questions about tokens that begin with "poison" by an error. */
function poisonable(idp) {
  const answer = idp.answer.bind(idp);
  idp.answer = (token) => (token.startsWith('poison') ? '{' : answer(token));
}

test('a token that its issuer chokes on is no trouble of the issuer: others are renewed', async (t) => {
  const { idp, gw, ask } = await house(t, {
    workers: 1,
    sections: `route "lax" { paths = {"/lax"} upstream = "api" max_staleness = 1
      stale_if_error = 600 }`,
    more: 'revalidate = 1 negative_ttl = 0',
  });
  poisonable(idp);
  const token = await mint(key, { jti: 'p' });
  idp.know(token);
  assert.equal((await ask(token)).status, 200);
  await until(() => idp.calls === 1, 'the question');
  for (let i = 0; i < 8; i += 1) assert.equal((await ask(`poison-${i}`)).status, 503);
  idp.forget(token);
  let n = 8;
  await until(async () => {
    assert.equal((await ask(`poison-${(n += 1)}`)).status, 503);
    return (await ask(token, '/lax')).status === 401;
  }, 'the refusal', 4000);
  assert.equal((await ask(token, '/lax')).status, 401);
  assert.ok(!gw.log().includes('poison-'));
});

test('an issuer that fails and answers in turn is told of once a second', async (t) => {
  const { idp, gw, ask } = await asked(t, { workers: 1, more: 'negative_ttl = 0' });
  poisonable(idp);
  for (let i = 0; i < 40; i += 1) {
    assert.equal((await ask(`poison-${i}`)).status, 503);
    assert.equal((await ask(`fine-${i}`)).status, 401);
  }
  const told = gw.log().match(/can't be asked|answers questions/g).length;
  assert.ok(told <= 8, `${told} lines`);
});

test('questions that nobody waits for leave room for one that somebody does', async (t) => {
  const { idp, ask } = await house(t, {
    workers: 1,
    more: 'revalidate = 1 calls = 8 timeout = 20',
    sections: 'route "now" { paths = {"/now"} upstream = "api" max_staleness = 0 }',
  });
  const tokens = await Promise.all(Array.from({ length: 16 }, (_, i) => mint(key, { jti: `r${i}` })));
  tokens.forEach((token) => idp.know(token));
  idp.hold();
  for (const token of tokens) assert.equal((await ask(token)).status, 200);
  await until(() => idp.calls >= 7, 'questions in the background');
  const urgent = await mint(key, { jti: 'urgent' });
  const waiting = ask(urgent, '/now');
  await until(() => idp.callsFor(urgent) === 1, 'the one that is waited for', 2000);
  idp.release();
  assert.equal((await waiting).status, 401);
});

test('a token too long for the cache does not pass without an answer beyond max_staleness', async (t) => {
  const { idp, ask } = await house(t, { route: 'max_staleness = 1', more: 'revalidate = 1' });
  const scope = Array.from({ length: 300 }, (_, i) => `scope:${i}`).join(' ');
  const token = await mint(key, { jti: 'long', scope });
  idp.mode = 'error';
  await until(async () => (await ask(token)).status === 503, 'its end', 4000);
  idp.mode = 'good';
  idp.know(token);
  assert.equal((await ask(token)).status, 200);
  idp.forget(token);
  await until(async () => (await ask(token)).status === 401, 'the refusal', 4000);
});

test('one issuer says no, and what another said of the token stays', async (t) => {
  const other = await introspectionServer();
  t.after(() => other.stop());
  const { api, idp, ask } = await asked(t, {
    route: 'issuers = {"main"}',
    more: 'rate = "1/h"',
    sections: `issuer "second" { issuer = "https://second.test" audience = {"orders-api"}
      ${asking(other, { more: 'negative_ttl = 0' })} }
      route "second" { paths = {"/second"} upstream = "api" issuers = {"second"} }`,
  });
  idp.know('gold', { sub: 'ann' });
  assert.equal((await ask('gold')).status, 200);
  for (let i = 1; i <= 5; i += 1) {
    assert.equal((await ask('gold', '/second')).status, 401);
    assert.equal(other.calls, i);
    assert.equal((await ask('gold')).status, 200);
  }
  assert.equal(idp.calls, 1);
  assert.equal(api.seen.length, 6);
});

/** The same token with its ECDSA signature in its other form. */
function twinOf(token) {
  const [header, payload, signature] = token.split('.');
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const raw = Buffer.from(signature, 'base64url').toString('hex');
  const s = (order - BigInt(`0x${raw.slice(64)}`)).toString(16).padStart(64, '0');
  return `${header}.${payload}.${Buffer.from(raw.slice(0, 64) + s, 'hex').toString('base64url')}`;
}

test('another spelling of a token that was ended does not pass as stale', async (t) => {
  const { idp, ask } = await house(t, {
    workers: 1,
    more: 'revalidate = 1',
    route: 'max_staleness = 1 stale_if_error = 600',
  });
  const token = await mint(key, { jti: 'twin' });
  const twin = twinOf(token);
  idp.know(token);
  idp.know(twin);
  for (const one of [token, twin]) {
    assert.equal((await ask(one)).status, 200);
    await until(() => idp.callsFor(one) === 1, 'its question');
  }
  idp.forget(token);
  await until(async () => (await ask(token)).status === 401, 'the refusal');
  idp.mode = 'error';
  await until(async () => (await ask(twin)).status === 503, 'the end of max_staleness', 4000);
});
