// Opaque tokens of an issuer that is asked about them (RFC 7662).

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { connections, get } from '../harness/http.mjs';
import { asking, introspectionServer } from '../harness/introspection.mjs';
import { now } from '../harness/keys.mjs';
import { until } from '../harness/wait.mjs';

/** A provider, a backend, and a gateway between that asks the one before the other is asked. */
async function house(t, { more = '', issuer = '', ...options } = {}) {
  const [api, idp] = await Promise.all([backend(), introspectionServer()]);
  const text = conf({
    servers: [api.url],
    keys: '',
    issuer: asking(idp, { more, issuer }),
    ...options,
  });
  const gw = await gateway(text);
  t.after(async () => {
    await gw.stop();
    await idp.stop();
    await api.stop();
  });
  return { api, idp, gw, text, ask: (token, path = '/orders') => get(`${gw.url}${path}`, { token }) };
}

test('an opaque token passes when its issuer says so, and its facts reach the backend', async (t) => {
  const { api, idp, gw, ask } = await house(t);
  idp.know('gold', { sub: 'ann', client_id: 'shop', scope: 'orders:read', username: 'Ann' });
  const first = await ask('gold');
  assert.equal(first.status, 200);
  const seen = api.seen.at(-1).headers;
  assert.equal(seen['x-consumer-id'], 'shop');
  assert.equal(seen['x-authenticated-scope'], 'orders:read');
  assert.equal(seen['x-authenticated-userid'], 'ann');

  const [question] = idp.questions;
  assert.equal(question.method, 'POST');
  assert.equal(question.path, '/introspect');
  assert.equal(question.headers['content-type'], 'application/x-www-form-urlencoded');
  assert.equal(question.headers.accept, 'application/json');
  assert.equal(question.form.get('token_type_hint'), 'access_token');
  assert.equal(
    question.headers.authorization,
    `Basic ${Buffer.from('gate+way:s3cret%3A%2B%26%25').toString('base64')}`,
  );

  for (let i = 0; i < 10; i += 1) assert.equal((await ask('gold')).status, 200);
  assert.equal(idp.calls, 1);
  const line = await gw.logged((one) => one.request_id === first.headers['x-request-id']);
  assert.deepEqual([line.source, line.verdict, line.issuer], ['introspected', 'active', 'main']);
  assert.equal(
    await gw.metric('gatehouse_introspections_total{issuer="main",result="active"}'),
    1,
  );
});

test('what its issuer does not know is refused, and asked about again after negative_ttl', async (t) => {
  const { api, idp, ask } = await house(t, { more: 'negative_ttl = 1' });
  const refused = await ask('lead');
  assert.equal(refused.status, 401);
  assert.match(refused.headers['www-authenticate'], /error="invalid_token".*not active/);
  assert.equal((await ask('lead')).status, 401);
  assert.equal(idp.calls, 1);
  idp.know('lead', { sub: 'ann' });
  await until(async () => (await ask('lead')).status === 200, 'the token to pass');
  assert.equal(idp.callsFor('lead'), 2);
  assert.equal(api.seen.length, 1);
});
