// A provider's introspection endpoint (RFC 7662) that does what it is told: it knows tokens, counts
// what it is asked, and can be slow, refuse, redirect, answer garbage or be gone.
//
//   const idp = await introspectionServer();
//   idp.know('opaque', { sub: 'ann' });
//   idp.mode = 'garbage';

import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { backend } from './backend.mjs';
import { conf, gateway } from './gateway.mjs';
import { get } from './http.mjs';
import { gate } from './wait.mjs';

const json = (res, body, status = 200) => {
  res.statusCode = status;
  res.setHeader('content-type', 'application/json');
  res.end(typeof body === 'string' ? body : JSON.stringify(body));
};

/* What the endpoint answers; `state` is the server's, `form` the question. */
const answers = {
  good: (res, state, form) => json(res, state.answer(form.get('token'))),
  refuse: (res) => json(res, { error: 'invalid_client' }, 401),
  error: (res) => json(res, { error: 'server_error' }, 500),
  garbage: (res) => res.setHeader('content-type', 'text/html').end('<html>active: true</html>'),
  array: (res) => json(res, '[{"active":true}]'),
  string: (res, state, form) => json(res, { ...state.answer(form.get('token')), active: 'true' }),
  repeated: (res) => json(res, '{"active":false,"active":true,"sub":"ann","aud":"orders-api"}'),
  missing: (res) => json(res, { sub: 'ann', aud: 'orders-api' }),
  empty: (res) => json(res, ''),
  huge: (res) => json(res, `{"active":true,"x":"${'x'.repeat(100_000)}"}`),
  truncated: (res) => {
    res.setHeader('content-length', 100_000);
    res.write('{"active":true,');
    res.destroy();
  },
  redirect: (res, state) => {
    res.statusCode = 307;
    res.setHeader('location', state.target ?? `${state.url}/elsewhere`).end();
  },
  silent: () => {},
};

class IntrospectionServer {
  known = new Map();
  questions = [];
  mode = 'good';
  /** Answers wait for it while it is set (hold() and release()). */
  #held = null;

  /** The token is active, and says this. */
  know(token, claims = {}) {
    const all = { aud: 'orders-api', exp: Math.floor(Date.now() / 1000) + 600, ...claims };
    this.known.set(token, { active: true, ...all });
  }

  forget(token) {
    this.known.delete(token);
  }

  answer(token) {
    return this.known.get(token) ?? { active: false };
  }

  get calls() {
    return this.questions.length;
  }

  callsFor(token) {
    return this.questions.filter((question) => question.token === token).length;
  }

  /** Answers are kept back until release(). */
  hold() {
    this.#held = gate();
  }

  release() {
    this.#held?.open();
    this.#held = null;
  }

  async #handle(req, res) {
    let body = '';
    for await (const part of req) body += part;
    const form = new URLSearchParams(body);
    this.questions.push({
      token: form.get('token'),
      form,
      path: req.url,
      method: req.method,
      headers: req.headers,
    });
    await this.#held?.opened;
    if (!res.destroyed) answers[this.mode](res, this, form);
  }

  async listen(port = 0) {
    const handle = (req, res) => this.#handle(req, res).catch(() => {});
    this.server = this.tls ? https.createServer(this.tls, handle) : http.createServer(handle);
    this.server.keepAliveTimeout = 60_000;
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    this.url = `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  /** Nothing listens on the port any more, until resume(). */
  async pause() {
    this.release();
    const closed = new Promise((done) => this.server.close(done));
    this.server.closeAllConnections();
    await closed;
  }

  resume() {
    return this.listen(this.port);
  }

  stop() {
    return this.server.listening ? this.pause() : Promise.resolve();
  }
}

/** `tls`: { key, cert } of its certificate. */
export async function introspectionServer({ tls } = {}) {
  const server = new IntrospectionServer();
  server.tls = tls;
  await server.listen();
  return server;
}

/** Lines of an issuer's section that is asked at this server. */
export function asking(idp, { validate = 'introspect', more = '', issuer = '' } = {}) {
  return `validate = "${validate}"
  ${issuer}
  introspection {
    endpoint = "${idp.url}/introspect"
    client_id = "gate way"
    client_secret = "s3cret:+&%"
    ${more}
  }`;
}

/**
 * A provider, a backend, and a gateway between that asks the one before it asks the other. `more` are
 * lines of the introspection section, `issuer` of the issuer's, `sections` further ones.
 */
export async function asked(
  t,
  {
    validate = 'introspect',
    more = '',
    issuer = '',
    sections = '',
    files = {},
    tls,
    ...options
  } = {},
) {
  const [api, idp] = await Promise.all([backend(), introspectionServer({ tls })]);
  const text = conf({
    servers: [api.url],
    keys: '',
    issuer: asking(idp, { validate, more, issuer }),
    more: sections,
    ...options,
  });
  const gw = await gateway(text, { files }).catch(async (error) => {
    await Promise.allSettled([idp.stop(), api.stop()]);
    throw error;
  });
  t.after(async () => {
    await gw.stop();
    await idp.stop();
    await api.stop();
  });
  const ask = (token, path = '/orders', rest = {}) =>
    get(`${gw.url}${path}`, { token, ...rest });
  return { api, idp, gw, text, ask };
}
