// A token endpoint as many write it: Express, @node-oauth/oauth2-server, and a pool of connections
// to PostgreSQL, in which every token becomes a row before it is answered. Clients are kept in
// memory, which spares it a query for each request.
//
//   node express_tokens.mjs PORT PROCESSES DATABASE_URL     (reads clients.json)

import cluster from 'node:cluster';
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import OAuth2Server from '@node-oauth/oauth2-server';
import express from 'express';
import pg from 'pg';

const [port, processes, url] = process.argv.slice(2);
const CONNECTIONS = 8;
const LIFETIME_S = 3_600;

const INSERT = {
  name: 'insert',
  text: `INSERT INTO access_tokens (token, client, user_id, issued_at, expires_at, scope)
    VALUES ($1, $2, $3, now(), $4, $5)`,
};

const digest = (text) => createHash('sha256').update(text).digest();

function modelOf(pool, clients) {
  return {
    async getClient(id, secret) {
      const kept = clients[id];
      const given = digest(secret);
      if (kept === undefined || !timingSafeEqual(given, Buffer.from(kept, 'hex'))) return null;
      return { id, grants: ['client_credentials'], accessTokenLifetime: LIFETIME_S };
    },
    async getUserFromClient(client) {
      return { id: client.id };
    },
    async validateScope() {
      return ['orders:read'];
    },
    async saveToken(token, client, user) {
      const { accessToken, accessTokenExpiresAt, scope } = token;
      const values = [accessToken, client.id, user.id, accessTokenExpiresAt, scope.join(' ')];
      await pool.query({ ...INSERT, values });
      return { ...token, client, user };
    },
    async getAccessToken() {
      return null; // nobody asks this endpoint for a token's state
    },
  };
}

function serve() {
  const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, idleTimeoutMillis: 0 });
  const model = modelOf(pool, JSON.parse(readFileSync('clients.json', 'utf8')));
  const oauth = new OAuth2Server({ model });
  const app = express().disable('x-powered-by').disable('etag');
  app.post('/oauth2/token', express.urlencoded({ extended: false }), async (req, res) => {
    const request = new OAuth2Server.Request(req);
    const response = new OAuth2Server.Response(res);
    try {
      await oauth.token(request, response);
    } catch (error) {
      if (response.status === undefined || response.status === 200) response.status = error.code;
    }
    res.set(response.headers).status(response.status).json(response.body);
  });
  const server = app.listen(Number(port), '127.0.0.1');
  server.keepAliveTimeout = 75_000;
}

if (cluster.isPrimary) {
  for (let n = 0; n < Number(processes); n += 1) cluster.fork();
  cluster.on('exit', () => process.exit(1));
  process.on('SIGTERM', () => {
    Object.values(cluster.workers).forEach((worker) => worker.process.kill('SIGKILL'));
    process.exit(0);
  });
} else {
  serve();
}
