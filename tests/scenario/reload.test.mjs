// SIGHUP: a good conf takes over without a lost request, a bad one changes nothing and says why.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { backend } from '../harness/backend.mjs';
import { command, conf, gateway, openFiles } from '../harness/gateway.mjs';
import { get } from '../harness/http.mjs';
import { freePort } from '../harness/jwks.mjs';
import { jwksOf, mint, newKey } from '../harness/keys.mjs';
import { busy } from '../harness/load.mjs';
import { connect, head } from '../harness/raw.mjs';
import { until } from '../harness/wait.mjs';

const key = newKey('ES256');
const token = await mint(key);
const files = { 'jwks.json': jwksOf(key) };

async function house(t, options) {
  const api = await backend();
  const gw = await gateway(conf({ servers: [api.url], ...options }), { files });
  t.after(async () => {
    await gw.stop();
    await api.stop();
  });
  return { api, gw };
}

test('100 reloads under load lose no request, and leave nothing behind', async (t) => {
  const { api, gw } = await house(t);
  const expired = await mint(key, { exp: 1 });
  const filesBefore = await openFiles(gw.pid);
  const load = busy(`${gw.url}/orders`, [
    { name: 'good', token: () => token },
    { name: 'bad', token: () => expired },
  ]);
  for (let i = 0; i < 100; i += 1) await gw.reload();
  const tally = await load.stop();
  assert.deepEqual(tally.failures, []);
  assert.equal(tally.of('good', 200), tally.sent.get('good'));
  assert.equal(tally.of('bad', 401), tally.sent.get('bad'));
  assert.equal(api.hits, tally.sent.get('good'));
  await until(async () => (await gw.workers()).length === 2, 'the old workers to be gone', 40_000);
  assert.ok((await openFiles(gw.pid)) <= filesBefore + 4, 'the master leaks files');
});

test('a reload keeps the sockets, the caches and a request under way', async (t) => {
  const { api, gw } = await house(t);
  await get(`${gw.url}/orders`, { token });
  const old = await gw.workers();
  const client = await connect(gw.port);
  client.write(head('GET /hold HTTP/1.1', 'Host: a', `Authorization: Bearer ${token}`));
  await until(() => api.holding === 1, 'the request to arrive');
  await gw.reload();
  const id = (await get(`${gw.url}/orders`, { token })).headers['x-request-id'];
  assert.equal((await gw.logged((line) => line.request_id === id)).source, 'cache');
  assert.ok((await gw.workers()).some((pid) => !old.includes(pid)));
  api.release();
  const [answer] = await client.answers(1);
  assert.equal(answer.status, 200);
  client.destroy();
  await until(
    async () => !(await gw.workers()).some((pid) => old.includes(pid)),
    'the old workers to leave',
    40_000,
  );
});

test('an old worker answers the next request on a kept connection, and says close', async (t) => {
  const { gw } = await house(t);
  const ask = head('GET /orders HTTP/1.1', 'Host: a', `Authorization: Bearer ${token}`);
  const client = await connect(gw.port);
  client.write(ask);
  await client.answers(1);
  await gw.reload();
  client.write(ask);
  const answers = await client.answers(2);
  assert.equal(answers[1].status, 200);
  assert.match(answers[1].headers.connection ?? '', /close/i);
  await client.over();
  client.destroy();
});

test('a new conf rules from its reload on', async (t) => {
  const { api, gw } = await house(t);
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
  await gw.reload(conf({ servers: [api.url], route: 'scopes = {"admin"}' }));
  await until(
    async () => (await get(`${gw.url}/orders`, { token })).status === 403,
    'the new conf to rule',
  );
});

/** The same conf with one thing wrong, and the line that is wrong where the text tells it. */
const BROKEN = {
  'an open brace': (text) => `${text}\nroute "x" {`,
  'a closing brace too many': (text) => `${text}\n}`,
  'an unknown directive': (text) => `${text}\nspeed = 9`,
  'an unknown directive in a section': (text) =>
    text.replace('paths = {"/"}', 'paths = {"/"} colour = "red"'),
  'a number out of range': (text) => text.replace('workers = 2', 'workers = 100000'),
  'a negative number': (text) => text.replace('workers = 2', 'workers = -1'),
  'a word for a number': (text) => text.replace('workers = 2', 'workers = many'),
  'an unknown upstream': (text) => text.replace('upstream = "api"', 'upstream = "nowhere"'),
  'an unknown issuer': (text) =>
    text.replace('paths = {"/"}', 'paths = {"/"} issuers = {"nobody"}'),
  'an unknown algorithm': (text) => text.replace('audience =', 'algorithms = {"RS257"} audience ='),
  'the algorithm none': (text) => text.replace('audience =', 'algorithms = {"none"} audience ='),
  'no audience': (text) => text.replace(/audience = .*/, ''),
  'no issuer': (text) => text.replace(/issuer = "https.*/, ''),
  'a key file that is not there': (text) => text.replace('jwks.json', 'nowhere.json'),
  'a port out of range': (text) => text.replace('listen "127.0.0.1:0"', 'listen "127.0.0.1:70000"'),
  'an address of letters': (text) => text.replace('listen "127.0.0.1:0"', 'listen "here"'),
  'a server without a scheme': (text) => text.replace('servers = {"http://', 'servers = {"'),
  'no servers': (text) => text.replace(/servers = .*/, ''),
  'a path without a slash': (text) => text.replace('paths = {"/"}', 'paths = {"orders"}'),
  'a list for a word': (text) => text.replace('access_log = "-"', 'access_log = {"-", "x"}'),
  'two upstreams of one name': (text) =>
    `${text}\nupstream "api" { servers = {"http://127.0.0.1:1"} }`,
  'a string left open': (text) => text.replace('upstream = "api"', 'upstream = "api'),
  'binary rubbish': () => '\u0001\u0002\u0000\u00ff',
  'nothing at all': () => '',
};

test('a broken conf changes nothing, and the log gives file, line and reason', async (t) => {
  const { gw } = await house(t);
  const load = busy(`${gw.url}/orders`, [{ name: 'good', token: () => token }], { clients: 2 });
  const whole = conf({ servers: ['http://127.0.0.1:1'] });
  const workers = await gw.workers();
  for (const [name, spoil] of Object.entries(BROKEN)) {
    await t.test(name, async () => {
      const from = gw.errors.all.length;
      await gw.write('gatehouse.conf', spoil(whole));
      gw.kill('SIGHUP');
      await gw.sees(/gatehouse\.conf:\d+: \S/, from);
      assert.deepEqual(await gw.workers(), workers);
    });
  }
  const tally = await load.stop();
  assert.deepEqual(tally.failures, []);
  assert.equal(tally.of('good', 200), tally.sent.get('good'));
  await gw.reload(conf({ servers: ['http://127.0.0.1:1'] }));
  await until(
    async () => (await get(`${gw.url}/orders`, { token })).status === 502,
    'a good conf to be taken again',
  );
});

test('a conf that is gone changes nothing either', async (t) => {
  const { gw } = await house(t);
  const { rm } = await import('node:fs/promises');
  await rm(`${gw.folder}/gatehouse.conf`);
  const from = gw.errors.all.length;
  gw.kill('SIGHUP');
  await gw.sees(/gatehouse\.conf.*(No such file|cannot|open|read)/i, from);
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
});

test('a reload that wants a port that is taken changes nothing', async (t) => {
  const { api, gw } = await house(t);
  const text = conf({ servers: [api.url], top: `listen "127.0.0.1:${api.port}" { }` });
  const from = gw.errors.all.length;
  await gw.write('gatehouse.conf', text);
  gw.kill('SIGHUP');
  await gw.sees(new RegExp(`${api.port}.*(in use|taken)`, 'i'), from);
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
});

test('a reload opens a new listener', async (t) => {
  const { api, gw } = await house(t);
  const port = await freePort();
  await gw.reload(conf({ servers: [api.url], top: `listen "127.0.0.1:${port}" { }` }));
  await until(
    () =>
      get(`http://127.0.0.1:${port}/orders`, { token }).then(
        ({ status }) => status === 200,
        () => false,
      ),
    'the new listener',
  );
  assert.equal((await get(`${gw.url}/orders`, { token })).status, 200);
});

for (const [name, spoil] of Object.entries(BROKEN)) {
  test(`-t refuses a conf with ${name}`, async () => {
    const { code, stderr, stdout } = await command(['-t', '-c', 'gatehouse.conf'], {
      conf: spoil(conf({ servers: ['http://127.0.0.1:1'] })),
      files,
    });
    assert.equal(code, 1);
    assert.match(stderr + stdout, /gatehouse\.conf:\d+: \S/);
  });
}

test('-t takes a good conf, and warns of what is weak', async () => {
  const check = (text) => command(['-t', '-c', 'gatehouse.conf'], { conf: text, files });
  const whole = conf({ servers: ['http://127.0.0.1:1'] });
  const good = await check(whole);
  assert.equal(good.code, 0, good.stderr);
  assert.doesNotMatch(good.stderr + good.stdout, /warn/i);
  const weak = {
    'any audience': whole.replace('"orders-api"', '"*"'),
    'an anonymous route': whole.replace('paths = {"/"}', 'paths = {"/"} anonymous = true'),
    'a long leeway': whole.replace('audience =', 'leeway = 300 audience ='),
  };
  for (const [name, text] of Object.entries(weak)) {
    const { code, stderr, stdout } = await check(text);
    assert.equal(code, 0, `${name}: ${stderr}`);
    assert.match(stderr + stdout, /warn.*gatehouse\.conf:\d+|gatehouse\.conf:\d+.*warn/is, name);
  }
});
