// What the JOSE header of a token may claim: algorithm, key, extensions, type.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import net from 'node:net';
import { once } from 'node:events';
import { b64, claims, forge, mint, newKey, unsigned } from '../harness/keys.mjs';
import { OTHER, WIDE, tokenGate } from '../harness/verdicts.mjs';

let gate;
let keys;
let wide;
let trap;
let trapped = 0;
const stranger = newKey('RS256', 'stranger');

before(async () => {
  gate = await tokenGate();
  ({ keys, wide } = gate);
  trap = net
    .createServer((socket) => {
      trapped += 1;
      socket.destroy();
    })
    .listen(0, '127.0.0.1');
  await once(trap, 'listening');
});
after(async () => {
  trap.close();
  await gate.stop();
});

/** One row: a token of this name is refused, with a description that matches. */
const refused = (name, token, says) =>
  test(`refused: ${name}`, async () => gate.refuses(await token(), says));
const passed = (name, token) =>
  test(`passed: ${name}`, async () => {
    await gate.passes(await token());
  });

const ALG = /algorithm|malformed|key/;

for (const alg of ['none', 'None', 'nOnE', 'NONE', '', ' none', 'none\u0000', undefined]) {
  refused(`alg ${JSON.stringify(alg)} without a signature`, () => unsigned({}, alg), ALG);
  refused(
    `alg ${JSON.stringify(alg)} with a good key's signature`,
    () => forge(keys.RS256, { header: { alg } }),
    ALG,
  );
}

for (const alg of [
  'rs256',
  'RS256 ',
  'RS512',
  'HS256',
  'RS1',
  'RSA-OAEP',
  'ES256K',
  256,
  null,
  ['RS256'],
  { alg: 'RS256' },
  true,
]) {
  refused(
    `alg ${JSON.stringify(alg)} over an RS256 signature`,
    () => forge(keys.RS256, { header: { alg } }),
    ALG,
  );
}

/* CVE-2015-9235: the public key taken for a shared secret, in each spelling it is known by. */
const pem = (jwk, type = 'spki') =>
  createPublicKey({ key: jwk, format: 'jwk' }).export({ type, format: 'pem' });
const CONFUSIONS = {
  'the PEM': (jwk) => pem(jwk),
  'the PEM without its last newline': (jwk) => pem(jwk).trimEnd(),
  'the PKCS#1 PEM': (jwk) => pem(jwk, 'pkcs1'),
  'the DER': (jwk) =>
    createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' }),
  'the JWK text': (jwk) => JSON.stringify(jwk),
  'the modulus': (jwk) => Buffer.from(jwk.n, 'base64url'),
  nothing: () => Buffer.alloc(0),
};
for (const [name, secret] of Object.entries(CONFUSIONS)) {
  const confused = (key, payload) =>
    forge(key, {
      header: { alg: 'HS256' },
      payload,
      alg: 'HS256',
      signer: { k: Buffer.from(secret(key.public)).toString('base64url') },
    });
  refused(`HS256 keyed with ${name} of an RS256 key`, () => confused(keys.RS256), ALG);
  refused(
    `HS256 keyed with ${name}, where HS256 is allowed too`,
    () => confused(wide.RS256, claims({ iss: WIDE })),
    ALG,
  );
}

/** Signed as `alg` says, by a key of the issuer that is meant for something else. */
const MISFITS = [
  ['RS256', 'PS256'],
  ['PS256', 'RS256'],
  ['RS256', 'RS512'],
  ['RS512', 'RS256'],
  ['ES256', 'ES384'],
  ['ES384', 'ES256'],
  ['ES512', 'ES256'],
  ['HS256', 'HS512'],
  ['HS512', 'HS256'],
  ['RS256', 'ES256'],
  ['ES256', 'EdDSA'],
  ['EdDSA', 'RS256'],
  ['HS256', 'EdDSA'],
];
for (const [of, alg] of MISFITS) {
  refused(
    `alg ${alg} with the kid of a key for ${of}, signed by the key for ${alg}`,
    () =>
      forge(wide[alg], {
        header: { alg, kid: wide[of].kid },
        payload: claims({ iss: WIDE }),
      }),
    ALG,
  );
}
for (const [of, alg] of [
  ['RS256', 'PS256'],
  ['RS256', 'RS512'],
  ['HS512', 'HS256'],
  ['ES384', 'ES256'],
]) {
  refused(
    `alg ${alg} signed by the key for ${of}`,
    () =>
      forge(wide[of], {
        header: { alg },
        payload: claims({ iss: WIDE }),
        alg,
      }),
    /algorithm|key|signature/,
  );
}
refused(
  'an algorithm its key allows and its issuer does not',
  () => forge(wide.ES384, { header: {} }),
  /algorithm|key/,
);

const KIDS = [
  '../../dev/null',
  '/proc/self/environ',
  "' OR '1'='1",
  '"; DROP TABLE keys; --',
  'a\u0000b',
  '',
  'x'.repeat(257),
  'x'.repeat(4000),
  '%2e%2e/',
  '\r\nX-Consumer-ID: root',
  'jwks.json',
  '🗝',
  17,
  null,
  ['a'],
  { kid: 'a' },
  true,
];
for (const kid of KIDS) {
  const name = JSON.stringify(kid).slice(0, 40);
  refused(
    `kid ${name}, truly signed`,
    () => forge(keys.RS256, { header: { kid } }),
    /key|malformed/,
  );
  refused(
    `kid ${name}, signed with an empty secret`,
    () =>
      forge(wide.HS256, {
        header: { kid },
        payload: claims({ iss: WIDE }),
        signer: { k: '' },
      }),
    /key|malformed|signature/,
  );
}
refused(
  'kid of 10 kB',
  () => forge(keys.RS256, { header: { kid: 'k'.repeat(10_000) } }),
  /large|malformed/,
);
refused(
  "another issuer's kid",
  () => forge(keys.RS256, { header: { kid: gate.other.kid } }),
  /key/,
);
refused(
  'the kid in another case',
  () => forge(keys.RS256, { header: { kid: keys.RS256.kid.toLowerCase() } }),
  /key/,
);
refused("another issuer's key and kid with this issuer's name", () => forge(gate.other), /key/);
refused(
  "this issuer's key and kid with another issuer's name",
  () => forge(keys.RS256, { payload: claims({ iss: OTHER }) }),
  /key/,
);

const trapUrl = (scheme) => `${scheme}://127.0.0.1:${trap.address().port}/keys`;
for (const name of ['jku', 'x5u']) {
  for (const scheme of ['http', 'https']) {
    refused(
      `${name} over ${scheme} with a stranger's key`,
      () => forge(stranger, { header: { [name]: trapUrl(scheme) } }),
      /key/,
    );
  }
  test(`never followed: ${name} on a good token`, async () => {
    await gate.passes(forge(keys.RS256, { header: { [name]: trapUrl('http') } })).catch(() => {});
  });
}
test('jku and x5u made no connection', () => assert.equal(trapped, 0));
refused(
  'jwk embedded, the stranger signs',
  () => forge(stranger, { header: { jwk: stranger.public } }),
  /key/,
);
refused(
  'jwk embedded under a known kid, the stranger signs',
  () => forge(stranger, { header: { jwk: stranger.public, kid: keys.RS256.kid } }),
  /signature/,
);
refused(
  'x5c embedded, the stranger signs',
  () =>
    forge(stranger, {
      header: { x5c: [pem(stranger.public).split('\n').slice(1, -2).join('')] },
    }),
  /key|malformed/,
);
refused(
  'x5t of a stranger',
  () => forge(stranger, { header: { x5t: 'AAAA', 'x5t#S256': 'AAAA' } }),
  /key/,
);

const CRITS = [
  { crit: ['urn:unknown'], 'urn:unknown': 1 },
  { crit: [] },
  { crit: ['exp'] },
  { crit: ['b64'] },
  { crit: ['b64'], b64: true },
  { crit: ['b64'], b64: false },
  { b64: false },
  { crit: 'urn:unknown' },
  { crit: [1] },
  { crit: null },
  { crit: {} },
  { crit: ['alg'] },
];
for (const header of CRITS) {
  refused(
    `header ${JSON.stringify(header)}`,
    () => forge(keys.RS256, { header }),
    /malformed|extension/,
  );
}

const top = (text) => forge(keys.RS256, { header: text });
const kid = () => JSON.stringify(keys.RS256.kid);
const DUPLICATES = {
  'alg twice, none first': () => top(`{"alg":"none","typ":"at+jwt","alg":"RS256","kid":${kid()}}`),
  'alg twice, none last': () => top(`{"alg":"RS256","kid":${kid()},"alg":"none"}`),
  'alg twice, the same': () => top(`{"alg":"RS256","kid":${kid()},"alg":"RS256"}`),
  'alg twice, once escaped': () => top(`{"alg":"RS256","kid":${kid()},"\\u0061lg":"none"}`),
  'kid twice': () => top(`{"alg":"RS256","kid":${kid()},"kid":"other"}`),
};
for (const [name, token] of Object.entries(DUPLICATES))
  refused(`header with ${name}`, token, /malformed/);

for (const text of [
  '[]',
  '"RS256"',
  '1',
  'null',
  'true',
  '',
  '{',
  '{}',
  '{"alg":"RS256"',
  '\ufeff{}',
  '{"alg":"RS256"} x',
]) {
  refused(`header ${JSON.stringify(text)}`, () => top(text), /malformed|algorithm/);
}
refused('header with a comment', () => top(`{"alg":"RS256",/* */"kid":${kid()}}`), /malformed/);
refused(
  'header in UTF-16',
  () =>
    forge(keys.RS256, {
      header: Buffer.from(`{"alg":"RS256","kid":${kid()}}`, 'utf16le').toString('latin1'),
    }),
  /malformed/,
);

/* RFC 8725 section 3.11, RFC 9068 section 4: one kind of token is not taken for another. */
for (const typ of [
  'id_token+jwt',
  'rt+jwt',
  'dpop+jwt',
  'logout+jwt',
  'secevent+jwt',
  'token-introspection+jwt',
  'Refresh',
  'ID',
  'JOSE',
  'at+jwt ',
  '',
  'at',
  'xat+jwt',
  17,
  ['at+jwt'],
  null,
]) {
  refused(
    `typ ${JSON.stringify(typ)}`,
    () => forge(keys.RS256, { header: { typ } }),
    /type|malformed/,
  );
}
for (const typ of ['at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', 'jwt', undefined]) {
  passed(`typ ${typ}`, () => forge(keys.RS256, { header: { typ } }));
}
refused(
  'an ID token, known by its nonce',
  () => mint(keys.RS256, { nonce: 'n' }, { typ: 'JWT' }),
  /type|access token/,
);
refused(
  'an ID token, known by its at_hash',
  () => mint(keys.RS256, { at_hash: 'h' }, { typ: 'JWT' }),
  /type|access token/,
);
for (const typ of ['ID', 'Refresh', 'Offline']) {
  refused(
    `a token that calls itself ${typ} in its claims`,
    () => mint(keys.RS256, { typ }, { typ: 'JWT' }),
    /type|access token/,
  );
}
passed('typ Bearer in the claims, as Keycloak writes', () =>
  mint(keys.RS256, { typ: 'Bearer' }, { typ: 'JWT' }),
);

refused(
  'a JWE',
  () => `${b64({ alg: 'RSA-OAEP', enc: 'A256GCM', zip: 'DEF' })}.${'A'.repeat(342)}.AAAA.AAAA.AAAA`,
  /malformed|encrypted/,
);
refused(
  'a JWE with a huge PBES2 count',
  () =>
    `${b64({
      alg: 'PBES2-HS512+A256KW',
      enc: 'A256GCM',
      p2c: 2_000_000_000,
      p2s: 'AAAA',
    })}.AAAA.AAAA.AAAA.AAAA`,
  /malformed|encrypted/,
);
refused(
  'a JWS header with enc',
  () => forge(keys.RS256, { header: { enc: 'A256GCM' } }),
  /malformed|encrypted/,
);
refused(
  'a JWS header with zip',
  () => forge(keys.RS256, { header: { zip: 'DEF' } }),
  /malformed|encrypted/,
);
refused(
  'a token nested in a token',
  async () =>
    forge(keys.RS256, {
      header: { cty: 'JWT' },
      payload: await mint(keys.RS256),
    }),
  /malformed/,
);
