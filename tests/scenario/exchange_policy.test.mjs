// Token exchange: which tokens are taken, whose, and who may act. What is not allowed is refused with the
// reason, and nothing is allowed by default.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  ACCESS,
  ID_TOKEN,
  JWT,
  REFRESH,
  exchange,
  exchanger,
  refused,
  said,
} from '../harness/exchange.mjs';
import { ISSUER, gateway } from '../harness/gateway.mjs';
import { altered, forge, jwksOf, mint, misSigned, newKey, now, unsigned } from '../harness/keys.mjs';
import { SELF, tokenHouse } from '../harness/tokens.mjs';

const key = newKey('ES256');
const otherKey = newKey('ES256');
const OTHER = 'https://other.test';
const STRICT = 'https://strict.test';
let house;
let shop;
let bff;

before(async () => {
  house = await tokenHouse(undefined, {
    service: 'token_rate = ""',
    keys: jwksOf(key),
    route: 'issuers = {"self", "main"}',
    more: `issuer "other" { issuer = "${OTHER}" audience = {"*"} jwks_file = "jwks.json"
      consumer_claim = "name" }
      issuer "strict" { issuer = "${STRICT}" audience = {"*"} jwks_file = "jwks.json"
      unknown_consumers = "refuse" consumers = {"listed"} }`,
  });
  shop = await house.client({ id: 'shop', consumer: 'acme', format: 'jwt', scopes: ['read'] });
  bff = await house.client(
    exchanger({ id: 'bff', exchange_from: '{shop,bff}', delegation: 'allowed' }),
  );
});
after(() => house.stop());

const own = async (client, form) => (await house.token(client, form)).json.access_token;
const elsewhere = (changes) => mint(key, { iss: OTHER, ...changes });
const bad = (subject, description, form, client = bff) =>
  refused(exchange(house, client, subject, form), 'invalid_request', description);

test('the form', async () => {
  const subject = await mint(key);
  for (const form of [
    { subject_token: undefined },
    { subject_token: '' },
    { subject_token_type: undefined },
  ])
    await bad(subject, /^subject_token .* missing$/, form);
  await bad(subject, /come together/, { actor_token_type: ACCESS });
  await bad(subject, /come together/, { actor_token: subject, actor_token_type: undefined });
  for (const type of [ID_TOKEN, REFRESH, 'access_token', `${ACCESS} `, `${JWT}:x`, 'x']) {
    await bad(subject, /_type must be/, { subject_token_type: type });
    await bad(subject, /_type must be/, { actor_token: subject, actor_token_type: type });
    await bad(subject, /requested_token_type/, { requested_token_type: type });
  }
  await bad(subject, /repeated/, { subject_token: [subject, subject] });
  await bad(subject, /repeated/, { scope: ['a', 'b'] });
  assert.equal((await exchange(house, bff, subject, { subject_token_type: JWT })).status, 200);
});

test('an opaque token is no jwt', async () => {
  const plain = await house.client({ id: 'plain', scopes: ['read'] });
  const opaque = await own(plain);
  await bad(opaque, /said to be a jwt/, { subject_token_type: JWT });
  await bad(await mint(key), /said to be a jwt/, { actor_token: opaque, actor_token_type: JWT });
});

test('a client without the grant, and none at all', async () => {
  await refused(exchange(house, shop, await mint(key)), 'unauthorized_client');
  const nobody = await exchange(house, undefined, await mint(key));
  assert.deepEqual([nobody.status, nobody.json.error], [401, 'invalid_client']);
});

test('each token is judged as on any route, and the reason told', async () => {
  const good = await mint(key);
  const app = await house.client({ grants: ['client_credentials', 'refresh_token'] });
  const { refresh_token: refresh } = (await house.token(app)).json;
  const hs = { alg: 'HS256', kid: key.kid, private: { k: key.public.x } };
  for (const [token, reason] of [
    [await mint(key, { exp: now() - 3600 }), /is expired/],
    [await mint(key, { nbf: now() + 600 }), /not valid yet/],
    [misSigned(good), /signature is wrong/],
    [altered(good, { sub: 'root' }), /signature is wrong/],
    [await mint(key, {}, { kid: 'unknown' }), /key is unknown/],
    [await mint(otherKey), /key is unknown/],
    [unsigned(), /algorithm/],
    [forge(hs), /algorithm/],
    [await mint(key, { iss: 'https://nobody.test' }), /issuer is not accepted/],
    [await mint(key, { aud: 'billing-api' }), /audience is not accepted/],
    [await mint(key, { exp: undefined }), /malformed/],
    [await mint(key, { nonce: 'n' }), /type is not accepted/],
    [await mint(key, { cnf: { jkt: 'x' } }), /bound to a key/],
    [refresh, /malformed/],
    ['x', /malformed/],
    ['gha_x', /malformed/],
    [`gha_AZqU5Zt7cACAAAAAAAAAAAA${'A'.repeat(41)}`, /unknown|malformed/],
  ]) {
    await bad(token, new RegExp(`^subject_token: .*(${reason.source})`));
    await bad(good, new RegExp(`^actor_token: .*(${reason.source})`), { actor_token: token });
  }
});

test('by default nobody’s tokens', async () => {
  const none = await house.client(exchanger());
  for (const subject of [await mint(key), await own(shop), await own(none)])
    await bad(subject, /may not exchange tokens of this client/, {}, none);
});

test('whose tokens: a name, an issuer’s name, all of an issuer', async () => {
  const subjects = {
    shop: await own(shop),
    main: await mint(key, { sub: 'shop', client_id: 'desk' }),
    azp: await mint(key, { client_id: undefined, azp: 'shop' }),
    bare: await mint(key, { client_id: undefined, sub: 'shop' }),
    other: await elsewhere({ client_id: 'shop', name: 'ann' }),
    named: await elsewhere({ client_id: 'x', name: 'shop' }),
    slash: await elsewhere({ client_id: 'main/desk', name: 'y' }),
    odd: await elsewhere({ client_id: 'a/b', name: 'y' }),
  };
  for (const [list, ...allowed] of [
    ['shop', 'shop', 'azp', 'other'],
    ['acme', 'shop'],
    ['self/shop', 'shop'],
    ['self/acme', 'shop'],
    ['self/*', 'shop'],
    ['main/shop', 'azp', 'bare'],
    ['main/*', 'main', 'azp', 'bare'],
    ['main/desk', 'main'],
    ['other/shop', 'other', 'named'],
    ['other/*', 'other', 'named', 'slash', 'odd'],
    /* the issuer "a" may have been there once: then nobody else's clients are meant */
    ['a/b'],
    ['other/a/b', 'odd'],
    ['*'],
    ['self/'],
    ['shop/*'],
    ['other'],
  ]) {
    const client = await house.client(exchanger({ exchange_from: `{${list}}` }));
    for (const [name, subject] of Object.entries(subjects)) {
      const { status, body } = await exchange(house, client, subject);
      assert.equal(status, allowed.includes(name) ? 200 : 400, `${list}, ${name}: ${body}`);
    }
  }
});

test('who may not exchange a token is not told whether it was revoked', async () => {
  const none = await house.client(exchanger());
  const subject = await own(shop);
  await house.revoke(shop, subject);
  await bad(subject, /is revoked/);
  await bad(subject, /may not exchange/, {}, none);
});

test('a change of the client is known at once', async () => {
  const client = await house.client(exchanger({ exchange_from: '{shop}' }));
  const subject = await mint(key);
  said(await exchange(house, client, subject));
  await house.change(client, "exchange_from = '{other}'");
  for (let i = 0; ; i += 1) {
    const { status } = await exchange(house, client, subject);
    if (status === 400) break;
    assert.ok(i < 500, 'the change to be known');
  }
});

test('subjects that are nobody, or have the client’s name', async () => {
  await bad(await mint(key, { sub: undefined }), /names no subject/);
  await bad(await mint(key, { sub: '' }), /names no subject/);
  await bad(await mint(key, { sub: 'bff' }), /the name of a client/);
  await bad(await mint(key, { sub: 'bff', client_id: 'bff' }), /the name of a client/);
  const itself = await mint(key, { sub: 'app' });
  const child = (await exchange(house, bff, itself)).json.access_token;
  const app = await house.client(exchanger({ id: 'app', exchange_from: '{bff}' }));
  await bad(child, /the name of a client/, {}, app);
  const self = await house.client(
    exchanger({ id: 'alone', exchange_from: '{alone}', scopes: ['read'] }),
  );
  assert.equal(said(await exchange(house, self, await own(self))).sub, 'alone');
});

test('impersonation and delegation are each allowed or not', async () => {
  const subject = await mint(key);
  const make = (more) => house.client(exchanger({ exchange_from: '{shop}', ...more }));
  const [usual, never, self] = await Promise.all([
    make({}),
    make({ impersonation: 'denied', delegation: 'allowed' }),
    make({ delegation: 'self' }),
  ]);
  const by = (client, actor_token) => exchange(house, client, subject, { actor_token });
  await refused(by(usual, await own(usual)), 'unauthorized_client', /with an actor_token/);
  await refused(exchange(house, never, subject), 'unauthorized_client', /without an actor_token/);
  assert.deepEqual(said(await by(never, await own(bff))).act, { sub: 'bff' });
  assert.deepEqual(said(await by(self, await own(self))).act, { sub: self.id });
  for (const actor of [
    await own(bff),
    await mint(key, { sub: 'x', client_id: self.id }),
    await own(shop),
  ])
    await refused(by(self, actor), 'unauthorized_client', /its own only|of its own/);
});

test('an actor token is the actor’s own', async () => {
  const subject = await mint(key, { sub: 'alice' });
  const child = (await exchange(house, bff, await mint(key, { sub: 'bob' }))).json.access_token;
  const acting = await mint(key, { sub: 'bob', act: { sub: 'x' } });
  for (const actor_token of [child, acting])
    await bad(subject, /^actor_token: .*can not act/, { actor_token });
  await bad(subject, /^actor_token: .*names no subject/, {
    actor_token: await mint(key, { sub: undefined }),
  });
  await bad(subject, /is the subject itself/, { actor_token: subject });
  await bad(subject, /is the subject itself/, { actor_token: await mint(key, { sub: 'alice' }) });
  /* the subject is still alice of that issuer, whoever exchanged it */
  const hers = (await exchange(house, bff, subject)).json.access_token;
  await bad(hers, /is the subject itself/, { actor_token: subject });
  const namesake = await elsewhere({ sub: 'alice', name: 'a' });
  assert.equal(said(await exchange(house, bff, hers, { actor_token: namesake })).act.iss, OTHER);
});

test('may_act names who may act', async () => {
  const actors = {
    none: undefined,
    bff: await own(bff),
    shop: await own(shop),
    clerk: await mint(key, { sub: 'clerk', client_id: 'desk' }),
    namesake: await elsewhere({ sub: 'clerk', client_id: 'desk', name: 'c' }),
  };
  for (const [may_act, ...allowed] of [
    [{ sub: 'bff' }, 'none', 'bff'],
    [{ client_id: 'bff' }, 'none', 'bff'],
    [{ sub: 'bff', iss: SELF }, 'none', 'bff'],
    [{ sub: 'bff', client_id: 'shop' }],
    [{ sub: 'bff', iss: ISSUER }],
    [{ sub: 'clerk' }, 'clerk'],
    [{ sub: 'clerk', iss: ISSUER, email: 'c@x.test' }, 'clerk'],
    [{ sub: 'clerk', iss: OTHER }, 'namesake'],
    [{ client_id: 'desk' }, 'clerk'],
    [{ sub: 'clerk', client_id: 'bff' }],
    [{ iss: SELF }],
    [{ email: 'c@x.test' }],
    [{}],
    [{ sub: ['bff'] }],
    [{ sub: 'bff', iss: null }],
    [{ sub: '' }],
    ['bff'],
    [null],
    [['bff']],
    [{ sub: 'BFF' }],
  ]) {
    const subject = await mint(key, { may_act });
    for (const [name, actor_token] of Object.entries(actors)) {
      const form = actor_token === undefined ? {} : { actor_token };
      const answer = await exchange(house, bff, subject, form);
      const text = `${JSON.stringify(may_act)}, ${name}: ${answer.body}`;
      assert.equal(answer.status, allowed.includes(name) ? 200 : 400, text);
      if (answer.status === 400)
        await refused(answer, 'invalid_request', /^subject_token: its may_act/);
    }
  }
});

test('a token that we would refuse for its size is not made', async () => {
  const subject = await mint(key, { scope: `${'s'.repeat(5_700)} read` });
  assert.ok(subject.length < 8192);
  const box = await house.client(exchanger({ exchange_from: '{shop}', format: 'opaque' }));
  await bad(subject, /too large/);
  said(await exchange(house, bff, subject, { scope: 'read' }));
  const { access_token: opaque } = (await exchange(house, box, subject)).json;
  assert.equal((await house.introspect(box, opaque)).json.active, true);
  const many = await mint(key, { scope: Array.from({ length: 600 }, (_, i) => `s${i}`).join(' ') });
  assert.equal(said(await exchange(house, bff, many, { scope: 's7 s3' })).scope, 's3 s7');
});

test('while an issuer’s keys have never come, it is 503', async (t) => {
  const text = house.text
    .replace('jwks_file = "jwks.json"', 'jwks_uri = "http://127.0.0.1:9/jwks"')
    .replace('consumer_claim', 'leeway = 3 consumer_claim');
  assert.notEqual(text, house.text);
  const blind = await gateway(text, { files: house.files });
  t.after(() => blind.stop());
  const answer = await exchange(house, bff, await mint(key), {}, { gw: blind });
  assert.equal(answer.status, 503, answer.body);
  assert.ok(Number(answer.headers['retry-after']) > 0);
});

test('consumers that are not known on routes are not known here either', async () => {
  const client = await house.client(
    exchanger({ id: 'strict-bff', exchange_from: '{strict/*}', delegation: 'allowed' }),
  );
  const strictly = (app) => mint(key, { iss: STRICT, client_id: app, sub: `user of ${app}` });
  const taken = async (subject, form) => {
    const answer = await exchange(house, client, subject, form);
    assert.equal(answer.status, 200, answer.body);
  };
  await taken(await strictly('listed'));
  /* the consumer of a client of ours */
  await taken(await strictly('acme'));
  await bad(await strictly('stranger'), /^subject_token: .*not known here$/, {}, client);
  const actor = { actor_token_type: ACCESS };
  const subject = await strictly('listed');
  await taken(subject, { ...actor, actor_token: await strictly('acme') });
  const by = { ...actor, actor_token: await strictly('stranger') };
  await bad(subject, /^actor_token: .*not known here$/, by, client);
});
