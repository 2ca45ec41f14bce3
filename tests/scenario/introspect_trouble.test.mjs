// An issuer that is asked about tokens and is slow, down, garbled, redirecting or refuses us: an
// error is 503, never a verdict, and nothing of it is remembered.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { asked } from '../harness/introspection.mjs';
import { until } from '../harness/wait.mjs';

const ERRORS = [
  ['refuse', /refuses us with status 401: see introspection.auth/],
  ['error', /status 500: see introspection.endpoint/],
  ['garbage', /no JSON object that says whether/],
  ['array', /no JSON object that says whether/],
  ['string', /no JSON object that says whether/],
  ['repeated', /no JSON object that says whether/],
  ['missing', /no JSON object that says whether/],
  ['empty', /no JSON object that says whether/],
  ['huge', /can't be asked about tokens/],
  ['truncated', /can't be asked about tokens/],
  ['redirect', /redirects \(status 307\), which is not followed/],
  ['silent', /timed out/],
];

for (const [mode, complaint] of ERRORS)
  test(`an answer that is ${mode} is 503, and the next one counts`, async (t) => {
    const { api, idp, gw, ask } = await asked(t, { workers: 1, more: 'timeout = 0.2' });
    idp.know('gold', { sub: 'ann' });
    idp.mode = mode;
    for (let i = 0; i < 2; i += 1) {
      const answer = await ask('gold');
      assert.equal(answer.status, 503);
      assert.equal(answer.headers['retry-after'], '1');
      assert.equal(answer.headers['www-authenticate'], undefined);
    }
    await gw.sees(complaint);
    assert.equal(idp.questions.filter(({ path }) => path !== '/introspect').length, 0);
    assert.equal(api.seen.length, 0);
    idp.mode = 'good';
    assert.equal((await ask('gold')).status, 200);
    await gw.sees(/answers questions about tokens again/);
    const line = await gw.logged(({ status }) => status === 503);
    assert.equal(line.verdict, 'introspection_failed');
    assert.ok(!gw.log().includes('gold') && !gw.log().includes('s3cret'));
  });

test('a provider that is down is 503, until it is back', async (t) => {
  const { idp, gw, ask } = await asked(t);
  idp.know('gold', { sub: 'ann' });
  await idp.pause();
  assert.equal((await ask('gold')).status, 503);
  await gw.sees(/can't be asked about tokens: cannot connect/);
  await idp.resume();
  assert.equal((await ask('gold')).status, 200);
});

test('what is known outlives trouble for stale_if_error and no longer', async (t) => {
  const { idp, ask } = await asked(t, {
    more: 'introspection_ttl = 1',
    route: 'stale_if_error = 2',
    sections: `route "strict" { paths = {"/strict"} upstream = "api" }`,
  });
  idp.know('gold', { sub: 'ann' });
  assert.equal((await ask('gold')).status, 200);
  idp.mode = 'error';
  const since = Date.now();
  await until(async () => (await ask('gold', '/strict')).status === 503, 'the strict route');
  assert.equal((await ask('gold')).status, 200);
  assert.equal((await ask('never-seen')).status, 503);
  await until(async () => (await ask('gold')).status === 503, 'the end of it');
  assert.ok(Date.now() - since > 1_800);
  idp.mode = 'good';
  assert.equal((await ask('gold')).status, 200);
});

test('while the provider hangs, stale knowledge serves without a wait for each request', async (t) => {
  const { idp, ask } = await asked(t, {
    workers: 1,
    more: 'introspection_ttl = 1 timeout = 1',
    route: 'stale_if_error = 600',
  });
  idp.know('gold', { sub: 'ann' });
  assert.equal((await ask('gold')).status, 200);
  idp.mode = 'silent';
  await until(async () => idp.calls === 2 || !(await ask('gold')), 'the second question');
  const before = idp.calls;
  for (let i = 0; i < 200; i += 1) assert.equal((await ask('gold')).status, 200);
  assert.ok(idp.calls - before < 5, `${idp.calls - before} more questions`);
});

test('a revoked token does not pass as stale', async (t) => {
  const { idp, ask } = await asked(t, {
    more: 'introspection_ttl = 1 negative_ttl = 1',
    route: 'stale_if_error = 600',
  });
  idp.know('gold', { sub: 'ann' });
  assert.equal((await ask('gold')).status, 200);
  idp.forget('gold');
  await until(async () => (await ask('gold')).status === 401, 'the refusal');
  idp.mode = 'error';
  await until(async () => (await ask('gold')).status === 503, 'the end of negative_ttl');
  for (let i = 0; i < 20; i += 1) assert.equal((await ask('gold')).status, 503);
});

test('questions under way end with the gateway, and leave nothing behind', async (t) => {
  const { idp, gw, ask } = await asked(t, { more: 'timeout = 20' });
  idp.know('gold', { sub: 'ann' });
  idp.hold();
  const answers = ['gold', 'gold', 'silver'].map((token) => ask(token).catch(() => 'cut off'));
  await until(() => idp.calls === 2, 'the questions');
  await gw.stop();
  for (const answer of answers) assert.equal(await answer, 'cut off');
});
