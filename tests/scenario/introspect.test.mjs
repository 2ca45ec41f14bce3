// Tokens of an issuer that is asked about them (RFC 7662), with validate = "introspect".

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { command } from '../harness/gateway.mjs';
import { asked, asking, introspectionServer } from '../harness/introspection.mjs';
import { forge, mint, newKey, now } from '../harness/keys.mjs';
import { until } from '../harness/wait.mjs';

test('an opaque token passes when its issuer says so, and its facts reach the backend', async (t) => {
  const { api, idp, gw, ask } = await asked(t);
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
  const timed = 'gatehouse_introspection_duration_seconds_count{issuer="main"}';
  assert.equal(await gw.metric(timed), 1);
});

test('what its issuer does not know is refused, and asked about again after negative_ttl', async (t) => {
  const { api, idp, ask } = await asked(t, { more: 'negative_ttl = 1' });
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

/* What an issuer calls active and we don't take; `null`: that claim is left out. */
const REFUSED = [
  ['of another audience', { aud: 'billing-api' }],
  ['of no audience', { aud: null }],
  ['of another issuer', { iss: 'https://other.test' }],
  ['expired', { exp: now() - 1 }],
  ['not valid yet', { nbf: now() + 600 }],
  ['issued in the future', { iat: now() + 600 }],
  ['bound to a proof', { token_type: 'DPoP' }],
  ['bound to a key', { cnf: { jkt: 'x' } }],
  ['of an unknown type', { token_type: 'N_A' }],
  ['of a type that is no word', { token_type: 1 }],
  ['a refresh token', { typ: 'Refresh' }],
  ['a refresh token by its use', { token_use: 'refresh_token' }],
  ['an ID token', { nonce: 'n' }],
  ['nobody\'s', { sub: null }],
  ['somebody\'s who is two lines', { sub: 'ann\r\nX-Consumer-ID: root' }],
  ['somebody\'s who is a number', { sub: 7 }],
  ['without an end that can be read', { exp: 'tomorrow' }],
  ['without an end that is a number', { exp: null, aud: 'orders-api', exp_: 1, iat: 'x' }],
];

test('active is not enough: an answer counts as claims do', async (t) => {
  const { api, idp, ask } = await asked(t);
  for (const [name, claims] of REFUSED) {
    const token = name.replaceAll(/[^a-z]/g, '-');
    const all = { sub: 'ann', ...claims };
    idp.know(token, Object.fromEntries(Object.entries(all).filter(([, v]) => v !== null)));
    for (const [member, value] of Object.entries(claims))
      if (value === null) delete idp.known.get(token)[member];
    assert.equal((await ask(token)).status, 401, name);
    assert.equal((await ask(token)).status, 401, name);
    assert.equal(idp.callsFor(token), 1, name);
  }
  assert.equal(api.seen.length, 0);
});

test('a JWT is asked about, whoever signed it, but for one that is over by its own account', async (t) => {
  const { api, idp, ask } = await asked(t);
  const key = newKey('ES512');
  const token = await mint(key, { sub: 'by the token', jti: '1' });
  assert.equal((await ask(token)).status, 401);
  const good = await mint(key, { sub: 'by the token', jti: '2' });
  idp.know(good, { sub: 'by the answer', client_id: 'shop' });
  assert.equal((await ask(good)).status, 200);
  assert.equal(api.seen.at(-1).headers['x-authenticated-userid'], 'by the answer');
  assert.equal((await ask(good)).status, 200);
  assert.equal(idp.calls, 2);
  for (const old of [{ exp: now() - 1 }, { iss: 'https://stranger.test' }, { typ: 'Refresh' }]) {
    const refused = await mint(key, { jti: JSON.stringify(old), ...old });
    idp.know(refused, { sub: 'ann' });
    assert.equal((await ask(refused)).status, 401);
  }
  const none = forge(key, { header: { alg: 'none' } });
  idp.know(none, { sub: 'ann' });
  assert.equal((await ask(none)).status, 401);
  assert.equal(idp.calls, 2);
});

test('an answer is believed for introspection_ttl, and without exp no longer', async (t) => {
  const { idp, ask } = await asked(t, { more: 'introspection_ttl = 1 negative_ttl = 0' });
  idp.know('gold', { sub: 'ann' });
  idp.know('endless', { sub: 'ann' });
  delete idp.known.get('endless').exp;
  for (const token of ['gold', 'endless']) {
    assert.equal((await ask(token)).status, 200);
    assert.equal((await ask(token)).status, 200);
    idp.forget(token);
    await until(async () => (await ask(token)).status === 401, `${token} to be refused`);
    assert.ok(idp.callsFor(token) >= 2);
  }
});

test('max_staleness is the route\'s own, 0 asks each time', async (t) => {
  const { idp, ask } = await asked(t, {
    sections: `route "now" { paths = {"/now"} upstream = "api" max_staleness = 0 }`,
  });
  idp.know('gold', { sub: 'ann' });
  for (let i = 0; i < 5; i += 1) assert.equal((await ask('gold', '/now')).status, 200);
  assert.equal(idp.calls, 5);
  for (let i = 0; i < 5; i += 1) assert.equal((await ask('gold')).status, 200);
  assert.equal(idp.calls, 5);
  idp.forget('gold');
  assert.equal((await ask('gold')).status, 200);
  assert.equal((await ask('gold', '/now')).status, 401);
  assert.equal((await ask('gold')).status, 401);
});

test('with max_staleness = 0 only an answer to a later question counts', async (t) => {
  const { idp, ask } = await asked(t, { workers: 1, route: 'max_staleness = 0' });
  idp.know('gold', { sub: 'ann' });
  idp.hold();
  const early = ask('gold');
  await until(() => idp.calls === 1, 'the first question');
  const late = Array.from({ length: 20 }, () => ask('gold'));
  await until(() => idp.calls === 1, 'nothing more');
  idp.release();
  assert.equal((await early).status, 200);
  for (const answer of await Promise.all(late)) assert.equal(answer.status, 200);
  /* one for all that came before it was put; requests that the gateway read later than that, another */
  assert.ok(idp.calls >= 2 && idp.calls <= 4, `${idp.calls} questions`);
});

test('two issuers: a token belongs to the one that knows it, and each is asked once', async (t) => {
  const other = await introspectionServer();
  t.after(() => other.stop());
  const { api, idp, ask } = await asked(t, {
    sections: `issuer "second" { issuer = "https://second.test" audience = {"orders-api"}
      ${asking(other)} }
      route "second" { paths = {"/second"} upstream = "api" issuers = {"second"} }
      route "main" { paths = {"/main"} upstream = "api" issuers = {"main"} }`,
  });
  idp.know('ours', { sub: 'ann' });
  other.know('theirs', { sub: 'bob' });
  assert.equal((await ask('theirs')).status, 200);
  assert.equal(api.seen.at(-1).headers['x-consumer-id'], 'bob');
  assert.deepEqual([idp.calls, other.calls], [1, 1]);
  assert.equal((await ask('ours')).status, 200);
  assert.deepEqual([idp.calls, other.calls], [2, 1]);
  assert.equal((await ask('theirs', '/main')).status, 401);
  assert.equal((await ask('theirs', '/second')).status, 200);
  assert.equal((await ask('ours', '/second')).status, 401);
  assert.equal((await ask('nobodys')).status, 401);
  assert.equal((await ask('nobodys')).status, 401);
  assert.deepEqual([idp.callsFor('nobodys'), other.callsFor('nobodys')], [1, 1]);
  /* with one of them silent the matter is open */
  idp.mode = 'error';
  assert.equal((await ask('fresh')).status, 503);
  other.know('bobs', { sub: 'bob' });
  assert.equal((await ask('bobs')).status, 200);
});

test('a token that both know counts on each route as that route\'s issuer', async (t) => {
  const other = await introspectionServer();
  t.after(() => other.stop());
  const { api, idp, ask } = await asked(t, {
    route: 'issuers = {"main"}',
    sections: `issuer "second" { issuer = "https://second.test" audience = {"orders-api"}
      ${asking(other)} }
      route "second" { paths = {"/second"} upstream = "api" issuers = {"second"} }`,
  });
  idp.know('shared', { sub: 'ann' });
  other.know('shared', { sub: 'bob' });
  for (const [path, consumer] of [['/a', 'ann'], ['/second', 'bob'], ['/a', 'ann']]) {
    assert.equal((await ask('shared', path)).status, 200);
    assert.equal(api.seen.at(-1).headers['x-consumer-id'], consumer);
  }
});

test('the secret goes into the form where the issuer wants it there', async (t) => {
  const { idp, ask } = await asked(t, { more: 'auth = "post"' });
  idp.know('gold', { sub: 'ann' });
  assert.equal((await ask('gold')).status, 200);
  const [{ form, headers }] = idp.questions;
  assert.equal(headers.authorization, undefined);
  assert.equal(form.get('client_id'), 'gate way');
  assert.equal(form.get('client_secret'), 's3cret:+&%');
});

const KEYS = [
  ['RS256', 'rsa', { modulusLength: 2048 }, 'sha256', undefined],
  ['ES256', 'ec', { namedCurve: 'P-256' }, 'sha256', 'ieee-p1363'],
  ['EdDSA', 'ed25519', {}, null, undefined],
];

for (const [alg, type, options, hash, dsaEncoding] of KEYS)
  test(`private_key_jwt: a fresh assertion for each question, signed ${alg}`, async (t) => {
    const { privateKey, publicKey } = generateKeyPairSync(type, options);
    const { idp, ask } = await asked(t, {
      more: `auth = "private_key_jwt" private_key_file = "client.pem" key_id = "k\\"1"`,
      files: { 'client.pem': privateKey.export({ type: 'pkcs8', format: 'pem' }) },
    });
    for (const token of ['gold', 'silver']) {
      idp.know(token, { sub: 'ann' });
      assert.equal((await ask(token)).status, 200);
    }
    const ids = new Set();
    for (const { form, headers } of idp.questions) {
      assert.equal(headers.authorization, undefined);
      assert.equal(form.get('client_secret'), null);
      assert.equal(
        form.get('client_assertion_type'),
        'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      );
      const [header, claims, signature] = form.get('client_assertion').split('.');
      const read = (part) => JSON.parse(Buffer.from(part, 'base64url'));
      assert.deepEqual(read(header), { alg, typ: 'JWT', kid: 'k"1' });
      const { jti, iat, exp, ...rest } = read(claims);
      assert.deepEqual(rest, { iss: 'gate way', sub: 'gate way', aud: 'https://id.test' });
      assert.ok(Math.abs(iat - now()) <= 5 && exp === iat + 60);
      ids.add(jti);
      const good = verify(
        hash,
        Buffer.from(`${header}.${claims}`),
        { key: createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })), dsaEncoding },
        Buffer.from(signature, 'base64url'),
      );
      assert.ok(good);
    }
    assert.equal(ids.size, 2);
  });

test('-t tells what is wrong with a key, and warns where issuers see each other\'s tokens', async (t) => {
  const { text, idp } = await asked(t, {
    sections: `issuer "second" { issuer = "https://second.test" audience = {"orders-api"}
      validate = "introspect"
      introspection { endpoint = "https://second.test/i" client_id = "g" client_secret = "s" } }`,
  });
  const fine = await command(['-t', '-c', 'gatehouse.conf'], { conf: text });
  assert.equal(fine.code, 0);
  assert.match(fine.stdout + fine.stderr, /2 issuers are asked about tokens that are no JWT/);
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  for (const [pem, why] of [
    ['nothing', /private_key_file: .*no private key in PEM/],
    [short.export({ type: 'pkcs8', format: 'pem' }), /private_key_file: .*2048/],
  ]) {
    const conf = text.replace(
      'client_secret = "s3cret:+&%"',
      'auth = "private_key_jwt" private_key_file = "k.pem"',
    );
    const bad = await command(['-t', '-c', 'gatehouse.conf'], { conf, files: { 'k.pem': pem } });
    assert.equal(bad.code, 1);
    assert.match(bad.stderr + bad.stdout, why);
  }
  assert.equal(idp.calls, 0);
});
