// What is measured of the token service: one row each. The usual request is POST with Basic
// authentication for client credentials, on 200 kept connections, as fast as they are answered; each
// answer must be 200 with a token. Every load uses clients that have not asked before. A row says
// what is different:
//
//   clients    that ask, each request another of them by chance
//   format     of the tokens: jwt or opaque
//   signing    algorithm of JWTs
//   reuse      share of its life above which a token is handed out again; 0: each is new
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
};

export const TOKEN_CASES = [
  {
    ...TOKEN,
    name: 'token-reuse',
    title: 'One client in a loop, reuse on',
    reuse: 0.5,
    yard: 'nginx-fixed',
    peers: ['nginx-fixed', 'oauth2-server'],
  },
  {
    ...TOKEN,
    name: 'tokens-mixed',
    title: '1,000 clients mixed, reuse on',
    clients: 1_000,
    reuse: 0.5,
    yard: 'nginx-fixed',
    peers: ['nginx-fixed', 'oauth2-server'],
  },
  {
    ...TOKEN,
    name: 'token-new-opaque',
    title: 'Every token new and durable, opaque',
    format: 'opaque',
    yard: 'oauth2-server',
    peers: ['oauth2-server'],
  },
];
