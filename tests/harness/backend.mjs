// A real Express API that remembers what reached it.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import express from 'express';
import { gate } from './wait.mjs';

const KEEP = 5_000;

function sink(req, res) {
  const hash = createHash('sha256');
  let bytes = 0;
  req.on('data', (part) => {
    hash.update(part);
    bytes += part.length;
  });
  req.on('end', () => res.json({ bytes, sha256: hash.digest('hex') }));
}

function* parts(total) {
  const part = Buffer.alloc(64 * 1024, 'x');
  for (let sent = 0; sent < total; sent += part.length) {
    yield part.subarray(0, Math.min(part.length, total - sent));
  }
}

function big(req, res) {
  const total = Number(req.query.bytes);
  if (req.query.chunked === undefined) res.setHeader('content-length', total);
  /* a client that leaves early is no error of the backend's */
  pipeline(Readable.from(parts(total)), res).catch(() => {});
}

async function echo(req, res) {
  const parts = [];
  for await (const part of req) parts.push(part);
  res.json({
    method: req.method,
    url: req.url,
    headers: req.headers,
    rawHeaders: req.rawHeaders,
    trailers: req.rawTrailers,
    body: Buffer.concat(parts).toString(),
  });
}

/**
 * Routes: /sink counts an upload, /big?bytes=N streams a download, /hold answers when release() is
 * called, /status/N answers N, /never never answers; all else echoes the request as JSON.
 * `hits` counts every request, `seen` keeps the first few thousand.
 */
export async function backend() {
  const app = express();
  app.disable('x-powered-by');
  const api = { hits: 0, seen: [], holding: 0, by: new Map() };
  let hold = gate();

  app.use((req, res, next) => {
    api.hits += 1;
    const label = req.headers['x-test-class'];
    if (label !== undefined) api.by.set(label, (api.by.get(label) ?? 0) + 1);
    if (api.seen.length < KEEP) {
      api.seen.push({
        method: req.method,
        url: req.url,
        headers: req.headers,
        rawHeaders: req.rawHeaders,
      });
    }
    next();
  });
  app.all('/sink', sink);
  app.get('/big', big);
  app.all('/never', () => {});
  app.all('/hold', async (req, res) => {
    api.holding += 1;
    await hold.opened;
    api.holding -= 1;
    res.json({ held: true });
  });
  app.all('/status/:code', (req, res) => {
    res.status(Number(req.params.code)).end();
  });
  app.use(echo);

  const server = app.listen(0, '127.0.0.1');
  server.keepAliveTimeout = 120_000;
  let connected = 0;
  server.on('connection', () => {
    connected += 1;
  });
  await once(server, 'listening');
  api.port = server.address().port;
  api.url = `http://127.0.0.1:${api.port}`;
  Object.defineProperty(api, 'connected', { get: () => connected });
  api.release = () => {
    hold.open();
    hold = gate();
  };
  api.forget = () => {
    api.hits = 0;
    api.seen.length = 0;
    api.by.clear();
  };
  api.stop = () =>
    new Promise((done) => {
      api.release();
      server.close(done);
      server.closeAllConnections();
    });
  return api;
}
