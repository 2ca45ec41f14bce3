// A provider's key server that counts how often it is asked, and misbehaves to order.

import { once } from 'node:events';
import http from 'node:http';

const answers = {
  good: (res, keys) => res.setHeader('content-type', 'application/json').end(JSON.stringify(keys)),
  error: (res) => {
    res.statusCode = 500;
    res.end('no');
  },
  garbage: (res) => res.setHeader('content-type', 'text/html').end('<html>sign in first</html>'),
  truncated: (res, keys) => {
    res.setHeader('content-length', 100_000);
    res.write(JSON.stringify(keys).slice(0, 20));
    res.destroy();
  },
  huge: (res) => res.end(`{"keys":[${' '.repeat(2_000_000)}]}`),
  silent: () => {},
};

/**
 * Serves the key set at /jwks. `mode` is one of the answers above, or 'redirect' with `target`.
 * `pause()` closes the port and `resume()` opens the same one again.
 */
export async function jwksServer(keys, { mode = 'good', port = 0 } = {}) {
  const state = { fetches: 0, keys, mode, target: undefined };
  let server;
  const handle = (req, res) => {
    state.fetches += 1;
    if (state.mode !== 'redirect') return answers[state.mode](res, state.keys);
    res.statusCode = 302;
    return res.setHeader('location', state.target).end();
  };
  const listen = async (on) => {
    server = http.createServer(handle).listen(on, '127.0.0.1');
    await once(server, 'listening');
    state.port = server.address().port;
  };
  state.pause = () =>
    new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    });
  state.resume = () => listen(state.port);
  state.stop = () => (server.listening ? state.pause() : Promise.resolve());
  await listen(port);
  state.url = `http://127.0.0.1:${state.port}/jwks`;
  return state;
}

/** A loopback port on which nothing listens. */
export async function freePort() {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}
