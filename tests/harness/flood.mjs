// Requests by the thousand, pipelined over a few connections: much more than a client library sends.

import { once } from 'node:events';
import net from 'node:net';

const LANES = 8;
const ROUND = 100;

/** Takes the statuses of whole status lines out of a text; what is left of it may begin one. */
function take(text, statuses) {
  let n = 0;
  for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d\d\d) /g)) {
    statuses[status] = (statuses[status] ?? 0) + 1;
    n += 1;
  }
  const last = text.lastIndexOf('\n') + 1;
  return [n, text.slice(last, last + 'HTTP/1.1 200 '.length - 1)];
}

async function lane(gw, n, token, statuses) {
  const socket = net.connect(gw.port, '127.0.0.1');
  for (let sent = 0; sent < n; sent += ROUND) {
    for (let i = 0; i < ROUND; i += 1)
      socket.write(
        `GET /orders HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token()}\r\n\r\n`,
      );
    let rest = '';
    for (let seen = 0; seen < ROUND; ) {
      const [bytes] = await once(socket, 'data');
      const [more, left] = take(rest + bytes.toString('latin1'), statuses);
      seen += more;
      rest = left;
    }
  }
  socket.destroy();
}

/** Sends n requests (a multiple of 800), each with a token of token(); how many got which status. */
export async function flood(gw, n, token) {
  const statuses = {};
  await Promise.all(Array.from({ length: LANES }, () => lane(gw, n / LANES, token, statuses)));
  return statuses;
}
