// Token exchange (RFC 8693): on whose behalf, for what, and for how long.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ACCESS, JWT, exchange, exchanger, payload, refused, said } from '../harness/exchange.mjs';
import { ISSUER } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey, now } from '../harness/keys.mjs';
import { SELF, tokenHouse } from '../harness/tokens.mjs';

const key = newKey('ES256');
const rsa = newKey('RS256');
let house;
let shop;
let bff;

before(async () => {
  house = await tokenHouse(undefined, {
    service: 'token_rate = "" exchange_depth = 3',
    keys: jwksOf(key, rsa),
    route: 'issuers = {"self", "main"}',
  });
  shop = await house.client({ id: 'shop', format: 'jwt', scopes: ['read', 'write'] });
  bff = await house.client(
    exchanger({
      id: 'bff',
      consumer: 'front office',
      exchange_from: '{shop}',
      delegation: 'allowed',
      audiences: ['billing-api', 'https://api.test/stock'],
    }),
  );
});
after(() => house.stop());

const own = async (client, form) => (await house.token(client, form)).json.access_token;
const ask = (token) => get(`${house.gw.url}/orders`, { token });

test('impersonation: the same subject, elsewhere', async () => {
  const subject = await mint(rsa, { sub: 'alice', exp: now() + 200 });
  const answer = await exchange(house, bff, subject, { audience: 'billing-api' });
  const { iat, jti, lineage, ...claims } = said(answer);
  assert.deepEqual(claims, {
    iss: SELF,
    sub: 'alice',
    client_id: 'bff',
    aud: 'billing-api',
    scope: 'orders:read orders:write',
    exp: payload(subject).exp,
    consumer: 'front office',
  });
  const { jti: from, iat: since } = payload(subject);
  assert.deepEqual(lineage, [
    { jti: from, iss: ISSUER, client_id: 'shop', kid: rsa.kid, iat: since },
  ]);
  const { access_token: token, ...rest } = answer.json;
  assert.deepEqual(rest, {
    token_type: 'Bearer',
    expires_in: claims.exp - iat,
    issued_token_type: ACCESS,
    scope: 'orders:read orders:write',
  });
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(await house.rows('tokens', `id = '${jti}' AND subject = 'alice'`), 1);
  assert.match((await ask(token)).body, /audience/, 'it is for billing');
});

test('delegation: act names the actor', async () => {
  const subject = await own(shop);
  const actor = await own(bff);
  const { act, sub, lineage } = said(await exchange(house, bff, subject, { actor_token: actor }));
  assert.deepEqual([sub, act], ['shop', { sub: 'bff' }]);
  assert.deepEqual(Object.keys(lineage[0]), ['jti', 'client_id', 'kid', 'iat']);
  const user = await mint(key, { sub: 'clerk', client_id: 'desk' });
  const other = said(await exchange(house, bff, subject, { actor_token: user }));
  assert.deepEqual(other.act, { sub: 'clerk', iss: ISSUER, client_id: 'desk' });
});

test('the backend sees the subject, and the client that acts', async () => {
  const subject = await mint(key, { sub: 'alice' });
  const { access_token: token } = (await exchange(house, bff, subject, {})).json;
  assert.equal((await ask(token)).status, 200);
  const { headers } = house.api.seen.at(-1);
  assert.equal(headers['x-consumer-id'], 'front office');
  assert.equal(headers['x-credential-identifier'], 'bff');
  assert.equal(headers['x-authenticated-userid'], 'alice');
  assert.equal(headers['x-authenticated-scope'], 'orders:read orders:write');
});

test('opaque tokens, in and out', async () => {
  const plain = await house.client({ id: 'plain', scopes: ['read'] });
  const box = await house.client(
    exchanger({ id: 'box', format: 'opaque', exchange_from: '{plain,box}', delegation: 'self' }),
  );
  const [subject, actor] = [await own(plain), await own(box)];
  const one = await exchange(house, box, subject, { actor_token: actor });
  assert.match(one.json.access_token, /^gha_/);
  assert.equal(one.json.issued_token_type, ACCESS);
  const { json } = await house.introspect(box, one.json.access_token);
  assert.deepEqual([json.sub, json.client_id, json.act], ['plain', 'box', { sub: 'box' }]);
  assert.deepEqual(json.lineage.map(({ sub, active }) => [sub, active]), [['plain', true]]);
  assert.equal((await ask(one.json.access_token)).status, 200);
  /* a client is no user, whoever acts for it */
  assert.equal(house.api.seen.at(-1).headers['x-authenticated-userid'], undefined);
  /* and again, of the opaque one: a JWT, as it asks for one */
  const two = await exchange(house, box, one.json.access_token, { requested_token_type: JWT });
  const { act, lineage, sub } = said(two);
  assert.equal(two.json.issued_token_type, JWT);
  assert.deepEqual([sub, act, lineage.length], ['plain', { sub: 'box' }, 2]);
  assert.equal(lineage[1].jti, json.jti);
});

test('a chain keeps all who acted, up to a depth', async () => {
  const names = ['one', 'two', 'three', 'four'];
  const clients = await Promise.all(
    names.map((id, i) =>
      house.client(exchanger({ id, exchange_from: `{${names[i - 1] ?? 'shop'}}`, delegation: 'self' })),
    ),
  );
  let subject = await mint(key, { sub: 'alice' });
  const before = [payload(subject).jti];
  let act;
  for (const [i, client] of clients.entries()) {
    const answer = await exchange(house, client, subject, { actor_token: await own(client) });
    if (i === 3) {
      await refused(answer, 'invalid_request', /too many exchanges/);
      break;
    }
    const claims = said(answer);
    act = act === undefined ? { sub: names[i] } : { sub: names[i], act };
    assert.deepEqual(claims.act, act);
    assert.equal(claims.sub, 'alice');
    assert.deepEqual(claims.lineage.map(({ jti }) => jti), before);
    before.push(claims.jti);
    subject = answer.json.access_token;
    assert.equal((await ask(subject)).status, 200);
  }
  const { json } = await house.introspect(clients[2], subject);
  assert.deepEqual(json.act, act);
  assert.deepEqual(
    json.lineage.map(({ iss, sub, client_id: client }) => [iss, sub, client]),
    [
      [ISSUER, 'alice', 'shop'],
      [SELF, 'alice', 'one'],
      [SELF, 'alice', 'two'],
    ],
  );
});

test('who acted before stays in act, though nobody acts now', async () => {
  const act = { sub: 'agent "7"', iss: 'https://x.test', more: [1.5, null, { a: 'é' }] };
  const subject = await mint(key, { act });
  assert.deepEqual(said(await exchange(house, bff, subject)).act, act);
  const actor_token = await own(bff);
  const next = said(await exchange(house, bff, subject, { actor_token }));
  assert.deepEqual(next.act, { sub: 'bff', act });
  /* a name alone would be one of ours: another issuer's names are told as such */
  const names = await mint(key, { act: { sub: 'bff', act: { sub: 'x', iss: SELF, act: {} } } });
  const told = {
    sub: 'bff',
    iss: ISSUER,
    act: { sub: 'x', iss: SELF, act: { iss: ISSUER } },
  };
  const once = await exchange(house, bff, names);
  assert.deepEqual(said(once).act, told);
  const twice = await house.client(exchanger({ exchange_from: '{bff}', delegation: 'allowed' }));
  const chained = await exchange(house, twice, once.json.access_token);
  assert.deepEqual(said(chained).act, told);
  const deep = await mint(key, { act: { sub: 'a', act: { sub: 'b', act: { sub: 'c' } } } });
  assert.equal((await exchange(house, bff, deep)).status, 200);
  await refused(exchange(house, bff, deep, { actor_token }), 'invalid_request', /too many/);
  for (const bad of ['x', [], { sub: 'a', act: 'b' }, { sub: 'a', act: { act: null } }])
    await refused(
      exchange(house, bff, await mint(key, { act: bad })),
      'invalid_request',
      /^subject_token: .*malformed/,
    );
});

test('scope only shrinks', async () => {
  const subject = await mint(key, { scope: 'write read  admin read' });
  const scope = async (client, form) => said(await exchange(house, client, subject, form)).scope;
  assert.equal(await scope(bff), 'write read admin');
  assert.equal(await scope(bff, { scope: 'admin write' }), 'write admin');
  const reader = await house.client(exchanger({ exchange_from: '{shop}', scopes: ['read', 'x'] }));
  assert.equal(await scope(reader), 'read');
  assert.equal(await scope(reader, { scope: 'read' }), 'read');
  for (const [client, asked] of [
    [bff, 'delete'],
    [bff, 'read delete'],
    [bff, 'READ'],
    [bff, 'rea'],
    [reader, 'write'],
    [reader, 'read write'],
    [reader, 'x'],
  ])
    await refused(exchange(house, client, subject, { scope: asked }), 'invalid_scope');
});

test('nothing comes of a subject token without scope', async () => {
  for (const scope of [undefined, '', ' ']) {
    const subject = await mint(key, { scope });
    await refused(exchange(house, bff, subject), 'invalid_scope');
    await refused(exchange(house, bff, subject, { scope: 'read' }), 'invalid_scope');
  }
  const apart = await house.client(exchanger({ exchange_from: '{shop}', scopes: ['other'] }));
  await refused(exchange(house, apart, await mint(key)), 'invalid_scope');
});

test('targets are the client’s, whatever the subject token is for', async () => {
  const subject = await mint(key);
  const aud = async (form) => said(await exchange(house, bff, subject, form)).aud;
  assert.equal(await aud(), 'orders-api');
  assert.equal(await aud({ resource: 'https://api.test/stock' }), 'https://api.test/stock');
  assert.deepEqual(await aud({ audience: ['orders-api', 'billing-api'] }), [
    'billing-api',
    'orders-api',
  ]);
  for (const form of [
    { audience: 'admin-api' },
    { audience: ['billing-api', 'admin-api'] },
    { resource: 'https://api.test/other' },
    { resource: 'https://api.test/stock#x' },
  ])
    await refused(exchange(house, bff, subject, form), 'invalid_target');
});

test('it ends with the subject token, or before', async () => {
  const brief = await house.client(exchanger({ exchange_from: '{shop}', lifetime: 60 }));
  const subject = await mint(key, { exp: now() + 100 });
  const long = said(await exchange(house, bff, subject));
  assert.equal(long.exp, payload(subject).exp);
  const short = said(await exchange(house, brief, subject));
  assert.equal(short.exp, short.iat + 60);
  const fraction = await mint(key, { exp: now() + 100.9 });
  assert.ok(said(await exchange(house, bff, fraction)).exp <= payload(fraction).exp);
});

test('there is never a refresh token, and never the same token again', async () => {
  const both = await house.client(
    exchanger({ grants: [...exchanger().grants, 'refresh_token'], exchange_from: '{shop}' }),
  );
  const subject = await mint(key);
  const [one, two] = [await exchange(house, both, subject), await exchange(house, both, subject)];
  assert.equal(one.json.refresh_token, undefined);
  assert.notEqual(said(one).jti, said(two).jti);
  assert.equal(await house.rows('refresh_tokens'), 0);
});

test('what is not recorded is a JWT and no row, and can be revoked all the same', async () => {
  const light = await house.client(exchanger({ exchange_from: '{shop}', recording: 'none' }));
  const { access_token: token } = (await exchange(house, light, await mint(key))).json;
  assert.equal(await house.rows('tokens', `id = '${payload(token).jti}'`), 0);
  assert.equal((await ask(token)).status, 200);
  assert.equal((await house.introspect(light, token)).json.active, true);
  await house.revoke(light, token);
  assert.equal((await ask(token)).status, 401);
  const opaque = await house.client(
    exchanger({ exchange_from: '{shop}', recording: 'none', format: 'opaque' }),
  );
  const box = (await exchange(house, opaque, await mint(key))).json.access_token;
  assert.equal(await house.rows('tokens', `digest = sha256('${box}')`), 1);
});

test('while the database is away, only what is not recorded is exchanged', async (t) => {
  /* one worker: it knows the clients afterwards, whoever of several would not */
  const frail = await tokenHouse(t, {
    workers: 1,
    keys: jwksOf(key),
    database: 'timeout = 1',
    service: 'token_rate = ""',
    route: 'issuers = {"self", "main"}',
  });
  const full = await frail.client(exchanger({ exchange_from: '{shop}' }));
  const light = await frail.client(exchanger({ exchange_from: '{shop}', recording: 'none' }));
  const subject = await mint(key);
  for (const client of [full, light]) said(await exchange(frail, client, subject));
  await frail.db.stop('immediate');
  const answer = await exchange(frail, full, subject);
  assert.equal(answer.status, 503, answer.body);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  const done = await exchange(frail, light, subject);
  said(done);
  const used = await get(`${frail.gw.url}/orders`, { token: done.json.access_token });
  assert.equal(used.status, 200, used.body);
  await frail.db.start();
});

test('new tokens count against the client’s rate', async () => {
  const slow = await house.client(
    exchanger({ exchange_from: '{shop}', rate_count: 2, rate_period_us: 3_600_000_000 }),
  );
  const subject = await mint(key);
  /* what is refused costs nothing */
  await refused(exchange(house, slow, subject, { scope: 'more' }), 'invalid_scope');
  for (let i = 0; i < 2; i += 1) said(await exchange(house, slow, subject));
  const answer = await exchange(house, slow, subject);
  assert.equal(answer.status, 429, answer.body);
  assert.ok(Number(answer.headers['retry-after']) > 0);
});

test('a subject token is verified once', async () => {
  const subject = await mint(rsa, { sub: 'once' });
  for (let i = 0; i < 4; i += 1) said(await exchange(house, bff, subject));
  const of = ({ route, issuer, status }) =>
    route === '/oauth2/token' && issuer === 'main' && status === 200;
  await house.gw.logged((line) => of(line) && line.source === 'cache');
  const line = house.gw.accessLog().find(of);
  assert.deepEqual([line.consumer, line.verdict], ['front office', 'issued']);
  assert.ok(!house.gw.accesses.text().includes(subject.split('.')[1]));
});

test('introspection tells act and the state of what it came of, not may_act', async () => {
  const watcher = await house.client({ introspection: 'any' });
  const may_act = { sub: 'bff' };
  const subject = await mint(key, { sub: 'alice', may_act });
  assert.equal((await house.introspect(watcher, subject)).json.may_act, undefined);
  const { access_token: token } = (await exchange(house, bff, subject)).json;
  assert.equal(payload(token).may_act, undefined);
  const { json } = await house.introspect(watcher, token);
  assert.equal(json.aud, 'orders-api');
  const { jti, iat } = payload(subject);
  assert.deepEqual(json.lineage, [
    { active: true, jti, iss: ISSUER, sub: 'alice', client_id: 'shop', iat },
  ]);
});

test('it is told in the metadata', async () => {
  const { json } = await get(`${house.gw.url}/.well-known/oauth-authorization-server`);
  assert.deepEqual(json.grant_types_supported, [
    'client_credentials',
    'refresh_token',
    'urn:ietf:params:oauth:grant-type:token-exchange',
  ]);
  assert.equal(await house.gw.metric('gatehouse_tokens_issued_total{grant="x"}'), undefined);
  assert.match(await house.gw.metrics(), /tokens_issued_total\{grant="[^"]*token-exchange"\} \d/);
});
