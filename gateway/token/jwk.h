/*
 * One JWK (RFC 7517 section 4, RFC 7518 section 6, RFC 8037): from JSON members to a usable key.
 */
#ifndef GATEWAY_TOKEN_JWK_H
#define GATEWAY_TOKEN_JWK_H

#include "gateway/token/jwks.h"

struct json_t;

/* The reason that is no fault of the key's: it must be read again. */
extern const char jwk_no_memory[];

/*
 * Fills a zeroed key. NULL when it may be used, else a static sentence that says why not; the key
 * is then to be given to jwk_fini() all the same.
 */
const char *jwk_parse(struct alg_tools *tools, const struct json_t *members, struct jwk *key);
/* Lets go of the key; safe on a zeroed one. */
void jwk_fini(struct jwk *key);

#endif
