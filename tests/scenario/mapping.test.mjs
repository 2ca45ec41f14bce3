// What each issuer's claims become: the consumer, the scopes and headers, also from claims within claims.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { head, rawRequest } from '../harness/raw.mjs';

const key = newKey('ES256');
const OTHER = 'https://other.test';
let api;
let gw;

before(async () => {
  api = await backend();
  const text = conf({
    servers: [api.url],
    issuer: `consumer_claim = "org.account" scope_claim = "realm_access.roles"
      claim_headers = {"email=X-User-Email", "org.unit=X-Unit"}`,
    more: `issuer "other" { issuer = "${OTHER}" audience = {"orders-api"} jwks_file = "jwks.json"
        claim_headers = {"name=X-Name"} }
      route "roles" { paths = {"/roles"} upstream = "api" scopes = {"admin"} }
      route "own" { paths = {"/own"} upstream = "api" claim_headers = {"phone=x-user-email"} }
      route "open" { paths = {"/open"} upstream = "api" issuers = {"other"} anonymous = true }`,
  });
  gw = await gateway(text, { files: { 'jwks.json': jwksOf(key) } });
});
after(async () => {
  await gw.stop();
  await api.stop();
});

const CLAIMS = {
  org: { account: 'acme', unit: 'sales' },
  realm_access: { roles: ['admin', 'clerk'] },
  scope: 'openid',
  email: 'a@b.test',
  name: 'Alice',
  phone: '123',
};
const token = (changes) => mint(key, { ...CLAIMS, ...changes });
const ask = async (path, changes) => get(`${gw.url}${path}`, { token: await token(changes) });
const told = async (path, changes) => {
  const answer = await ask(path, changes);
  assert.equal(answer.status, 200, answer.body);
  return answer.json.headers;
};

test('consumer, scopes and headers come from claims within claims', async () => {
  const headers = await told('/roles');
  assert.equal(headers['x-consumer-id'], 'acme');
  assert.equal(headers['x-authenticated-scope'], 'admin clerk');
  assert.equal(headers['x-user-email'], 'a@b.test');
  assert.equal(headers['x-unit'], 'sales');
  assert.equal(headers['x-name'], undefined);
});

test("another issuer's tokens are mapped by its own section", async () => {
  const headers = await told('/orders', { iss: OTHER });
  assert.equal(headers['x-consumer-id'], 'shop');
  assert.equal(headers['x-authenticated-scope'], 'openid');
  assert.equal(headers['x-name'], 'Alice');
  assert.equal(headers['x-user-email'], undefined);
  assert.equal((await ask('/roles', { iss: OTHER })).status, 403);
});

test('for the same header the route comes first, be its claim there or not', async () => {
  const headers = await told('/own');
  assert.equal(headers['x-user-email'], '123');
  assert.equal(headers['x-unit'], 'sales');
  assert.equal((await told('/own', { phone: undefined }))['x-user-email'], undefined);
});

test('a name with dots is a claim before it is a path', async () => {
  const flat = { 'realm_access.roles': 'clerk', 'org.account': 'flat' };
  assert.equal((await ask('/roles', flat)).status, 403);
  assert.equal((await told('/orders', flat))['x-consumer-id'], 'flat');
});

for (const [roles, status] of [
  ['admin', 200],
  ['clerk admin', 200],
  [['admin'], 200],
  /* one role with a space in its name, not two */
  [['no admin'], 403],
  [['admin '], 403],
  [['ADMIN'], 403],
  [[], 403],
  ['', 403],
  [undefined, 403],
  [null, 401],
  [7, 401],
  [true, 401],
  [{ admin: true }, 401],
  [[['admin']], 401],
  [['admin', null], 401],
  [['admin\r\nX-Evil:1'], 401],
])
  test(`roles ${JSON.stringify(roles)}: ${status}`, async () =>
    assert.equal((await ask('/roles', { realm_access: { roles } })).status, status));

for (const realm_access of [undefined, 'roles', ['roles'], 7, null])
  test(`no roles in ${JSON.stringify(realm_access)}`, async () =>
    assert.equal((await ask('/roles', { realm_access })).status, 403));

for (const account of ['', undefined, null, true, ['acme'], { a: 1 }, 'a\r\nX-Evil: 1', ' acme'])
  test(`the consumer ${JSON.stringify(account)} is none`, async () => {
    const answer = await ask('/orders', { org: { account } });
    assert.equal(answer.status, 401);
    assert.match(answer.json.error_description, /names no consumer|malformed/);
  });

test('values can not split a header', async () => {
  const headers = await told('/orders', {
    email: 'a@b.test\r\nX-Evil: 1',
    org: { account: 'a', unit: ['x,y', 'z\n'] },
  });
  assert.equal(headers['x-evil'], undefined);
  assert.equal(headers['x-user-email'], 'a@b.test%0D%0AX-Evil: 1');
  assert.equal(headers['x-unit'], 'x%2Cy,z%0A');
});

test('no client can send what some issuer makes of a claim, on any route', async () => {
  const forged = ['X-User-Email', 'x_user_email', 'X-UNIT', 'X_Name'].map((name) => `${name}: root`);
  for (const fields of [[], [`Authorization: Bearer ${await token({ iss: OTHER, name: undefined })}`]]) {
    const bytes = head('GET /open HTTP/1.1', 'Host: a', ...forged, ...fields);
    const { status, body } = (await rawRequest(gw.port, bytes)).answers[0];
    assert.equal(status, 200, body);
    assert.doesNotMatch(body, /root/);
  }
});
