/*
 * A JWK Set (RFC 7517): bytes in, keys ready to verify with out.
 *
 * A set is taken whole or refused whole with a reason. Inside a good set, keys that can't or must
 * not verify a token (another use, a weak modulus, a point off its curve, an unknown type) are
 * skipped, each with a line in the log. Two usable keys with one kid for the same algorithm make
 * the set ambiguous, and it is refused. Private members are never looked at.
 */
#ifndef GATEWAY_TOKEN_JWKS_H
#define GATEWAY_TOKEN_JWKS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/token/alg.h"

#define JWKS_MAX	(256 * 1024)	/* bytes of a set */
#define JWKS_KEYS_MAX	64		/* keys in a set, usable or not */
#define JWKS_KID_MAX	256		/* bytes of a kid */

struct jwk {
	uint32_t	algorithms;		/* ALG_BIT()s it may be used with; never 0 */
	uint64_t	fingerprint;		/* of material, kid and algorithms */
	struct alg_key	key;
	bool		has_kid;
	size_t		kid_n;
	char		kid[JWKS_KID_MAX];
};

struct jwks {
	size_t		n;
	struct jwk	keys[JWKS_KEYS_MAX];
};

/*
 * Reads a set. NULL if it is refused; *reason then says why (a static sentence). `label` names the
 * issuer in the log's lines about keys that were skipped; NULL logs nothing. A set without
 * any usable key is good and has n == 0.
 */
struct jwks *jwks_parse(struct alg_tools *tools, struct span bytes, const char *label,
    const char **reason);
/* Frees all keys; NULL is fine; the pointer becomes NULL. */
void jwks_free(struct jwks **set);

#endif
