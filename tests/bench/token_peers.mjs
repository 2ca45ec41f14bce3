// Whose token endpoints are measured: one row each, as in peers.mjs. `database` is its own, on the
// PostgreSQL that all share; `rows` counts there what it has stored, once the table of `schema` is
// made. `warmUpSeconds` is the length of its first load, which doesn't count, where one second
// isn't enough. A peer that `reuses` makes one token a client where the case says so, any other
// one an answer.
//
// A site is { port, adminPort, workers, connections, item, url, clients, answer, since }: `url` of
// the database, `clients` maps ids to SHA-256 of their secrets, `answer` is what Gatehouse said.

import { BINARY } from '../harness/gateway.mjs';
import { NGINX, nginx, runNginx } from './peers.mjs';
import { AUDIENCE } from './tokens.mjs';

const SERVER = new URL('express_tokens.mjs', import.meta.url).pathname;
const LIBRARIES = ['@node-oauth/oauth2-server', 'express', 'pg'].map((name) =>
  `'${name} ' + JSON.parse(fs.readFileSync('${
    new URL(`../node_modules/${name}/package.json`, import.meta.url).pathname
  }')).version`,
);

const gatehouseConf = ({ port, adminPort, workers, connections, item, url }) => `
workers = ${workers}
access_log = "off"
error_log = "-"
max_connections = ${connections + 64}
listen "127.0.0.1:${port}" { }
admin "127.0.0.1:${adminPort}" { }
database { url = "${url}" }
token_service {
  issuer = "http://127.0.0.1:${port}"
  audience = {"${AUDIENCE}"}
  encryption_key = "of the benchmark, whose tokens open nothing"
  signing = "${item.signing}"
  lifetime = ${item.lifetime}
  reuse = ${item.reuse}
  token_rate = ""
}
upstream "api" { servers = {"http://127.0.0.1:9"} }
route "all" { upstream = "api"  issuers = {"self"} }
`;

const gatehouse = {
  title: 'Gatehouse',
  version: [BINARY, '-V'],
  command: BINARY,
  args: () => ['-c', 'gatehouse.conf'],
  files: (site) => ({ 'gatehouse.conf': gatehouseConf(site) }),
  refuses: true,
  reuses: true,
  // ids grow with time: what was there before the start is not looked at
  rows: ({ since }) => `SELECT count(*) FROM tokens WHERE id >= '${since}'`,
};

/** The database with the schema of Gatehouse and all clients. */
export const MIGRATED = 'gatehouse';
/** A copy of it with millions of rows. */
export const FILLED = 'gatehouse_filled';

export const TOKEN_PEERS = [
  {
    name: 'nginx-fixed',
    title: 'nginx, a fixed answer',
    version: [NGINX, '-v'],
    command: NGINX,
    args: () => runNginx,
    files: ({ port, workers, connections, answer }) => ({
      'nginx.conf': nginx(
        workers,
        connections,
        `  server {
    listen 127.0.0.1:${port} backlog=4096;
    default_type application/json;
    location / {
      add_header Cache-Control no-store;
      return 200 '${answer}';
    }
  }`,
      ),
    }),
  },
  {
    name: 'oauth2-server',
    title: 'Express, @node-oauth/oauth2-server, pg pool',
    version: [process.execPath, '-p', `['Node.js ' + process.version, ${LIBRARIES}].join(', ')`],
    command: process.execPath,
    args: ({ port, workers, url }) => [SERVER, port, workers, url],
    env: { NODE_ENV: 'production' },
    // it is compiled while it runs
    warmUpSeconds: 16,
    files: ({ clients }) => ({ 'clients.json': JSON.stringify(clients) }),
    refuses: true,
    database: 'express',
    schema: `CREATE TABLE access_tokens (token text PRIMARY KEY, client text NOT NULL,
      user_id text NOT NULL, issued_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
      scope text NOT NULL)`,
    rows: () => 'SELECT count(*) FROM access_tokens',
  },
  { ...gatehouse, name: 'gatehouse-empty', title: 'Gatehouse, an empty table', database: MIGRATED },
  { ...gatehouse, name: 'gatehouse', database: MIGRATED },
];
