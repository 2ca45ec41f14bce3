/*
 * How old what is known of a token may be: what its issuer said, or what was verified here, of
 * issuers that can be asked.
 *
 * The bound is the route's max_staleness, and for what only the issuer can say also its
 * introspection_ttl; while the issuer does not answer, the route's stale_if_error comes on top.
 */
#ifndef GATEWAY_ACCESS_STALENESS_H
#define GATEWAY_ACCESS_STALENESS_H

#include "gateway/request/request.h"

/* Seconds since the issuer said so, or since the token was first seen. */
int64_t staleness_age_s(const struct request *r, const struct facts *f);
/* Seconds it may be old for this request; 0: the issuer must be asked each time. */
int64_t staleness_most_s(const struct request *r, const struct config_issuer *issuer,
    const struct facts *f);
/* True if the facts are young enough, and nothing speaks against them. */
bool staleness_is_fresh(const struct request *r, const struct config_issuer *issuer,
    const struct facts *f);
/* True if they would do for want of an answer; not if their token was ever ended. */
bool staleness_may_do(const struct request *r, const struct config_issuer *issuer,
    const struct facts *f);

#endif
