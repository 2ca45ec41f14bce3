// Token exchange (RFC 8693): what clients ask, and what tokens say.
//
//   const answer = await exchange(house, bff, subjectToken, { actor_token: own });
//   const { sub, act } = said(answer);

import assert from 'node:assert/strict';

export const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const TYPE = 'urn:ietf:params:oauth:token-type';
export const ACCESS = `${TYPE}:access_token`;
export const JWT = `${TYPE}:jwt`;
export const ID_TOKEN = `${TYPE}:id_token`;
export const REFRESH = `${TYPE}:refresh_token`;

/** The claims of a JWT. */
export const payload = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));

/** The claims of the JWT in a good answer. */
export function said(answer) {
  assert.equal(answer.status, 200, answer.body);
  return payload(answer.json.access_token);
}

/**
 * Asks for an exchange; an actor token brings its type by itself. `more` is of the form, where undefined
 * leaves out and a list repeats; `options` are those of house.token().
 */
export function exchange(house, client, subject, more = {}, options) {
  const form = {
    grant_type: GRANT,
    subject_token: subject,
    subject_token_type: ACCESS,
    ...('actor_token' in more ? { actor_token_type: ACCESS } : {}),
    ...more,
  };
  const pairs = Object.entries(form).flatMap(([name, value]) =>
    [value].flat().filter((one) => one !== undefined).map((one) => [name, one]),
  );
  return house.token(client, new URLSearchParams(pairs).toString(), options);
}

/** Grants of a client that exchanges. */
export const exchanger = (more = {}) => ({
  grants: ['client_credentials', GRANT],
  format: 'jwt',
  scopes: [],
  ...more,
});

/** An exchange that must be refused for this reason. */
export async function refused(answer, error, description) {
  const { status, json, body, headers } = await answer;
  assert.equal(status, 400, body);
  assert.equal(json.error, error, body);
  if (description !== undefined) assert.match(json.error_description, description);
  assert.match(json.error_description, /^[ !#-[\]-~]+$/);
  assert.equal(headers['cache-control'], 'no-store');
  assert.equal(json.access_token, undefined);
}
