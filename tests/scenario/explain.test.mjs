// gatehouse explain: the check that a token fails, told by name, with a running gateway and without.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { backend } from '../harness/backend.mjs';
import { BINARY, conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { asking, introspectionServer } from '../harness/introspection.mjs';
import { jwksServer } from '../harness/jwks.mjs';
import { jwksOf, mint, newKey, now } from '../harness/keys.mjs';
import { postgres } from '../harness/postgres.mjs';
import { tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

const OTHER = `issuer "other" { issuer = "https://other.test" audience = {"orders-api"} jwks_file = "jwks.json" }
route "others" { paths = {"/others"} upstream = "api" issuers = {"other"} }
route "narrow" { paths = {"/narrow"} upstream = "api" audience = {"narrow-api"} }
`;

/** Runs the command beside the gateway's configuration: { code, stdout, stderr, json }. */
async function explain(folder, token, args = [], { json = true, route = 'all' } = {}) {
  const words = ['-c', 'gatehouse.conf', 'explain', '--route', route, ...(json ? ['--json'] : [])];
  const child = spawn(BINARY, [...words, ...args], { cwd: folder });
  const out = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'])
    child[name].setEncoding('utf8').on('data', (text) => (out[name] += text));
  child.stdin.on('error', () => {}).end(`${token}\n`);
  const [code, signal] = await once(child, 'close');
  assert.equal(signal, null, out.stderr);
  const all = out.stdout + out.stderr;
  for (const part of [...(token === '' ? [] : [token]), ...token.split('.').filter((piece) => piece.length > 8)])
    assert.ok(!all.includes(part), 'the output holds the token');
  return { code, ...out, json: json && code < 2 ? JSON.parse(out.stdout) : undefined };
}

/** Asserts which check fails first, and what the gateway would say; null: the token would pass. */
async function failing(folder, token, check, verdict, options = {}) {
  const end = await explain(folder, token, options.args, options);
  const { json } = end;
  assert.equal(json?.failed ?? null, check, end.stdout + end.stderr);
  assert.equal(end.code, check === null ? 0 : 1, end.stdout);
  if (check === null) assert.equal(json.would_pass, true);
  else assert.equal(json.checks.find((row) => row.state === 'failed').verdict, verdict);
  return json;
}

async function house(t, { issuer = '', more = '', ...options } = {}) {
  const [api, key] = [await backend(), newKey('ES256')];
  const gw = await gateway(
    conf({ servers: [api.url], issuer, route: 'scopes = {"orders:read"}', more: OTHER + more, ...options }),
    { files: { 'jwks.json': jwksOf(key) } },
  );
  t.after(async () => {
    await gw.stop();
    await api.stop();
  });
  return { gw, key, running: ['--admin', gw.adminUrl], ask: (token, path = '/') => get(`${gw.url}${path}`, { token }) };
}

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('each reason has its check, with a running gateway and without', async (t) => {
  const { gw, key, running, ask } = await house(t);
  const good = await mint(key);
  const forged = await mint(newKey('ES256', key.kid));
  const rows = [
    [good, null],
    [await mint(key, { exp: now() - 180 }), 'times', 'expired'],
    [await mint(key, { nbf: now() + 600 }), 'times', 'not_yet_valid'],
    [await mint(key, { aud: 'other-api' }), 'audience', 'wrong_audience'],
    [await mint(key, {}, { kid: 'nobody' }), 'key', 'unknown_key'],
    [forged, 'signature', 'bad_signature'],
    [await mint(key, { iss: 'https://stranger.test' }), 'issuer', 'wrong_issuer'],
    [await mint(key, {}, { typ: 'dpop+jwt' }), 'type', 'token_type'],
    [await mint(key, { nonce: 'n' }), 'purpose', 'token_type'],
    [await mint(key, { cnf: { jkt: 'x' } }), 'binding', 'bound'],
    [await mint(newKey('HS256', key.kid)), 'algorithm', 'algorithm'],
    [await mint(key, { client_id: undefined, sub: undefined }), 'consumer', 'no_consumer'],
    [await mint(key, { scope: 'orders:write' }), "route's scopes", 'insufficient_scope'],
    [`${part({ alg: 'none' })}.${part({})}.`, 'header', 'algorithm'],
    [`${part({ alg: 'ES256' })}.${part([])}.c2lnbmF0dXJl`, 'claims', 'malformed'],
    ['no-jwt-at-all', 'form', 'malformed'],
    ['a.b.c.d.e', 'form', 'encrypted'],
    [`${good}=`, 'encoding', 'malformed'],
    ['x'.repeat(10_000), 'size', 'too_large'],
  ];
  for (const [token, check, verdict] of rows) {
    const answer = await ask(token);
    for (const args of [running, []]) {
      const json = await failing(gw.folder, token, check, verdict, { args });
      assert.equal(json.asked, args.length > 0 ? gw.adminUrl : null);
      assert.equal(json.status ?? 200, answer.status);
      if (check !== null)
        assert.equal(json.challenge, `WWW-Authenticate: ${answer.headers['www-authenticate']}`);
    }
  }
  const others = { args: running, route: 'others' };
  await failing(gw.folder, good, "route's issuers", 'wrong_issuer', others);
  const narrow = { args: running, route: 'narrow' };
  await failing(gw.folder, good, "route's audience", 'wrong_audience', narrow);
});

test('what is expected and found is told, and a token may be wrong twice', async (t) => {
  const { gw, key, running } = await house(t);
  const wrong = await mint(key, { exp: now() - 180, aud: ['a', 'b'], scope: 'x' }, { kid: 'gone' });
  const { stdout, code } = await explain(gw.folder, wrong, running, { json: false });
  assert.equal(code, 1);
  assert.match(stdout, /FAILED +times +expected +exp to come.*\n +found +exp .*Z, 3 min ago/);
  assert.match(stdout, /FAILED +audience +expected +one of orders-api\n +found +aud \["a","b"\]/);
  assert.match(stdout, new RegExp(`FAILED +key +expected +kid ${key.kid} \\(the running gateway.*\n +found +kid "gone"`));
  assert.match(stdout, /- +signature +not looked at/);
  assert.match(stdout, /\n401 invalid_token: the token is expired\nWWW-Authenticate: Bearer /);
  const hostile = await mint(key, { client_id: 'a\u202eb', aud: '\u001b[2Jx' });
  const end = await explain(gw.folder, hostile, running, { json: false });
  // eslint-disable-next-line no-control-regex
  assert.doesNotMatch(end.stdout, /[^\n\x20-\x7e]/);
});

test('secrets of keys stay with the gateway', async (t) => {
  const secret = newKey('HS256');
  const { gw, running, ask } = await house(t, { issuer: 'algorithms = {"HS256"}' });
  await gw.write('jwks.json', JSON.stringify(jwksOf(secret)));
  const token = await mint(secret, { scope: 'orders:read' });
  await until(async () => (await ask(token)).status === 200, 'the new key');
  await failing(gw.folder, token, null, null, { args: running });
  const told = await get(`${gw.adminUrl}/api/explain?issuer=main`);
  assert.equal(told.status, 200);
  assert.ok(!told.body.includes(secret.private.k));
});

test('the admin listener takes no more than it knows', async (t) => {
  const { gw, key, ask } = await house(t);
  await ask(await mint(key));
  for (const query of ['digest=abc', 'x=y', 'route', 'route=%4', `jti=${'a'.repeat(44)}`, 'iat=-1'])
    assert.equal((await get(`${gw.adminUrl}/api/explain?${query}`)).status, 400, query);
  const unknown = await get(`${gw.adminUrl}/api/explain?route=nowhere&digest=${'A'.repeat(43)}`);
  assert.deepEqual([JSON.parse(unknown.body).has_route, JSON.parse(unknown.body).cached], [false, null]);
});

test('wrong usage is told without the token', async (t) => {
  const { gw, key } = await house(t);
  const token = await mint(key);
  for (const [text, args, route, complaint] of [
    [token, [], 'nowhere', /there is no route "nowhere"; there are: all others narrow/],
    ['', [], 'all', /no token to explain/],
    [`${token} ${token}`, [], 'all', /one word/],
    [token, [token], 'all', /unknown argument/],
    [token, ['--token-file', 'nowhere'], 'all', /can't be read: No such file/],
  ]) {
    const end = await explain(gw.folder, text, args, { json: false, route });
    assert.equal(end.code, 2);
    assert.match(end.stderr, complaint);
  }
  await writeFile(join(gw.folder, 'token'), `Bearer ${token}\n`);
  assert.equal((await explain(gw.folder, '', ['--token-file', 'token'])).code, 0);
});

test('what an issuer was asked about', async (t) => {
  const idp = await introspectionServer();
  t.after(() => idp.stop());
  const { gw, running, ask } = await house(t, { keys: '', issuer: asking(idp) });
  const unknown = await explain(gw.folder, 'unheard-of-opaque', running);
  assert.deepEqual([unknown.code, unknown.json.failed, unknown.json.open], [1, null, 'introspection']);
  const row = unknown.json.checks.find((one) => one.check === 'introspection');
  assert.ok(row.expected.includes(`${idp.url}/introspect`), row.expected);

  assert.equal((await ask('unheard-of-opaque')).status, 401);
  await failing(gw.folder, 'unheard-of-opaque', 'introspection', 'inactive', { args: running });

  idp.know('golden-opaque', { sub: 'ann', client_id: 'shop', scope: 'orders:read' });
  assert.equal((await ask('golden-opaque')).status, 200);
  await failing(gw.folder, 'golden-opaque', null, null, { args: running });
  idp.know('silver-opaque', { sub: 'ann', client_id: 'shop', scope: 'other' });
  assert.equal((await ask('silver-opaque')).status, 403);
  const args = { args: running };
  await failing(gw.folder, 'silver-opaque', "route's scopes", 'insufficient_scope', args);
  idp.know('copper-opaque', { sub: 'ann', aud: 'other-api' });
  assert.equal((await ask('copper-opaque')).status, 401);
  await failing(gw.folder, 'copper-opaque', 'introspection', 'wrong_audience', args);

  const alone = await explain(gw.folder, 'golden-opaque');
  assert.deepEqual([alone.code, alone.json.open], [1, 'introspection']);
  const calls = idp.calls;
  await explain(gw.folder, 'lead-opaque', running);
  assert.equal(idp.calls, calls, 'the command asks no issuer');
});

test('an opaque token of an issuer that wants to know its consumers', async (t) => {
  const idp = await introspectionServer();
  t.after(() => idp.stop());
  const issuer = `unknown_consumers = "refuse" consumers = {"shop"} ${asking(idp)}`;
  const { gw, running, ask } = await house(t, { keys: '', issuer });
  idp.know('known-opaque', { client_id: 'shop', scope: 'orders:read' });
  idp.know('other-opaque', { client_id: 'stranger', scope: 'orders:read' });
  assert.equal((await ask('known-opaque')).status, 200);
  await failing(gw.folder, 'known-opaque', null, null, { args: running });
  assert.equal((await ask('other-opaque')).status, 401);
  const { code, json } = await explain(gw.folder, 'other-opaque', running);
  assert.deepEqual([code, json.failed, json.open], [1, null, 'known consumer']);
});

test('keys come from where the gateway would get them', async (t) => {
  const key = newKey('ES256');
  const server = await jwksServer(jwksOf(key));
  t.after(() => server.stop());
  const { gw, running, ask } = await house(t, { keys: `jwks_uri = "${server.url}"` });
  const token = await mint(key);
  await until(async () => (await ask(token)).status === 200, 'the keys');
  await failing(gw.folder, token, null, null, {});
  server.mode = 'garbage';
  await failing(gw.folder, token, null, null, { args: running });
  const { checks } = await failing(gw.folder, token, 'key', 'keys_unavailable', {});
  assert.match(checks.find((row) => row.check === 'key').found, /no keys: .*\/jwks/);
});

test('a JWT that its issuer called inactive', async (t) => {
  const idp = await introspectionServer();
  t.after(() => idp.stop());
  const { gw, key, running, ask } = await house(t, { issuer: asking(idp, { validate: 'both' }) });
  const token = await mint(key);
  await failing(gw.folder, token, null, null, { args: running });
  assert.equal((await ask(token)).status, 200);
  await until(async () => (await ask(token)).status === 401, 'the refusal');
  await failing(gw.folder, token, 'introspection', 'inactive', { args: running });
});

test('revocations and consumers, with a running gateway and without', async (t) => {
  const db = await postgres({ fast: true });
  await db.migrate();
  const { gw, key, running, ask } = await house(t, { issuer: 'unknown_consumers = "refuse"', more: db.section() });
  t.after(() => db.remove());
  const revoked = await mint(key, { jti: 'gone', client_id: 'shop' });
  const subject = await mint(key, { sub: 'bad', client_id: 'shop' });
  const stranger = await mint(key, { client_id: 'stranger' });
  await db.query("INSERT INTO consumers (name) VALUES ('shop')");
  for (const [kind, value] of [['jti', 'gone'], ['subject', 'bad']])
    await db.query(`INSERT INTO revocations (kind, identity, expires_at, issuer, value, before_at)
      SELECT '${kind}', gatehouse_identity('${kind}', 'https://id.test', '${value}'),
        now() + interval '1 hour', 'https://id.test', '${value}', ${kind === 'jti' ? 'NULL' : 'now()'}
      FROM (SELECT gatehouse_feed_lock()) f`);
  await until(async () => (await ask(subject)).status === 401, 'the revocation');
  for (const args of [running, []]) {
    const { checks } = await failing(gw.folder, revoked, 'revoked', 'revoked', { args });
    assert.match(checks.find((row) => row.check === 'revoked').found, /by its jti/);
    const bad = await failing(gw.folder, subject, 'revoked', 'revoked', { args });
    assert.match(bad.checks.find((row) => row.check === 'revoked').found, /by its subject/);
    await failing(gw.folder, stranger, 'known consumer', 'unknown_consumer', { args });
    await failing(gw.folder, await mint(key, { client_id: 'shop' }), null, null, { args });
  }
});

test("the token service's own tokens", async (t) => {
  const house = await tokenHouse(t, { route: 'issuers = {"self"} scopes = {"orders:read"}' });
  const { gw } = house;
  const clients = await Promise.all(
    ['opaque', 'jwt'].map((format) => house.client({ format, scopes: ['orders:read', 'x'] })),
  );
  const running = ['--admin', gw.adminUrl];
  for (const client of clients) {
    const { json: good } = await house.token(client, { scope: 'orders:read' });
    const { json: narrow } = await house.token(client, { scope: 'x' });
    for (const args of [running, []]) {
      await failing(gw.folder, good.access_token, null, null, { args });
      const scopes = ["route's scopes", 'insufficient_scope', { args }];
      await failing(gw.folder, narrow.access_token, ...scopes);
    }
    await house.revoke(client, good.access_token);
    for (const args of [running, []])
      await failing(gw.folder, good.access_token, 'revoked', 'revoked', { args });
  }
  const made = `gha_${'A'.repeat(75)}`;
  await failing(gw.folder, made, 'form', 'malformed', { args: running });
  const { json: one } = await house.token(clients[0]);
  await house.db.query('DELETE FROM tokens');
  await failing(gw.folder, one.access_token, 'store', 'unknown_token', { args: running });
  const bytes = Buffer.from(one.access_token.slice(4), 'base64url');
  bytes[55] ^= 1;
  const altered = `gha_${bytes.toString('base64url')}`;
  await failing(gw.folder, altered, 'tag', 'unknown_token', { args: running });
});
