/*
 * A route's policy on the facts of a good token, as a table of checks in their order, and what a
 * client is told of each verdict.
 *
 * The step check_policy refuses by it, and `gatehouse explain` tells by it why.
 */
#ifndef GATEWAY_ACCESS_POLICY_H
#define GATEWAY_ACCESS_POLICY_H

#include <stdbool.h>

#include "gateway/base/arena.h"
#include "gateway/conf/config.h"
#include "gateway/request/refuse.h"
#include "gateway/token/facts.h"

enum policy_check {
	POLICY_ISSUER,		/* the route accepts the token's issuer */
	POLICY_AUDIENCE,	/* and one of the audiences */
	POLICY_SCOPES,		/* and has all scopes */
	POLICY_CHECKS
};

/* True if the facts pass one check; each judges by itself, whatever the others say. */
bool policy_holds(enum policy_check check, const struct config_route *route,
    const struct facts *facts);
/* The first check that does not pass; POLICY_CHECKS: all do. */
enum policy_check policy_judge(const struct config_route *route, const struct facts *facts);
/* Its name for people, "route's audience". */
const char *policy_name(enum policy_check check);
/* The refusal for it; of those that are about the token itself, *verdict is what to log. */
enum refusal policy_refusal(enum policy_check check, enum verdict *verdict);

/* What the client of a token with this verdict, which is not ACTIVE, is told. */
enum refusal policy_verdict_refusal(enum verdict verdict);
/* What Retry-After says with it, in seconds; 0: nothing. */
unsigned policy_retry_after_s(enum refusal refusal);
/*
 * The audiences of which a token of this issuer needs one on the route, beyond what its issuer's
 * check wants; n 0: none.
 */
struct policy_audience {
	const struct span	*names;
	size_t			 n;
};
struct policy_audience policy_audience(const struct config_route *route,
    const struct config_issuer *issuer);
/* The scopes a route needs as one line, for the challenge; in the arena. */
struct span policy_scopes(const struct config_route *route, struct arena *arena);

#endif
