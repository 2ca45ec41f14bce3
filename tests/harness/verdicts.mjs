// What a refusal has to look like (RFC 6750 section 3), and the gateway that the token tables share.

import assert from 'node:assert/strict';
import { backend } from './backend.mjs';
import { AUDIENCE, conf, gateway } from './gateway.mjs';
import { get } from './http.mjs';
import { ALGORITHMS, jwksOf, newKey } from './keys.mjs';

/** Holds an answer against the shape of a refusal; `says` must match its description. */
export function assertRefused(answer, { status = 401, error = 'invalid_token', says = /./ } = {}) {
  assert.equal(answer.status, status, `${answer.status} ${answer.body}`);
  assert.match(answer.headers['content-type'], /^application\/json/);
  const told = JSON.parse(answer.body);
  assert.equal(told.error, error);
  assert.match(told.error_description, says);
  assert.ok(answer.headers['x-request-id'], 'every answer carries X-Request-ID');
  const challenge = answer.headers['www-authenticate'];
  if (status !== 401) return;
  assert.match(challenge, /^Bearer realm="/);
  if (error === 'unauthorized') assert.doesNotMatch(challenge, /error/);
  else assert.ok(challenge.includes(`error="${error}"`), challenge);
}

const keysFor = (algorithms) => Object.fromEntries(algorithms.map((alg) => [alg, newKey(alg)]));

export const WIDE = 'https://wide.test';
export const OTHER = 'https://other.test';
export const WEAK = 'https://weak.test';

const issuer = (name, url, extra = '') => `issuer "${name}" {
  issuer = "${url}"
  audience = {"${AUDIENCE}"}
  jwks_file = "${name}.json"
  ${extra}
}`;

/**
 * A gateway with four issuers: `main` as short a conf makes it, `wide` with every algorithm allowed,
 * `other` with a key of its own, and `weak` with the keys given. `refuses` and `passes` send a token
 * and check the answer as well as what reached the backend.
 */
export async function tokenGate({ weakKeys = [], more = '' } = {}) {
  const api = await backend();
  const keys = keysFor(['RS256', 'PS256', 'ES256', 'EdDSA']);
  const wide = keysFor(ALGORITHMS);
  const other = newKey('RS256');
  const all = ALGORITHMS.map((alg) => `"${alg}"`).join(', ');
  const gw = await gateway(
    conf({
      servers: [api.url],
      more: [
        issuer('wide', WIDE, `algorithms = {${all}}`),
        issuer('other', OTHER),
        issuer('weak', WEAK, `algorithms = {${all}}`),
        more,
      ].join('\n'),
    }),
    {
      files: {
        'jwks.json': jwksOf(...Object.values(keys)),
        'wide.json': jwksOf(...Object.values(wide)),
        'other.json': jwksOf(other),
        'weak.json': { keys: weakKeys },
      },
    },
  );

  const ask = (token, path = '/orders') => get(`${gw.url}${path}`, { token });
  return {
    api,
    gw,
    keys,
    wide,
    other,
    async refuses(token, says) {
      const before = api.hits;
      const answer = await ask(token);
      assertRefused(answer, { says });
      assert.equal(api.hits, before, 'a refused request reached the backend');
    },
    async passes(token, path) {
      const before = api.hits;
      const answer = await ask(token, path);
      assert.equal(answer.status, 200, answer.body);
      assert.equal(api.hits, before + 1);
      return answer.json;
    },
    async stop() {
      await gw.stop();
      await api.stop();
    },
  };
}
