// What is measured of the token service: one row each. The usual request is POST with Basic
// authentication for client credentials, on 200 kept connections, as fast as they are answered;
// each answer must be 200 with a token. Every load uses clients that have not asked before. A row
// says what is different:
//
//   clients    that ask, each request another of them by chance
//   format     of the tokens: jwt or opaque
//   signing    algorithm of JWTs
//   reuse      share of its life above which a token is handed out again; 0: each is new
//   lifetime   of a token in seconds
//   tokens     so many are introspected, each request another of them by chance
//   millions   of rows in the table of tokens before the start
//   sign       what `openssl speed` calls the signature: its time is measured beside
//   yard       the peer that ratios are taken to
//   peers      who is measured, in this order (token_peers.mjs)
//   smoke      part of the short run

const TOKEN = {
  service: true,
  path: '/oauth2/token',
  holds: '"access_token":"',
  connections: 200,
  clients: 1,
  format: 'jwt',
  signing: 'ES256',
  reuse: 0,
  lifetime: 3_600,
};

const INTROSPECTION = {
  ...TOKEN,
  path: '/oauth2/introspect',
  holds: '"active":true',
  tokens: 1_000,
  yard: 'nginx-fixed',
  peers: ['nginx-fixed', 'gatehouse'],
};

export const TOKEN_CASES = [
  {
    ...TOKEN,
    name: 'token-reuse',
    title: 'One client in a loop, reuse on',
    reuse: 0.5,
    yard: 'nginx-fixed',
    peers: ['nginx-fixed', 'oauth2-server', 'gatehouse'],
    smoke: true,
  },
  {
    ...TOKEN,
    name: 'tokens-mixed',
    title: '1,000 clients mixed, reuse on',
    clients: 1_000,
    reuse: 0.5,
    yard: 'nginx-fixed',
    peers: ['nginx-fixed', 'oauth2-server', 'gatehouse'],
  },
  {
    ...TOKEN,
    name: 'tokens-mixed-new',
    title: '1,000 clients mixed, every token new, opaque',
    clients: 1_000,
    format: 'opaque',
    yard: 'oauth2-server',
    peers: ['oauth2-server', 'gatehouse'],
  },
  {
    ...TOKEN,
    name: 'token-new-opaque',
    title: 'Every token new and durable, opaque',
    format: 'opaque',
    yard: 'oauth2-server',
    peers: ['oauth2-server', 'gatehouse'],
    smoke: true,
  },
  {
    ...TOKEN,
    name: 'token-new-jwt',
    title: 'Every token new and durable, ES256 JWT',
    sign: 'ecdsap256',
    yard: 'oauth2-server',
    peers: ['oauth2-server', 'gatehouse'],
  },
  {
    ...TOKEN,
    name: 'token-rs256',
    title: 'Every token new and durable, RS256 JWT',
    signing: 'RS256',
    sign: 'rsa2048',
    yard: 'oauth2-server',
    peers: ['oauth2-server', 'gatehouse'],
  },
  { ...INTROSPECTION, name: 'introspection', title: 'Introspection of 1,000 JWTs' },
  {
    ...INTROSPECTION,
    name: 'introspection-opaque',
    title: 'Introspection of 1,000 opaque tokens',
    format: 'opaque',
  },
  {
    ...TOKEN,
    name: 'rows-5m',
    title: 'Every token new, opaque, with five million rows there',
    format: 'opaque',
    millions: 5,
    lifetime: 86_400,
    yard: 'gatehouse-empty',
    peers: ['gatehouse-empty', 'gatehouse'],
  },
];
