// Where an issuer is asked about tokens, found by OpenID discovery.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { introspectionServer } from '../harness/introspection.mjs';
import { until } from '../harness/wait.mjs';

/** A provider whose name is its address: its document says what `document()` returns. */
async function house(t, document) {
  const [api, idp] = await Promise.all([backend(), introspectionServer()]);
  const state = { status: 200, fetches: 0 };
  const site = http.createServer((req, res) => {
    state.fetches += req.url === '/.well-known/openid-configuration';
    res.statusCode = state.status;
    res.end(JSON.stringify(document(state.url, idp)));
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  state.url = `http://127.0.0.1:${site.address().port}`;
  const text = conf({
    servers: [api.url],
    keys: '',
    issuer: `validate = "introspect" jwks_refresh = 1
      introspection { client_id = "g" client_secret = "s" }`,
  }).replace('https://id.test', state.url);
  const gw = await gateway(text);
  t.after(async () => {
    await gw.stop();
    site.closeAllConnections();
    site.close();
    await idp.stop();
    await api.stop();
  });
  return { gw, idp, state, text, ask: (token) => get(`${gw.url}/orders`, { token }) };
}

test('the endpoint is found before the gateway is ready, and followed when it moves', async (t) => {
  let path = '/first';
  const { gw, idp, state, ask, text } = await house(t, (issuer, { url }) => ({
    issuer,
    introspection_endpoint: url + path,
  }));
  idp.know('gold', { sub: 'ann' });
  assert.equal((await ask('gold')).status, 200);
  assert.equal(idp.questions[0].path, '/first');
  assert.ok(!/no keys/.test(gw.log()), 'keys that are not needed were looked for');
  const ready = await get(`${gw.adminUrl}/readyz`);
  assert.deepEqual([ready.status, ready.json.issuers_without_keys], [200, []]);

  path = '/second';
  await gw.sees(/is asked about tokens at .*\/second/);
  await until(async () => {
    await ask(`unknown-${idp.calls}`);
    return idp.questions.at(-1).path === '/second';
  }, 'a question there');

  /* what was found stays while the document can't be had, after a reload too */
  state.status = 500;
  await gw.sees(/discovery: .*status 500; it is asked where it was before/);
  await gw.reload(text.replace('workers = 2', 'workers = 1'));
  idp.know('silver', { sub: 'ann' });
  assert.equal((await ask('silver')).status, 200);
});

for (const [name, document, complaint] of [
  ['names no endpoint', (issuer) => ({ issuer }), /no usable introspection_endpoint/],
  [
    'is of another issuer',
    (issuer, { url }) => ({ issuer: `${issuer}/x`, introspection_endpoint: url }),
    /of another issuer/,
  ],
  [
    'names an endpoint that is no URL',
    (issuer) => ({ issuer, introspection_endpoint: 'file:///etc/passwd' }),
    /no usable introspection_endpoint/,
  ],
])
  test(`a document that ${name} leaves tokens at 503`, async (t) => {
    const { gw, idp, ask } = await house(t, document);
    assert.equal((await ask('gold')).status, 503);
    await gw.sees(complaint);
    await gw.sees(/names no introspection_endpoint: see introspection.endpoint/);
    assert.equal(idp.calls, 0);
  });
