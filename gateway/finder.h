/*
 * Finds where one issuer is asked about its tokens, by OpenID discovery, and tells the workers: the
 * URL stands in a slot of shared.keys, as if it were a set of keys (respondent_slot_id).
 *
 * It is looked for at the start, then every jwks_refresh, and after a failure with a growing pause
 * (1 to 30 s, with jitter). What was found stays while the provider is away.
 */
#ifndef GATEWAY_FINDER_H
#define GATEWAY_FINDER_H

#include <stdbool.h>

#include "gateway/base/shared.h"
#include "gateway/conf/config.h"
#include "gateway/loop/loop.h"

struct finder;

/* True for an issuer that is asked at a place that its configuration does not name. */
bool finder_is_needed(const struct config_issuer *issuer);
/* Begins; what is given outlives it. NULL when it can't; the reason is in the log. */
struct finder *finder_new(struct loop *loop, const struct config_issuer *issuer,
    const struct shared *shared);
/* True once the first attempt has ended. */
bool finder_tried(const struct finder *f);
/* Ends it, a fetch under way included; NULL is fine; the pointer becomes NULL. */
void finder_free(struct finder **finder);

#endif
