// Token exchange of tokens whose issuer is asked about them (RFC 7662): its word counts here too.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchange, exchanger, refused, said } from '../harness/exchange.mjs';
import { get } from '../harness/http.mjs';
import { asking, introspectionServer } from '../harness/introspection.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { tokenHouse } from '../harness/tokens.mjs';

const key = newKey('ES256');

async function asked(t, options) {
  const idp = await introspectionServer();
  t.after(() => idp.stop());
  const house = await tokenHouse(t, {
    service: 'token_rate = ""',
    keys: jwksOf(key),
    issuer: asking(idp, options),
    route: 'issuers = {"self", "main"}',
  });
  const bff = await house.client(
    exchanger({ id: 'bff', exchange_from: '{main/*}', delegation: 'allowed' }),
  );
  return { idp, house, bff };
}

test('a JWT that its issuer knows no more is not exchanged, as subject or actor', async (t) => {
  const { idp, house, bff } = await asked(t);
  const [good, actor_token, gone] = await Promise.all([
    mint(key, { sub: 'alice' }),
    mint(key, { sub: 'clerk' }),
    mint(key, { sub: 'bob' }),
  ]);
  idp.know(good, { sub: 'alice', client_id: 'shop', scope: 'read' });
  idp.know(actor_token, { sub: 'clerk', client_id: 'desk' });
  const { sub, act } = said(await exchange(house, bff, good, { actor_token }));
  assert.deepEqual([sub, act.sub], ['alice', 'clerk']);
  await refused(exchange(house, bff, gone), 'invalid_request', /^subject_token: .*not active/);
  await refused(
    exchange(house, bff, good, { actor_token: gone }),
    'invalid_request',
    /^actor_token: .*not active/,
  );
});

test('while its issuer does not answer, what is not known of a token is 503', async (t) => {
  const { idp, house, bff } = await asked(t);
  idp.mode = 'error';
  const answer = await exchange(house, bff, await mint(key));
  assert.equal(answer.status, 503, answer.body);
  assert.ok(Number(answer.headers['retry-after']) > 0);
});

test('an opaque token of another issuer is not taken, whether it is known by now or not', async (t) => {
  const { idp, house, bff } = await asked(t);
  idp.know('gold', { sub: 'ann', client_id: 'shop', scope: 'read' });
  const subject = await mint(key, { sub: 'alice' });
  idp.know(subject, { sub: 'alice', client_id: 'shop', scope: 'read' });
  for (let i = 0; i < 2; i += 1) {
    await refused(exchange(house, bff, 'gold'), 'invalid_request', /^subject_token: .*malformed/);
    await refused(
      exchange(house, bff, subject, { actor_token: 'gold' }),
      'invalid_request',
      /^actor_token: .*malformed/,
    );
    const { status } = await get(`${house.gw.url}/orders`, { token: 'gold' });
    assert.equal(status, 200);
  }
});
