// What the claims of a truly signed token must say: times, issuer, audience, form.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { get } from '../harness/http.mjs';
import { b64, claims, forge, misSigned, mint, now } from '../harness/keys.mjs';
import { rawRequest, head } from '../harness/raw.mjs';
import { ISSUER } from '../harness/gateway.mjs';
import { assertRefused, tokenGate } from '../harness/verdicts.mjs';

let gate;
let key;

before(async () => {
  gate = await tokenGate({
    more: `route "scoped" { paths = {"/scoped"} upstream = "api" scopes = {"read"} }
           route "two" { paths = {"/two"} upstream = "api" scopes = {"read", "list"} }`,
  });
  key = gate.keys.ES256;
});
after(() => gate.stop());

const refused = (name, token, says) =>
  test(`refused: ${name}`, async () => gate.refuses(await token(), says));
const passed = (name, token) =>
  test(`passed: ${name}`, async () => {
    await gate.passes(await token());
  });

/** A token whose claims are this very text with `more` put in before the closing brace. */
const spelled = (more, changes) => {
  const text = JSON.stringify(claims(changes));
  return forge(key, { payload: `${text.slice(0, -1)},${more}}` });
};

passed('a good token', () => mint(key));
refused('expired', () => mint(key, { exp: now() - 60 }), /expired/);
refused('expired long ago', () => mint(key, { exp: 1 }), /expired/);
refused('expires this very second', () => mint(key, { exp: now() }), /expired/);
passed('exp with a fraction', () => forge(key, { payload: claims({ exp: now() + 300.5 }) }));
refused('exp missing', () => mint(key, { exp: undefined }), /expir|exp|malformed/);
for (const exp of [
  '1e400',
  '9223372036854775808',
  '18446744073709551616',
  '1e308',
  '-1',
  '-9223372036854775809',
  '0',
  '"123"',
  '"9999999999"',
  'true',
  'null',
  '[9999999999]',
  '{}',
  'Infinity',
  'NaN',
  '0x7fffffff',
  '+9999999999',
  '09999999999',
  '99999999999999999999999999999999',
]) {
  refused(`exp ${exp}`, () => spelled(`"exp":${exp}`, { exp: undefined }), /exp|malformed/);
}

refused('nbf in the future', () => mint(key, { nbf: now() + 120 }), /not valid yet/);
refused('iat in the future', () => mint(key, { iat: now() + 120 }), /not valid yet/);
passed('nbf within the leeway', () => mint(key, { nbf: now() + 2 }));
passed('iat within the leeway', () => mint(key, { iat: now() + 2 }));
passed('no iat', () => mint(key, { iat: undefined }));
for (const name of ['nbf', 'iat']) {
  for (const value of ['"123"', 'true', '1e400', '18446744073709551616', '[]', '{}']) {
    refused(
      `${name} ${value}`,
      () => spelled(`"${name}":${value}`, { [name]: undefined }),
      /malformed|not valid yet/,
    );
  }
}

for (const aud of ['orders-api', ['orders-api'], ['billing-api', 'orders-api']]) {
  passed(`aud ${JSON.stringify(aud)}`, () => forge(key, { payload: claims({ aud }) }));
}
for (const aud of [
  'billing-api',
  'orders-ap',
  'orders-api2',
  'Orders-API',
  'orders-api ',
  '',
  '*',
  [],
  ['x'],
  [''],
  [['orders-api']],
  17,
  null,
  true,
  { aud: 'orders-api' },
  'billing-api orders-api',
  'billing-api,orders-api',
  undefined,
]) {
  refused(
    `aud ${JSON.stringify(aud)}`,
    () => forge(key, { payload: claims({ aud }) }),
    /audience|malformed/,
  );
}

for (const iss of [
  `${ISSUER}/`,
  'https://id.test/other-tenant',
  'https://ID.test',
  'http://id.test',
  'id.test',
  '',
  '*',
  'https://id.test:443',
  'https://id.test%00',
  ' https://id.test',
  17,
  null,
  [ISSUER],
  { iss: ISSUER },
  undefined,
]) {
  refused(
    `iss ${JSON.stringify(iss)}`,
    () => forge(key, { payload: claims({ iss }) }),
    /issuer|malformed/,
  );
}

const twice = (text) => forge(key, { payload: text });
const rest = () => JSON.stringify(claims({ exp: undefined, sub: undefined })).slice(1, -1);
const DUPLICATES = {
  'exp twice, expired first': () => twice(`{"exp":1,"sub":"u",${rest()},"exp":${now() + 60}}`),
  'exp twice, expired last': () => twice(`{"exp":${now() + 60},"sub":"u",${rest()},"exp":1}`),
  'exp twice, once escaped': () =>
    twice(`{"exp":${now() + 60},"sub":"u",${rest()},"\\u0065xp":${now() + 90}}`),
  'sub twice': () => twice(`{"exp":${now() + 60},"sub":"u",${rest()},"sub":"root"}`),
  'a key twice deep inside': () =>
    twice(`{"exp":${now() + 60},"sub":"u",${rest()},"a":{"b":1,"b":2}}`),
};
for (const [name, token] of Object.entries(DUPLICATES))
  refused(`claims with ${name}`, token, /malformed/);

for (const payload of [
  '[]',
  '"claims"',
  '1',
  'null',
  'true',
  '',
  '{',
  '{}x',
  '{"a":1}{"b":2}',
  '\u0000',
  '{"a":}',
  "{'a':1}",
]) {
  refused(`claims ${JSON.stringify(payload)}`, () => forge(key, { payload }), /malformed/);
}
refused('claims of an empty object', () => forge(key, { payload: '{}' }), /malformed|exp|issuer/);

const NASTY = {
  'NUL in iss': () => spelled('"iss":"https://id.test\\u0000"', { iss: undefined }),
  'NUL in sub': () => spelled('"sub":"user-1\\u0000root"', { sub: undefined }),
  'NUL in aud': () => spelled('"aud":"orders-api\\u0000x"', { aud: undefined }),
  'NUL in an aud of several': () =>
    spelled('"aud":["orders-api\\u0000","orders-api"]', { aud: undefined }),
  'a lone surrogate in sub': () => spelled('"sub":"\\ud800"', { sub: undefined }),
  'invalid UTF-8 in sub': () =>
    forge(key, {
      payload: Buffer.concat([
        Buffer.from(JSON.stringify(claims({ sub: undefined })).slice(0, -1)),
        Buffer.from(',"sub":"\xff\xfe"}', 'latin1'),
      ]),
    }),
  'overlong UTF-8 in sub': () =>
    forge(key, {
      payload: Buffer.concat([
        Buffer.from(JSON.stringify(claims({ sub: undefined })).slice(0, -1)),
        Buffer.from(',"sub":"\xc0\xaf"}', 'latin1'),
      ]),
    }),
  'a raw NUL in the JSON': () => spelled('"x":"a\u0000b"'),
  'a raw newline in a string': () => spelled('"x":"a\nb"'),
};
for (const [name, token] of Object.entries(NASTY))
  refused(name, token, /malformed|issuer|audience/);
refused(
  'arrays nested 2,100 deep',
  () => spelled(`"a":${'['.repeat(2100)}${']'.repeat(2100)}`),
  /malformed/,
);
refused(
  'objects nested 900 deep, never closed',
  () => forge(key, { payload: '{"a":'.repeat(900) }),
  /malformed/,
);

for (const sub of [17, null, true, ['user-1'], { id: 1 }]) {
  refused(
    `sub ${JSON.stringify(sub)}`,
    () => forge(key, { payload: claims({ sub }) }),
    /malformed|consumer/,
  );
}

test('refused: a token of 8 KiB and one byte', async () => {
  const sized = (n) => forge(key, { payload: claims({ pad: 'x'.repeat(n) }) });
  const wanted = 8 * 1024 + 1;
  let pad = Math.floor(((wanted - sized(0).length) * 3) / 4);
  while (sized(pad).length < wanted) pad += 1;
  await gate.refuses(sized(pad), /large|malformed/);
  await gate.passes(sized(pad - 8));
});

test('refused: a token of 1 MB, without reading it all', async () => {
  const before = gate.api.hits;
  const { answers } = await rawRequest(
    gate.gw.port,
    head('GET /orders HTTP/1.1', 'Host: a', `Authorization: Bearer ${'A'.repeat(1_000_000)}`),
    { close: true },
  );
  if (answers.length > 0)
    assert.ok([401, 431].includes(answers[0].status), String(answers[0].status));
  assert.equal(gate.api.hits, before);
});

/* RFC 6749 section 3.3: scope is a list of words. */
const SCOPES = [
  ['read', '/scoped', 200],
  ['write read', '/scoped', 200],
  ['write  read', '/scoped', 200],
  ['readwrite', '/scoped', 403],
  ['read:all', '/scoped', 403],
  ['READ', '/scoped', 403],
  ['rea', '/scoped', 403],
  ['read,write', '/scoped', 403],
  ['', '/scoped', 403],
  [undefined, '/scoped', 403],
  ['read', '/two', 403],
  ['list read', '/two', 200],
  ['read list x', '/two', 200],
  ['readlist', '/two', 403],
];
for (const [scope, path, status] of SCOPES) {
  test(`scope ${JSON.stringify(scope)} at ${path}: ${status}`, async () => {
    const before = gate.api.hits;
    const answer = await get(`${gate.gw.url}${path}`, { token: await mint(key, { scope }) });
    assert.equal(answer.status, status, answer.body);
    assert.equal(gate.api.hits, before + (status === 200 ? 1 : 0));
    if (status === 200) return;
    assertRefused(answer, { status: 403, error: 'insufficient_scope' });
    const needed = path === '/two' ? 'read list' : 'read';
    assert.ok(
      answer.headers['www-authenticate'].includes(`scope="${needed}"`),
      answer.headers['www-authenticate'],
    );
  });
}

test('no description holds anything of the token', async () => {
  const secret = 'SECRETSECRET';
  const tokens = [
    await mint(key, { exp: 1, sub: secret }),
    forge(key, { header: { kid: secret } }),
    forge(key, { payload: claims({ iss: secret }) }),
    forge(key, { payload: claims({ aud: secret }) }),
    misSigned(await mint(key, { sub: secret })),
    `${b64({ alg: secret })}.${b64({})}.AAAA`,
  ];
  for (const token of tokens) {
    const answer = await get(`${gate.gw.url}/orders`, { token });
    assert.equal(answer.status, 401);
    assert.ok(!`${answer.body}${answer.rawHeaders}`.includes(secret));
    assert.ok(!answer.body.includes(token.slice(-16)));
  }
});
