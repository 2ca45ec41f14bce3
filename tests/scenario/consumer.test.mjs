// Tokens of the token service name the consumer whom their client belongs to, whatever their form.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { get } from '../harness/http.mjs';
import { tokenHouse } from '../harness/tokens.mjs';

let house;

before(async () => {
  house = await tokenHouse(undefined, { route: 'issuers = {"self"} rate = "4/h"' });
});
after(() => house.stop());

const shopper = (consumer, format) =>
  house.client({ consumer, format, scopes: ['orders:read'] });

async function call(client) {
  const issued = await house.token(client);
  assert.equal(issued.status, 200, issued.body);
  return get(`${house.gw.url}/orders`, { token: issued.json.access_token });
}

for (const format of ['jwt', 'opaque'])
  test(`the backend is told the consumer: ${format}`, async () => {
    const client = await shopper(`Shop "${format}"`, format);
    await house.db.query(
      `UPDATE consumers SET custom_id = '17 ${format}' WHERE name = 'Shop "${format}"'`,
    );
    const plain = await shopper(`nameless ${format}`, format);
    const { headers } = (await call(client)).json;
    assert.equal(headers['x-consumer-id'], `Shop "${format}"`);
    assert.equal(headers['x-consumer-username'], `Shop "${format}"`);
    assert.equal(headers['x-consumer-custom-id'], `17 ${format}`);
    assert.equal(headers['x-credential-identifier'], client.id);
    assert.equal(headers['x-authenticated-userid'], undefined);
    const other = (await call(plain)).json.headers;
    assert.equal(other['x-consumer-id'], `nameless ${format}`);
    assert.equal(other['x-consumer-custom-id'], undefined);
  });

test('all clients of a consumer share its limit', async () => {
  const clients = [await shopper('both', 'jwt'), await shopper('both', 'opaque')];
  const statuses = [];
  for (let i = 0; i < 6; i += 1) statuses.push((await call(clients[i % 2])).status);
  assert.deepEqual(statuses, [200, 200, 200, 200, 429, 429]);
  assert.equal((await call(await shopper('another', 'jwt'))).status, 200);
});
