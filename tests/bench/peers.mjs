// Who is measured: one row each. A row says how the peer is started (its command and the files it
// reads, given the site it runs on) and what it promises: `refuses` peers must answer 401 to the
// tokens in REFUSED, the others pass everything on. Each is set up as its manual says, with what
// a careful administrator would turn on for speed.
//
// A site is { port, adminPort, backend, workers, connections, open, issuer, audience, keys, item }:
// `connections` with requests under way of `open` ones; keys as makeTokens gives them.

import { BINARY } from '../harness/gateway.mjs';
import { AUDIENCE, POOLS, SECRET_ISSUER } from './tokens.mjs';

export const NGINX = '/usr/sbin/nginx';
const HAPROXY = '/usr/sbin/haproxy';
const APACHE = '/usr/sbin/apache2';
const MANY = 1_000_000_000;

const asRoot = process.getuid() === 0;

/** What the backend can answer, by name. */
export const ANSWERS = {
  order:
    '{"id":17,"item":"teapot","quantity":1,"price":"24.90","currency":"EUR","note":"blue, with lid"}',
  kb1: 'one kilobyte of text, sixty-four bytes in each of sixteen lines\n'.repeat(16),
  kb100: 'one hundred kilobytes of text, 64 bytes in each of 1,600 lines.\n'.repeat(1_600),
  mb10: 'ten megabytes of plain text, 64 bytes in each of 163,840 lines.\n'.repeat(163_840),
};

/* What the backend says as a provider that is asked about a token. */
const INTROSPECTED = JSON.stringify({
  active: true,
  client_id: 'web-shop',
  sub: 'f:0b9f:ann',
  aud: AUDIENCE,
  scope: 'orders:read',
  token_type: 'Bearer',
});

/** A configuration of nginx: it writes nothing, and never closes a kept connection by itself. */
export const nginx = (workers, connections, http) => `daemon off;
${asRoot ? 'user root;' : ''}
worker_processes ${workers};
worker_rlimit_nofile ${4 * connections + 1024};
pid nginx.pid;
error_log stderr crit;
events { worker_connections ${4 * connections + 64}; }
http {
  access_log off;
  server_tokens off;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  keepalive_timeout 75;
  keepalive_requests ${MANY};
${http}
}
`;

export const runNginx = ['-p', '.', '-c', 'nginx.conf', '-e', 'stderr'];

/** The backend of all peers. Its /status page counts what reached it. */
export const BACKEND = {
  name: 'backend',
  command: NGINX,
  args: () => runNginx,
  files: ({ port, connections, item }) => ({
    ...ANSWERS,
    'nginx.conf': nginx(
      2,
      connections * 2,
      `  server {
    listen 127.0.0.1:${port} backlog=4096;
    default_type application/json;
    location = /status { stub_status; }
    location = /introspect { return 200 '${INTROSPECTED}'; }
${
      item.silent === undefined
        ? ''
        : `    location = /held { proxy_pass http://127.0.0.1:${item.silent}; }`
    }
    location / { ${
      item.answer === undefined
        ? `return 200 '${ANSWERS.order}';`
        : `root .; rewrite ^ /${item.answer} break;`
    } }
  }`,
    ),
  }),
};

/** The demo's API as the backend: it counts nothing. */
export const EXPRESS = {
  name: 'express',
  command: process.execPath,
  args: ({ port }) => [new URL('../demo/api.cjs', import.meta.url).pathname, port],
  env: { NODE_PATH: process.env.NODE_PATH ?? '/usr/share/nodejs' },
  files: () => ({}),
};

const haproxy = ({ port, backend, workers, open }, checks) => `global
  no strict-limits
  nbthread ${workers}
  maxconn ${open + 256}
defaults
  mode http
  timeout client 75s
  timeout server 75s
  timeout connect 2s
  timeout http-keep-alive 75s
  option http-keep-alive
  http-reuse always
frontend gate
  bind 127.0.0.1:${port} backlog 4096
${checks}
  default_backend api
backend api
  server one 127.0.0.1:${backend}
`;

/* As HAProxy's own text on tokens has it; keys by name, since only such are read at the start. */
const HAPROXY_CHECKS = `  http-request deny deny_status 401 unless { req.hdr(authorization) -m found }
  http-request set-var(txn.alg) http_auth_bearer,jwt_header_query('$.alg')
  http-request set-var(txn.exp) http_auth_bearer,jwt_payload_query('$.exp','int')
  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 ES256 }
  acl rs256 http_auth_bearer,jwt_verify(txn.alg,"rs256.pem") 1
  http-request deny deny_status 401 if { var(txn.alg) -m str RS256 } !rs256
  acl es256 http_auth_bearer,jwt_verify(txn.alg,"es256.pem") 1
  http-request deny deny_status 401 if { var(txn.alg) -m str ES256 } !es256
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.exp) -m found }
  http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int lt 0 }`;

const runHaproxy = () => ['-f', 'haproxy.cfg', '-db', '-q'];

const modules = (...names) =>
  names.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n');

const APACHE_CLAIMS = 'verify.iss=skip&verify.exp=required&verify.iat=skip';

/* How it verifies tokens: by all keys there are, or by asking the backend, which tells no exp. */
const byKeys = ({ keys }) =>
  Object.values(keys.jwk)
    .map((jwk) => JSON.stringify(jwk).replaceAll('"', '\\"'))
    .map((jwk) => `  OAuth2TokenVerify jwk "${jwk}" ${APACHE_CLAIMS}`)
    .join('\n');
const byAsking = ({ backend }) =>
  `  OAuth2TokenVerify introspect http://127.0.0.1:${backend}/introspect ` +
  'introspect.auth=client_secret_basic&client_id=gatehouse&client_secret=of-the-benchmark' +
  '&verify.iss=skip&verify.exp=skip&verify.iat=skip&expiry=60';

/* The cache is searched from end to end for each token, so it is as large as the case needs. */
const apache = ({ port, backend, workers, open, item }, verify) => `ServerRoot .
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile httpd.pid
DefaultRuntimeDir .
ErrorLog error.log
LogLevel crit
${modules('mpm_event', 'authn_core', 'authz_core', 'authz_user', 'proxy', 'proxy_http', 'oauth2')}
ServerLimit ${workers}
StartServers ${workers}
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers ${64 * workers}
AsyncRequestWorkerFactor ${Math.max(2, Math.ceil(open / 32))}
MinSpareThreads 1
MaxSpareThreads ${64 * workers}
MaxConnectionsPerChild 0
KeepAlive On
KeepAliveTimeout 75
MaxKeepAliveRequests 0
OAuth2Cache shm max_entries=${item.warm ? 2 * POOLS[item.pool].count : 1000}
OAuth2TargetPass envvars=Off&headers=On
<Location "/">
  AuthType oauth2
  Require valid-user
${verify}
  ProxyPass "http://127.0.0.1:${backend}/"
</Location>
`;

/* Its files, with `lines` more in the section of the issuer. */
const gatehouse =
  (lines) =>
  ({ port, adminPort, backend, workers, connections, open, keys, item, ...site }) => ({
    'jwks.json': JSON.stringify(keys.jwks),
    'secret.json': JSON.stringify(keys.secretJwks),
    'gatehouse.conf': `workers = ${workers}
access_log = "off"
error_log = "-"
max_connections = ${open + 64}
shared_memory {
  token_cache = "${item.cache ?? (item.pool === 'hs256' ? '1G' : '64M')}"
}
listen "127.0.0.1:${port}" { }
admin "127.0.0.1:${adminPort}" { }
issuer "keycloak" {
  issuer = "${site.issuer}"
  audience = {"${site.audience}"}
  jwks_file = "jwks.json"
${lines({ backend })}}
${
  item.pool !== 'hs256'
    ? ''
    : `issuer "mill" {
  issuer = "${SECRET_ISSUER}"
  audience = {"${site.audience}"}
  algorithms = {"HS256"}
  jwks_file = "secret.json"
}
`
}upstream "api" {
  servers = {"http://127.0.0.1:${backend}"}
  keepalive = ${connections}
}
route "all" {
  paths = {"/"}
  upstream = "api"
}
`,
  });

/* How the backend is asked about tokens; every token may be new at once. */
const asking = (validate, lines) => ({ backend }) => `  validate = "${validate}"
  introspection {
    endpoint = "http://127.0.0.1:${backend}/introspect"
    client_id = "gatehouse"
    client_secret = "of the benchmark"
    calls = 1000
    rate = ""
    ${lines}
  }
`;

const HTTPD = {
  version: [APACHE, '-v'],
  command: APACHE,
  args: () => ['-d', '.', '-f', 'httpd.conf', '-DFOREGROUND'],
  caches: true,
};

const GATEHOUSE = {
  version: [BINARY, '-V'],
  command: BINARY,
  args: () => ['-c', 'gatehouse.conf'],
  caches: true,
  files: gatehouse(() => ''),
};

export const PEERS = [
  {
    name: 'direct',
    title: 'backend called directly',
    refuses: false,
  },
  {
    name: 'nginx',
    title: 'nginx proxy_pass, no authentication',
    version: [NGINX, '-v'],
    command: NGINX,
    args: () => runNginx,
    refuses: false,
    files: ({ port, backend, workers, connections, open }) => ({
      'nginx.conf': nginx(
        workers,
        open,
        `  upstream backend {
    server 127.0.0.1:${backend};
    keepalive ${connections};
    keepalive_requests ${MANY};
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      client_body_buffer_size 128k;
      proxy_max_temp_file_size 0;
    }
  }`,
      ),
    }),
  },
  {
    name: 'haproxy',
    title: 'HAProxy, no authentication',
    version: [HAPROXY, '-v'],
    command: HAPROXY,
    args: runHaproxy,
    refuses: false,
    files: (site) => ({ 'haproxy.cfg': haproxy(site, '') }),
  },
  {
    name: 'haproxy-jwt',
    title: 'HAProxy, `jwt_verify` + exp + alg',
    command: HAPROXY,
    args: runHaproxy,
    refuses: true,
    files: (site) => ({
      'rs256.pem': site.keys.pem.RS256,
      'es256.pem': site.keys.pem.ES256,
      'haproxy.cfg': haproxy(site, HAPROXY_CHECKS),
    }),
  },
  {
    ...HTTPD,
    name: 'apache',
    title: 'Apache httpd + mod_oauth2, cache in shared memory',
    refuses: true,
    files: (site) => ({ 'httpd.conf': apache(site, byKeys(site)) }),
  },
  {
    ...HTTPD,
    name: 'apache-introspect',
    title: 'Apache httpd + mod_oauth2, the issuer asked',
    // this provider calls every token good
    refuses: false,
    files: (site) => ({ 'httpd.conf': apache(site, byAsking(site)) }),
  },
  { ...GATEHOUSE, name: 'gatehouse', title: 'Gatehouse, token checked', refuses: true },
  {
    ...GATEHOUSE,
    name: 'gatehouse-introspect',
    title: 'Gatehouse, the issuer asked',
    // this provider calls every token good
    refuses: false,
    asks: true,
    files: gatehouse(asking('introspect', 'introspection_ttl = 60')),
  },
  {
    ...GATEHOUSE,
    name: 'gatehouse-both',
    title: 'Gatehouse, both, asked every second',
    refuses: true,
    asks: true,
    files: gatehouse(asking('both', 'revalidate = 1')),
  },
];
