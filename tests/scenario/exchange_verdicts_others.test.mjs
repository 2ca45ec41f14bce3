// Token exchange, and mistakes that other gateways have made: each is a story of how it would show
// here.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { ACCESS, GRANT, exchange, exchanger } from '../harness/exchange.mjs';
import { payload, refused, said } from '../harness/exchange.mjs';
import { gateway } from '../harness/gateway.mjs';
import { connections, get, post } from '../harness/http.mjs';
import { asking, introspectionServer } from '../harness/introspection.mjs';
import { jwksServer } from '../harness/jwks.mjs';
import { forge, jwksOf, mint, newKey, now } from '../harness/keys.mjs';
import { head, rawRequest } from '../harness/raw.mjs';
import { foreign, service } from '../harness/service.mjs';
import { basic, tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const BOTH = 'issuers = {"self", "main"}';

const AIMED = 'route "aimed" { paths = {"/aimed"} upstream = "api" audience = {"billing-api"} }';
/* Of most of the stories; others need a gateway of their own. */
let common;
let shop;

const start = (t, options) =>
  tokenHouse(t, { service: 'token_rate = ""', keys: jwksOf(key), route: BOTH, ...options });

before(async () => {
  common = await start(undefined, { workers: 4, database: 'connections = 5', more: AIMED });
  shop = await common.client({ id: 'shop', scopes: ['read'], format: 'opaque' });
});
after(() => common.stop());

/** A gateway, a client that exchanges the tokens of `shop`, and what to ask of both. */
async function scene(t, client = {}, house = common) {
  const bff = await house.client(
    exchanger({ exchange_from: '{shop}', audiences: ['billing-api'], ...client }),
  );
  const agent = connections(32);
  t.after(() => agent.destroy());
  return {
    house,
    bff,
    agent,
    swap: (token, form = {}, who = bff) => exchange(house, who, token, form, { agent }),
    ask: (token, path = '/orders') => get(`${house.gw.url}${path}`, { token, agent }),
    /** Its rows. */
    rows: () =>
      house.rows('tokens t JOIN clients c ON c.id = t.client', `c.client_id = '${bff.id}'`),
  };
}

/* Refused as a bad subject or actor token is (RFC 8693 section 2.2.2). */
const invalid = (answer, sentence) => refused(answer, 'invalid_request', sentence);
const times = (n, make) => Promise.all(Array.from({ length: n }, (_, i) => make(i)));
const issuedIn = (answers) =>
  answers.filter(({ status }) => status === 200).map(({ json }) => json.access_token);

test('what is remembered are facts: each client and each route has its own say', async (t) => {
  const { house, swap, ask } = await scene(t);
  const stranger = await house.client(exchanger({ exchange_from: '{other}' }));
  const scopes = ['orders:read'];
  const reader = await house.client(exchanger({ exchange_from: '{shop}', scopes }));
  const token = await mint(key, { sub: 'alice' });
  for (let i = 0; i < 3; i += 1) {
    assert.equal((await ask(token)).status, 200);
    await invalid(swap(token, {}, stranger), /may not exchange/);
    assert.equal(said(await swap(token, {}, reader)).scope, 'orders:read');
    await refused(swap(token, { scope: 'orders:write' }, reader), 'invalid_scope');
    const aimed = said(await swap(token, { audience: 'billing-api' }));
    assert.equal(aimed.aud, 'billing-api');
    const made = (await swap(token)).json.access_token;
    assert.equal((await ask(made)).status, 200);
    assert.equal((await ask(made, '/aimed')).status, 401);
  }
  /* a good verdict is of no use to a token that only looks alike */
  await invalid(swap(`${token}x`), /^subject_token/);
});

for (const [name, recording, format] of [
  ['committed ones', 'full', 'jwt'],
  ['those not recorded', 'none', 'jwt'],
  ['opaque ones', 'full', 'opaque'],
])
  test(`nothing exchanged just before a revocation outlives it: ${name}`, async (t) => {
    const { house, swap, ask } = await scene(t, { recording, format });
    const warden = await house.client({ revocation: 'any', introspection: 'any' });
    let raced = 0;
    for (let round = 0; round < 12; round += 1) {
      const token =
        round % 2 === 0 ? await mint(key) : (await house.token(shop)).json.access_token;
      const early = times(4, () => swap(token));
      const revocation = house.revoke(warden, token);
      const late = times(4, () => swap(token));
      assert.equal((await revocation).status, 200);
      /* whatever begins now is refused, and what came of exchanges under way too */
      const after = await times(6, () => swap(token));
      for (const answer of after) await invalid(answer, /subject_token: .*revoked/);
      const made = issuedIn([...(await early), ...(await late)]);
      raced += made.length;
      const uses = await Promise.all(made.flatMap((one) => [ask(one), ask(one), ask(one)]));
      for (const { status, body } of uses) assert.equal(status, 401, body);
      for (const one of made.slice(0, 1))
        assert.deepEqual((await house.introspect(warden, one)).json, { active: false });
    }
    assert.ok(raced > 0, 'no exchange came before its revocation');
  });

test('a flood of unknown keys is no flood to the provider', async (t) => {
  const jwks = await jwksServer(jwksOf(key));
  t.after(() => jwks.stop());
  const house = await start(t, {
    more: `issuer "far" { issuer = "https://far.test" audience = {"orders-api"}
      jwks_uri = "${jwks.url}" jwks_cooldown = 30 }`,
  });
  const { swap } = await scene(t, { exchange_from: '{far/*}' }, house);
  const iss = 'https://far.test';
  await until(async () => (await swap(await mint(key, { iss }))).status === 200, 'the keys');
  const before = jwks.fetches;
  const flood = await times(300, async () => {
    const kid = randomBytes(9).toString('base64url');
    const token = forge(key, { header: { kid }, payload: { ...payload(await mint(key)), iss } });
    return swap(token);
  });
  for (const answer of flood)
    await invalid(answer, /subject_token: the token's key is unknown/);
  assert.ok(jwks.fetches - before <= 1, `${jwks.fetches - before} fetches`);
  said(await swap(await mint(key, { iss })));
});

test('keys that cannot be had are no fault of the token', async (t) => {
  const jwks = await jwksServer(jwksOf(key), { mode: 'error' });
  t.after(() => jwks.stop());
  const house = await start(t, {
    more: `issuer "far" { issuer = "https://far.test" audience = {"orders-api"}
      jwks_uri = "${jwks.url}" }`,
  });
  const policy = { exchange_from: '{far/*,shop}', delegation: 'allowed' };
  const { swap } = await scene(t, policy, house);
  const token = await mint(key, { iss: 'https://far.test', sub: 'clerk' });
  const subject = await mint(key, { sub: 'alice' });
  for (const answer of [await swap(token), await swap(subject, { actor_token: token })]) {
    assert.equal(answer.status, 503, answer.body);
    assert.equal(answer.json.error, 'temporarily_unavailable');
    assert.ok(Number(answer.headers['retry-after']) > 0);
  }
  said(await swap(subject));
  assert.equal(await house.rows('tokens'), 1);
});

test('many who bring one opaque token at once make one query', async (t) => {
  const house = await start(t, { workers: 4, settings: ['log_statement=all'] });
  const box = await house.client({ id: 'shop', scopes: ['read'], format: 'opaque' });
  const { swap } = await scene(t, {}, house);
  said(await swap(await mint(key)));
  const { access_token: token } = (await house.token(box)).json;
  /* who made it knows it: another node does not */
  const fresh = await gateway(house.text, { files: house.files });
  t.after(() => fresh.stop());
  const { bff, agent } = await scene(t, {}, house);
  const ask = (one) => exchange(house, bff, one, {}, { gw: fresh, agent });
  await until(async () => (await ask('x')).status === 400, 'revocations to be known');
  for (const answer of await times(32, () => ask(token))) said(answer);
  await house.db.query('SELECT 1');
  const lookups = house.db.log.all.filter(
    (line) => /execute/.test(line) && /FROM tokens t JOIN clients/.test(line),
  );
  assert.equal(lookups.length, 1);
});

test('many exchanges of one token at once ask its issuer once', async (t) => {
  const idp = await introspectionServer();
  t.after(() => idp.stop());
  const house = await start(t, { workers: 4, issuer: asking(idp) });
  const { swap, ask } = await scene(t, { exchange_from: '{main/*}' }, house);
  const token = await mint(key, { sub: 'alice' });
  idp.know(token, { sub: 'alice', client_id: 'shop', scope: 'read' });
  for (const answer of await times(35, () => swap(token)))
    assert.equal(said(answer).sub, 'alice');
  assert.equal((await ask(token)).status, 200);
  assert.equal(idp.calls, 1);
});

test('a long token is remembered like any other, and over a reload', async (t) => {
  const { house, swap } = await scene(t);
  const token = await mint(key, { sub: 'long', roles: Array(300).fill('somebody') });
  assert.ok(token.length > 3000);
  const source = async () => {
    const answer = await swap(token);
    said(answer);
    const id = answer.headers['x-request-id'];
    return (await house.gw.logged((line) => line.request_id === id)).source;
  };
  assert.equal(await source(), 'verified');
  assert.equal(await source(), 'cache');
  await house.gw.reload();
  assert.equal(await source(), 'cache');
});

test('a token is handed out again for its own grant only', async (t) => {
  const scopes = ['orders:read', 'orders:write'];
  const client = { id: 'again', exchange_from: '{shop,again}', scopes };
  const { house, bff, swap } = await scene(t, client);
  const own = async () => (await house.token(bff)).json.access_token;
  const first = await own();
  const subject = await mint(key);
  const made = issuedIn([
    await swap(subject),
    await swap(subject),
    await swap(subject, { scope: 'orders:read' }),
    await swap(first),
  ]);
  assert.equal(new Set([first, ...made]).size, 5);
  assert.equal(await own(), first);
  assert.equal(payload(made[2]).scope, 'orders:read');
  assert.equal((await house.token(bff)).json.issued_token_type, undefined);
});

test('a limit is counted as it is decided', async (t) => {
  const { swap, rows } = await scene(t, { rate_count: 5, rate_period_us: 3_600_000_000 });
  const subject = await mint(key);
  const answers = await times(60, () => swap(subject));
  const counts = (status) => answers.filter((answer) => answer.status === status).length;
  assert.deepEqual([counts(200), counts(429)], [5, 55]);
  assert.equal(await rows(), 5);
});

test('connections to the database do not grow with the load', async (t) => {
  const { house, swap, rows } = await scene(t);
  const subject = await mint(key);
  const count = () =>
    house.db.value(`SELECT count(*) FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`);
  let done = false;
  const load = times(32, async () => {
    for (let i = 0; i < 25; i += 1) said(await swap(subject));
  }).finally(() => {
    done = true;
  });
  let most = 0;
  while (!done) most = Math.max(most, Number(await count()));
  await load;
  assert.ok(most > 0 && most <= 5, `${most} connections`);
  assert.equal(await rows(), 800);
});

test('rows leave when their tokens have expired', async (t) => {
  const { house, swap, rows } = await scene(t);
  await times(20, async () => said(await swap(await mint(key))));
  assert.equal(await rows(), 20);
  await house.db.query(`UPDATE tokens SET issued_at = now() - interval '3 days',
    expires_at = now() - interval '2 days'`);
  const fresh = await gateway(house.text, { files: house.files });
  t.after(() => fresh.stop());
  await until(async () => (await rows()) === 0, 'the rows to leave', 20_000);
});

test('a revocation is kept as long as what it revokes could live', async (t) => {
  const { house, swap, ask } = await scene(t, { lifetime: 90_000 });
  const warden = await house.client({ revocation: 'any' });
  const subject = await mint(key, { exp: now() + 80_000 });
  const { access_token: token } = (await swap(subject)).json;
  assert.equal((await house.revoke(warden, subject)).status, 200);
  const until_s = await house.db.value(
    `SELECT extract(epoch FROM expires_at) FROM revocations
     WHERE kind = 'jti' AND value = '${payload(subject).jti}'`,
  );
  assert.ok(Number(until_s) >= payload(token).exp);
  assert.equal((await ask(token)).status, 401);
  /* to a gateway that has just begun, too */
  const fresh = await gateway(house.text, { files: house.files });
  t.after(() => fresh.stop());
  await until(async () => {
    const { status } = await get(`${fresh.url}/orders`, { token });
    assert.ok([401, 503].includes(status), `${status}`);
    return status === 401;
  }, 'the revocation to be known');
});

test('where revocations are not known, nothing is exchanged', async (t) => {
  const house = await start(t, { top: 'shared_memory { revocations = "256K" }' });
  const { swap } = await scene(t, {}, house);
  const subject = await mint(key);
  said(await swap(subject));
  await house.db.query(`INSERT INTO revocations (kind, identity, expires_at, issuer, value)
    SELECT 'jti', sha256(i::text::bytea), now() + interval '1 hour', 'x', i::text
    FROM generate_series(1, 20000) i`);
  await until(async () => (await swap(subject)).status === 503, 'the set to be full');
  const answer = await swap(subject);
  assert.deepEqual([answer.status, answer.json.error], [503, 'temporarily_unavailable']);
  assert.match(answer.json.error_description, /revoked is not known/);
});

test('a remembered subject token ends in its second, and what came of it too', async (t) => {
  const { swap, ask } = await scene(t);
  const exp = now() + 2;
  const subject = await mint(key, { exp });
  const { access_token: token, expires_in: left } = (await swap(subject)).json;
  assert.ok(left <= 2);
  let passed = 0;
  await until(async () => {
    const asked = Date.now() / 1000;
    const [again, used] = await Promise.all([swap(subject), ask(token)]);
    if (again.status === 200) passed += payload(again.json.access_token).exp === exp;
    if (asked < exp) return false;
    await invalid(again, /subject_token: the token is expired/);
    assert.equal(used.status, 401);
    assert.match(used.body, /expired/);
    return true;
  }, 'the subject token to expire');
  assert.ok(passed > 0);
});

test('two Authorization headers, or a client in two places, are refused', async (t) => {
  const { house, bff } = await scene(t);
  const stranger = await house.client();
  const subject = await mint(key);
  const form = new URLSearchParams({
    grant_type: GRANT,
    subject_token: subject,
    subject_token_type: ACCESS,
  }).toString();
  const send = async (...lines) => {
    const start = ['POST /oauth2/token HTTP/1.1', 'Host: a', `Content-Length: ${form.length}`];
    const type = 'Content-Type: application/x-www-form-urlencoded';
    const { answers } = await rawRequest(
      house.gw.port,
      head(...start, type, ...lines, 'Connection: close') + form,
    );
    return answers[0].status;
  };
  const [good, other] = [bff, stranger].map((one) => `Authorization: ${basic(one)}`);
  assert.equal(await send(good), 200);
  for (const lines of [[good, good], [good, other], [other, good]])
    assert.equal(await send(...lines), 400);
  for (const lines of [[other], [`Authorization: Bearer ${subject}`], []])
    assert.notEqual(await send(...lines), 200);
});

test('whatever revokes the subject token revokes what came of it', async (t) => {
  const { run, ask, gw } = await service(t, { route: BOTH });
  const house = {
    token: (client, body) =>
      post(`${gw.url}/oauth2/token`, {
        headers: {
          authorization: basic(client),
          'content-type': 'application/x-www-form-urlencoded',
        },
        body,
      }),
  };
  await run('consumer add front');
  const made = await run([
    ...['client', 'add', '--consumer', 'front', '--grants', 'token-exchange', '--json'],
    ...['--exchange-from', 'main/*'],
  ]);
  const bff = { id: made.client_id, secret: made.client_secret };
  for (const [claims, how] of [
    [{ jti: 'j1' }, '--jti j1'],
    [{ sub: 'bob' }, '--subject bob'],
    [{ client_id: 'batch' }, '--client batch'],
    [{ sub: 'eve' }, `--kid ${foreign.kid}`],
  ]) {
    const subject = await mint(foreign, { ...claims, iat: now() - 10 });
    const answer = await exchange(house, bff, subject);
    said(answer);
    const { access_token: token } = answer.json;
    assert.equal((await ask(token)).status, 200, how);
    await run(`token revoke ${how} --issuer main`);
    await until(async () => (await ask(token)).status === 401, `${how} to be known`);
    assert.match((await ask(token)).body, /revoked/);
    await invalid(exchange(house, bff, subject), /subject_token: .*revoked/);
  }
});
