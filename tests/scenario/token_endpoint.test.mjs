// The token endpoint: what it answers, and what it refuses (RFC 6749 sections 3.2, 4.4 and 5).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { send } from '../harness/http.mjs';
import { rawRequest } from '../harness/raw.mjs';
import { basic, tokenHouse } from '../harness/tokens.mjs';

let house;
let shop;

before(async () => {
  house = await tokenHouse(undefined, { service: 'token_rate = ""' });
  shop = await house.client({
    scopes: ['orders:read', 'orders:write', 'admin'],
    audiences: ['billing-api', 'https://api.test/v1'],
  });
});
after(() => house.stop());

function refused(answer, status, error) {
  assert.equal(answer.status, status, answer.body);
  assert.equal(answer.json.error, error);
  assert.match(answer.json.error_description, /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(answer.headers.pragma, 'no-cache');
  assert.equal(answer.headers['content-type'], 'application/json');
}

test('a token with all of the client’s scopes, that no cache may keep', async () => {
  const answer = await house.token(shop);
  assert.equal(answer.status, 200, answer.body);
  assert.deepEqual(Object.keys(answer.json).sort(), [
    'access_token',
    'expires_in',
    'scope',
    'token_type',
  ]);
  assert.match(answer.json.access_token, /^gha_[\w-]{75}$/);
  assert.equal(answer.json.token_type, 'Bearer');
  assert.equal(answer.json.scope, 'admin orders:read orders:write');
  assert.ok(answer.json.expires_in > 3590 && answer.json.expires_in <= 3600);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(answer.headers.pragma, 'no-cache');
  assert.match(answer.headers['x-request-id'], /^[0-9a-f]{32}$/);
});

test('it is committed before it is answered, and the store holds no token', async () => {
  const { json } = await house.token(shop, { scope: 'orders:read' });
  const where = `digest = sha256('${json.access_token}')`;
  const [row] = await house.db.query(
    `SELECT scope, audience, extract(epoch FROM expires_at - issued_at) FROM tokens WHERE ${where}`,
  );
  assert.deepEqual(row, ['orders:read', '["orders-api"]', '3600.000000']);
  assert.equal(
    await house.rows('tokens', `tokens::text LIKE '%${json.access_token.slice(-20)}%'`),
    0,
  );
});

test('only scopes of the client, each once, in one order', async () => {
  const asked = await house.token(shop, { scope: 'orders:write  admin orders:write' });
  assert.equal(asked.json.scope, 'admin orders:write');
  for (const scope of ['other', 'admin other', 'ADMIN', 'admin\torders:read', 'adm', '"'])
    refused(await house.token(shop, { scope }), 400, 'invalid_scope');
});

test('only audiences that the client may reach', async () => {
  const audienceOf = async (form) => {
    const answer = await house.token(shop, `grant_type=client_credentials&${form}`);
    assert.equal(answer.status, 200, answer.body);
    const where = `digest = sha256('${answer.json.access_token}')`;
    return JSON.parse(await house.db.value(`SELECT audience FROM tokens WHERE ${where}`));
  };
  assert.deepEqual(await audienceOf('scope=admin'), ['orders-api']);
  assert.deepEqual(await audienceOf('audience=billing-api'), ['billing-api']);
  assert.deepEqual(await audienceOf('audience=orders-api&audience=billing-api'), [
    'billing-api',
    'orders-api',
  ]);
  assert.deepEqual(await audienceOf('resource=https://api.test/v1&audience=billing-api'), [
    'billing-api',
    'https://api.test/v1',
  ]);
  for (const form of [
    'audience=other',
    'audience=billing-api&audience=other',
    'resource=https://other.test/',
    'resource=billing-api',
    'resource=https://api.test/v1%23f',
  ])
    refused(
      await house.token(shop, `grant_type=client_credentials&${form}`),
      400,
      'invalid_target',
    );
});

test('a form that can be read in two ways is refused', async () => {
  for (const form of [
    'grant_type=client_credentials&grant_type=client_credentials',
    'grant_type=client_credentials&scope=admin&scope=admin',
    'grant_type=client_credentials&x=1&x=1',
    'grant_type=client_credentials&scope=%',
    'grant_type=client_credentials&scope=%00',
    'grant_type=client_credentials&scope=%ff',
    '',
    'grant_type=',
    'scope=admin',
  ])
    refused(await house.token(shop, form), 400, 'invalid_request');
});

test('a grant that is not there, or not the client’s', async () => {
  const of = (grant) => house.token(shop, { grant_type: grant });
  for (const grant of ['password', 'authorization_code', 'CLIENT_CREDENTIALS', 'client_credentials '])
    refused(await of(grant), 400, 'unsupported_grant_type');
  refused(await of('refresh_token'), 400, 'unauthorized_client');
});

test('parameters are not taken from the query', async () => {
  const url = `${house.gw.url}/oauth2/token?grant_type=client_credentials`;
  const headers = {
    authorization: basic(shop),
    'content-type': 'application/x-www-form-urlencoded',
  };
  refused(await send(url, { method: 'POST', headers, body: '' }), 400, 'invalid_request');
});

test('only forms, in UTF-8', async () => {
  const of = (type) =>
    house.token(shop, {}, { headers: { 'content-type': type } });
  const form = 'application/x-www-form-urlencoded';
  for (const type of [form, `${form};charset=UTF-8`, `${form}; charset="utf-8"`, form.toUpperCase()])
    assert.equal((await of(type)).status, 200, type);
  for (const type of ['application/json', 'text/plain', `${form}; charset=latin1`, `${form}x`])
    refused(await of(type), 400, 'invalid_request');
  const none = await send(`${house.gw.url}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: basic(shop) },
    body: 'grant_type=client_credentials',
  });
  refused(none, 400, 'invalid_request');
});

test('only POST', async () => {
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const answer = await send(`${house.gw.url}/oauth2/token`, { method });
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.allow, 'POST');
    assert.equal(answer.headers['cache-control'], 'no-store');
  }
});

test('a form that is too large costs the connection', async () => {
  const large = `grant_type=client_credentials&x=${'x'.repeat(70_000)}`;
  const answer = await house.token(shop, large);
  assert.equal(answer.status, 413);
  assert.equal(answer.headers.connection, 'close');
  assert.equal((await house.token(shop, `grant_type=client_credentials&x=${'x'.repeat(60_000)}`)).status, 200);
});

test('a form in chunks is read like any other', async () => {
  const form = 'grant_type=client_credentials&scope=admin';
  const chunks = [...form].map((c) => `1\r\n${c}\r\n`).join('');
  const { answers } = await rawRequest(
    house.gw.port,
    `POST /oauth2/token HTTP/1.1\r\nHost: a\r\nAuthorization: ${basic(shop)}\r\n` +
      'Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n' +
      `Connection: close\r\n\r\n${chunks}0\r\n\r\n`,
  );
  assert.equal(answers[0].status, 200);
  assert.equal(JSON.parse(answers[0].body).scope, 'admin');
});

test('log and metrics tell what came of it, and no secret', async () => {
  const mark = `mark-${Date.now()}`;
  await house.token(shop, { scope: mark });
  const line = await house.gw.logged((entry) => entry.verdict === 'invalid_scope');
  assert.equal(line.status, 400);
  assert.equal(line.consumer, `consumer of ${shop.id}`);
  assert.equal(line.route, '/oauth2/token');
  assert.equal(line.path, '/oauth2/token');
  const metrics = await house.gw.metrics();
  assert.match(metrics, /gatehouse_requests_total\{route="\/oauth2\/token",status="200",verdict="issued"\} \d/);
  assert.match(metrics, /gatehouse_tokens_issued_total\{grant="client_credentials"\} [1-9]/);
  const everything = house.gw.log() + JSON.stringify(house.gw.accessLog());
  assert.ok(!everything.includes(shop.secret) && !everything.includes('gha_'));
});

test('texts of clients reach the database as values only', async () => {
  for (const id of ["x' OR '1'='1", "'; DROP TABLE clients; --", '$1', 'x\\'])
    refused(await house.token({ id, secret: 'x' }), 401, 'invalid_client');
  const odd = await house.client({ id: "o'brien; --", scopes: ["a'b", 'c;d'] });
  assert.equal((await house.token(odd, { scope: "a'b" })).json.scope, "a'b");
  assert.equal(await house.rows('clients', "client_id LIKE 'o''brien%'"), 1);
});
