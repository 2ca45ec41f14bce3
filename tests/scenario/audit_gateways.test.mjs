// `gatehouse audit` in front of gateways that are open in many ways, opaque, silent, limited, or not
// what was meant; what can't be told is said, and never passes for a refusal.

import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { once } from 'node:events';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { all, auditor, named } from '../harness/audit.mjs';
import { backend } from '../harness/backend.mjs';
import { command } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { freePort } from '../harness/jwks.mjs';
import { jwksOf, mint, newKey, now } from '../harness/keys.mjs';
import { leaky } from '../harness/leaky.mjs';
import { provider } from '../harness/provider.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('RS256');
let audit;

before(async () => {
  audit = await auditor({ key });
});

async function house(t, options) {
  const gw = await leaky({ key, ...options });
  t.after(() => gw.stop());
  return gw;
}

/* One Authorization header with just the one token. */
const isGood = (req) => `${req.headersDistinct.authorization}` === `Bearer ${audit.token}`;

async function serve(t, handle, secure) {
  const server = secure ? https.createServer(secure, handle) : http.createServer(handle);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(
    () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  );
  return `${secure ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
}

test('a URL without any protection is told to be one', async (t) => {
  const gw = await house(t, { hole: 'open' });
  const { code, stdout } = await audit.run(`${gw.url}/orders`);
  assert.equal(code, 1);
  assert.match(stdout, /No token gets 200 too: is this URL protected at all/);
  assert.match(stdout, /^PASSED +200 +refused +no-token: /m);
  assert.match(stdout, /\n\d+ of \d+ got through/);
});

test('who reads claims and checks nothing lets every forgery of a JWT through', async (t) => {
  const gw = await house(t, { hole: 'decode' });
  const { told } = await audit.json(`${gw.url}/orders`);
  const through = named(told, 'passed');
  for (const probe of all(told, 'claims', 'signature', 'secret', 'expired', 'kid', 'own key', 'header'))
    assert.ok(through.includes(probe), probe);
  assert.ok(!through.includes('missing/no-token') && !through.includes('truncated/header-alone'));
});

test('a path compared as it was written', async (t) => {
  const gw = await house(t, { hole: 'path as written' });
  const { told } = await audit.json(`${gw.url}/orders/17`);
  assert.deepEqual(named(told, 'passed'), []);
  assert.equal(told.probes.find((p) => p.name === 'double-slash').verdict, 'not_judged');
  const same = await house(t, { hole: 'path as written', answer: { order: 17 } });
  const through = named((await audit.json(`${same.url}/orders/17`)).told, 'passed');
  for (const name of ['double-slash', 'dot', 'dots', 'encoded-dots', 'upper-case', 'encoded-letter'])
    assert.ok(through.includes(`path/${name}`), name);
});

test('methods that nobody thought of', async (t) => {
  const gw = await house(t, { hole: 'only GET' });
  const { told, code } = await audit.json(`${gw.url}/orders`);
  assert.deepEqual(named(told, 'passed'), ['method/head', 'method/trace']);
  assert.deepEqual(named(told, 'not_judged'), ['method/options']);
  assert.equal(code, 1);
});

test('a scheme that is not known counts as no token, and passes', async (t) => {
  const gw = await house(t, { hole: 'unknown scheme' });
  const { told } = await audit.json(`${gw.url}/orders`);
  assert.deepEqual(
    named(told, 'passed'),
    ['basic', 'lower-case', 'no-scheme', 'other-scheme', 'tab', 'upper-case']
      .map((name) => `scheme/${name}`)
      .concat('missing/no-value', 'missing/empty-value')
      .sort(),
  );
});

test('identity headers that a backend could take for the real ones', async (t) => {
  const gw = await house(t, { hole: 'passes lookalikes' });
  const { told } = await audit.json(`${gw.url}/orders`);
  const through = named(told, 'passed');
  assert.equal(through.length, 8);
  assert.ok(through.every((name) => /_$|mixed-marks/.test(name)), `${through}`);
});

test('what the backend got is not guessed: without an echo it is not judged', async (t) => {
  const gw = await house(t, { hole: 'passes identities', answer: { order: 17 } });
  const { told, code } = await audit.json(`${gw.url}/orders`);
  assert.equal(told.echoes, false);
  assert.deepEqual(named(told, 'not_judged'), all(told, 'identity'));
  assert.equal(code, 0);
  const { stdout } = await audit.run(`${gw.url}/orders`);
  assert.match(stdout, /look for the value [0-9a-f]{24} in the backend's log/);
});

test('of an opaque token no JWT is forged, and the rest is tried', async (t) => {
  const gw = await house(t, { opaque: 'dGhlIG9uZSBhbmQgb25seSB0b2tlbg' });
  const { json } = await auditor({ key, good: 'dGhlIG9uZSBhbmQgb25seSB0b2tlbg' });
  const { told, code } = await json(`${gw.url}/orders`);
  assert.equal(code, 0);
  assert.deepEqual(named(told, 'passed'), []);
  const skipped = named(told, 'skipped');
  assert.deepEqual(skipped.filter((name) => /^(none|claims|own key|secret|kid)/.test(name)),
    all(told, 'none', 'claims', 'own key', 'secret', 'kid'));
  assert.ok(named(told, 'refused').includes('altered/one-other'));
});

test('a rate limit in the way is no refusal, and is told', async (t) => {
  const gw = await house(t, { limit: 100 });
  const url = `${gw.url}/orders`;
  const { told, code } = await audit.json(url, ['--method', 'GET']);
  const limited = told.probes.filter((p) => p.status === 429);
  assert.ok(limited.length > 0 && limited.every((p) => p.verdict === 'not_judged'));
  assert.match(told.trouble, /the good token is refused too/);
  assert.equal(code, 1);
});

test('without a good token nothing can be told', async (t) => {
  const gw = await house(t);
  const cases = [
    [await auditor({ key, changes: { exp: now() - 5 } }), gw.url, /gets 401: it is expired/],
    [await auditor({ key, changes: { aud: 'other' } }), gw.url, /gets 401.*meant for this URL/],
    [audit, `http://127.0.0.1:${await freePort()}/`, /there is no connection.*refused/],
    [audit, gw.url.replace('http:', 'https:'), /there is no connection/],
    [audit, 'http://gatehouse-audit.invalid/', /can't be reached/],
    [audit, await serve(t, (req, res) => res.writeHead(404).end()), /gets 404/],
    [audit, await serve(t, (req, res) => res.writeHead(301).end()), /301 and no token 301/],
    [audit, await serve(t, (req) => req.socket.destroy()), /no answer of HTTP\/1/],
  ];
  for (const [who, url, says] of cases) {
    const { code, stdout, stderr } = await who.run(url);
    assert.match(stderr, says);
    assert.equal(code, 1);
    assert.equal(stdout, '');
  }
});

test('wrong words', async () => {
  const token = ['--token-file', 't'];
  const wrong = [
    [[], /the URL is missing/],
    [['http://a.test/'], /--token-file is missing/],
    [['a.test', ...token], /not an absolute http or https URL/],
    [['http://a.test/', 'http://b.test/', ...token], /one URL to audit/],
    [['http://a.test/', '--token-file'], /a value is missing: --token-file/],
    [['http://a.test/', ...token, '--what'], /unknown option: --what/],
    [['http://a.test/', ...token, '--timeout', '0'], /1 to 60 seconds/],
    [['http://a.test/', ...token, '--method', 'GET /x'], /no method/],
    [['http://a.test/', ...token, '--header', 'nothing'], /Name: value/],
    [['http://a.test/', ...token, '--header', 'a: b\r\nc: d'], /Name: value/],
    [['http://a.test/', ...token, '--header', 'authorization: x'], /own to send: Authorization/],
    [['http://a.test/', ...token, '--insecure', '--ca-file', 'x'], /makes no sense/],
  ];
  for (const [args, says] of wrong) {
    const { code, stderr } = await command(['audit', ...args], { files: { t: 'abc' } });
    assert.match(stderr, says);
    assert.equal(code, 2, stderr);
  }
  const help = await command(['audit', '--help']);
  assert.match(help.stdout, /^usage: gatehouse audit URL/);
  assert.equal(help.code, 0);
  const files = { t: 'two words', e: await mint(key), g: await mint(key) };
  const bad = [
    [['--token-file', 't'], /more than a token/],
    [['--token-file', 'none'], /can't be read/],
    [['--token-file', 'g', '--expired-token-file', 'e'], /not expired yet/],
    [['--token-file', 'g', '--expired-token-file', 'g'], /is the good one/],
  ];
  for (const [args, says] of bad) {
    const { code, stderr } = await command(['audit', 'http://127.0.0.1:1/', ...args], { files });
    assert.match(stderr, says);
    assert.equal(code, 1, stderr);
  }
});

test('headers of the command line go with every request, and Host replaces ours', async (t) => {
  const seen = [];
  const url = await serve(t, (req, res) => {
    seen.push([req.headers.host, req.headers['x-tenant']]);
    res.writeHead(isGood(req) ? 200 : 401).end();
  });
  const { code } = await audit.run(url, ['--header', 'Host: a.test', '--header=X-Tenant: 7']);
  assert.equal(code, 0);
  /* HTTP/0.9 has none */
  const kinds = new Set(seen.map(String).filter((kind) => kind !== ','));
  assert.deepEqual([...kinds], ['a.test,7']);
});

test('the issuer is asked for its keys; without them it is said why', async (t) => {
  const { told: without } = await audit.json(await url(t), [], { jwks: false });
  const pem = without.probes.find((p) => p.name === 'public-pem');
  assert.equal(pem.verdict, 'skipped');
  assert.match(pem.note, /id\.test\/\.well-known\/.* can't be fetched|names no issuer/);
  const none = await audit.json(await url(t), ['--jwks', 'nowhere.json'], { jwks: false });
  assert.match(none.told.probes.find((p) => p.name === 'public-jwk').note, /nowhere.json can't be read/);

  async function url() {
    return (await house(t, { hole: 'secret pem' })).url;
  }
});

test('a token service by Gatehouse: found by its metadata, JWT and opaque tokens', async (t) => {
  const gw = await provider();
  t.after(() => gw.stop());
  for (const format of ['jwt', 'opaque']) {
    const { id, secret } = await gw.client('--format', format);
    const answer = await fetch(`${gw.url}/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const { access_token: good } = await answer.json();
    const { run } = await auditor({ key, good });
    const end = await run(`${gw.url}/orders`, ['--json'], { jwks: false });
    const told = JSON.parse(end.stdout);
    assert.equal(end.code, 0, end.stdout);
    assert.deepEqual(named(told, 'not_judged'), []);
    assert.equal(told.jwt, format === 'jwt');
    if (format === 'jwt') assert.deepEqual(named(told, 'skipped'), ['expired/expired']);
  }
});

async function folder(t, files) {
  const path = await mkdtemp(join(tmpdir(), 'gatehouse-audit-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return path;
}

test('TLS: the certificate is verified, unless it is said not to be', async (t) => {
  const path = await folder(t, {});
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-keyout', join(path, 'key'), '-out', join(path, 'cert'), '-days', '2',
    '-subj', '/CN=audit', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
  const secure = { key: await readFile(join(path, 'key')), cert: await readFile(join(path, 'cert')) };
  const url = await serve(t, (req, res) =>
    res.writeHead(isGood(req) ? 200 : 401).end(), secure);
  const blind = await audit.run(url);
  assert.equal(blind.code, 1);
  assert.match(blind.stderr, /no connection.*self-signed certificate/);
  for (const args of [['--ca-file', join(path, 'cert')], ['--insecure']])
    assert.equal((await audit.run(url, args)).code, 0);
});

/** Runs a server until the test ends. */
async function run(t, program, args, cwd, url) {
  const child = spawn(program, args, { cwd, stdio: 'ignore' });
  const ended = once(child, 'exit');
  t.after(() => {
    child.kill('SIGTERM');
    return ended;
  });
  await until(() => get(url).then((a) => a.status, () => undefined), `${program} to serve`);
}

const NGINX = '/usr/sbin/nginx';
const HAPROXY = '/usr/sbin/haproxy';

test('nginx that authenticates nothing', { skip: !existsSync(NGINX) }, async (t) => {
  const [api, port] = [await backend(), await freePort()];
  t.after(() => api.stop());
  const path = await folder(t, {
    'nginx.conf': `daemon off; pid nginx.pid; error_log /dev/null;
events { }
http { access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;
uwsgi_temp_path u; scgi_temp_path s;
server { listen 127.0.0.1:${port}; location / { proxy_pass ${api.url}; } } }`,
  });
  await run(t, NGINX, ['-p', path, '-c', 'nginx.conf'], path, `http://127.0.0.1:${port}/`);
  const { told, code } = await audit.json(`http://127.0.0.1:${port}/orders`);
  const through = named(told, 'passed');
  assert.equal(code, 1);
  for (const probe of ['missing/no-token', 'none/none', 'identity/consumer-id', 'method/head'])
    assert.ok(through.includes(probe), probe);
  /* what nginx itself refuses or removes */
  for (const probe of ['smuggling/two-lengths', 'identity/consumer-id_'])
    assert.ok(named(told, 'refused').includes(probe), probe);
});

test('HAProxy as its manual has it: no expiry', { skip: !existsSync(HAPROXY) }, async (t) => {
  const [api, port] = [await backend(), await freePort()];
  t.after(() => api.stop());
  const { createPublicKey } = await import('node:crypto');
  const pem = createPublicKey({ key: key.public, format: 'jwk' });
  const path = await folder(t, {
    'key.pem': pem.export({ type: 'spki', format: 'pem' }),
    'haproxy.cfg': `global
  no strict-limits
  maxconn 100
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 2s
frontend gate
  bind 127.0.0.1:${port}
  http-request deny deny_status 401 unless { req.hdr(authorization) -m found }
  http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
  http-request deny deny_status 401 unless { http_auth_bearer,jwt_verify(txn.alg,"key.pem") 1 }
  default_backend api
backend api
  server one 127.0.0.1:${api.port}
`,
  });
  await run(t, HAPROXY, ['-f', 'haproxy.cfg', '-db', '-q'], path, `http://127.0.0.1:${port}/`);
  const { told, code } = await audit.json(`http://127.0.0.1:${port}/orders`);
  const through = named(told, 'passed');
  assert.equal(code, 1);
  for (const probe of ['expired/expired', 'identity/consumer-id'])
    assert.ok(through.includes(probe), probe);
  for (const probe of all(told, 'missing', 'none', 'secret', 'own key', 'claims'))
    assert.ok(!through.includes(probe), probe);
});
