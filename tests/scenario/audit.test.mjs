// `gatehouse audit`: nothing gets through Gatehouse, and of a gateway with a hole it is found.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { auditor, named } from '../harness/audit.mjs';
import { backend } from '../harness/backend.mjs';
import { conf, gateway } from '../harness/gateway.mjs';
import { jwksOf, newKey } from '../harness/keys.mjs';
import { leaky } from '../harness/leaky.mjs';

const key = newKey('RS256');
let audit;

before(async () => {
  audit = await auditor({ key });
});

async function gate(t, { keys = key, ...parts } = {}) {
  const api = await backend();
  const gw = await gateway(conf({ servers: [api.url], ...parts }), {
    files: { 'jwks.json': jwksOf(keys) },
  });
  t.after(() => gw.stop().then(() => api.stop()));
  return { api, gw };
}

test('nothing gets through Gatehouse, and its backend sees the good token alone', async (t) => {
  const { api, gw } = await gate(t);
  const { code, told } = await audit.json(`${gw.url}/orders/17?a=b`);
  assert.deepEqual(named(told, 'passed'), []);
  assert.deepEqual(named(told, 'not_judged'), []);
  assert.deepEqual(named(told, 'skipped'), []);
  assert.equal(code, 0);
  assert.equal(told.refused, told.sent);
  assert.ok(told.sent > 150 && told.echoes && told.jwt && told.trouble === null);
  const strangers = api.seen.filter((r) => r.headers.authorization !== `Bearer ${audit.token}`);
  assert.deepEqual(strangers, []);
});

test('for people there is a table, and the last line says how many', async (t) => {
  const curve = newKey('ES256');
  const { gw } = await gate(t, { keys: curve });
  const { run } = await auditor({ key: curve });
  const { code, stdout } = await run(`${gw.url}/orders`);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /^refused +401 +refused +no-token: /m);
  assert.match(stdout, /^skipped +- +refused +expired: .*\n.*no --expired-token-file/m);
  assert.match(stdout, /\n0 of \d+ got through, 1 skipped\n?$/);
});

/* A hole, and exactly what gets through it. */
const holes = {
  none: ['none/none', 'none/none-signed'],
  'none in any case': ['none', 'None', 'nOnE', 'NONE'].flatMap((alg) => [
    `none/${alg}`,
    `none/${alg}-signed`,
  ]),
  'no signature': [
    'truncated/empty-signature',
    ...['none', 'None', 'nOnE', 'NONE', 'empty-alg'].map((alg) => `none/${alg}`),
  ],
  'null signature': [
    'truncated/empty-signature',
    'signature/zeroes',
    'signature/psychic',
    ...['none', 'None', 'nOnE', 'NONE', 'empty-alg'].map((alg) => `none/${alg}`),
  ],
  'secret pem': ['secret/public-pem'],
  'secret chomped': ['secret/public-pem-chomped'],
  'secret der': ['secret/public-der'],
  'secret jwk': ['secret/public-jwk'],
  'any secret': [
    'secret/empty-secret',
    'secret/weak-secret',
    'secret/example-secret',
    'kid/kid-null-device',
    'kid/kid-command',
  ],
  'key file': ['kid/kid-null-device', 'kid/kid-known-file'],
  'embedded jwk': ['own key/embedded-jwk'],
  'embedded x5c': ['own key/embedded-x5c'],
  expired: ['expired/expired'],
  'two spellings': ['altered/padded', 'signature/unused-bits'],
  'more parts': ['altered/fourth-part', 'altered/five-parts'],
  'first header': ['place/good-bad'],
  'last header': ['place/bad-good'],
  'last of a list': ['place/bad-good', 'place/bad-comma-good'],
  query: ['place/query'],
  form: ['place/form'],
  'from here': ['trust/from-loopback'],
  'other url': ['trust/other-url'],
  'method override': ['trust/other-method'],
  'knows who': ['trust/identities'],
  'static files': ['path/static-suffix', 'path/semicolon-suffix'],
  'once a connection': ['smuggling/second-request'],
  'strips by connection': ['identity/hop'],
  'passes identities': [
    'consumer-id', 'consumer-username', 'consumer-custom-id', 'credential', 'scope', 'userid',
    'anonymous',
  ].flatMap((name) => [`identity/${name}`, `identity/${name}_`])
    .concat(['identity/mixed-case', 'identity/mixed-marks', 'identity/forged-hop']),
};

for (const [hole, through] of Object.entries(holes))
  test(`the hole is found, and nothing else: ${hole}`, async (t) => {
    const gw = await leaky({ key, hole });
    t.after(() => gw.stop());
    const { code, told } = await audit.json(`${gw.url}/orders/17`);
    assert.deepEqual(named(told, 'passed'), [...through].sort());
    assert.equal(code, 1);
    assert.equal(told.passed, through.length);
  });

test('a careful gateway of another make passes', async (t) => {
  const gw = await leaky({ key });
  t.after(() => gw.stop());
  const { code, told } = await audit.json(`${gw.url}/orders/17`);
  assert.deepEqual(named(told, 'passed'), []);
  assert.equal(code, 0);
});
