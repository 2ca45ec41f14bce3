/*
 * The check of a logout token, by which an issuer tells that a session has ended (OpenID Connect
 * Back-Channel Logout 1.0 section 2.6).
 *
 * Its signature is held to the same keys and algorithms as those of the issuer's access tokens, and
 * neither kind can be taken for the other: this one must have the event that no access token may
 * have. It must be young, so that one which was kept aside does no harm later.
 */
#ifndef GATEWAY_TOKEN_LOGOUT_H
#define GATEWAY_TOKEN_LOGOUT_H

#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/span.h"
#include "gateway/token/identity.h"
#include "gateway/token/jwt.h"
#include "gateway/token/verdict.h"

/* Seconds after its iat (and the issuer's leeway) for which a logout token is accepted. */
#define LOGOUT_AGE_MAX_S	600

/* What a good logout token says. */
struct logout {
	/* a session, or where none is named all of a subject's */
	enum identity_kind	 kind;
	struct span		 value;		/* sid or sub, in the arena */
	uint8_t			 identity[IDENTITY_SIZE];	/* that kind and value */
	uint8_t			 once[IDENTITY_SIZE];	/* of iss and jti: the same token again */
	int64_t			 issued_s;	/* its iat, rounded down */
	int64_t			 stale_s;	/* from then on it is accepted no more */
	const char		*why;		/* it is not good: a sentence */
};

/*
 * Judges a token that came to the endpoint of issuer number `issuer`. VERDICT_ACTIVE: *logout is
 * complete. Otherwise only `why` is set, printable ASCII without quotes; UNKNOWN_KEY and
 * KEYS_UNAVAILABLE may be otherwise once the issuer has other keys.
 */
enum verdict logout_check(struct jwt_checker *checker, size_t issuer, struct span token,
    int64_t now_wall_s, struct arena *arena, struct logout *logout);

#endif
