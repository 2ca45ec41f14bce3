// Who is measured: one row each. A row says how the peer is started (its command and the files it
// reads, given the site it runs on) and what it promises: `refuses` peers must answer 401 to the
// tokens in REFUSED, the others pass everything on.
//
// A site is { port, adminPort, backend, workers, connections, issuer, audience, jwks }.

import { BINARY } from '../harness/gateway.mjs';

const NGINX = '/usr/sbin/nginx';
const MANY = 1_000_000_000;

const asRoot = process.getuid() === 0;

// Both nginx rows write nothing, and never close a kept connection by themselves.
const nginx = (workers, connections, http) => `daemon off;
${asRoot ? 'user root;' : ''}
worker_processes ${workers};
pid nginx.pid;
error_log stderr crit;
events { worker_connections ${4 * connections + 64}; }
http {
  access_log off;
  server_tokens off;
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

const runNginx = ['-p', '.', '-c', 'nginx.conf', '-e', 'stderr'];

/** The backend of all peers. Its /status page counts what reached it. */
export const BACKEND = {
  name: 'backend',
  command: NGINX,
  args: runNginx,
  files: ({ port, workers, connections, answer }) => ({
    'nginx.conf': nginx(
      workers,
      connections * workers,
      `  server {
    listen 127.0.0.1:${port};
    default_type application/json;
    location = /status { stub_status; }
    location / { return 200 '${answer}'; }
  }`,
    ),
  }),
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
    args: runNginx,
    refuses: false,
    files: ({ port, backend, workers, connections }) => ({
      'nginx.conf': nginx(
        workers,
        connections,
        `  upstream backend {
    server 127.0.0.1:${backend};
    keepalive ${connections};
    keepalive_requests ${MANY};
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }`,
      ),
    }),
  },
  {
    name: 'gatehouse',
    title: 'Gatehouse, token checked',
    version: [BINARY, '-V'],
    command: BINARY,
    args: ['-c', 'gatehouse.conf'],
    refuses: true,
    files: ({ port, adminPort, backend, workers, connections, issuer, audience, jwks }) => ({
      'jwks.json': JSON.stringify(jwks),
      'gatehouse.conf': `workers = ${workers}
access_log = "off"
error_log = "-"
listen "127.0.0.1:${port}" { }
admin "127.0.0.1:${adminPort}" { }
issuer "keycloak" {
  issuer = "${issuer}"
  audience = {"${audience}"}
  jwks_file = "jwks.json"
}
upstream "api" {
  servers = {"http://127.0.0.1:${backend}"}
  keepalive = ${connections}
}
route "all" {
  paths = {"/"}
  upstream = "api"
}
`,
    }),
  },
];

/** The peer every ratio is taken to. */
export const YARDSTICK = 'nginx';
