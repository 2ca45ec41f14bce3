// A user signs out at a real OpenID provider, which posts a logout token to the gateway: nobody has
// to ask, and what was asked lately does not matter.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { JWT, OPAQUE, openIdHouse } from '../harness/openid.mjs';
import { assertRefused } from '../harness/verdicts.mjs';
import { until } from '../harness/wait.mjs';

/* No answer of the provider's grows old within the test. */
const LONG = 'revalidate = 600 introspection_ttl = 600';

async function house(t, validate, logoutSession) {
  const all = await openIdHouse(t, {
    validate,
    more: LONG,
    issuer: 'backchannel_logout = "/logout/openid" logout_audience = {"web"}',
    route: 'max_staleness = 600',
  });
  await all.idp.become({ logoutUri: `${all.gw.url}/logout/openid`, logoutSession });
  return all;
}

for (const [validate, resource] of [
  ['local', JWT],
  ['both', JWT],
  ['introspect', JWT],
  ['introspect', OPAQUE],
  ['both', OPAQUE],
]) {
  const kind = resource === JWT ? 'JWTs' : 'opaque tokens';

  test(`${validate}, ${kind}: a session that ends takes its own along`, async (t) => {
    const { idp, gw, ask } = await house(t, validate, true);
    const [ann, again, ben] = await Promise.all(
      ['ann', 'ann', 'ben'].map((who) => idp.signIn(who, { resource })),
    );
    for (const { access } of [ann, again, ben])
      await until(async () => (await ask(access)).status === 200, 'the keys to be there');
    await idp.signOut(ann);
    const line = await gw.logged((one) => one.path === '/logout/openid');
    assert.deepEqual([line.verdict, line.status], ['logout', 200]);
    assertRefused(await ask(ann.access), { says: /revoked/ });
    for (const { access } of [again, ben]) assert.equal((await ask(access)).status, 200);
    const back = await idp.signIn('ann', { browser: ann.browser, resource });
    assert.equal((await ask(back.access)).status, 200);
    assert.deepEqual(idp.errors, []);
  });
}

test('without the session all that the user had ends, and a new sign-in works', async (t) => {
  const { idp, ask } = await house(t, 'local', false);
  const resource = JWT;
  const [ann, again, ben] = await Promise.all(
    ['ann', 'ann', 'ben'].map((who) => idp.signIn(who, { resource })),
  );
  for (const { access } of [ann, again, ben])
    await until(async () => (await ask(access)).status === 200, 'the keys to be there');
  await idp.signOut(ann);
  for (const { access } of [ann, again]) assertRefused(await ask(access), { says: /revoked/ });
  assert.equal((await ask(ben.access)).status, 200);
  await until(async () => {
    const back = await idp.signIn('ann', { resource });
    return (await ask(back.access)).status === 200;
  }, 'a second to pass');
  assert.deepEqual(idp.errors, []);
});
