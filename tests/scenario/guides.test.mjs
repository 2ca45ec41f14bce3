// What the guides tell an operator to write is what Gatehouse takes.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { command } from '../harness/gateway.mjs';
import { jwksOf, newKey } from '../harness/keys.mjs';

const FOLDER = new URL('../../etc/', import.meta.url);
const guides = readdirSync(FOLDER).filter((name) => name.endsWith('.md'));
const read = (name) => readFileSync(new URL(name, FOLDER), 'utf8');

/* What a guide leaves to its reader. */
const VALUES = {
  KEYCLOAK_SECRET: 'secret',
  DATABASE_URL: 'postgresql://gatehouse@127.0.0.1/gatehouse',
  GATEHOUSE_KEY: 'thirty-two bytes or so for tests',
};
const files = { 'acme.json': jwksOf(newKey('RS256')) };

for (const name of guides) {
  const blocks = [...read(name).matchAll(/^```conf\n(.*?)^```$/gms)].map(([, text]) => text);
  test(`${name} has configurations`, () => assert.ok(blocks.length > 0));
  blocks.forEach((text, i) =>
    test(`${name}, configuration ${i + 1} is accepted without a warning`, async () => {
      const conf = text.replace(/\$\{(\w+)\}/g, (_, variable) => VALUES[variable]);
      const end = await command(['-t', '-c', 'gatehouse.conf'], { conf, files });
      assert.equal(end.code, 0, end.stderr);
      assert.doesNotMatch(end.stderr + end.stdout, /warn/i);
    }),
  );
  test(`${name} names directives that there are`, async () => {
    const { stdout } = await command(['directives']);
    const known = new Set(stdout.match(/\b[a-z][a-z0-9_]+\b(?= =)/g));
    for (const [, directive] of read(name).matchAll(/`([a-z_0-9]+) = [^`]*`/g))
      assert.ok(known.has(directive), directive);
  });
  test(`${name} leads to files that there are`, () => {
    for (const [, link] of read(name).matchAll(/\]\((?!https?:)([^)#]+)/g))
      assert.doesNotThrow(() => read(link), link);
  });
}
