// HTTP by the byte: a client and a server that say exactly what a test wants said.

import net from 'node:net';
import { once } from 'node:events';

const DEADLINE_MS = 8_000;

/** Joins lines with CRLF and closes the head: head('GET / HTTP/1.1', 'Host: a'). */
export const head = (...lines) => `${lines.join('\r\n')}\r\n\r\n`;

const bytesOf = (text) => (Buffer.isBuffer(text) ? text : Buffer.from(text, 'latin1'));

function chunkedEnd(buffer, start) {
  let at = start;
  for (;;) {
    const eol = buffer.indexOf('\r\n', at);
    if (eol < 0) return -1;
    const size = parseInt(buffer.toString('latin1', at, eol), 16);
    if (Number.isNaN(size)) throw new Error('a bad chunk in an answer of the gateway');
    at = eol + 2 + size + 2;
    if (size === 0) return at <= buffer.length ? at : -1;
    if (at > buffer.length) return -1;
  }
}

/** The data of a chunked body without its frames. */
function unchunked(text) {
  let data = '';
  for (let at = 0; ;) {
    const eol = text.indexOf('\r\n', at);
    const size = parseInt(text.slice(at, eol), 16);
    if (size === 0) return data;
    data += text.slice(eol + 2, eol + 2 + size);
    at = eol + 2 + size + 2;
  }
}

/** Where the body of the answer ends, or -1 while it has not arrived, or Infinity: at the close. */
function bodyEnd(answer, buffer, start, method) {
  const { status, headers } = answer;
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return start;
  if (/chunked/i.test(headers['transfer-encoding'] ?? '')) return chunkedEnd(buffer, start);
  if (headers['content-length'] === undefined) return Infinity;
  const end = start + Number(headers['content-length']);
  return end <= buffer.length ? end : -1;
}

/** The complete answers in a buffer, in order. `methods` tells which belong to HEAD. */
function answersIn(buffer, closed, methods = []) {
  const answers = [];
  let at = 0;
  let finals = 0;
  while (at < buffer.length) {
    const stop = buffer.indexOf('\r\n\r\n', at);
    if (stop < 0) break;
    const [line, ...fields] = buffer.toString('latin1', at, stop).split('\r\n');
    const match = line.match(/^HTTP\/1\.1 (\d{3})(?: |$)/);
    if (!match) throw new Error(`not a status line: ${JSON.stringify(line)}`);
    const answer = { status: Number(match[1]), headers: {}, rawHeaders: fields };
    for (const field of fields) {
      const colon = field.indexOf(':');
      answer.headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
    }
    let end = bodyEnd(answer, buffer, stop + 4, methods[finals]);
    if (end === -1) break;
    if (end === Infinity) {
      if (!closed) break;
      end = buffer.length;
    }
    answer.body = buffer.toString('latin1', stop + 4, end);
    if (/chunked/i.test(answer.headers['transfer-encoding'] ?? '') && answer.body)
      answer.body = unchunked(answer.body);
    answers.push(answer);
    if (answer.status >= 200) finals += 1;
    at = end;
  }
  return { answers, rest: buffer.subarray(at) };
}

class RawClient {
  #parts = [];
  #rest = Buffer.alloc(0);

  constructor(socket) {
    this.socket = socket;
    this.closed = false;
    this.ended = false;
    this.reset = false;
    this.all = [];
    socket.on('data', (part) => {
      this.#parts.push(part);
      this.#rest = Buffer.concat([this.#rest, part]);
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => {
      this.reset = true;
    });
  }

  get bytes() {
    this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0];
  }

  get finals() {
    return this.all.filter((answer) => answer.status >= 200);
  }

  /** Takes what has come apart: answers to `all`, and the bytes of an unfinished one stay. */
  parse(methods = []) {
    const over = this.ended || this.closed;
    const { answers, rest } = answersIn(this.#rest, over, methods.slice(this.finals.length));
    this.all.push(...answers);
    this.#rest = rest;
    return { answers: this.finals, rest };
  }

  write(text) {
    if (!this.socket.destroyed) this.socket.write(bytesOf(text));
  }

  /** Writes one byte at a time, each a turn of the event loop apart. */
  async dribble(text) {
    for (const byte of bytesOf(text)) {
      if (this.socket.destroyed || this.ended) return;
      this.socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
  }

  /** Waits until `count` final answers are complete or the connection is over. */
  async answers(count, methods) {
    const enough = () => this.parse(methods).answers.length >= count;
    await this.#event(() => enough() || this.ended || this.closed, `${count} answers`);
    return this.parse(methods).answers;
  }

  /** Waits for the gateway to close the connection. */
  over() {
    return this.#event(() => this.ended || this.closed, 'the gateway to close the connection');
  }

  /** Waits until the bytes so far match. */
  seen(pattern) {
    return this.#event(() => pattern.test(this.bytes.toString('latin1')), `${pattern}`);
  }

  #soFar() {
    return JSON.stringify(this.bytes.toString('latin1').slice(0, 400));
  }

  #event(isTrue, what) {
    if (isTrue()) return Promise.resolve();
    const { socket } = this;
    return new Promise((resolve, reject) => {
      const names = ['data', 'end', 'close'];
      const settle = (end, value) => {
        clearTimeout(timer);
        names.forEach((name) => socket.off(name, check));
        end(value);
      };
      const check = () => {
        if (isTrue()) settle(resolve);
      };
      const timer = setTimeout(
        () => settle(reject, new Error(`waited in vain for ${what}; so far: ${this.#soFar()}`)),
        DEADLINE_MS,
      );
      names.forEach((name) => socket.on(name, check));
    });
  }

  /** Says "no more from me" and goes on listening. */
  finish() {
    this.socket.end();
  }

  destroy() {
    this.socket.destroy();
  }
}

/** A TCP connection to the gateway. */
export async function connect(port) {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  return new RawClient(socket);
}

/**
 * Sends bytes on a new connection and gathers what comes back: { answers, closed, text, rest }.
 * `pieces: 'bytes'` sends them one by one. It waits for `count` final answers, and with
 * `close: true` for the gateway to close the connection as well.
 */
export async function rawRequest(
  port,
  bytes,
  { pieces = 'whole', count = 1, close = false, methods } = {},
) {
  const client = await connect(port);
  try {
    if (pieces === 'bytes') await client.dribble(bytes);
    else client.write(bytes);
    if (close) await client.over();
    else await client.answers(count, methods);
    const { answers, rest } = client.parse(methods);
    return {
      answers,
      interim: client.all.filter((answer) => answer.status < 200),
      closed: client.ended || client.closed,
      text: client.bytes.toString('latin1'),
      rest,
    };
  } finally {
    client.destroy();
  }
}

/**
 * A server that answers by script. `script` is the bytes of an answer, sent for every head and
 * followed by a close when `end` is set, or a function (socket, head, number of the request).
 */
export async function rawBackend(script, { end = false } = {}) {
  const heads = [];
  const sockets = new Set();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (part) => {
      text += part.toString('latin1');
      for (let stop; (stop = text.indexOf('\r\n\r\n')) >= 0;) {
        const request = text.slice(0, stop + 4);
        text = text.slice(stop + 4);
        heads.push(request);
        if (typeof script === 'function') script(socket, request, heads.length);
        else
          socket.write(bytesOf(script), () => {
            if (end) socket.end();
          });
      }
    });
  });
  let connected = 0;
  server.on('connection', () => {
    connected += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    heads,
    get connected() {
      return connected;
    },
    /** Closes every connection there is. */
    drop: () => sockets.forEach((socket) => socket.destroy()),
    get open() {
      return sockets.size;
    },
    stop: () =>
      new Promise((done) => {
        sockets.forEach((socket) => socket.destroy());
        server.close(done);
      }),
  };
}
