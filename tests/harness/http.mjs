// A small HTTP client that hides nothing: status, headers, raw headers and body of every answer.

import http from 'node:http';

/** Connections of one client, kept alive. Close with agent.destroy(). */
export function connections(max = 16) {
  return new http.Agent({ keepAlive: true, maxSockets: max, scheduling: 'fifo' });
}

/** Starts a request and gives { request, answered }, for tests that stream or hang up. */
export function open(url, { method = 'GET', token, headers = {}, agent, onInformation } = {}) {
  const all = token === undefined ? headers : { authorization: `Bearer ${token}`, ...headers };
  const request = http.request(url, { method, headers: all, agent: agent ?? false });
  if (onInformation) request.on('information', onInformation);
  const answered = new Promise((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
  });
  answered.catch(() => {});
  return { request, answered };
}

/** Reads an answer to its end. Rejects when it is cut short. */
export async function read(response) {
  const parts = [];
  for await (const part of response) parts.push(part);
  const body = Buffer.concat(parts).toString();
  return {
    status: response.statusCode,
    headers: response.headers,
    rawHeaders: response.rawHeaders,
    body,
    get json() {
      return JSON.parse(body);
    },
  };
}

/** Sends a request and reads its answer. */
export async function send(url, { body, ...options } = {}) {
  const { request, answered } = open(url, options);
  request.end(body);
  return read(await answered);
}

export const get = (url, options) => send(url, { ...options, method: 'GET' });
export const post = (url, options) => send(url, { ...options, method: 'POST' });
