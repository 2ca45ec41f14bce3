// Token exchange as services use it: oauth4webapi's request for any grant, and a chain of Express
// services behind Gatehouse, each of which calls the next for the user, with a token of its own.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import express from 'express';
import * as oauth from 'oauth4webapi';
import { ACCESS, GRANT, JWT, payload } from '../harness/exchange.mjs';
import { AUDIENCE, ISSUER } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, misSigned, newKey, now } from '../harness/keys.mjs';
import { provider } from '../harness/provider.mjs';

const loopback = { [oauth.allowInsecureRequests]: true };
const key = newKey('RS256');
/* Who calls whom: each exchanges what it is called with, except the last. */
const NAMES = ['orders', 'stock', 'pricing', 'ledger'];
const audienceOf = (name) => `${name}-api`;
const SCOPES = ['openid read', 'openid read', 'read'];
let house;
let server;
let services;

/** One client at work, as a service or an app is. */
class Party {
  constructor({ id, secret }) {
    this.who = { client_id: id };
    this.proof = oauth.ClientSecretBasic(secret);
  }

  async own() {
    const answer = await oauth.clientCredentialsGrantRequest(
      ...[server, this.who, this.proof, new URLSearchParams(), loopback],
    );
    return oauth.processClientCredentialsResponse(server, this.who, answer);
  }

  /** RFC 8693, by the library's request for grants that it has no name for. */
  async exchange(subject, more = {}) {
    const form = { subject_token: subject, subject_token_type: ACCESS, ...more };
    const answer = await oauth.genericTokenEndpointRequest(
      ...[server, this.who, this.proof, GRANT, new URLSearchParams(form), loopback],
    );
    return oauth.processGenericTokenEndpointResponse(server, this.who, answer);
  }

  async revoke(token) {
    const answer = await oauth.revocationRequest(server, this.who, this.proof, token, loopback);
    return oauth.processRevocationResponse(answer);
  }
}

/** What the library says of one of our tokens. */
const validated = (token, audience) =>
  oauth.validateJwtAccessToken(
    server,
    new Request(house.url, { headers: { authorization: `Bearer ${token}` } }),
    audience,
    loopback,
  );

/** A service: tells what it was called with, and what the next one said. */
async function startService(name, i) {
  const app = express();
  const service = { name, next: NAMES[i + 1] };
  app.get(`/${name}`, async (req, res) => {
    const token = req.headers.authorization.slice('Bearer '.length);
    /* the first is called with a token of the user's own issuer */
    const claims = i === 0 ? payload(token) : await validated(token, audienceOf(name));
    const seen = { name, token, claims, headers: req.headers };
    if (service.next === undefined) return res.json([seen]);
    const { access_token: actor } = await service.party.own();
    const { access_token: further } = await service.party.exchange(token, {
      actor_token: actor,
      actor_token_type: ACCESS,
      audience: audienceOf(service.next),
      scope: SCOPES[i],
    });
    const answer = await get(`${house.url}/${service.next}`, { token: further });
    if (answer.status !== 200) return res.status(502).json(answer.json);
    return res.json([seen, ...answer.json]);
  });
  service.server = app.listen(0, '127.0.0.1');
  await once(service.server, 'listening');
  service.url = `http://127.0.0.1:${service.server.address().port}`;
  return service;
}

/** The route of a service takes tokens for that service, and the first one the user's. */
const routeOf = ({ name, url }, i) => `
upstream "${name}" { servers = {"${url}"} }
route "${name}" {
  paths = {"/${name}"}
  upstream = "${name}"
  issuers = {"${i === 0 ? 'main' : 'self'}"}
  audience = {"${audienceOf(name)}"}
}`;

before(async () => {
  services = await Promise.all(NAMES.map(startService));
  house = await provider({ keys: jwksOf(key), more: services.map(routeOf).join('\n') });
  const answer = await oauth.discoveryRequest(new URL(house.issuer), {
    algorithm: 'oauth2',
    ...loopback,
  });
  server = await oauth.processDiscoveryResponse(new URL(house.issuer), answer);
  for (const [i, service] of services.slice(0, -1).entries()) {
    service.party = new Party(
      await house.client(
        ...['--id', service.name, '--grants', 'client_credentials token-exchange'],
        ...['--exchange-from', i === 0 ? 'main/shop' : `self/${NAMES[i - 1]}`],
        ...['--delegation', 'self', '--impersonation', 'denied'],
        ...['--audiences', audienceOf(service.next)],
      ),
    );
  }
});
after(async () => {
  await house.stop();
  for (const { server: one } of services) {
    one.close();
    one.closeAllConnections();
  }
});

const user = (changes) =>
  mint(key, { sub: 'alice', aud: [AUDIENCE], scope: 'openid read write', ...changes });

test('the metadata names the grant', () => {
  assert.ok(server.grant_types_supported.includes(GRANT));
});

test('the library’s request for any grant', async () => {
  const made = await house.client(
    ...['--grants', 'token-exchange', '--exchange-from', 'main/*', '--audiences', 'stock-api'],
  );
  const me = new Party(made);
  const subject = await user({ exp: now() + 100 });
  const issued = await me.exchange(subject, { audience: 'stock-api', scope: 'read' });
  assert.equal(issued.token_type, 'bearer');
  assert.equal(issued.issued_token_type, ACCESS);
  assert.equal(issued.scope, 'read');
  assert.equal(issued.refresh_token, undefined);
  const claims = await validated(issued.access_token, 'stock-api');
  assert.deepEqual([claims.sub, claims.client_id, claims.scope], ['alice', made.id, 'read']);
  assert.equal(claims.exp, payload(subject).exp);
  const jwt = await me.exchange(subject, { requested_token_type: JWT });
  assert.equal(jwt.issued_token_type, JWT);
  const said = (error, words) => (thrown) =>
    thrown.error === error && thrown.status === 400 && words.test(thrown.error_description);
  for (const [token, form, error, words] of [
    [misSigned(subject), {}, 'invalid_request', /^subject_token: .*signature/],
    [await user({ exp: now() - 1 }), {}, 'invalid_request', /^subject_token: .*expired/],
    [subject, { subject_token_type: 'x' }, 'invalid_request', /subject_token_type/],
    [subject, { audience: 'ledger-api' }, 'invalid_target', /audience/],
    [subject, { scope: 'admin' }, 'invalid_scope', /scope/],
  ])
    await assert.rejects(me.exchange(token, form), said(error, words));
});

test('three exchanges: each service sees its own audience and all who acted before', async () => {
  const token = await user();
  const answer = await get(`${house.url}/orders`, { token });
  assert.equal(answer.status, 200, answer.body);
  const seen = answer.json;
  assert.deepEqual(seen.map(({ name }) => name), NAMES);
  assert.deepEqual(
    seen.map(({ claims }) => [claims.iss, claims.aud].flat()),
    [[ISSUER, AUDIENCE], ...NAMES.slice(1).map((name) => [house.issuer, audienceOf(name)])],
  );
  for (const { claims, headers } of seen) {
    assert.equal(claims.sub, 'alice');
    assert.equal(headers['x-authenticated-userid'], 'alice');
    assert.equal(headers['x-credential-identifier'], claims.client_id);
    assert.equal(headers['x-authenticated-scope'], claims.scope);
    assert.ok(claims.exp <= seen[0].claims.exp);
  }
  const orders = { sub: 'orders' };
  const stock = { sub: 'stock', act: orders };
  assert.deepEqual(
    seen.map(({ claims }) => claims.act),
    [undefined, orders, stock, { sub: 'pricing', act: stock }],
  );
  assert.deepEqual(
    seen.map(({ claims }) => claims.scope),
    ['openid read write', 'openid read', 'openid read', 'read'],
  );
  assert.deepEqual(
    seen.map(({ claims }) => (claims.lineage ?? []).map(({ jti }) => jti)),
    seen.map((_, i) => seen.slice(0, i).map(({ claims }) => claims.jti)),
  );
});

test('no service can use what another one was given', async () => {
  const { json: seen } = await get(`${house.url}/orders`, { token: await user() });
  for (const { token, name } of seen)
    for (const other of NAMES.filter((one) => one !== name)) {
      const { status } = await get(`${house.url}/${other}`, { token });
      assert.equal(status, 401, `${name}, ${other}`);
    }
  /* nor exchange it: each may exchange only tokens of the one that calls it */
  const { token: last } = seen.at(-1);
  const actor = { actor_token_type: ACCESS };
  for (const { party } of services.slice(0, -1))
    await assert.rejects(
      party.exchange(last, { ...actor, actor_token: (await party.own()).access_token }),
      { error: 'invalid_request', status: 400 },
    );
});

test('when the user’s token is revoked, the whole chain ends', async () => {
  const warden = new Party(await house.client('--revocation', 'any'));
  const token = await user();
  const { json: seen } = await get(`${house.url}/orders`, { token });
  await warden.revoke(token);
  for (const { name, token: one } of seen) {
    const answer = await get(`${house.url}/${name}`, { token: one });
    assert.equal(answer.status, 401, name);
    assert.match(answer.body, /revoked/);
  }
  const other = await get(`${house.url}/orders`, { token: await user() });
  assert.equal(other.status, 200, 'another token of the same user');
  /* one of the middle: what came before it goes on */
  await warden.revoke(other.json[2].token);
  const answers = await Promise.all(
    other.json.map(({ name, token: one }) => get(`${house.url}/${name}`, { token: one })),
  );
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 401, 401]);
});
