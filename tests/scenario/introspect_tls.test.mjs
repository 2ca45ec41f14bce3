// An issuer that is asked about tokens over TLS: its certificate is verified, connections are kept.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asked } from '../harness/introspection.mjs';

/** A certificate that signs itself, for this name: { key, cert }. */
function certificate(t, name) {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-cert-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = ['key.pem', 'cert.pem'].map((file) => join(folder, file));
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
      .concat(['-subj', '/CN=test', '-addext', `subjectAltName=${name}`])
      .concat(['-keyout', key, '-out', cert]),
    { stdio: 'ignore' },
  );
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

test('an issuer with a trusted certificate is asked, over connections that are kept', async (t) => {
  const tls = certificate(t, 'IP:127.0.0.1');
  const { idp, ask } = await asked(t, {
    tls,
    workers: 1,
    issuer: 'ca_file = "ca.pem"',
    files: { 'ca.pem': tls.cert.toString() },
  });
  let shaken = 0;
  idp.server.on('secureConnection', () => {
    shaken += 1;
  });
  for (let i = 0; i < 10; i += 1) {
    idp.know(`token-${i}`, { sub: 'ann' });
    assert.equal((await ask(`token-${i}`)).status, 200);
  }
  assert.equal(shaken, 1);
});

for (const [what, name, trusted] of [
  ['nobody vouches for', 'IP:127.0.0.1', false],
  ['is of another host', 'DNS:other.test', true],
])
  test(`a certificate that ${what} is 503, and learns no token`, async (t) => {
    const tls = certificate(t, name);
    const { idp, gw, ask } = await asked(t, {
      tls,
      issuer: trusted ? 'ca_file = "ca.pem"' : '',
      files: { 'ca.pem': tls.cert.toString() },
    });
    idp.know('gold', { sub: 'ann' });
    assert.equal((await ask('gold')).status, 503);
    await gw.sees(/can't be asked about tokens: TLS with .* failed/);
    assert.equal(idp.calls, 0);
  });
