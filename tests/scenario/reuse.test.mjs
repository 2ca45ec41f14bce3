// The same token for the same request while it lives long enough; one is made, whoever asks at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connections, get } from '../harness/http.mjs';
import { tokenHouse } from '../harness/tokens.mjs';
import { until } from '../harness/wait.mjs';

async function many(house, client, n, form) {
  const agent = connections(n);
  const answers = await Promise.all(
    Array.from({ length: n }, () => house.token(client, form, { agent })),
  );
  agent.destroy();
  return answers;
}

const tokensOf = (answers) => new Set(answers.map((answer) => answer.json.access_token));

test('of 100 first requests over all workers one makes the token', async (t) => {
  const house = await tokenHouse(t, { workers: 4, service: 'token_rate = "1/h"' });
  for (const format of ['opaque', 'jwt']) {
    const shop = await house.client({ scopes: ['a'], format });
    const answers = await many(house, shop, 100);
    for (const { status, body } of answers) assert.equal(status, 200, body);
    assert.equal(tokensOf(answers).size, 1);
    assert.equal((await many(house, shop, 50)).filter(({ status }) => status === 200).length, 50);
  }
  assert.equal(await house.rows('tokens'), 2);
  const metrics = await house.gw.metrics();
  assert.match(metrics, /tokens_issued_total\{grant="client_credentials"\} 2\b/);
  assert.match(metrics, /tokens_reused_total 298\b/);
});

test('whatever a token depends on makes it another', async (t) => {
  const house = await tokenHouse(t, { service: 'token_rate = ""' });
  const shop = await house.client({ scopes: ['a', 'b'], audiences: ['x', 'y'] });
  const of = async (form, client = shop) => {
    const answer = await house.token(client, `grant_type=client_credentials${form}`);
    assert.equal(answer.status, 200, answer.body);
    return answer.json.access_token;
  };
  const all = await Promise.all([
    of(''),
    of('&scope=a'),
    of('&scope=b'),
    of('&audience=x'),
    of('&audience=y'),
    of('&audience=x&audience=y'),
    of('&scope=a&audience=x'),
    of('', await house.client({ scopes: ['a', 'b'] })),
  ]);
  assert.equal(new Set(all).size, all.length);
  assert.equal(await of('&scope=a+b'), all[0]);
  assert.equal(await of('&scope=b+a+b'), all[0]);
  assert.equal(await of('&scope=&audience='), all[0]);
  assert.equal(await of('&audience=orders-api'), all[0]);
  assert.equal(await of('&audience=y&audience=x'), all[5]);
  assert.equal(await of('&audience=x&scope=a&other=1'), all[6]);
  assert.equal(await house.rows('tokens'), all.length);
});

test('expires_in counts down, and near its end there is a new one', async (t) => {
  const house = await tokenHouse(t, { service: 'token_rate = "" lifetime = 4' });
  const shop = await house.client();
  const first = (await house.token(shop)).json;
  assert.equal(first.expires_in, 4);
  const seen = new Set([4]);
  const next = await until(async () => {
    const { json } = await house.token(shop);
    if (json.access_token !== first.access_token) return json;
    seen.add(json.expires_in);
    return undefined;
  }, 'a new token');
  assert.ok(next.expires_in >= 3);
  assert.deepEqual([...seen].sort(), [3, 4], 'half of its life was left at least');
});

test('switched off, every request makes its own', async (t) => {
  const house = await tokenHouse(t, { service: 'token_rate = "" reuse = 0' });
  const shop = await house.client();
  const answers = await many(house, shop, 20);
  assert.equal(tokensOf(answers).size, 20);
  assert.equal(await house.rows('tokens'), 20);
});

test('above the rate: 429, exact over all workers, and told in headers', async (t) => {
  const house = await tokenHouse(t, {
    workers: 4,
    service: 'reuse = 0 token_rate = "10/h"',
  });
  const [a, b] = await Promise.all([
    house.client({ consumer: 'one' }),
    house.client({ consumer: 'one' }),
  ]);
  const answers = [...(await many(house, a, 30)), ...(await many(house, b, 30))];
  const passed = answers.filter(({ status }) => status === 200);
  assert.equal(passed.length, 10, 'a consumer’s clients share its rate');
  assert.equal(await house.rows('tokens'), 10);
  const { status, json, headers } = answers.at(-1);
  assert.equal(status, 429);
  assert.equal(json.error, 'slow_down');
  assert.ok(Number(headers['retry-after']) > 300);
  assert.equal(headers['ratelimit-limit'], '10');
  assert.equal(headers['ratelimit-remaining'], '0');
  assert.equal(headers['cache-control'], 'no-store');
  assert.ok(passed.some((answer) => answer.headers['ratelimit-remaining'] === '9'));
  const own = await house.client({ consumer: 'one', rate_count: 3, rate_period_us: 3600000000 });
  const more = await many(house, own, 10);
  assert.equal(more.filter((answer) => answer.status === 200).length, 3, 'a rate of its own');
  assert.match(await house.gw.metrics(), /rate_limited_total\{limit="token"\} 57\b/);
});

test('a client over its rate gets the token that is at hand', async (t) => {
  const house = await tokenHouse(t, { service: 'lifetime = 6 token_rate = "1/h"' });
  const shop = await house.client();
  const first = (await house.token(shop)).json;
  const late = await until(async () => {
    const answer = await house.token(shop);
    assert.equal(answer.status, 200, answer.body);
    assert.equal(answer.json.access_token, first.access_token);
    return answer.json.expires_in <= 2 && answer.json;
  }, 'little of its life to be left');
  assert.ok(late.expires_in > 0);
  const over = await until(async () => {
    const answer = await house.token(shop);
    return answer.status !== 200 && answer;
  }, 'its end');
  assert.equal(over.status, 429);
});

test('a change of the client ends what was kept for it', async (t) => {
  const house = await tokenHouse(t, { service: 'token_rate = ""' });
  const shop = await house.client({ scopes: ['a'] });
  const first = (await house.token(shop)).json.access_token;
  await house.change(shop, "scopes = ARRAY['a', 'b']");
  const next = await until(async () => {
    const { json } = await house.token(shop);
    return json.access_token !== first && json;
  }, 'the change to be known');
  assert.equal(next.scope, 'a b');
  const kept = await get(`${house.gw.url}/orders`, { token: first });
  assert.equal(kept.status, 200, 'the old token stays what it is');
});

test('a holder that dies leaves the work to the next', async (t) => {
  const house = await tokenHouse(t, { workers: 3, service: 'token_rate = ""' });
  const shop = await house.client();
  await house.db.query('BEGIN; LOCK TABLE tokens; COMMIT');
  const answers = many(house, shop, 30).catch(() => []);
  const [worker] = await house.gw.workers();
  process.kill(worker, 'SIGKILL');
  await answers;
  const after = await until(async () => {
    const list = await many(house, shop, 10).catch(() => []);
    return list.length > 0 && list.every(({ status }) => status === 200) && list;
  }, 'the others to go on');
  assert.equal(tokensOf(after).size, 1);
});
