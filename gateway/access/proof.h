/*
 * How Gatehouse proves to an issuer who it is, where it asks about tokens.
 *
 * By a secret, in a header (HTTP Basic; id and secret are form-encoded first, RFC 6749 section
 * 2.3.1) or in the form; or by an assertion signed with its private key (RFC 7523), made anew for
 * each call: for 60 seconds, with an id that is never used twice, for the issuer by its own name.
 */
#ifndef GATEWAY_ACCESS_PROOF_H
#define GATEWAY_ACCESS_PROOF_H

#include <stdint.h>

#include "gateway/base/text.h"
#include "gateway/conf/config.h"
#include "gateway/token/alg.h"

struct proof;

/*
 * Prepares it; the issuer and the tools must outlive it. NULL: *why is a sentence that says what is
 * wrong with the key, or that there is no memory.
 */
struct proof *proof_open(const struct config_issuer *issuer, struct alg_tools *tools,
    const char **why);
/* Wipes and frees it; NULL is fine; the pointer becomes NULL. */
void proof_close(struct proof **proof);

/* The value of Authorization; NULL: none is sent. */
const char *proof_authorization(const struct proof *proof);
/*
 * Appends what the form must hold, each parameter behind a "&". False if OpenSSL can't sign, or it
 * does not fit (proof_room).
 */
bool proof_put(struct proof *proof, struct text *form, int64_t now_wall_s);

/* Bytes that proof_put() needs at most. */
size_t proof_room(const struct proof *proof);

#endif
