/*
 * private_key_jwt: a client proves who it is with a short-lived JWT that it signed (RFC 7521,
 * RFC 7523 section 3).
 *
 * Strict: asymmetric algorithms only, a key of the client's own set, iss and sub the client_id, aud
 * this service's issuer or token endpoint, exp within the hour. Each jti works once on this node:
 * it is remembered until the assertion has expired, and when there is no room to remember it, the
 * assertion is not taken.
 */
#ifndef GATEWAY_OAUTH_ASSERTION_H
#define GATEWAY_OAUTH_ASSERTION_H

#include "gateway/oauth/answer.h"
#include "gateway/oauth/client_book.h"

/*
 * Reads an assertion and which client it says it is from, without believing it yet. FAULT_COUNT,
 * or what is wrong.
 */
enum fault assertion_find(struct request *r, struct span type, struct span assertion);
/* Checks it against the client, NULL if there is none such. FAULT_COUNT, or what is wrong. */
enum fault assertion_check(struct request *r, struct oauth_client *client);

#endif
