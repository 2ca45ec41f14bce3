// Signatures and spellings: what is not exactly right is refused, for every family.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import {
  createHash,
  createPrivateKey,
  constants,
  generateKeyPairSync,
  privateEncrypt,
  sign,
} from 'node:crypto';
import { altered, b64, claims, forge, mint, misSigned, newKey } from '../harness/keys.mjs';
import { get } from '../harness/http.mjs';
import { rawRequest, head } from '../harness/raw.mjs';
import { WEAK, WIDE, tokenGate } from '../harness/verdicts.mjs';

const weakRsa = (() => {
  const pair = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const marks = { kid: 'weak-rsa', alg: 'RS256', use: 'sig' };
  return {
    alg: 'RS256',
    kid: marks.kid,
    private: { ...pair.privateKey.export({ format: 'jwk' }), ...marks },
    public: { ...pair.publicKey.export({ format: 'jwk' }), ...marks },
  };
})();
const strong = newKey('RS256', 'e-one');
const exponentOne = { ...strong.public, e: 'AQ' };
const exponentEven = { ...strong.public, kid: 'e-even', e: 'AQAA' };
const shortSecret = {
  kty: 'oct',
  k: Buffer.from('secret').toString('base64url'),
  kid: 'short',
  alg: 'HS256',
  use: 'sig',
};
const identityPoint = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: Buffer.concat([Buffer.of(1), Buffer.alloc(31)]).toString('base64url'),
  kid: 'identity',
  alg: 'EdDSA',
  use: 'sig',
};
const fine = newKey('ES256', 'fine');
const forEncryption = newKey('RS256', 'for-encryption');
const forWrapping = newKey('RS256', 'for-wrapping');

let gate;
let wide;

before(async () => {
  gate = await tokenGate({
    weakKeys: [
      fine.public,
      weakRsa.public,
      exponentOne,
      exponentEven,
      shortSecret,
      identityPoint,
      { ...forEncryption.public, use: 'enc' },
      { ...forWrapping.public, use: undefined, key_ops: ['wrapKey'] },
    ],
  });
  ({ wide } = gate);
});
after(() => gate.stop());

const refused = (name, token, says) =>
  test(`refused: ${name}`, async () => gate.refuses(await token(), says));
const passed = (name, token) =>
  test(`passed: ${name}`, async () => {
    await gate.passes(await token());
  });

const ALL = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'HS256',
  'HS384',
  'HS512',
];
const BAD = /signature|malformed/;

/** A token for the wide issuer with its signature bytes put through `change`. */
const reSigned = (alg, change) => {
  const token = forge(wide[alg], { payload: claims({ iss: WIDE }) });
  const [top, payload, mark] = token.split('.');
  return `${top}.${payload}.${change(Buffer.from(mark, 'base64url')).toString('base64url')}`;
};

for (const alg of ALL) {
  passed(alg, () => mint(wide[alg], { iss: WIDE }));
  refused(
    `${alg} with a flipped signature`,
    async () => misSigned(await mint(wide[alg], { iss: WIDE })),
    BAD,
  );
  refused(
    `${alg} with altered claims`,
    async () => altered(await mint(wide[alg], { iss: WIDE }), { sub: 'root' }),
    BAD,
  );
  refused(`${alg} without a signature`, () => reSigned(alg, () => Buffer.alloc(0)), BAD);
  refused(
    `${alg} with a signature cut by a byte`,
    () => reSigned(alg, (mark) => mark.subarray(0, -1)),
    BAD,
  );
  refused(
    `${alg} with a byte after the signature`,
    () => reSigned(alg, (mark) => Buffer.concat([mark, Buffer.of(0)])),
    BAD,
  );
  refused(
    `${alg} with a byte before the signature`,
    () => reSigned(alg, (mark) => Buffer.concat([Buffer.of(0), mark])),
    BAD,
  );
  refused(
    `${alg} with a signature of zeros`,
    () => reSigned(alg, (mark) => Buffer.alloc(mark.length)),
    BAD,
  );
  refused(
    `${alg} with a signature of ones`,
    () => reSigned(alg, (mark) => Buffer.alloc(mark.length, 0xff)),
    BAD,
  );
  refused(
    `${alg} with half a signature`,
    () => reSigned(alg, (mark) => mark.subarray(0, mark.length / 2)),
    BAD,
  );
  refused(
    `${alg} with a signature of 5,000 bytes`,
    () => reSigned(alg, () => Buffer.alloc(5000, 1)),
    BAD,
  );
  refused(
    `${alg} signed by another key of the kind`,
    () => forge(newKey(alg, wide[alg].kid), { payload: claims({ iss: WIDE }) }),
    BAD,
  );
}

/* CVE-2022-21449: r and s out of their range. */
const ORDERS = {
  ES256: 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  ES384:
    'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
  ES512:
    '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
};
const numberBytes = (n, size) => Buffer.from(n.toString(16).padStart(size * 2, '0'), 'hex');
for (const [alg, hex] of Object.entries(ORDERS)) {
  const n = BigInt(`0x${hex}`);
  const size = hex.length / 2;
  const parts = (mark) => [mark.subarray(0, size), mark.subarray(size)];
  const pair = (r, s) => Buffer.concat([numberBytes(r, size), numberBytes(s, size)]);
  const value = (part) => BigInt(`0x${part.toString('hex')}`);
  for (const [name, r, s] of [
    ['r=0', 0n, 1n],
    ['s=0', 1n, 0n],
    ['r=n', n, 1n],
    ['s=n', 1n, n],
    ['r=n, s=n', n, n],
    ['r=n+1', n + 1n, 1n],
    ['r=1, s=1', 1n, 1n],
  ]) {
    refused(`${alg} ${name}`, () => reSigned(alg, () => pair(r, s)), BAD);
  }
  refused(
    `${alg} r and s in each other's place`,
    () => reSigned(alg, (mark) => Buffer.concat(parts(mark).reverse())),
    BAD,
  );
  passed(`${alg} (r, n-s), the same signature in JWA's eyes`, () =>
    reSigned(alg, (mark) => {
      const [r, s] = parts(mark).map(value);
      return pair(r, n - s);
    }),
  );
  refused(
    `${alg} in DER`,
    () => {
      const { private: jwk, kid } = wide[alg];
      const text = `${b64({ alg, typ: 'at+jwt', kid })}.${b64(claims({ iss: WIDE }))}`;
      const key = createPrivateKey({ key: jwk, format: 'jwk' });
      return `${text}.${sign(`sha${alg.slice(2)}`, Buffer.from(text), { key, dsaEncoding: 'der' }).toString('base64url')}`;
    },
    BAD,
  );
}

const ED_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
refused(
  'EdDSA S + L',
  () =>
    reSigned('EdDSA', (mark) => {
      const s = BigInt(`0x${Buffer.from(mark.subarray(32)).reverse().toString('hex')}`) + ED_ORDER;
      return Buffer.concat([mark.subarray(0, 32), numberBytes(s, 32).reverse()]);
    }),
  BAD,
);
refused(
  'EdDSA R of small order',
  () =>
    reSigned('EdDSA', (mark) => Buffer.concat([Buffer.of(1), Buffer.alloc(31), mark.subarray(32)])),
  BAD,
);

/* Bleichenbacher 2006 and its kin: PKCS#1 v1.5 paddings that only a careless verifier takes. */
const SHA256_OID = Buffer.from('3031300d060960864801650304020105000420', 'hex');
const SHA256_NO_NULL = Buffer.from('302f300b0609608648016503040201' + '0420', 'hex');
const SHA1_OID = Buffer.from('3021300906052b0e03021a05000414', 'hex');
const framed = (size, tail, { type = 1, fill = 0xff } = {}) =>
  Buffer.concat([
    Buffer.of(0, type),
    Buffer.alloc(size - tail.length - 3, fill),
    Buffer.of(0),
    tail,
  ]);
const PADDINGS = {
  'no NULL in the digest info': (size, hash) => framed(size, Buffer.concat([SHA256_NO_NULL, hash])),
  'no digest info': (size, hash) => framed(size, hash),
  'the digest info of SHA-1': (size, hash) =>
    framed(size, Buffer.concat([SHA1_OID, hash.subarray(0, 20)])),
  'block type 2': (size, hash) => framed(size, Buffer.concat([SHA256_OID, hash]), { type: 2 }),
  'padding of zeros': (size, hash) => framed(size, Buffer.concat([SHA256_OID, hash]), { fill: 0 }),
  'rubbish after the digest': (size, hash) =>
    Buffer.concat([framed(64, Buffer.concat([SHA256_OID, hash])), Buffer.alloc(size - 64)]),
  'a digest cut short': (size, hash) =>
    framed(size, Buffer.concat([SHA256_OID, hash.subarray(0, 31)])),
};
for (const [name, padding] of Object.entries(PADDINGS)) {
  refused(
    `RS256 with ${name}`,
    () => {
      const { private: jwk, kid } = wide.RS256;
      const text = `${b64({ alg: 'RS256', typ: 'at+jwt', kid })}.${b64(claims({ iss: WIDE }))}`;
      const block = padding(256, createHash('sha256').update(text).digest());
      const key = createPrivateKey({ key: jwk, format: 'jwk' });
      return `${text}.${privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, block).toString('base64url')}`;
    },
    BAD,
  );
}
for (const saltLength of [0, 20, 48, 222]) {
  refused(
    `PS256 with a salt of ${saltLength}`,
    () => {
      const { private: jwk, kid } = wide.PS256;
      const text = `${b64({ alg: 'PS256', typ: 'at+jwt', kid })}.${b64(claims({ iss: WIDE }))}`;
      const key = createPrivateKey({ key: jwk, format: 'jwk' });
      const mark = sign('sha256', Buffer.from(text), {
        key,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength,
      });
      return `${text}.${mark.toString('base64url')}`;
    },
    BAD,
  );
}

/* Keys that must never be used, though their issuer publishes them. */
const weakly = (key) => forge(key, { payload: claims({ iss: WEAK }) });
passed('a good key among bad ones', () => weakly(fine));
refused('an RSA key of 1024 bits', () => weakly(weakRsa), /key/);
refused(
  'an RSA key with e = 1',
  () => {
    const text = `${b64({ alg: 'RS256', typ: 'at+jwt', kid: 'e-one' })}.${b64(claims({ iss: WEAK }))}`;
    const hash = createHash('sha256').update(text).digest();
    return `${text}.${framed(256, Buffer.concat([SHA256_OID, hash])).toString('base64url')}`;
  },
  /key/,
);
refused('an RSA key with an even e', () => weakly({ ...strong, kid: 'e-even' }), /key/);
refused(
  'an HMAC secret of six letters',
  () => weakly({ alg: 'HS256', kid: 'short', private: shortSecret }),
  /key/,
);
refused(
  'an Ed25519 key of small order',
  () => {
    const text = `${b64({ alg: 'EdDSA', typ: 'at+jwt', kid: 'identity' })}.${b64(claims({ iss: WEAK }))}`;
    return `${text}.${Buffer.concat([Buffer.of(1), Buffer.alloc(63)]).toString('base64url')}`;
  },
  /key/,
);
refused('a key for encryption', () => weakly(forEncryption), /key/);
refused('a key whose key_ops has no verify', () => weakly(forWrapping), /key/);
test('weak keys are named in the log', () => {
  for (const kid of ['weak-rsa', 'e-one', 'e-even', 'short', 'identity'])
    assert.match(gate.gw.log(), new RegExp(kid));
});

/* One token has one spelling: base64url is canonical and bare (RFC 7515 section 2). */
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const loosened = (part) => part.slice(0, -1) + LETTERS[LETTERS.indexOf(part.at(-1)) ^ 1];
const olderAlphabet = (part) => part.replaceAll('-', '+').replaceAll('_', '/');
/** A good token each of whose parts has bits to spare in its last letter, and a - or _ inside. */
const spare = () => {
  for (let pad = '???'; ; pad += 'x') {
    const token = forge(wide.RS256, { header: { pad }, payload: claims({ iss: WIDE, pad }) });
    if (token.split('.').every((part) => part.length % 4 !== 0 && /[-_]/.test(part)))
      return token.split('.');
    if (pad.length > 20) throw new Error('no such token');
  }
};
for (const [index, name] of ['header', 'claims', 'signature'].entries()) {
  const changed = (change) => () =>
    spare()
      .map((part, i) => (i === index ? change(part) : part))
      .join('.');
  refused(`${name} with unused bits set`, changed(loosened), BAD);
  test(`refused: ${name} with padding, as 400 or 401`, async () => {
    const before = gate.api.hits;
    const token = changed((part) => part.padEnd(Math.ceil(part.length / 4) * 4, '='))();
    const { status } = await get(`${gate.gw.url}/orders`, { token });
    assert.ok([400, 401].includes(status), String(status));
    assert.equal(gate.api.hits, before);
  });
  refused(`${name} in base64's own alphabet`, changed(olderAlphabet), BAD);
  refused(
    `${name} with one letter too many`,
    changed((part) => part.slice(0, part.length - (part.length % 4)) + 'A'),
    BAD,
  );
  refused(
    `${name} empty`,
    changed(() => ''),
    /malformed|signature|algorithm/,
  );
}

const STRUCTURES = {
  'one part': (t) => t.split('.')[0],
  'two parts': (t) => t.split('.').slice(0, 2).join('.'),
  'four parts': (t) => `${t}.AAAA`,
  'five parts': (t) => `${t}.AAAA.AAAA`,
  'a last dot': (t) => `${t}.`,
  'a first dot': (t) => `.${t}`,
  'two dots only': () => '..',
  'a dot only': () => '.',
  'letters after the signature': (t) => `${t}AAAA`,
  'a token twice': (t) => `${t}${t}`,
  'a word': () => 'letmein',
};
for (const [name, shape] of Object.entries(STRUCTURES)) {
  refused(name, async () => shape(await mint(wide.ES256, { iss: WIDE })), BAD);
}

test('refused: letters that no token has, as 400 or 401', async () => {
  const token = await mint(wide.ES256, { iss: WIDE });
  for (const letter of ['?', '%41', '"', ',', '\\', ' ', '\t', '{', '\x80', '*']) {
    const before = gate.api.hits;
    const spelt = `${token.slice(0, 40)}${letter}${token.slice(40)}`;
    const { answers } = await rawRequest(
      gate.gw.port,
      head('GET /orders HTTP/1.1', 'Host: a', `Authorization: Bearer ${spelt}`),
    );
    assert.ok(
      [400, 401].includes(answers[0].status),
      `${JSON.stringify(letter)}: ${answers[0].status}`,
    );
    assert.equal(gate.api.hits, before);
  }
});
