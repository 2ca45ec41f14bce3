// Client authentication at the token endpoint: HTTP Basic, the form, and what is refused.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connections } from '../harness/http.mjs';
import { rawRequest } from '../harness/raw.mjs';
import { basic, tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

let house;
let shop;

before(async () => {
  house = await tokenHouse(undefined, {
    service: 'auth_failures = "5/h"',
    top: 'trusted_proxies = {"127.0.0.1"}',
  });
  shop = await house.client();
});
after(() => house.stop());

function refused(answer, status, error) {
  assert.equal(answer.status, status, answer.body);
  assert.equal(answer.json.error, error);
  assert.equal(answer.headers['cache-control'], 'no-store');
  if (status === 401) assert.match(answer.headers['www-authenticate'], /^Basic realm="/);
}

const inForm = ({ id, secret }) => ({ client_id: id, client_secret: secret });

test('by HTTP Basic, in any spelling of its name', async () => {
  for (const scheme of ['Basic', 'basic', 'BASIC', 'Basic  ']) {
    const authorization = basic(shop).replace('Basic', scheme);
    assert.equal((await house.token(undefined, {}, { headers: { authorization } })).status, 200);
  }
});

test('by the form', async () => {
  assert.equal((await house.token(undefined, inForm(shop))).status, 200);
  refused(await house.token(undefined, { client_id: shop.id }), 401, 'invalid_client');
  refused(await house.token(undefined, { client_secret: shop.secret }), 401, 'invalid_client');
});

test('with HTTP Basic the form may name the same client', async () => {
  assert.equal((await house.token(shop, { client_id: shop.id })).status, 200);
  refused(await house.token(shop, { client_id: 'other' }), 401, 'invalid_client');
});

test('ids and secrets of any characters', async () => {
  for (const id of ['a:b', 'ä€😀', 'a b+c', '100%', 'a&b=c', '"quoted\\"']) {
    const odd = await house.client({ id, secret: `:% +&=ä"${id}` });
    assert.equal((await house.token(odd)).status, 200, id);
    assert.equal((await house.token(undefined, inForm(odd))).status, 200, id);
  }
});

test('two ways at once', async () => {
  refused(await house.token(shop, { client_secret: shop.secret }), 400, 'invalid_request');
  refused(await house.token(shop, { client_assertion: 'a.b.c' }), 400, 'invalid_request');
  const both = { ...inForm(shop), client_assertion_type: 'x' };
  refused(await house.token(undefined, both), 400, 'invalid_request');
  const twice = await rawRequest(
    house.gw.port,
    `POST /oauth2/token HTTP/1.1\r\nHost: a\r\nAuthorization: ${basic(shop)}\r\n` +
      `Authorization: ${basic(shop)}\r\nContent-Type: application/x-www-form-urlencoded\r\n` +
      'Connection: close\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials',
  );
  assert.equal(twice.answers[0].status, 400);
});

test('none, or of another kind', async () => {
  refused(await house.token(undefined), 401, 'invalid_client');
  for (const authorization of ['Bearer abc', 'Digest username="x"', 'Basic', 'Basicx'])
    refused(
      await house.token(undefined, {}, { headers: { authorization } }),
      401,
      'invalid_client',
    );
});

test('what is no pair in base64', async () => {
  const encode = (text) => Buffer.from(text, 'latin1').toString('base64');
  for (const value of [
    '!!!',
    'YTpi=',
    'YTpiYw',
    `${encode('a:b')} x`,
    encode('no colon'),
    encode('a:%zz'),
    encode('a%00:b'),
    encode('\xff:b'),
    'YTpiY-==',
    'YTpiYx==',
    `${'YTpi'.repeat(2000)}`,
  ])
    refused(
      await house.token(undefined, {}, { headers: { authorization: `Basic ${value}` } }),
      400,
      'invalid_request',
    );
});

test('wrong secrets and unknown clients get the same answer', async () => {
  const client = await house.client();
  const answers = [
    await house.token({ id: client.id, secret: 'wrong' }),
    await house.token({ id: client.id, secret: client.secret.slice(0, -1) }),
    await house.token({ id: client.id, secret: `${client.secret}x` }),
    await house.token({ id: 'nobody', secret: client.secret }),
    await house.token({ id: client.id.toUpperCase(), secret: client.secret }),
    await house.token(undefined, inForm({ id: 'nobody', secret: 'x' })),
  ];
  for (const answer of answers) {
    refused(answer, 401, 'invalid_client');
    assert.equal(answer.body, answers[0].body);
  }
});

test('a client without a secret has none that fits', async () => {
  const client = await house.client({ jwks: '{"keys":[]}' });
  await house.db.query(
    `UPDATE clients SET secret_hash = NULL, secret_salt = NULL WHERE client_id = '${client.id}'`,
  );
  refused(await house.token(client), 401, 'invalid_client');
  refused(await house.token({ id: client.id, secret: '' }), 401, 'invalid_client');
});

test('failures are limited by client and address, over all workers', async () => {
  const client = await house.client();
  const wrong = { id: client.id, secret: 'wrong' };
  const agent = connections(20);
  const many = await Promise.all(
    Array.from({ length: 40 }, () => house.token(wrong, {}, { agent })),
  );
  agent.destroy();
  const count = (status) => many.filter((answer) => answer.status === status).length;
  assert.equal(count(401) + count(429), 40);
  assert.ok(count(401) >= 5, `${count(401)} failures`);

  const over = await house.token(wrong);
  assert.equal(over.status, 429);
  assert.ok(Number(over.headers['retry-after']) > 0);
  assert.equal(over.json.error, 'slow_down');
  assert.equal((await house.token(client)).status, 429, 'the right secret is not looked at');
  assert.equal((await house.token(shop)).status, 200, 'others are not concerned');
  const elsewhere = { headers: { 'x-forwarded-for': '10.0.0.1' } };
  assert.equal((await house.token(client, {}, elsewhere)).status, 200, 'nor other addresses');
  assert.match(await house.gw.metrics(), /rate_limited_total\{limit="client_auth"\} [1-9]/);
});

test('who keeps making up clients is not asked about any more', async () => {
  const from = { headers: { 'x-forwarded-for': '10.9.9.9' } };
  const made = async (n) => (await house.token({ id: `made-up-${n}`, secret: 'x' }, {}, from)).status;
  for (let n = 0; n < 50; n++) assert.equal(await made(n), 401);
  assert.equal(await made(50), 429);
  await until(
    async () => (await house.token(shop, {}, from)).status === 200,
    'the worker that knows the other client to take it from there',
  );
  assert.equal((await house.token({ id: 'x', secret: 'x' })).status, 401, 'other addresses may');
});

test('a good authentication costs none of the failures', async () => {
  const client = await house.client();
  for (let i = 0; i < 10; i++) assert.equal((await house.token(client)).status, 200);
});

test('a client that comes later is known within seconds', async () => {
  const late = { id: 'late', secret: 'the secret of late' };
  refused(await house.token(late), 401, 'invalid_client');
  await house.client(late);
  let n = 0;
  await until(async () => {
    const from = { headers: { 'x-forwarded-for': `10.1.${n >> 8}.${n++ & 255}` } };
    return (await house.token(late, {}, from)).status === 200;
  }, 'the client to be known');
});
