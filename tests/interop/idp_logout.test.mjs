// A user signs out at a real OpenID provider, which ends the tokens of the session.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { OPAQUE, openIdHouse } from '../harness/openid.mjs';
import { assertRefused } from '../harness/verdicts.mjs';
import { until } from '../harness/wait.mjs';

for (const validate of ['introspect', 'both']) {
  test(`${validate}: tokens of an ended session are refused, those of others pass`, async (t) => {
    const { idp, ask } = await openIdHouse(t, {
      validate,
      more: 'revalidate = 1 introspection_ttl = 1 negative_ttl = 1',
    });
    const [ann, again, ben] = await Promise.all(['ann', 'ann', 'ben'].map((who) => idp.signIn(who)));
    const more = await idp.signIn('ann', { browser: ann.browser, resource: OPAQUE });
    for (const { access } of [ann, more, again, ben]) assert.equal((await ask(access)).status, 200);
    await idp.signOut(ann);
    for (const { access } of [ann, more])
      await until(async () => (await ask(access)).status === 401, 'the refusal');
    assertRefused(await ask(ann.access), { says: /not active/ });
    for (const { access } of [again, ben]) assert.equal((await ask(access)).status, 200);
    const back = await idp.signIn('ann', { browser: ann.browser });
    assert.equal((await ask(back.access)).status, 200);
    assert.deepEqual(idp.errors, []);
  });
}
