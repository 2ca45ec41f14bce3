// Issuers whose tokens pass for known consumers only: those listed, and those of the database by name or
// custom id. What is done to consumers holds at every node at once, whatever is cached.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { backend } from '../harness/backend.mjs';
import { ISSUER, conf, gateway } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { postgres } from '../harness/postgres.mjs';
import { Lines, until } from '../harness/wait.mjs';

const key = newKey('ES256');
const files = { 'jwks.json': jwksOf(key) };
const OTHER = 'https://other.test';
const UNKNOWN = /the token's consumer is not known here/;
let api;
let db;
let text;
let gw;
let far;

before(async () => {
  api = await backend();
  db = await (await postgres({ fast: true })).migrate();
  text = conf({
    servers: [api.url],
    top: db.section('timeout = 1'),
    issuer: 'consumer_claim = "app" unknown_consumers = "refuse" consumers = {"listed"}',
    more: `issuer "other" { issuer = "${OTHER}" audience = {"orders-api"} jwks_file = "jwks.json"
        consumer_claim = "app" }
      route "open" { paths = {"/open"} upstream = "api" anonymous = true }
      route "few" { paths = {"/few"} upstream = "api" rate = "3/h" }`,
  });
  /* one worker, so that a token's consumer is remembered by all of them */
  const small = text.replace('workers = 2', 'workers = 1');
  assert.notEqual(small, text);
  [gw, far] = await Promise.all([text, small].map((one) => gateway(one, { files })));
});
after(async () => {
  await gw.stop();
  await far.stop();
  await db.remove();
  await api.stop();
});

/* without a token service, too */
async function consumer(...words) {
  const end = await db.gatehouse(['consumer', ...words]);
  assert.equal(end.code, 0, end.stderr);
}
const of = (app, changes) => mint(key, { app, ...changes });
const ask = (token, path = '/orders', at = gw) => get(`${at.url}${path}`, { token });
const status = async (...args) => (await ask(...args)).status;
const becomes = (wanted, ...args) =>
  until(async () => (await status(...args)) === wanted, `${wanted} for ${args[1] ?? '/orders'}`);

async function refused(token, path) {
  const answer = await ask(token, path);
  assert.equal(answer.status, 401, answer.body);
  assert.equal(answer.json.error, 'invalid_token');
  assert.match(answer.json.error_description, UNKNOWN);
  assert.match(answer.headers['www-authenticate'], UNKNOWN);
  const id = answer.headers['x-request-id'];
  const line = await gw.logged((entry) => entry.request_id === id);
  assert.equal(line.verdict, 'unknown_consumer');
}

test('one and the same token passes while its consumer is known, at every node', async () => {
  const token = await of('acme');
  await refused(token);
  await refused(token, '/open');
  assert.equal(await status(token, '/orders', far), 401);
  await consumer('add', 'acme');
  for (const node of [gw, far]) await becomes(200, token, '/orders', node);
  for (let i = 0; i < 8; i += 1) assert.equal(await status(token), 200, 'whichever worker');
  await consumer('remove', 'acme');
  for (const node of [gw, far]) await becomes(401, token, '/orders', node);
  for (let i = 0; i < 8; i += 1) assert.equal(await status(token), 401, 'whichever worker');
  await consumer('add', 'acme');
  for (const node of [gw, far]) await becomes(200, token, '/orders', node);
});

test('the backend and the log are told how the store calls the consumer', async () => {
  await consumer('add', 'Shop "17"', '--custom-id', 'app-17');
  const token = await of('app-17', { client_id: 'web', scope: 'a b' });
  await becomes(200, token);
  const answer = await ask(token);
  const { headers } = answer.json;
  assert.equal(headers['x-consumer-id'], 'Shop "17"');
  assert.equal(headers['x-consumer-username'], 'Shop "17"');
  assert.equal(headers['x-consumer-custom-id'], 'app-17');
  assert.equal(headers['x-credential-identifier'], 'web');
  assert.equal(headers['x-authenticated-scope'], 'a b');
  assert.equal(headers['x-authenticated-userid'], 'user-1');
  const id = answer.headers['x-request-id'];
  assert.equal((await gw.logged((entry) => entry.request_id === id)).consumer, 'Shop "17"');
  const named = (await ask(await of('Shop "17"'))).json.headers;
  assert.equal(named['x-consumer-custom-id'], 'app-17');
});

test('a limit holds the consumer, however the token calls it', async () => {
  await consumer('add', 'few', '--custom-id', 'number of few');
  const tokens = [await of('few'), await of('number of few')];
  await becomes(200, tokens[0]);
  const seen = [];
  for (let i = 0; i < 5; i += 1) seen.push(await status(tokens[i % 2], '/few'));
  assert.deepEqual(seen, [200, 200, 200, 429, 429]);
});

test('listed consumers pass as themselves, and so do all of an issuer that allows it', async () => {
  const listed = (await ask(await of('listed'))).json.headers;
  assert.equal(listed['x-consumer-id'], 'listed');
  assert.equal(listed['x-consumer-custom-id'], undefined);
  for (const app of ['anybody', 'app-17']) {
    const { headers } = (await ask(await of(app, { iss: OTHER }))).json;
    assert.equal(headers['x-consumer-id'], app);
    assert.equal(headers['x-consumer-custom-id'], undefined);
  }
});

test('what is the name of one and the custom id of another passes for neither', async () => {
  const token = await of('twin');
  await consumer('add', 'twin');
  await becomes(200, token);
  await consumer('add', 'the other', '--custom-id', 'twin');
  await becomes(401, token);
  await refused(token);
  await gw.sees(/nobody passes as consumer "twin": one consumer has it for its name, another/);
  await consumer('remove', 'twin');
  await becomes(200, token);
  assert.equal((await ask(token)).json.headers['x-consumer-id'], 'the other');
  await consumer('add', 'itself', '--custom-id', 'itself');
  await becomes(200, await of('itself'));
});

test('what stands in the database never splits a header', async () => {
  await db.query(`INSERT INTO consumers (name, custom_id) VALUES
    (E'evil\\r\\nX-Evil: 1', 'evil-1'), ('evil-2', E'x\\nX-Evil: 1'), (' evil-3', 'evil-3'),
    ('', 'evil-4'), ('evil-5', ''), (E'tab\\tbed', 'evil-6')`);
  for (const app of ['evil-1', 'evil-2', 'evil-3', 'evil-4', 'evil-6']) await refused(await of(app));
  const { headers } = (await ask(await of('evil-5'))).json;
  assert.equal(headers['x-consumer-id'], 'evil-5');
  assert.equal(headers['x-consumer-custom-id'], undefined);
});

for (const app of [
  "x' OR '1'='1",
  "acme'; DELETE FROM consumers; --",
  'ACME',
  'acme%',
  '%',
  '_cme',
  'acme\u200b',
  'a'.repeat(256),
  'a'.repeat(3000),
  'é\u0301',
  '\\x61636d65',
  'listed2',
  'liste',
])
  test(`nobody is ${JSON.stringify(app.slice(0, 40))}`, async () => refused(await of(app)));

for (const app of ['acme ', ' acme', 'acme\u0000', 'acme\n', '', null, true, ['acme'], { acme: 1 }])
  test(`no consumer: ${JSON.stringify(app)}`, async () => {
    const answer = await ask(await of(app));
    assert.equal(answer.status, 401);
    assert.doesNotMatch(answer.json.error_description, UNKNOWN);
  });

test('a bad token is told what is wrong with it, not who is known', async () => {
  const answer = await ask(await of('stranger', { exp: 1 }));
  assert.match(answer.json.error_description, /expired/);
});

/** A session that holds the table of consumers until it is told to let go. */
async function holdConsumers() {
  const session = spawn('psql', ['-XqAt', '-d', db.url()], { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = new Lines(session.stdout);
  session.stdin.write('BEGIN; LOCK TABLE consumers IN ACCESS EXCLUSIVE MODE;\n\\echo held\n');
  await said.find((line) => line === 'held', 'the lock');
  return () => session.stdin.writableEnded || session.stdin.end('COMMIT;\n');
}

test('a token that is revoked while its consumer is looked up does not pass', async (t) => {
  const patient = await gateway(text.replace('timeout = 1', 'timeout = 9'), { files });
  t.after(() => patient.stop());
  await consumer('add', 'slow');
  const [token, witness] = [await of('slow', { jti: 'j1' }), await of('listed', { jti: 'j2' })];
  const letGo = await holdConsumers();
  t.after(letGo);
  const answer = ask(token, '/orders', patient);
  const waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'consumers'::regclass";
  await until(async () => (await db.value(waiting)) === '1', 'the look-up to wait');
  await db.query(`INSERT INTO revocations (kind, identity, expires_at, issuer, value)
    SELECT 'jti', gatehouse_identity('jti', '${ISSUER}', j), now() + interval '1 hour', '${ISSUER}', j
    FROM unnest('{j1,j2}'::text[]) AS j`);
  await becomes(401, witness, '/orders', patient);
  letGo();
  const { status: seen, body } = await answer;
  assert.equal(seen, 401, body);
  assert.match(body, /revoked/);
});

test('with the database away, who is remembered passes, and nobody else', async () => {
  const at = (token) => ask(token, '/orders', far);
  const passes = async (token) => assert.equal((await at(token)).status, 200);
  const [known, listed, stranger] = [await of('acme'), await of('listed'), await of('stranger')];
  await consumer('add', 'not asked for yet');
  /* who is added after it shows that the change has been heard of */
  await consumer('add', 'last');
  await becomes(200, await of('last'), '/orders', far);
  const unasked = await of('not asked for yet');
  await passes(known);
  await db.stop();
  for (let i = 0; i < 4; i += 1) await passes(known);
  await passes(listed);
  const answer = await at(unasked);
  assert.equal(answer.status, 503, answer.body);
  assert.match(answer.json.error_description, /known here can not be found out now/);
  assert.ok(Number(answer.headers['retry-after']) > 0);
  assert.equal((await at(stranger)).status, 503);
  await db.start();
  await becomes(200, unasked, '/orders', far);
  await passes(known);
  await becomes(401, stranger, '/orders', far);
});

test('a reload that refuses holds for tokens that were cached before it', async () => {
  const token = await of('passing through');
  const open = text.replace('unknown_consumers = "refuse" consumers = {"listed"}', '');
  assert.notEqual(open, text);
  assert.match(await gw.reload(open), /ready/);
  await becomes(200, token);
  assert.match(await gw.reload(text), /ready/);
  await becomes(401, token);
  await refused(token);
});
