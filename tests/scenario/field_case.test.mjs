// The first field case: a gateway let all of 48,090 expired tokens through. Here 100, 500 and 1,000
// requests a second of good and bad tokens, mixed; every verdict is right, and the backend's own count
// of what reached it equals the good ones.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createPublicKey, randomBytes } from 'node:crypto';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import {
  altered,
  forge,
  jwksOf,
  misSigned,
  mint,
  newKey,
  now,
  unsigned,
} from '../harness/keys.mjs';
import { steady } from '../harness/load.mjs';

const SECONDS = 3;
const POOL = 25;
const key = newKey('RS256');
const stranger = newKey('RS256', key.kid);
const pem = createPublicKey({ key: key.public, format: 'jwk' }).export({
  type: 'spki',
  format: 'pem',
});
let api;
let gw;

before(async () => {
  api = await backend();
  gw = await gateway(conf({ servers: [api.url] }), { files: { 'jwks.json': jwksOf(key) } });
});
after(async () => {
  await gw.stop();
  await api.stop();
});

/** A kind of request from a pool of tokens, made anew so that each is met fresh and again. */
async function kind(name, make) {
  const pool = await Promise.all(Array.from({ length: POOL }, make));
  let next = 0;
  return { name, token: () => pool[next++ % POOL] };
}

const kinds = () =>
  Promise.all([
    kind('valid', () => mint(key)),
    kind('expired', () => mint(key, { exp: now() - 3600, iat: now() - 7200 })),
    kind('malformed', () => randomBytes(200).toString('base64url')),
    kind('alg none', () => unsigned()),
    kind('HS256 with the public key', () =>
      forge(key, {
        header: { alg: 'HS256' },
        alg: 'HS256',
        signer: { k: Buffer.from(pem).toString('base64url') },
      }),
    ),
    kind('altered', async () => altered(await mint(key), { sub: 'root' })),
    kind('bad signature', async () => misSigned(await mint(key))),
    kind("stranger's key", () => mint(stranger)),
    kind('wrong audience', () => mint(key, { aud: 'billing-api' })),
    kind('wrong issuer', () => mint(key, { iss: 'https://evil.test' })),
  ]);

for (const rate of [100, 500, 1000]) {
  test(`${rate} requests a second: every verdict is right`, async () => {
    api.forget();
    const mix = await kinds();
    const valid = mix[0];
    /* as many good ones as bad, in turn */
    const order = mix.slice(1).flatMap((bad) => [valid, bad]);
    const tally = await steady(`${gw.url}/orders`, order, {
      perSecond: rate,
      total: rate * SECONDS,
    });
    assert.deepEqual(tally.failures, []);
    assert.equal(tally.total, rate * SECONDS);
    for (const { name } of mix) {
      const status = name === 'valid' ? 200 : 401;
      assert.equal(tally.of(name, status), tally.sent.get(name), `${name}: ${[...tally.statuses]}`);
    }
    assert.equal(api.hits, tally.sent.get('valid'));
    assert.deepEqual([...api.by.keys()], ['valid']);
  });
}
