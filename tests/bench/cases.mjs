// What is measured: one row each. The usual request is GET `path` with the token `good` on 64 kept
// connections, as fast as they are answered with status 200; a row says what is different:
//
//   token      another token of tokens.mjs, or null; `pool` a file of many, `count` the first
//   once       each token of the pool once, and a cache that has seen none: peers start anew
//   warm       each token of the pool once before the first round
//   status     what every single request must get
//   answer     what the backend answers: a name of ANSWERS in peers.mjs
//   upload     bytes of a body sent with POST
//   close      a new connection for each request
//   connections  requests under way at a time
//   open       open connections, of which the usual 64 have a request under way at a time
//   rate       requests a second, whatever the answers take
//   express    the demo API is the backend
//   workers    of the proxies, instead of two
//   yard       the peer that ratios are taken to, instead of nginx
//   asked      peers that ask the issuer are among them
//   verify     what `openssl speed` calls the signature: its time is measured beside
//   peers      who is measured, in this order
//   smoke      part of the short run

const PASSING = ['direct', 'nginx', 'haproxy', 'gatehouse'];
const CHECKING = ['haproxy-jwt', 'apache', 'gatehouse'];
const ALL = ['direct', 'nginx', 'haproxy', 'haproxy-jwt', 'apache', 'gatehouse'];

const USUAL = {
  path: '/orders/17?fields=item,quantity',
  token: 'good',
  status: 200,
  yard: 'nginx',
};

const ROWS = [
  { name: 'one-token', title: 'One cached token', peers: ALL, smoke: true },
  {
    name: 'tokens-10k',
    title: '10,000 cached tokens (RS256)',
    pool: 'rs256',
    warm: true,
    peers: ['nginx', ...CHECKING],
  },
  {
    name: 'tokens-1m',
    title: '1,000,000 cached tokens (HS256)',
    pool: 'hs256',
    warm: true,
    peers: ['nginx', 'gatehouse'],
  },
  {
    name: 'uncached-rs256',
    title: 'Uncached RS256: each token once',
    pool: 'rs256-once',
    once: true,
    verify: 'rsa2048',
    peers: ['nginx', ...CHECKING],
  },
  {
    name: 'uncached-es256',
    title: 'Uncached ES256: each token once',
    pool: 'es256-once',
    once: true,
    verify: 'ecdsap256',
    peers: ['nginx', ...CHECKING],
  },
  {
    name: 'expired',
    title: 'The same expired token, refused',
    token: 'expired',
    status: 401,
    yard: 'haproxy-jwt',
    peers: CHECKING,
    smoke: true,
  },
  {
    name: 'forged',
    title: 'The same forged token, refused',
    token: 'altered',
    status: 401,
    yard: 'haproxy-jwt',
    peers: CHECKING,
  },
  {
    name: 'forged-once',
    title: 'Forged tokens, each another, refused',
    token: 'altered',
    pool: 'forged-once',
    once: true,
    status: 401,
    yard: 'haproxy-jwt',
    peers: ['haproxy-jwt', 'gatehouse'],
  },
  {
    name: 'no-token',
    title: 'No token, refused',
    token: null,
    status: 401,
    yard: 'haproxy-jwt',
    peers: CHECKING,
  },
  {
    name: 'introspected',
    title: 'One cached token, its issuer asked',
    asked: true,
    yard: 'gatehouse',
    peers: ['nginx', 'apache-introspect', 'gatehouse', 'gatehouse-introspect', 'gatehouse-both'],
  },
  {
    name: 'introspected-10k',
    title: '10,000 cached tokens (RS256), their issuer asked',
    pool: 'rs256',
    warm: true,
    asked: true,
    yard: 'gatehouse',
    peers: ['nginx', 'gatehouse', 'gatehouse-introspect', 'gatehouse-both'],
  },
  {
    name: 'introspected-rate',
    title: '5,000 requests/s, 1,000 tokens (RS256), their issuer asked',
    pool: 'rs256',
    count: 1_000,
    rate: 5_000,
    warm: true,
    asked: true,
    yard: 'gatehouse',
    peers: ['gatehouse', 'gatehouse-introspect', 'gatehouse-both'],
  },
  { name: 'answer-1k', title: '1 KB answers', answer: 'kb1', peers: PASSING },
  { name: 'answer-100k', title: '100 KB answers', answer: 'kb100', peers: PASSING },
  {
    name: 'answer-10m',
    title: '10 MB answers',
    answer: 'mb10',
    connections: 8,
    yard: 'haproxy',
    peers: PASSING,
  },
  { name: 'upload-100k', title: '100 KB uploads', upload: 102_400, peers: PASSING },
  {
    name: 'new-connection',
    title: 'A new connection per request',
    close: true,
    peers: ['nginx', 'haproxy', 'haproxy-jwt', 'apache', 'gatehouse'],
  },
  { name: 'open-1k', title: '1,000 open connections', open: 1_000, peers: PASSING },
  {
    name: 'open-10k',
    title: '10,000 open connections',
    open: 10_000,
    peers: PASSING.filter((name) => name !== 'direct'),
  },
  {
    name: 'express',
    title: '1,000 requests/s to the Express demo',
    path: '/orders',
    rate: 1_000,
    express: true,
    peers: ['direct', 'nginx', 'haproxy-jwt', 'gatehouse'],
  },
  {
    name: 'one-worker',
    title: 'One cached token, one worker each',
    workers: 1,
    peers: ['nginx', 'haproxy', 'gatehouse'],
  },
  ...[1_000, 10_000, 100_000].map((count) => ({
    name: `scale-${count / 1000}k`,
    title: `${count.toLocaleString('en-US')} cached tokens (HS256)`,
    pool: 'hs256',
    count,
    warm: true,
    peers: ['nginx', 'gatehouse'],
  })),
  {
    name: 'scale-1m-one-worker',
    title: '1,000,000 cached tokens (HS256), one worker each',
    pool: 'hs256',
    warm: true,
    workers: 1,
    peers: ['nginx', 'gatehouse'],
  },
];

export const CASES = ROWS.map((row) => ({ ...USUAL, ...row }));

/** Sent once to each peer that authenticates, before any load: each must be refused. */
export const REFUSED = [null, 'expired', 'altered', 'unsigned'];
