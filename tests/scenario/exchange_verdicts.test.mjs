// Token exchange, what must be refused: every bad token in either place, each with the error of
// RFC 8693 section 2.2.2 and a sentence that tells which check failed.

import assert from 'node:assert/strict';
import { createHmac, createPublicKey } from 'node:crypto';
import { after, before, test } from 'node:test';
import {
  ACCESS,
  GRANT,
  ID_TOKEN,
  JWT,
  REFRESH,
  exchange,
  exchanger,
  payload,
  refused,
  said,
} from '../harness/exchange.mjs';
import { ISSUER } from '../harness/gateway.mjs';
import { altered, b64, claims, forge, jwksOf } from '../harness/keys.mjs';
import { misSigned, mint, newKey, now, unsigned } from '../harness/keys.mjs';
import { SELF, tokenHouse } from '../harness/tokens.mjs';

const key = newKey('ES256');
const rsa = newKey('RS256');
const stranger = newKey('ES256');
let house;
let shop;
let plain;
let bff;
let warden;
let workers;

before(async () => {
  house = await tokenHouse(undefined, {
    service: 'token_rate = "" exchange_depth = 3',
    keys: jwksOf(key, rsa),
    route: 'issuers = {"self", "main"}',
  });
  shop = await house.client({ id: 'shop', format: 'jwt', scopes: ['read', 'write'] });
  plain = await house.client({ id: 'plain', scopes: ['read'] });
  bff = await house.client(
    exchanger({
      id: 'bff',
      exchange_from: '{plain,shop}',
      delegation: 'allowed',
      audiences: ['billing-api'],
    }),
  );
  warden = await house.client({ id: 'warden', revocation: 'any' });
  workers = await house.gw.workers();
});
/** Nothing of all this has ended a worker. */
after(async () => {
  const last = await house.gw.workers();
  await house.stop();
  assert.deepEqual(last, workers);
});

/* Refused as a bad subject or actor token is (RFC 8693 section 2.2.2). */
const invalid = (answer, sentence) => refused(answer, 'invalid_request', sentence);
const own = async (client, form) => (await house.token(client, form)).json.access_token;
const says = (token, sentence) => new RegExp(`^${token}: the token.*${sentence}`);

const pem = (key) =>
  createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' });

const modulus = ({ n }) => Buffer.from(n, 'base64url');

/** HS256 with what everybody knows as its secret. */
function keyed(secret, kid) {
  const text = `${b64({ alg: 'HS256', typ: 'at+jwt', kid })}.${b64(claims())}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

async function revoked(token) {
  assert.equal((await house.revoke(warden, token)).status, 200);
  return token;
}

const BFF = { sub: 'bff' };
const ROOT = { sub: 'root' };
const MORE = { scope: 'admin' };
const under = (other) => ({ header: { kid: other.kid } });
/** Rows: what is wrong, such a token, and what the answer says of it. */
const BAD = [
  ['expired', () => mint(key, { exp: now() - 3600 }), 'expired'],
  ['expires this very second', () => mint(key, { exp: now() }), 'expired'],
  ['exp missing', () => mint(key, { exp: undefined }), 'malformed'],
  ['exp as text', () => mint(key, { exp: String(now() + 60) }), 'malformed'],
  ['nbf in the future', () => mint(key, { nbf: now() + 120 }), 'not valid yet'],
  ['iat in the future', () => mint(key, { iat: now() + 120 }), 'not valid yet'],
  ['expired, with a rule for actors', () => mint(key, { exp: 1, may_act: BFF }), 'expired'],
  ['other content, signed as before', async () => altered(await mint(rsa), ROOT), 'signature'],
  ['more scope, signed as before', async () => altered(await mint(key), MORE), 'signature'],
  ['a damaged signature', async () => misSigned(await mint(rsa)), 'signature'],
  ['no signature', async () => (await mint(key)).replace(/[^.]*$/, ''), 'malformed'],
  ['another key of that name', () => forge(key, { signer: stranger.private }), 'signature'],
  ['ES256 under the name of an RSA key', () => forge(key, under(rsa)), 'algorithm'],
  ['RS256 under the name of an EC key', () => forge(rsa, under(key)), 'algorithm'],
  ['unknown kid', () => mint(stranger), 'key is unknown'],
  ['alg none', () => unsigned(), 'algorithm'],
  ['alg nOnE', () => unsigned({}, 'nOnE'), 'algorithm'],
  ['HS256 keyed with the public key’s PEM', () => keyed(pem(rsa.public), rsa.kid), 'algorithm'],
  ['HS256 keyed with its modulus', () => keyed(modulus(rsa.public), rsa.kid), 'algorithm'],
  ['HS256 keyed with nothing', () => keyed('', rsa.kid), 'algorithm'],
  ['another issuer', () => mint(key, { iss: 'https://evil.test' }), 'issuer'],
  ['no issuer', () => mint(key, { iss: undefined }), 'issuer'],
  ['said to be ours, signed by another', () => mint(key, { iss: SELF }), 'key is unknown'],
  ['meant for somebody else', () => mint(key, { aud: 'billing-api' }), 'audience'],
  ['meant for nobody', () => mint(key, { aud: undefined }), 'audience'],
  ['an ID token by its nonce', () => mint(key, { nonce: 'n' }, { typ: 'JWT' }), 'type'],
  ['an ID token by at_hash', () => mint(key, { at_hash: 'h' }, { typ: 'JWT' }), 'type'],
  ['a token of another kind', () => mint(key, {}, { typ: 'logout+jwt' }), 'type'],
  ['bound to a key', () => mint(key, { cnf: { jkt: 'x' } }), 'bound'],
  ['demands an extension', () => forge(key, { header: { crit: ['x'], x: 1 } }), 'extension'],
  ['encrypted', async () => `${await mint(key)}.a.b`, 'encrypted'],
  ['two parts', async () => (await mint(key)).replace(/\.[^.]*$/, ''), 'malformed'],
  ['random bytes', () => b64(Buffer.alloc(300, 7)), 'malformed'],
  ['an opaque one of nobody', () => `gha_${'A'.repeat(75)}`, 'malformed'],
  ['a refresh token', () => `ghr_${'A'.repeat(64)}`, 'malformed'],
  ['too large', () => mint(key, { pad: 'x'.repeat(9000) }), 'too large'],
  ['claims of another form', () => forge(key, { payload: [claims()] }), 'malformed'],
  ['revoked', async () => revoked(await mint(key, { client_id: 'shop' })), 'revoked'],
  ['revoked, of our own', async () => revoked(await own(shop)), 'revoked'],
  ['revoked, opaque', async () => revoked(await own(plain)), 'revoked'],
];

for (const [name, make, sentence] of BAD)
  test(`as subject or actor: ${name}`, async () => {
    const token = await make();
    const good = await mint(key, { sub: 'alice' });
    /* the second time from what is remembered, and with whatever else */
    for (const form of [{}, {}, { actor_token: await mint(key, { sub: 'clerk' }) }]) {
      const answer = exchange(house, bff, token, form);
      await invalid(answer, says('subject_token', sentence));
    }
    for (let i = 0; i < 2; i += 1)
      await invalid(
        exchange(house, bff, good, { actor_token: token }),
        says('actor_token', sentence),
      );
    said(await exchange(house, bff, good, { actor_token: await own(bff) }));
  });

test('types that are not taken', async () => {
  const subject = await mint(key);
  const type = 'urn:ietf:params:oauth:token-type';
  for (const subject_token_type of [
    ID_TOKEN,
    REFRESH,
    `${type}:saml1`,
    `${type}:saml2`,
    `${type}:JWT`,
    `${ACCESS} `,
    'access_token',
    'x',
    '',
    undefined,
  ])
    await invalid(exchange(house, bff, subject, { subject_token_type }), /type/);
  const actor_token = await own(bff);
  for (const actor_token_type of [ID_TOKEN, REFRESH, `${type}:saml2`, 'x', '', undefined])
    await invalid(
      exchange(house, bff, subject, { actor_token, actor_token_type }),
      /actor_token/,
    );
  for (const requested_token_type of [ID_TOKEN, REFRESH, `${type}:saml1`, 'x'])
    await invalid(
      exchange(house, bff, subject, { requested_token_type }),
      /^requested_token_type/,
    );
  for (const subject_token_type of [ACCESS, JWT])
    said(await exchange(house, bff, subject, { subject_token_type }));
});

test('an opaque token is no jwt', async () => {
  const opaque = await own(plain);
  const jwt = await own(shop);
  said(await exchange(house, bff, opaque));
  const subject_token_type = JWT;
  await invalid(exchange(house, bff, opaque, { subject_token_type }), /jwt/);
  await invalid(
    exchange(house, bff, jwt, { actor_token: opaque, actor_token_type: JWT }),
    /jwt/,
  );
});

test('parameters that are missing, alone, empty or twice', async () => {
  const subject = await mint(key);
  for (const [form, sentence] of [
    [{ subject_token: undefined }, /subject_token/],
    [{ subject_token: '' }, /subject_token/],
    [{ actor_token_type: ACCESS }, /actor_token/],
    [{ actor_token: undefined, actor_token_type: ACCESS }, /actor_token/],
    [{ actor_token: '', actor_token_type: ACCESS }, /actor_token/],
    [{ subject_token: [subject, subject] }, /repeated/],
    [{ subject_token_type: [ACCESS, JWT] }, /repeated/],
    [{ actor_token: [subject, subject] }, /repeated/],
    [{ requested_token_type: [ACCESS, ACCESS] }, /repeated/],
    [{ scope: ['read', 'write'] }, /repeated/],
    [{ grant_type: [GRANT, GRANT] }, /repeated/],
  ])
    await invalid(exchange(house, bff, subject, form), sentence);
});

test('may_act: only whom it names', async () => {
  const actor = await own(bff);
  const clerk = await mint(key, { sub: 'clerk', client_id: 'desk' });
  const subject = (may_act) => mint(key, { sub: 'alice', may_act });
  const NAMED = [
    { sub: 'bff' },
    { sub: 'bff', iss: SELF },
    { client_id: 'bff' },
    { sub: 'bff', client_id: 'bff', iss: SELF },
    { sub: 'bff', note: 'members that are not known name nobody' },
  ];
  for (const may_act of NAMED) {
    said(await exchange(house, bff, await subject(may_act), { actor_token: actor }));
    const { may_act: kept } = said(await exchange(house, bff, await subject(may_act)));
    assert.equal(kept, undefined, 'it is not carried over');
  }
  const OTHERS = [
    { sub: 'other' },
    { sub: 'BFF' },
    { sub: 'bff ' },
    { sub: '' },
    { sub: 'bff', iss: ISSUER },
    { sub: 'bff', iss: '' },
    { sub: 'bff', client_id: 'other' },
    { sub: ['bff'] },
    { sub: null },
    { sub: { sub: 'bff' } },
    { iss: SELF },
    { note: 'bff' },
    {},
  ];
  for (const may_act of OTHERS)
    for (const form of [{}, { actor_token: actor }])
      await invalid(
        exchange(house, bff, await subject(may_act), form),
        /^subject_token: .*may_act/,
      );
  for (const may_act of ['bff', ['bff'], [{ sub: 'bff' }], null, true, 7])
    for (const form of [{}, { actor_token: actor }])
      await invalid(exchange(house, bff, await subject(may_act), form));
  said(await exchange(house, bff, await subject({ sub: 'clerk' }), { actor_token: clerk }));
  await invalid(exchange(house, bff, await subject({ sub: 'clerk' })), /may_act/);
  await invalid(
    exchange(house, bff, await subject({ sub: 'clerk', iss: SELF }), { actor_token: clerk }),
    /may_act/,
  );
});

test('may_act without an issuer names nobody of a third one', async (t) => {
  const third = newKey('ES256');
  const wide = await tokenHouse(t, {
    keys: jwksOf(key, third),
    service: 'token_rate = ""',
    more: `issuer "third" { issuer = "https://third.test" audience = {"orders-api"}
      jwks_file = "jwks.json" }`,
  });
  const client = await wide.client(exchanger({ exchange_from: '{main/*}', delegation: 'allowed' }));
  const iss = 'https://third.test';
  const actor_token = await mint(third, { iss, sub: 'clerk' });
  const may = async (may_act) =>
    exchange(wide, client, await mint(key, { sub: 'alice', may_act }), { actor_token });
  await invalid(may({ sub: 'clerk' }), /may_act/);
  assert.deepEqual(said(await may({ sub: 'clerk', iss })).act, {
    sub: 'clerk',
    iss,
    client_id: 'shop',
  });
  await invalid(exchange(wide, client, await mint(third, { iss })), /may not exchange/);
});

test('scope only within the subject’s, and written as it is', async () => {
  const subject = await mint(key, { scope: 'orders:read profile' });
  for (const scope of [
    'orders:write',
    'orders:read orders:write',
    'orders:read admin',
    'ORDERS:READ',
    'orders:rea',
    'orders:read\torders:write',
    'orders:read,profile',
    '*',
    '"',
  ]) {
    const answer = await exchange(house, bff, subject, { scope });
    await refused(answer, 'invalid_scope', /scope reaches further/);
  }
  assert.equal(said(await exchange(house, bff, subject, { scope: 'profile' })).scope, 'profile');
});

test('nothing comes of a subject token without scope, least of all more', async () => {
  const scopes = ['read', 'admin'];
  const rich = await house.client(exchanger({ exchange_from: '{shop}', scopes }));
  for (const scope of [undefined, '', '  ', []])
    for (const client of [bff, rich])
      for (const form of [{}, { scope: '' }, { scope: 'read' }, { scope: 'admin read' }]) {
        const answer = await exchange(house, client, await mint(key, { scope }), form);
        await refused(answer, 'invalid_scope', /nothing is left/);
      }
});

test('scope that was given up does not come back', async () => {
  const again = await house.client(exchanger({ id: 'again', exchange_from: '{bff,again}' }));
  const subject = await mint(key, { scope: 'read write' });
  const less = (await exchange(house, bff, subject, { scope: 'read' })).json.access_token;
  await refused(exchange(house, again, less, { scope: 'read write' }), 'invalid_scope');
  await refused(exchange(house, again, less, { scope: 'write' }), 'invalid_scope');
  const one = await exchange(house, again, less);
  assert.equal(said(one).scope, 'read');
  await refused(exchange(house, again, one.json.access_token, { scope: 'write' }), 'invalid_scope');
});

test('nothing grows along a chain: scope, life, nor who stands behind it', async () => {
  const step = await house.client(
    exchanger({ id: 'step', exchange_from: '{bff}', lifetime: 999_999 }),
  );
  const exp = now() + 120;
  const subject = await mint(key, { sub: 'alice', exp, scope: 'read' });
  const one = await exchange(house, bff, subject);
  const two = said(await exchange(house, step, one.json.access_token));
  assert.deepEqual([two.sub, two.exp, two.scope, two.lineage.length], ['alice', exp, 'read', 2]);
});

test('targets are the client’s own', async () => {
  const subject = await mint(key, { aud: ['orders-api', 'admin-api'] });
  for (const form of [
    { audience: 'admin-api' },
    { audience: 'orders-api admin-api' },
    { audience: ['billing-api', 'admin-api'] },
    { audience: 'BILLING-API' },
    { audience: SELF },
    { resource: 'https://elsewhere.test/' },
    { resource: 'billing-api' },
    { resource: 'https://elsewhere.test/#x', audience: 'billing-api' },
  ])
    await refused(exchange(house, bff, subject, form), 'invalid_target', /audience or resource/);
  const { aud } = said(await exchange(house, bff, subject, { audience: 'billing-api' }));
  assert.equal(aud, 'billing-api');
});

test('whose tokens: of nobody by default, and only of who is listed', async () => {
  const subject = await mint(key);
  const none = await house.client(exchanger());
  await invalid(exchange(house, none, subject), /may not exchange tokens of/);
  for (const [changes, gets] of [
    [{ client_id: 'shop' }, true],
    [{ client_id: undefined, azp: 'shop' }, true],
    [{ client_id: 'shop2' }, false],
    [{ client_id: 'sho' }, false],
    [{ client_id: 'Shop' }, false],
    [{ client_id: undefined, azp: undefined, sub: 'shop' }, false],
    [{ client_id: 'other', azp: 'shop' }, false],
    [{ client_id: 'main/shop' }, false],
  ]) {
    const answer = await exchange(house, bff, await mint(key, changes));
    if (gets) said(answer);
    else await invalid(answer, /may not exchange tokens of/);
  }
});

test('a client without the grant, or whose tokens need an actor', async () => {
  const subject = await mint(key);
  await refused(exchange(house, shop, subject), 'unauthorized_client', /grant_type/);
  const strict = await house.client(
    exchanger({ exchange_from: '{shop}', impersonation: 'denied', delegation: 'self' }),
  );
  await refused(exchange(house, strict, subject), 'unauthorized_client', /without an actor/);
  const alike = await mint(key, { sub: strict.id, client_id: strict.id });
  for (const actor_token of [await own(bff), alike])
    await refused(
      exchange(house, strict, subject, { actor_token }),
      'unauthorized_client',
      /its own/,
    );
  assert.deepEqual(
    said(await exchange(house, strict, subject, { actor_token: await own(strict) })).act,
    { sub: strict.id },
  );
  const lone = await house.client(exchanger({ exchange_from: '{shop}' }));
  await refused(
    exchange(house, lone, subject, { actor_token: await own(lone) }),
    'unauthorized_client',
    /with an actor/,
  );
});

test('a subject that is called like the client is not the client', async () => {
  await invalid(exchange(house, bff, await mint(key, { sub: 'bff' })), /name of a client/);
  const self = await house.client(
    exchanger({ id: 'self-served', exchange_from: '{self-served}', scopes: ['read'] }),
  );
  assert.equal(said(await exchange(house, self, await own(self))).sub, 'self-served');
  const forged = await mint(key, { sub: 'self-served', client_id: 'self-served' });
  await invalid(exchange(house, self, forged), /name of a client/);
  for (const sub of [undefined, '', 7, null, ['alice']])
    await invalid(exchange(house, bff, await mint(key, { sub })), /^subject_token/);
});

test('actors in a loop, of actors, or too many', async () => {
  const alice = await mint(key, { sub: 'alice', scope: 'read' });
  await invalid(exchange(house, bff, alice, { actor_token: alice }), /itself/);
  const again = await mint(key, { sub: 'alice', client_id: 'desk' });
  await invalid(exchange(house, bff, alice, { actor_token: again }), /itself/);
  const step = await house.client(
    exchanger({ id: 'loop', exchange_from: '{bff,loop}', delegation: 'allowed', scopes: ['read'] }),
  );
  const one = (await exchange(house, bff, alice)).json.access_token;
  await invalid(exchange(house, step, one, { actor_token: alice }), /itself/);
  const acted = await mint(key, { sub: 'clerk', act: { sub: 'x' } });
  const clerk = await mint(key, { sub: 'clerk' });
  const exchanged = (await exchange(house, bff, clerk)).json.access_token;
  for (const actor_token of [acted, exchanged])
    await invalid(exchange(house, bff, alice, { actor_token }), /^actor_token: .*act/);
  let token = one;
  for (let depth = 1; depth < 3; depth += 1)
    token = (await exchange(house, step, token)).json.access_token;
  assert.equal(payload(token).lineage.length, 3);
  await invalid(exchange(house, step, token), /too many/);
  const deep = (n) => (n === 0 ? { sub: 'a' } : { sub: 'a', act: deep(n - 1) });
  for (const n of [3, 30, 300])
    await invalid(exchange(house, bff, await mint(key, { act: deep(n) })));
});

test('act and lineage that somebody else made up', async () => {
  for (const act of ['bff', [], [{ sub: 'a' }], 7, true, { sub: 'a', act: 'b' }])
    await invalid(exchange(house, bff, await mint(key, { act })), /^subject_token/);
  /* of another issuer it says nothing: neither history nor revocation */
  const jti = 'of a foreign lineage';
  const lineage = [{ jti, client_id: 'root' }];
  const claimed = said(await exchange(house, bff, await mint(key, { lineage, consumer: 'root' })));
  assert.deepEqual(claimed.lineage.map((one) => one.client_id), ['shop']);
  assert.notEqual(claimed.consumer, 'root');
});

test('errors are told to nobody else, and no token is in any log', async () => {
  const subject = await mint(key, { sub: 'secret-subject' });
  await invalid(exchange(house, bff, misSigned(subject)));
  const wrong = await exchange(house, { ...bff, secret: 'x' }, subject);
  assert.deepEqual([wrong.status, wrong.json.error], [401, 'invalid_client']);
  const nobody = await exchange(house, undefined, subject);
  assert.deepEqual([nobody.status, nobody.json.error], [401, 'invalid_client']);
  await house.gw.logged((line) => line.verdict === 'subject_token');
  const everything = house.gw.log() + house.gw.accesses.text();
  assert.ok(!everything.includes(subject.split('.')[1]));
});
