// A real OpenID provider in trouble: what it can't say is 503 and never 401, what is known passes, and
// when it is back all is as before.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { JWT, OPAQUE, openIdHouse } from '../harness/openid.mjs';
import { assertRefused } from '../harness/verdicts.mjs';
import { until } from '../harness/wait.mjs';

const SHORT = 'timeout = 0.3';

async function assertUnavailable(asked) {
  const answer = await asked;
  assertRefused(answer, { status: 503, error: 'unavailable', says: /can not be asked|keys/ });
  assert.ok(Number(answer.headers['retry-after']) > 0, 'no Retry-After');
}

/* How it fails, and how that ends. */
const TROUBLES = {
  'gone from the network': { begin: (idp) => idp.cut(), end: (idp) => idp.mend() },
  'standing still': { begin: (idp) => idp.freeze(), end: (idp) => idp.thaw() },
};
for (const mode of ['garbage', 'claims', 'error', 'redirect', 'short'])
  TROUBLES[`answering: ${mode}`] = {
    begin: (idp) => Object.assign(idp, { mode }),
    end: (idp) => Object.assign(idp, { mode: 'good' }),
  };

for (const [what, { begin, end }] of Object.entries(TROUBLES)) {
  for (const [form, resource] of Object.entries({ opaque: OPAQUE, JWT })) {
    test(`introspect, ${form}, the provider ${what}: 503, and known tokens pass`, async (t) => {
      const { idp, api, ask } = await openIdHouse(t, { more: SHORT });
      const [known, fresh] = [await idp.token({ resource }), await idp.token({ resource })];
      assert.equal((await ask(known)).status, 200);
      await begin(idp);
      const { hits } = api;
      await assertUnavailable(ask(fresh));
      await assertUnavailable(ask(fresh));
      assert.equal(api.hits, hits, 'it reached the backend');
      assert.equal((await ask(known)).status, 200);
      await end(idp);
      await until(async () => (await ask(fresh)).status === 200, 'the token to pass');
      assertRefused(await ask('nobody-knows-this-one'), { says: /not active/ });
    });
  }
}

test('both, the provider standing still, then gone: its JWTs pass, opaque ones do not', async (t) => {
  const { idp, ask } = await openIdHouse(t, { validate: 'both', more: `${SHORT} revalidate = 1` });
  const [known, fresh, opaque] = [
    await idp.token({ resource: JWT }),
    await idp.token({ resource: JWT }),
    await idp.token(),
  ];
  await until(async () => (await ask(known)).status === 200, 'the keys');
  idp.freeze();
  for (const token of [known, fresh]) assert.equal((await ask(token)).status, 200);
  await assertUnavailable(ask(opaque));
  await idp.kill();
  for (const token of [known, fresh]) assert.equal((await ask(token)).status, 200);
  await assertUnavailable(ask(opaque));
  /* it comes back, and has forgotten its opaque tokens: now that is a no */
  await idp.start();
  await until(async () => (await ask(opaque)).status === 401, 'the refusal');
  assert.equal((await ask(await idp.token())).status, 200);
});

for (const validate of ['introspect', 'both']) {
  test(`${validate}: a provider that is down at the start is found when it comes`, async (t) => {
    const { idp, gw, ask } = await openIdHouse(t, { validate, more: SHORT, down: true });
    await assertUnavailable(ask('opaque-token'));
    await gw.sees(/can't be (asked|fetched|reached|connected)|can not be/);
    await idp.mend();
    for (const resource of [OPAQUE, JWT]) {
      const token = await idp.token({ resource });
      await until(async () => (await ask(token)).status === 200, 'the token to pass');
    }
  });
}

test('stale_if_error lets pass what was known, for its time, and never what was refused', async (t) => {
  const { idp, ask } = await openIdHouse(t, {
    more: `${SHORT} introspection_ttl = 1 negative_ttl = 1`,
    route: 'stale_if_error = 3',
  });
  const [token, ended] = [await idp.token(), await idp.token()];
  for (const one of [token, ended]) assert.equal((await ask(one)).status, 200);
  await idp.revoke(ended);
  await until(async () => (await ask(ended)).status === 401, 'the refusal');
  assert.equal((await ask(token)).status, 200);
  await idp.cut();
  for (let i = 0; i < 20; i += 1) {
    assert.notEqual((await ask(ended)).status, 200);
    assert.equal((await ask(token)).status, 200);
  }
  await until(async () => (await ask(token)).status === 503, 'the end of its time');
  await idp.mend();
  await until(async () => (await ask(token)).status === 200, 'the token to pass');
});
