// Where a token may stand (RFC 6750): one Authorization header, and nowhere else.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { post } from '../harness/http.mjs';
import { mint } from '../harness/keys.mjs';
import { head, rawRequest } from '../harness/raw.mjs';
import { assertRefused, tokenGate } from '../harness/verdicts.mjs';

let gate;
let token;

before(async () => {
  gate = await tokenGate({
    more: 'route "open" { paths = {"/open"} upstream = "api" anonymous = true }',
  });
  token = await mint(gate.keys.ES256);
});
after(() => gate.stop());

async function ask(fields, target = '/orders') {
  const bytes = head(
    `GET ${target} HTTP/1.1`,
    'Host: a',
    ...fields.map((field) => field.replace('TOKEN', token)),
  );
  const { answers } = await rawRequest(gate.gw.port, bytes);
  return answers[0];
}

const PASS = [
  'Authorization: Bearer TOKEN',
  'Authorization: bearer TOKEN',
  'authorization: BEARER TOKEN',
  'Authorization: bEaReR TOKEN',
  'Authorization: Bearer  TOKEN',
  'Authorization:Bearer TOKEN',
  'Authorization: \t Bearer TOKEN \t ',
];
for (const field of PASS) {
  test(`passes: ${JSON.stringify(field)}`, async () =>
    assert.equal((await ask([field])).status, 200));
}

test('no token: 401, and the challenge has no error', async () => {
  const before = gate.api.hits;
  assertRefused(await ask([]), { error: 'unauthorized', says: /no bearer token/ });
  assert.equal(gate.api.hits, before);
});

for (const field of [
  'Authorization:',
  'Authorization: Basic dXNlcjpwYXNz',
  'Authorization: TOKEN',
  'Authorization: Bearer',
  'Authorization: BearerTOKEN',
  'Authorization: Bearer\tTOKEN',
  'Authorization: Bearer TOKEN x',
  'Authorization: Bearer TOKEN, Bearer TOKEN',
  'Authorization: Bearer "TOKEN"',
  'Authorization: Bearer token=TOKEN',
  'Authorization: DPoP TOKEN',
  'Authorization: Token TOKEN',
  'Proxy-Authorization: Bearer TOKEN',
  'Cookie: access_token=TOKEN',
  'X-Authorization: Bearer TOKEN',
]) {
  test(`never passes: ${JSON.stringify(field)}`, async () => {
    const before = gate.api.hits;
    const answer = await ask([field]);
    assert.ok([400, 401].includes(answer.status), `${answer.status} ${answer.body}`);
    assert.equal(gate.api.hits, before);
  });
}

const AMBIGUOUS = {
  'two Authorization headers': [['Authorization: Bearer TOKEN', 'Authorization: Bearer TOKEN']],
  'two Authorization headers, one of them Basic': [
    ['Authorization: Basic dXNlcjpwYXNz', 'Authorization: Bearer TOKEN'],
  ],
  'an empty Authorization and a good one': [['Authorization:', 'Authorization: Bearer TOKEN']],
  'a token in the query': [[], '/orders?access_token=TOKEN'],
  'a token in the query and in the header': [
    ['Authorization: Bearer TOKEN'],
    '/orders?x=1&access_token=TOKEN',
  ],
  'a token in the query, its name percent-encoded': [
    ['Authorization: Bearer TOKEN'],
    '/orders?%61ccess_token=TOKEN',
  ],
};
for (const [name, [fields, target = '/orders']] of Object.entries(AMBIGUOUS)) {
  test(`400 invalid_request: ${name}`, async () => {
    const before = gate.api.hits;
    assertRefused(await ask(fields, target.replace('TOKEN', token)), {
      status: 400,
      error: 'invalid_request',
    });
    assert.equal(gate.api.hits, before);
  });
}

test('a token in a form body never counts', async () => {
  const before = gate.api.hits;
  const answer = await post(`${gate.gw.url}/orders`, {
    body: `access_token=${token}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  assert.ok([400, 401].includes(answer.status), `${answer.status} ${answer.body}`);
  assert.equal(gate.api.hits, before);
});

test('a second token in a form body is refused, beside a good one in the header', async () => {
  const before = gate.api.hits;
  const send = (body, type = 'application/x-www-form-urlencoded; charset=utf-8') =>
    post(`${gate.gw.url}/orders`, { token, body, headers: { 'content-type': type } });
  for (const form of [`access_token=${token}`, `a=b&%61ccess%5Ftoken=x`, 'x=1&access_token']) {
    const answer = await send(form);
    assert.equal(answer.status, 400, form);
    assert.equal(JSON.parse(answer.body).error, 'invalid_request');
  }
  assert.equal(gate.api.hits, before);
  assert.equal((await send('my_access_token=x&token=y')).status, 200);
  assert.equal((await send('access_token=x', 'text/plain')).status, 200);
});

test('an anonymous route takes no token, and still refuses a bad one', async () => {
  const answer = await ask([], '/open');
  assert.equal(answer.status, 200);
  assert.equal(JSON.parse(answer.body).headers['x-anonymous-consumer'], 'true');
  assertRefused(await ask(['Authorization: Bearer letmein'], '/open'));
  const known = JSON.parse((await ask(['Authorization: Bearer TOKEN'], '/open')).body);
  assert.equal(known.headers['x-anonymous-consumer'], undefined);
  assert.equal(known.headers['x-consumer-id'], 'shop');
});

test('neither log ever held a token, whatever was sent', async () => {
  await ask([], `/orders?access_token=${token}`);
  await gate.gw.logged((line) => line.path?.startsWith('/orders') && line.status === 400);
  const written = `${gate.gw.log()}${gate.gw.accesses.text()}`;
  for (const part of token.split('.').slice(1)) assert.ok(!written.includes(part));
});
