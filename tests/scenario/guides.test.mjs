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

const complete = (text) => text.replace(/\$\{(\w+)\}/g, (_, variable) => VALUES[variable]);
const check = (text) =>
  command(['-t', '-c', 'gatehouse.conf'], { conf: complete(text), files });

for (const name of guides) {
  const all = [...read(name).matchAll(/^```conf(?: (\w+))?\n(.*?)^```$/gms)];
  const blocks = all.filter(([, section]) => section === undefined).map(([, , text]) => text);
  const parts = all.filter(([, section]) => section !== undefined);
  test(`${name} has configurations`, () => assert.ok(blocks.length > 0));
  blocks.forEach((text, i) =>
    test(`${name}, configuration ${i + 1} is accepted without a warning`, async () => {
      const end = await check(text);
      assert.equal(end.code, 0, end.stderr);
      assert.doesNotMatch(end.stderr + end.stdout, /warn/i);
    }),
  );
  for (const [, section, text] of parts)
    test(`${name}, lines for the section ${section} are accepted there`, async () => {
      const begin = new RegExp(`^${section} "\\w+" \\{$`, 'm');
      assert.match(blocks[0], begin);
      const end = await check(blocks[0].replace(begin, (line) => `${line}\n${text}`));
      assert.equal(end.code, 0, end.stderr);
    });
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
