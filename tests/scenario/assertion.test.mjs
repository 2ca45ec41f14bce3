// private_key_jwt: a client signs who it is (RFC 7523 section 3), and each assertion works once.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { connections } from '../harness/http.mjs';
import { forge, jwksOf, misSigned, newKey, now, unsigned } from '../harness/keys.mjs';
import { SELF, tokenHouse } from '../harness/tokens.mjs';

const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const key = newKey('ES256');
let house;
let shop;

before(async () => {
  house = await tokenHouse(undefined, { service: 'auth_failures = ""' });
  shop = await clientWith(key);
});
after(() => house.stop());

async function clientWith(...keys) {
  const client = await house.client({ jwks: JSON.stringify(jwksOf(...keys)) });
  await house.db.query(
    `UPDATE clients SET secret_hash = NULL, secret_salt = NULL WHERE client_id = '${client.id}'`,
  );
  return client;
}

/** What a client says of itself; `changes` override, and undefined removes. */
function says(client, changes = {}) {
  const all = {
    iss: client.id,
    sub: client.id,
    aud: SELF,
    iat: now(),
    exp: now() + 60,
    jti: randomUUID(),
    ...changes,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

const made = (changes, { header, by = key, client = shop } = {}) =>
  forge(by, { header: { typ: 'JWT', ...header }, payload: says(client, changes) });

const ask = (assertion, form = {}, options) =>
  house.token(
    undefined,
    { client_assertion_type: TYPE, client_assertion: assertion, ...form },
    options,
  );

async function refused(assertion, form) {
  const answer = await ask(assertion, form);
  assert.equal(answer.status, 401, answer.body);
  assert.equal(answer.json.error, 'invalid_client');
}

test('an assertion authenticates its client', async () => {
  for (const changes of [
    {},
    { aud: [SELF] },
    { aud: ['x', `${SELF}/oauth2/token`] },
    { nbf: now(), exp: now() + 590.5 },
    { iat: undefined },
  ]) {
    const answer = await ask(made(changes));
    assert.equal(answer.status, 200, answer.body);
  }
  assert.equal((await ask(made(), { client_id: shop.id })).status, 200);
});

test('of all asymmetric algorithms, with or without a kid', async () => {
  for (const alg of ['RS256', 'PS256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']) {
    const own = newKey(alg);
    const client = await clientWith(own);
    assert.equal((await ask(made({}, { by: own, client }))).status, 200, alg);
    const header = { kid: undefined };
    assert.equal((await ask(made({}, { by: own, client, header }))).status, 200, alg);
  }
});

test('it works once, whoever sends it and on whichever worker', async () => {
  const assertion = made();
  const agent = connections(20);
  const answers = await Promise.all(
    Array.from({ length: 40 }, () => ask(assertion, {}, { agent })),
  );
  agent.destroy();
  assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
  assert.equal(answers.filter((answer) => answer.status === 401).length, 39);
});

test('what is wrong with what it says', async () => {
  for (const changes of [
    { iss: 'other' },
    { iss: undefined },
    { sub: undefined },
    { sub: 'other', iss: 'other' },
    { aud: 'https://other.test' },
    { aud: undefined },
    { aud: [] },
    { aud: `${SELF}/` },
    { exp: now() },
    { exp: now() - 1 },
    { exp: now() + 620 },
    { exp: now() + 3600 },
    { exp: undefined },
    { exp: 'soon' },
    { nbf: now() + 300 },
    { iat: now() + 300 },
    { jti: undefined },
    { jti: '' },
    { jti: 7 },
    { jti: 'x'.repeat(257) },
  ])
    await refused(made(changes));
});

test('what is wrong with how it is signed', async () => {
  const other = newKey('ES256', key.kid);
  const secret = newKey('HS256');
  await refused(misSigned(made()));
  await refused(made({}, { by: other }));
  await refused(unsigned(says(shop)));
  await refused(unsigned(says(shop), 'None'));
  await refused(made({}, { header: { kid: 'other' } }));
  await refused(made({}, { header: { kid: 7 } }));
  await refused(made({}, { header: { crit: ['x'], x: 1 } }));
  await refused(made({}, { header: { b64: false } }));
  await refused(made({}, { header: { alg: 'RS256' } }));
  await refused(forge(secret, { payload: says(shop) }));
  const client = await house.client({ jwks: JSON.stringify(jwksOf(secret)) });
  await refused(made({}, { by: secret, client }));
  for (const text of ['', 'a', 'a.b', 'a.b.c', `${made()}.x`, `${made()}=`, '..'])
    await refused(text);
});

test('the rest of the form must fit', async () => {
  await refused(made(), { client_id: 'other' });
  await refused(made(), { client_assertion_type: 'x' });
  await refused(made(), { client_assertion_type: '' });
  const both = await ask(made(), { client_id: shop.id, client_secret: 'x' });
  assert.equal(both.status, 400);
});

test('keys of one client are not another’s', async () => {
  const own = newKey('ES256', key.kid);
  const client = await clientWith(own);
  await refused(made({}, { client }));
  const without = await house.client();
  await refused(made({}, { client: without }));
  await refused(made({}, { client: { id: 'nobody' } }));
});
