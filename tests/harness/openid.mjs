// A real OpenID provider with the network before it: its tokens, its users' sessions, its troubles.
//
//   const idp = await openid();
//   t.after(() => idp.stop());
//   const token = await idp.token({ resource: JWT });
//   idp.mode = 'garbage';              // what the network makes of its answers
//   idp.freeze(); idp.thaw();          // its process stands still
//   await idp.cut(); await idp.mend(); // nothing listens there

import { fork } from 'node:child_process';
import { createHash, createPrivateKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { backend } from './backend.mjs';
import { ISSUER, conf, gateway } from './gateway.mjs';
import { get, post } from './http.mjs';
import { newKey } from './keys.mjs';

const PROCESS = new URL('openid_process.mjs', import.meta.url).pathname;
const FORM = 'application/x-www-form-urlencoded';
const CALLBACK = 'https://web.test/callback';

export const JWT = 'https://jwt.test';
export const OPAQUE = 'https://opaque.test';
export const SECRET = 'a secret+of&the=shop, long as it is';

const basic = (id, secret) =>
  `Basic ${Buffer.from([id, secret].map(encodeURIComponent).join(':')).toString('base64')}`;

/* Clients that introspect, each by another proof, and the web application of users. */
const usual = (gatewayKey, logoutUri, logoutSession) => [
  { client_id: 'shop', grant_types: ['client_credentials'] },
  { client_id: 'gate by basic' },
  { client_id: 'gate-by-post', token_endpoint_auth_method: 'client_secret_post' },
  {
    client_id: 'gate-by-key',
    client_secret: undefined,
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [gatewayKey.public] },
  },
  {
    client_id: 'web',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    redirect_uris: [CALLBACK],
    ...(logoutUri && {
      backchannel_logout_uri: logoutUri,
      backchannel_logout_session_required: logoutSession,
    }),
  },
].map((client) => ({
  client_secret: SECRET,
  token_endpoint_auth_method: 'client_secret_basic',
  grant_types: [],
  redirect_uris: [],
  response_types: [],
  id_token_signed_response_alg: 'ES256',
  ...client,
}));

/* What the network makes of an answer. */
const modes = {
  garbage: (res) => res.setHeader('content-type', 'text/html').end('<html>"active":true</html>'),
  claims: (res) => res.setHeader('content-type', 'application/json').end('{"active":"true"}'),
  error: (res) => res.writeHead(502).end('bad gateway'),
  redirect: (res, idp, url) => res.writeHead(307, { location: `${idp.issuer}/other${url}` }).end(),
  short: (res) => {
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': 500 });
    res.write('{"active":true,"sub":"ann"');
    setImmediate(() => res.destroy());
  },
};

/** Remembers cookies, and follows nothing. */
class Browser {
  #jar = new Map();

  async visit(url, form) {
    const headers = { cookie: [...this.#jar].map(([name, value]) => `${name}=${value}`).join('; ') };
    if (form !== undefined) headers['content-type'] = FORM;
    const answer =
      form === undefined
        ? await get(url, { headers })
        : await post(url, { headers, body: new URLSearchParams(form).toString() });
    for (const cookie of answer.headers['set-cookie'] ?? []) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/);
      if (value === '') this.#jar.delete(name);
      else this.#jar.set(name, value);
    }
    const { status, body, headers: { location } } = answer;
    return { status, body, to: location && new URL(location, url).href };
  }
}

class OpenId {
  mode = 'good';
  /** Requests so far, as 'POST /token/introspection'. */
  seen = [];
  errors = [];
  gatewayKey = newKey('ES256', 'of the gateway');
  keys = [newKey('ES256')];
  logoutUri;
  logoutSession = true;

  calls(path = '/token/introspection') {
    return this.seen.filter((line) => line.endsWith(` ${path}`)).length;
  }

  #front(req, res) {
    const path = req.url.split('?')[0];
    this.seen.push(`${req.method} ${path}`);
    res.on('error', () => {});
    if (this.mode !== 'good') {
      req.resume();
      modes[this.mode](res, this, req.url);
      return;
    }
    const { method, url, headers } = req;
    const back = http.request(
      { host: '127.0.0.1', port: this.port, method, path: url, headers, agent: this.agent },
      (answer) => {
        res.writeHead(answer.statusCode, answer.rawHeaders);
        answer.pipe(res);
      },
    );
    back.on('error', () => res.destroy());
    res.on('close', () => back.destroy());
    req.pipe(back);
  }

  async open() {
    this.agent = new http.Agent({ keepAlive: true });
    this.server = http.createServer((req, res) => this.#front(req, res));
    this.server.keepAliveTimeout = 60_000;
    await this.mend(0);
    this.frontPort = this.server.address().port;
    this.issuer = `http://127.0.0.1:${this.frontPort}`;
    await this.start();
  }

  /** Starts its process, which knows nothing of earlier tokens. */
  async start() {
    this.child = fork(PROCESS, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    this.child.on('message', ({ error }) => error && this.errors.push(error));
    await this.become();
  }

  /**
   * Takes over these keys, of which it signs with the first, where it posts logout tokens, and whether
   * they name the session.
   */
  async become(changes = {}) {
    Object.assign(this, changes);
    const { keys, logoutUri, logoutSession } = this;
    this.child.send({
      issuer: this.issuer,
      port: 0,
      keys: keys.map((key) => key.private),
      clients: usual(this.gatewayKey, logoutUri, logoutSession),
    });
    do [{ port: this.port }] = await once(this.child, 'message');
    while (this.port === undefined);
  }

  freeze() {
    this.child.kill('SIGSTOP');
  }

  thaw() {
    this.child.kill('SIGCONT');
  }

  /** Its process ends as if its machine had. */
  async kill() {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  async cut() {
    const closed = new Promise((done) => this.server.close(done));
    this.server.closeAllConnections();
    await closed;
  }

  async mend(port = this.frontPort) {
    this.server.listen(port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async #form(path, form, client = 'shop') {
    const answer = await post(`${this.issuer}${path}`, {
      body: new URLSearchParams(form).toString(),
      headers: { 'content-type': FORM, authorization: basic(client, SECRET) },
    });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.body}`);
    return answer;
  }

  /** A new access token of the shop's. */
  async token({ resource = OPAQUE, scope = 'orders:read' } = {}) {
    const form = { grant_type: 'client_credentials', scope, resource };
    return (await this.#form('/token', form)).json.access_token;
  }

  revoke(token, client) {
    return this.#form('/token/revocation', { token }, client);
  }

  /** Somebody signs in to the web application: { browser, access, id }. */
  async signIn(login, { resource = OPAQUE, browser = new Browser() } = {}) {
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const query = new URLSearchParams({
      client_id: 'web',
      response_type: 'code',
      redirect_uri: CALLBACK,
      scope: 'openid orders:read',
      resource,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    });
    let { to } = await browser.visit(`${this.issuer}/auth?${query}`);
    const prompts = [{ prompt: 'login', login, password: 'any' }, { prompt: 'consent' }];
    while (!to.startsWith(CALLBACK)) {
      const form = to.includes('/interaction/') ? prompts.shift() : undefined;
      ({ to } = await browser.visit(to, form));
      if (to === undefined) throw new Error('the sign-in led nowhere');
    }
    const { json } = await this.#form(
      '/token',
      {
        grant_type: 'authorization_code',
        code: new URL(to).searchParams.get('code'),
        redirect_uri: CALLBACK,
        code_verifier: verifier,
        resource,
      },
      'web',
    );
    return { browser, access: json.access_token, id: json.id_token };
  }

  /** The user signs out at the provider, which tells those who asked to be told. */
  async signOut({ browser, id }) {
    const query = new URLSearchParams({ id_token_hint: id });
    const { body } = await browser.visit(`${this.issuer}/session/end?${query}`);
    const xsrf = body.match(/name="xsrf" value="([^"]+)"/)[1];
    const end = await browser.visit(`${this.issuer}/session/end/confirm`, { xsrf, logout: 'yes' });
    if (end.status !== 303) throw new Error(`signing out: ${end.status} ${end.body}`);
  }

  async stop() {
    this.thaw();
    if (this.child.exitCode === null && this.child.signalCode === null) await this.kill();
    if (this.server.listening) await this.cut();
    this.agent.destroy();
  }
}

export async function openid() {
  const idp = new OpenId();
  await idp.open();
  return idp;
}

/** Lines of an issuer's section that is asked at this provider, where discovery says. */
export function askingOpenId(idp, { validate = 'introspect', more = '', issuer = '', auth } = {}) {
  const proofs = {
    basic: `client_id = "gate by basic" client_secret = "${SECRET}"`,
    post: `auth = "post" client_id = "gate-by-post" client_secret = "${SECRET}"`,
    private_key_jwt: `auth = "private_key_jwt" client_id = "gate-by-key"
      private_key_file = "gate.pem" key_id = "${idp.gatewayKey.kid}"`,
  };
  return `validate = "${validate}"
  jwks_cooldown = 1
  jwks_refresh = 2
  ${issuer}
  introspection {
    ${proofs[auth ?? 'basic']}
    ${more}
  }`;
}

/** The provider, Express, and a gateway between that knows the provider by its issuer alone. */
export async function openIdHouse(t, { auth, validate, more, issuer, down, ...options } = {}) {
  const [idp, api] = await Promise.all([openid(), backend()]);
  const text = conf({
    servers: [api.url],
    keys: '',
    issuer: askingOpenId(idp, { auth, validate, more, issuer }),
    ...options,
  }).replace(ISSUER, idp.issuer);
  const pem = createPrivateKey({ key: idp.gatewayKey.private, format: 'jwk' }).export({
    type: 'pkcs8',
    format: 'pem',
  });
  if (down) await idp.cut();
  const gw = await gateway(text, { files: { 'gate.pem': pem } });
  t.after(async () => {
    await gw.stop();
    await idp.stop();
    await api.stop();
  });
  const ask = (token, path = '/orders') => get(`${gw.url}${path}`, { token });
  return { idp, api, gw, ask };
}
