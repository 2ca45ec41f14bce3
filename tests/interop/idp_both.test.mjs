// validate = "both" with a real OpenID provider: its JWTs pass by their signature, and what it ends is
// refused soon.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { busy } from '../harness/load.mjs';
import { newKey } from '../harness/keys.mjs';
import { JWT, OPAQUE, openIdHouse } from '../harness/openid.mjs';
import { assertRefused } from '../harness/verdicts.mjs';
import { until } from '../harness/wait.mjs';

const both = (t, options) =>
  openIdHouse(t, { validate: 'both', more: 'revalidate = 1 negative_ttl = 1', ...options });

/* The keys are there as soon as a token passes. */
const pass = (ask, token) =>
  until(async () => (await ask(token)).status === 200, 'the token to pass');

test('a JWT passes though the provider says nothing, and is asked about later', async (t) => {
  const { idp, gw, ask } = await both(t);
  await pass(ask, await idp.token({ resource: JWT }));
  const token = await idp.token({ resource: JWT });
  const calls = idp.calls();
  idp.freeze();
  const answer = await ask(token);
  assert.equal(answer.status, 200);
  const line = await gw.logged(({ request_id: id }) => id === answer.headers['x-request-id']);
  assert.equal(line.source, 'verified');
  await until(() => idp.calls() > calls, 'the question');
  idp.thaw();
  await until(async () => (await ask(token)).status === 200 && idp.calls() > calls + 1, 'another');
});

for (const [name, resource] of Object.entries({ opaque: OPAQUE, JWT })) {
  test(`a token (${name}) that the provider ends is refused, and no request waits`, async (t) => {
    const { idp, gw, ask } = await both(t, { accessLog: 'off' });
    const [token, other] = [await idp.token({ resource }), await idp.token({ resource })];
    await Promise.all([pass(ask, token), pass(ask, other)]);
    const kinds = [
      { name: 'ended', token: () => token },
      { name: 'other', token: () => other },
    ];
    const load = busy(`${gw.url}/orders`, kinds, { clients: 4 });
  t.after(() => load.stop());
    await idp.revoke(token);
    await until(() => load.tally.of('ended', 401) > 0, 'the refusal');
    const passed = load.tally.of('ended', 200);
    await until(() => load.tally.of('ended', 401) > 500, 'more of them');
    const tally = await load.stop();
    /* what was under way when it was refused first may have passed */
    assert.ok(tally.of('ended', 200) <= passed + 4, 'it passed again');
    assert.equal(tally.of('other', 200), tally.sent.get('other'));
    assert.deepEqual(tally.failures, []);
    assertRefused(await ask(token), { says: /not active/ });
  });
}

test('keys are rotated while requests run: good tokens pass, and the old key dies', async (t) => {
  const { idp, gw, ask } = await both(t, { accessLog: 'off' });
  const [first] = idp.keys;
  const second = newKey('ES256');
  const old = await idp.token({ resource: JWT });
  await pass(ask, old);
  let young = old;
  const kinds = [
    { name: 'old', token: () => old },
    { name: 'young', token: () => young },
  ];
  const load = busy(`${gw.url}/orders`, kinds, { clients: 4 });
  t.after(() => load.stop());
  const fetched = idp.calls('/jwks');
  await idp.become({ keys: [first, second] });
  await until(() => idp.calls('/jwks') > fetched, 'both keys to be fetched');
  await idp.become({ keys: [second, first] });
  const next = await idp.token({ resource: JWT });
  await pass(ask, next);
  young = next;
  const seen = load.tally.of('young', 200);
  await until(() => load.tally.of('young', 200) > seen + 200, 'requests with both');
  const tally = await load.stop();
  for (const { name } of kinds) assert.equal(tally.of(name, 200), tally.sent.get(name), `${[...tally.statuses]}`);
  await idp.become({ keys: [second] });
  await until(async () => (await ask(old)).status === 401, 'the old key to be dead');
  assert.equal((await ask(young)).status, 200);
});

test('JWTs that the provider does not introspect pass for max_staleness, then get 503', async (t) => {
  const { idp, gw, ask } = await both(t, { route: 'max_staleness = 2' });
  const token = await idp.token({ resource: JWT });
  await pass(ask, token);
  /* its process starts anew: the keys are the same, and it remembers no token */
  await idp.kill();
  await idp.start();
  const fresh = await idp.token({ resource: JWT });
  assert.equal((await ask(fresh)).status, 200);
  await until(async () => (await ask(token)).status === 503, 'the end of max_staleness');
  assert.equal((await ask(fresh)).status, 200);
  assert.match(gw.log(), /400/);
});
