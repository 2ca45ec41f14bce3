// gatehouse consumer, client, token and keys: what an operator does to the store, told in words and
// in JSON, and never half.

import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { command } from '../harness/gateway.mjs';
import { postgres } from '../harness/postgres.mjs';

const ISSUER = 'https://self.test';
const FOREIGN = 'https://id.test';
const CONF = `listen "127.0.0.1:0" { }
issuer "main" { issuer = "${FOREIGN}" audience = {"orders-api"} }
upstream "api" { servers = {"http://127.0.0.1:9"} }
route "all" { upstream = "api" }
`;
const SERVICE = `token_service { issuer = "${ISSUER}" audience = {"orders-api"}
  encryption_key = "a key for nothing but tests" jwks_max_age = 120 }
`;

/** A database with the schema, and commands on it: { code, stdout, stderr, json }. */
async function store(t) {
  const db = await postgres({ fast: true });
  t.after(() => db.remove());
  await db.migrate();
  const run = async (args, options = {}) => {
    const words = typeof args === 'string' ? args.split(' ') : args;
    const text = db.section() + CONF + (options.service ?? SERVICE);
    const end = await command(['-c', 'gatehouse.conf', ...words], { ...options, conf: text });
    return { ...end, json: words.includes('--json') && end.code === 0 && JSON.parse(end.stdout) };
  };
  const good = async (args, options) => {
    const end = await run(args, options);
    assert.equal(end.code, 0, `${args}: ${end.stderr}`);
    return end;
  };
  return { db, run, good };
}

const identity = (kind, iss, value) =>
  createHash('sha256').update(`${kind}\0${iss}\0${value}`).digest('hex');

/** Rows of the table of revocations: [kind, value, identity, has a time, lives for seconds]. */
const feed = (db) =>
  db.query(`SELECT kind, value, encode(identity, 'hex'), before_at IS NOT NULL,
    round(extract(epoch FROM expires_at - created_at)) FROM revocations ORDER BY seq`);

/** The same number of seconds, but for what passes between two looks at a clock. */
const near = (seconds, expected) => assert.ok(Math.abs(seconds - expected) <= 15, seconds);

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = () => Math.floor(Date.now() / 1000);
const jwt = (claims) => `${part({ alg: 'ES256', kid: 'k1' })}.${part(claims)}.c2ln`;

/** An opaque token of a time and of zeros, its id and its digest. */
function opaque(prefix = 'gha_', last = 1) {
  const bytes = Buffer.alloc(56, last);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = 0x70;
  bytes[8] = 0x80;
  const hex = bytes.subarray(0, 16).toString('hex');
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  const token = prefix + bytes.toString('base64url');
  return { token, id, digest: createHash('sha256').update(token).digest('hex') };
}

test('consumers come and go', async (t) => {
  const { db, run, good } = await store(t);

  assert.equal((await good('consumer list')).stdout, 'there are no consumers');
  assert.deepEqual((await good('consumer list --json')).json, []);
  const { json } = await good('consumer add shop --custom-id 17 --json');
  assert.deepEqual([json.name, json.custom_id, typeof json.id], ['shop', '17', 'number']);
  await good(['consumer', 'add', 'Café Zürich']);
  assert.match((await good('consumer list')).stdout, /^NAME +CUSTOM ID +CLIENTS +CREATED AT\n/);
  let end = await run('consumer add shop');
  assert.deepEqual([end.code, end.stderr], [1, 'there is a consumer shop already']);
  end = await run('consumer add other --custom-id 17');
  assert.deepEqual([end.code, end.stderr], [1, 'another consumer has the custom id 17']);
  for (const name of ['', ' shop', 'a\nb', 'x'.repeat(256)])
    assert.equal((await run(['consumer', 'add', name])).code, 2, name);
  await good('client add --consumer shop --id app');
  assert.deepEqual((await good('consumer show shop --json')).json.clients, ['app']);
  assert.match((await good('consumer show shop')).stdout, /^name +shop$/m);
  assert.match((await good('consumer remove shop')).stdout, /with 1 client,/);
  end = await run('consumer show shop');
  assert.deepEqual([end.code, end.stderr], [1, 'there is no consumer shop']);
  assert.equal((await run('client show app')).code, 1);
  /* gateways that remember consumers are told, of what was done and of nothing else */
  assert.equal((await run('consumer remove shop')).code, 1);
  assert.deepEqual(
    (await feed(db)).map(([kind, value]) => `${kind} ${value}`),
    ['change shop', 'change Café Zürich', 'change app', 'client app', 'change shop'],
  );
});

test('a new client shows its secret once, and the store has only a hash', async (t) => {
  const { db, run, good } = await store(t);
  await good('consumer add shop');
  const { json } = await good(
    ['client', 'add', '--consumer', 'shop', '--id', 'app', '--scopes', 'b  a b', '--audiences',
      'orders-api', '--grants', 'refresh_token token-exchange client_credentials', '--format',
      'opaque', '--lifetime', '60', '--token-rate', '5/m', '--introspection', 'any', '--json'],
  );

  assert.deepEqual(Object.keys(json), ['client_id', 'client_secret']);
  assert.match(json.client_secret, /^ghs_[\w-]{43}$/);
  const [[salt, hash]] = await db.query(
    "SELECT encode(secret_salt, 'hex'), encode(secret_hash, 'hex') FROM clients",
  );
  const salted = Buffer.concat([Buffer.from(salt, 'hex'), Buffer.from(json.client_secret)]);
  assert.equal(createHash('sha256').update(salted).digest('hex'), hash);
  const shown = await good('client show app --json');
  assert.deepEqual(
    { ...shown.json, created_at: '' },
    {
      client_id: 'app', consumer: 'shop', authentication: 'secret',
      grants: ['client_credentials', 'refresh_token',
        'urn:ietf:params:oauth:grant-type:token-exchange'],
      scopes: ['a', 'b'], audiences: ['orders-api'], format: 'opaque', lifetime: 60,
      token_rate: '5/m', introspection: 'any', revocation: 'own', exchange_from: [],
      impersonation: 'allowed', delegation: 'denied', recording: 'full', generation: 1,
      created_at: '',
    },
  );
  assert.doesNotMatch(shown.stdout, new RegExp(`${hash}|${salt}|ghs_`));
  const [, change] = await feed(db);
  assert.deepEqual(change.slice(0, 4), ['change', 'app', identity('change', ISSUER, 'app'), 'f']);
  near(change[4], 600);
  const plain = await good('client add --consumer shop');
  assert.match(plain.stdout, /client_id +[0-9a-f-]{36}\n +client_secret +ghs_.*\n.*this once/);
  const defaults = await good('client list --consumer shop --json');
  assert.deepEqual(defaults.json[0].grants, ['client_credentials']);
  const end = await run('client add --consumer shop --id app');
  assert.deepEqual([end.code, end.stderr], [1, 'there is a client app already']);
  assert.equal((await run('client add --consumer gone')).stderr, 'there is no consumer gone');
});

test('what a client can not be is refused before anything is asked', async (t) => {
  const { run } = await store(t);
  const bad = {
    'client add': /--consumer is missing/,
    'client add --consumer': /--consumer needs a value/,
    'client add --consumer a --consumer b': /given twice/,
    'client add --consumer a --grants password': /--grants: "password" .*client_credentials/,
    'client add --consumer a --format xml': /--format/,
    'client add --consumer a --lifetime 2678401': /--lifetime/,
    'client add --consumer a --lifetime 0': /--lifetime/,
    'client add --consumer a --token-rate 5': /--token-rate/,
    'client add --consumer a --scopes a"b': /--scopes/,
    'client add --consumer a --id a"b': /--id/,
    'client add --consumer a --introspection all': /--introspection/,
    'client add --consumer a --exchange-from *': /--exchange-from: "\*" .*ISSUER\/\*/,
    'client add --consumer a --exchange-from a/': /--exchange-from/,
    'client add --consumer a --exchange-from /a': /--exchange-from/,
    'client add --consumer a --exchange-from a\tb': /--exchange-from/,
    'client add --consumer a --impersonation self': /--impersonation: .*allowed\|denied/,
    'client add --consumer a --delegation any': /--delegation: .*allowed\|self\|denied/,
    'client change a --recording some': /--recording: .*full\|none/,
    'client add --frobnicate': /unknown option: --frobnicate/,
    'client add --consumer a b': /unknown argument: b/,
    'client frobnicate': /there is no "frobnicate"/,
    client: /usage:/,
    'token revoke': /is missing/,
    'token revoke --jti a --kid b': /one thing/,
    'token revoke --jti a --until never': /--until/,
    'token list --limit 0': /--limit/,
    'keys kill': /KID is missing/,
  };

  for (const [args, words] of Object.entries(bad)) {
    const end = await run(args);
    assert.equal(end.code, 2, args);
    assert.match(end.stderr, words);
  }
  assert.match((await run('client --help')).stdout, /client add --consumer NAME/);
});

test('a change, a new secret and new keys make a new generation and are told', async (t) => {
  const { db, run, good } = await store(t);
  const { publicKey, privateKey } = await import('node:crypto').then((crypto) =>
    crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  );
  const files = {
    'good.json': JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] }),
    'private.json': JSON.stringify({ keys: [privateKey.export({ format: 'jwk' })] }),
    'secret.json': JSON.stringify({ keys: [{ kty: 'oct', k: 'a'.repeat(43) }] }),
    'empty.json': '{"keys":[]}',
    'broken.json': '{',
  };
  await good('consumer add shop');
  const first = (await good('client add --consumer shop --id app --scopes a --json')).json;

  await good('client change app --lifetime 60 --scopes b');
  const second = (await good('client rotate app --json')).json;
  assert.notEqual(second.client_secret, first.client_secret);
  let { json } = await good('client show app --json');
  assert.deepEqual([json.generation, json.lifetime, json.scopes], [3, 60, ['b']]);
  for (const name of ['private', 'secret', 'empty', 'broken', 'gone'])
    assert.match(
      (await run(`client change app --jwks ${name}.json`, { files })).stderr,
      new RegExp(`the keys in ${name}.json can't be used`),
    );
  await good('client change app --jwks good.json', { files });
  ({ json } = await good('client show app --json'));
  assert.deepEqual([json.generation, json.authentication], [4, 'private_key_jwt']);
  assert.equal(await db.value('SELECT secret_hash IS NULL FROM clients'), 't');
  assert.match((await run('client rotate app')).stderr, /has keys and no secret/);
  const told = (await feed(db)).filter(([kind, value]) => kind === 'change' && value === 'app');
  assert.equal(told.length, 4);
  const keyed = await good('client add --consumer shop --jwks good.json --json', { files });
  assert.deepEqual(Object.keys(keyed.json), ['client_id']);
  assert.equal((await run('client change gone --lifetime 1')).stderr, 'there is no client gone');
});

test('whose tokens a client may exchange is nobody\'s until it is said', async (t) => {
  const { db, run, good } = await store(t);
  const policy = async (id) => {
    const { json } = await good(`client show ${id} --json`);
    return [json.exchange_from, json.impersonation, json.delegation, json.recording];
  };
  await good('consumer add shop');
  await good('client add --consumer shop --id plain');
  assert.deepEqual(await policy('plain'), [[], 'allowed', 'denied', 'full']);
  const names = 'self/app  main/* Zürich app https://id.test/x app';
  await good(['client', 'add', '--consumer', 'shop', '--id', 'edge', '--exchange-from', names,
    '--impersonation', 'denied', '--delegation', 'self', '--recording', 'none']);
  const sorted = ['app', 'https://id.test/x', 'main/*', 'self/app', 'Zürich'].sort();
  assert.deepEqual(await policy('edge'), [sorted, 'denied', 'self', 'none']);

  await good('client change edge --delegation allowed');
  assert.deepEqual(await policy('edge'), [sorted, 'denied', 'allowed', 'none']);
  await good(['client', 'change', 'edge', '--exchange-from', '', '--recording', 'full']);
  assert.deepEqual(await policy('edge'), [[], 'denied', 'allowed', 'full']);
  const { json } = await good('client show edge --json');
  assert.equal(json.generation, 3);
  const told = (await feed(db)).filter(([kind, value]) => kind === 'change' && value === 'edge');
  assert.equal(told.length, 3);
  await good('client change plain --exchange-from main/*');
  assert.match((await good('client show plain')).stdout, /^exchange_from +main\/\*$/m);
  const list = await good('client list --json');
  assert.deepEqual(list.json.map((row) => row.exchange_from), [[], ['main/*']]);
  const end = await run(['client', 'change', 'plain', '--exchange-from', 'x'.repeat(513)]);
  assert.equal(end.code, 2);
});

test('a removed client takes its tokens along, whoever has not heard of it yet', async (t) => {
  const { db, run, good } = await store(t);
  await good('consumer add shop');
  await good('client add --consumer shop --id app');
  const number = await db.value('SELECT id FROM clients');
  const family = opaque().id;
  await db.query(`INSERT INTO refresh_families VALUES ('${family}', ${number}, now());
    INSERT INTO tokens VALUES ('${opaque().id}', NULL, ${number}, now(),
      now() + interval '2 hours', '', '[]')`);

  await good('client remove app');
  const [kind, value, hex, timed, seconds] = (await feed(db)).at(-1);
  assert.deepEqual([kind, value, timed], ['client', 'app', 't']);
  assert.equal(hex, identity('client', ISSUER, 'app'));
  near(seconds, 7200);
  const ahead = 'SELECT before_at - created_at FROM revocations WHERE kind = \'client\'';
  assert.match(await db.value(ahead), /^00:01:30/);
  assert.equal(await db.value('SELECT revoked_at IS NOT NULL FROM refresh_families'), 't');
  const end = await run('client add --consumer shop --id app');
  assert.match(end.stderr, /a client app was removed a moment ago \(wait \d+ seconds/);
  assert.equal((await run('client remove app')).stderr, 'there is no client app');
});

test('revoking: by jti, subject, client, key, and of other issuers', async (t) => {
  const { db, run, good } = await store(t);
  const rows = [
    ['--jti j1', 'jti', ISSUER, 'j1', 'f'],
    ['--subject user-7', 'subject', ISSUER, 'user-7', 't'],
    ['--client app', 'client', ISSUER, 'app', 't'],
    ['--kid k9', 'key', ISSUER, 'k9', 'f'],
    ['--jti j1 --issuer main', 'jti', FOREIGN, 'j1', 'f'],
    ['--subject user-7 --issuer main --until 50', 'subject', FOREIGN, 'user-7', 't'],
  ];

  for (const [args] of rows) await good(`token revoke ${args}`);
  const got = await feed(db);
  rows.forEach(([, kind, iss, value, timed], i) =>
    assert.deepEqual(got[i].slice(0, 4), [kind, value, identity(kind, iss, value), timed]),
  );
  near(got[5][4], 50);
  near(got[0][4], 3600 + 90);
  near(got[4][4], 31 * 86400);
  const end = await run('token revoke --jti x --issuer gone');
  assert.match(end.stderr, /has no issuer "gone"/);
  assert.match((await run('token revoke --jti x', { service: '' })).stderr, /no token_service/);
  await good('token revoke --jti x --issuer main', { service: '' });
});

test('revoking a token that is at hand, and looking at it', async (t) => {
  const { db, run, good } = await store(t);
  await good('consumer add shop');
  await good('client add --consumer shop --id app');
  const number = await db.value('SELECT id FROM clients');
  const access = opaque('gha_', 1);
  const child = opaque('gha_', 2);
  const refresh = opaque('ghr_', 3);
  const life = "now(), now() + interval '1 hour'";
  await db.query(`INSERT INTO refresh_families VALUES ('${refresh.id}', ${number}, now());
    INSERT INTO refresh_tokens VALUES ('${refresh.id}', '\\x${refresh.digest}', '${refresh.id}',
      ${number}, ${life}, 'a', '["x"]');
    INSERT INTO tokens VALUES
      ('${access.id}', '\\x${access.digest}', ${number}, ${life}, 'a', '["x"]', NULL),
      ('${child.id}', '\\x${child.digest}', ${number}, ${life}, 'a', '["x"]', '${refresh.id}')`);
  const inspect = async (token) =>
    (await good('token inspect - --json', { input: `${token}\n` })).json;

  let seen = await inspect(access.token);
  assert.deepEqual([seen.kind, seen.revoked], ['opaque access token', false]);
  assert.deepEqual([seen.store.client_id, seen.store.audience], ['app', ['x']]);
  assert.equal((await good('token list --client app --json')).json.length, 2);
  await good('token revoke -', { input: access.token });
  seen = await inspect(access.token);
  assert.deepEqual([seen.revoked, seen.revocations[0].kind], [true, 'jti']);
  await good('token revoke --token-file t', { files: { t: refresh.token } });
  assert.equal((await inspect(child.token)).revoked, true);
  seen = await inspect(refresh.token);
  assert.deepEqual([seen.kind, seen.revoked], ['refresh token', true]);
  const list = await good('token list');
  assert.equal(list.stdout.match(/ yes$/gm).length, 2);
  assert.doesNotMatch(list.stdout, /gha_/);
  const [[, value, hex]] = (await feed(db)).slice(2);
  assert.deepEqual([value, hex], [access.id, identity('jti', ISSUER, access.id)]);
  assert.match((await run(['token', 'revoke', opaque('gha_', 9).token])).stderr, /no such token/);
});

test('an exchanged token shows where it came from, and is revoked with it', async (t) => {
  const { db, run, good } = await store(t);
  await good('consumer add shop');
  await good('client add --consumer shop --id edge');
  const number = await db.value('SELECT id FROM clients');
  const exchanged = async (last, lineage, act) => {
    const made = opaque('gha_', last);
    const claims = JSON.stringify({ act, lineage });
    await db.query(`INSERT INTO tokens (id, digest, client, issued_at, expires_at, scope, audience,
      subject, claims) VALUES ('${made.id}', '\\x${made.digest}', ${number}, now(),
      now() + interval '1 hour', 'a', '["x"]', 'alice', '${claims}')`);
    return made;
  };
  const old = now() - 60;
  const foreign = { jti: 'j1', iss: FOREIGN, sub: 'al', client_id: 'web', kid: 'k9', iat: old };
  const own = { jti: opaque('gha_', 8).id, client_id: 'app', iat: old };
  const act = { sub: 'edge', act: { sub: 'svc', iss: FOREIGN } };
  const standIn = createHash('sha256').update('header.payload').digest('base64url');
  const nameless = {
    identity: Buffer.from(identity('jti', FOREIGN, standIn), 'hex').toString('base64url'),
    iss: FOREIGN,
  };
  const first = await exchanged(1, [foreign], act);
  const third = await exchanged(4, [nameless], act);
  const second = await exchanged(2, [foreign, own], undefined);
  const plain = opaque('gha_', 3);
  await db.query(`INSERT INTO tokens VALUES ('${plain.id}', '\\x${plain.digest}', ${number}, now(),
    now() + interval '1 hour', '', '["x"]')`);
  const inspect = async ({ token }) => (await good('token inspect - --json', { input: token })).json;
  const listed = async () =>
    Object.fromEntries((await good('token list --json')).json.map((row) => [row.jti, row]));

  let seen = await inspect(first);
  assert.deepEqual([seen.store.subject, seen.store.client_id], ['alice', 'edge']);
  assert.deepEqual([seen.store.act, seen.store.lineage], [act, [foreign]]);
  assert.deepEqual([seen.revoked, seen.revocations], [false, []]);
  assert.equal((await inspect(plain)).store.subject, 'edge');
  assert.match((await good('token inspect -', { input: first.token })).stdout, /"lineage": ?\[\{/);
  let list = await listed();
  assert.deepEqual(list[second.id].lineage, ['j1', own.jti]);
  assert.deepEqual([list[second.id].subject, list[plain.id].subject], ['alice', 'edge']);
  assert.deepEqual(list[plain.id].lineage, []);

  /* the same jti of another issuer is another token */
  await good('token revoke --jti j1');
  assert.deepEqual((await inspect(first)).revoked, false);
  assert.equal((await listed())[first.id].revoked, false);
  await good(`token revoke --jti ${own.jti}`);
  seen = await inspect(second);
  assert.deepEqual([seen.revoked, seen.revocations.length], [true, 1]);
  assert.deepEqual(
    { ...seen.revocations[0], created_at: '' },
    { kind: 'jti', value: own.jti, created_at: '', ancestor: own.jti },
  );
  list = await listed();
  assert.deepEqual([first, second, plain].map(({ id }) => list[id].revoked), [false, true, false]);
  for (const [option, value, kind] of [['--subject', 'al', 'subject'], ['--client', 'web', 'client'],
    ['--kid', 'k9', 'key'], ['--jti', 'j1', 'jti']]) {
    const before = (await inspect(first)).revocations.length;
    await good(`token revoke ${option} ${value} --issuer main`);
    const { revocations } = await inspect(first);
    assert.equal(revocations.length, before + 1, option);
    assert.equal(revocations.at(-1).kind, kind);
    assert.equal(revocations.at(-1).ancestor, 'j1');
  }
  assert.equal((await listed())[first.id].revoked, true);
  assert.match((await good('token list')).stdout, /^JTI +CLIENT ID +SUBJECT .*LINEAGE +REVOKED\n/);

  /* one that had no jti is known by what stands in for it */
  assert.deepEqual((await listed())[third.id].lineage, [nameless.identity]);
  assert.equal((await inspect(third)).revoked, false);
  await good(`token revoke --jti ${standIn} --issuer main`);
  assert.equal((await inspect(third)).revocations[0].ancestor, nameless.identity);
  assert.equal((await listed())[third.id].revoked, true);
  /* and one without sub has the token's */
  await good('token revoke --subject alice --issuer main');
  const wider = (await inspect(third)).revocations.at(-1);
  assert.deepEqual([wider.kind, wider.ancestor], ['subject', nameless.identity]);

  /* a JWT tells its lineage itself, recorded or not; one of another issuer has none */
  const claims = { jti: 'x', sub: 'alice', exp: now() + 9, iat: now(), lineage: [own, 7, {}] };
  const { json } = await good('token inspect - --json', { input: jwt({ ...claims, iss: ISSUER }) });
  assert.deepEqual([json.revoked, json.store], [true, null]);
  const strange = jwt({ ...claims, sub: 'bob', iss: FOREIGN });
  assert.equal((await good('token inspect - --json', { input: strange })).json.revoked, false);
  assert.equal((await run('token inspect - --json', { input: strange, service: '' })).code, 0);
});

test('a JWT is revoked by what it says, and shown without its signature', async (t) => {
  const { db, run, good } = await store(t);
  const known = jwt({ iss: FOREIGN, jti: 'j5', sub: 'u', exp: now() + 100, iat: now() });
  const nameless = jwt({ iss: FOREIGN, sub: 'u', exp: now() + 100, iat: now() - 5 });

  await good(['token', 'revoke', known]);
  await good('token revoke -', { input: nameless });
  const rows = await feed(db);
  assert.equal(rows[0][2], identity('jti', FOREIGN, 'j5'));
  near(rows[0][4], 100);
  const standIn = createHash('sha256').update(nameless.replace(/\.[^.]*$/, '')).digest('base64url');
  assert.equal(rows[1][2], identity('jti', FOREIGN, standIn));
  const end = await good('token inspect - --json', { input: known });
  assert.deepEqual([end.json.revoked, end.json.issuer, end.json.claims.sub], [true, 'main', 'u']);
  assert.doesNotMatch(end.stdout, /c2ln|eyJ/);
  assert.match((await good(['token', 'inspect', known])).stdout, /^revoked +yes$/m);
  const later = jwt({ iss: FOREIGN, sub: 'late', exp: now() + 100, iat: now() + 50 });
  await good('token revoke --subject late --issuer main');
  assert.equal((await good('token inspect - --json', { input: later })).json.revoked, false);
  const expired = jwt({ iss: FOREIGN, exp: now() - 1 });
  assert.match((await run(['token', 'revoke', expired])).stderr, /expired already/);
  const stranger = jwt({ iss: 'https://x.test', exp: now() + 9 });
  assert.match((await run(['token', 'revoke', stranger])).stderr, /none of gatehouse.conf/);
  for (const text of ['', 'a.b.c', 'gha_x', `${known}.x`])
    assert.match((await run('token inspect -', { input: text })).stderr, /that is no token/);
});

test('keys rotate with overlap, and a killed one is gone at once', async (t) => {
  const { db, run, good } = await store(t);
  const states = async () =>
    (await good('keys list --json')).json.map(({ kid, state }) => [kid, state]);
  assert.match((await good('keys list')).stdout, /no keys yet/);

  const first = (await good('keys rotate --json')).json;
  assert.deepEqual([first.alg, first.signs_in], ['ES256', 0]);
  const second = (await good('keys rotate --json')).json;
  assert.equal(second.signs_in, 120);
  assert.deepEqual(await states(), [[second.kid, 'next'], [first.kid, 'signing']]);
  const row = JSON.parse(await db.value(`SELECT public_jwk FROM signing_keys LIMIT 1`));
  assert.equal(createPublicKey({ key: row, format: 'jwk' }).asymmetricKeyType, 'ec');
  await db.query(`UPDATE signing_keys SET active_from = now() - interval '1 s', created_at = now()
    WHERE kid = '${second.kid}'`);
  await db.query(`UPDATE signing_keys SET active_from = now() - interval '1 h'
    WHERE kid = '${first.kid}'`);
  assert.deepEqual(await states(), [[second.kid, 'signing'], [first.kid, 'kept']]);
  const revoked = await run(`token revoke --kid ${second.kid}`);
  assert.equal(revoked.code, 1);
  assert.match(revoked.stderr, /gatehouse keys kill/);
  const { json } = await good(`keys kill ${second.kid} --json`);
  assert.deepEqual(await states(), [
    [json.new_kid, 'signing'], [second.kid, 'removed'], [first.kid, 'kept'],
  ]);
  assert.deepEqual((await feed(db))[0].slice(0, 4), [
    'key', second.kid, identity('key', ISSUER, second.kid), 'f',
  ]);
  assert.equal((await good(`keys kill ${first.kid} --json`)).json.new_kid, null);
  assert.match((await run(`keys kill ${first.kid}`)).stderr, /no key .* published/);
});

test('without a schema, a database or a token service there is one sentence', async (t) => {
  const db = await postgres({ fast: true });
  t.after(() => db.remove());
  const run = (args, conf) =>
    command(['-c', 'gatehouse.conf', ...args.split(' ')], { conf: CONF + conf });

  let end = await run('consumer list', db.section());
  assert.deepEqual([end.code, /gatehouse migrate/.test(end.stderr)], [1, true]);
  await db.migrate();
  end = await run('keys list', db.section());
  assert.equal(end.stderr, 'gatehouse.conf has no token_service section');
  end = await run('consumer list', '');
  assert.equal(end.stderr, 'gatehouse.conf has no database section with a url');
  await db.stop();
  end = await run('consumer list', db.section());
  assert.equal(end.code, 1);
  assert.match(end.stderr, /^the database can't be reached: [^\n]*$/);
});
