/*
 * Keeps one issuer's keys fresh, from a file, a URL, or by OpenID discovery.
 *
 * A file is looked at four times a second. A URL is fetched every jwks_refresh, after a failure
 * with a growing pause (1 to 30 s, with jitter), and when a worker wants a key it doesn't know:
 * then at most once per jwks_cooldown, whatever tokens arrive. The cooldown counts from the last
 * attempt of any kind as shared memory tells it (keys_info.tried_at_s), so workers can foresee it
 * and a new keeper honours it. When an attempt has ended, all workers are woken.
 */
#ifndef GATEWAY_REFRESH_H
#define GATEWAY_REFRESH_H

#include <stdbool.h>

#include "gateway/base/shared.h"
#include "gateway/conf/config.h"
#include "gateway/loop/loop.h"
#include "gateway/token/alg.h"

struct refresh;

/* Begins; what is given outlives it. NULL when it can't; the reason is in the log. */
struct refresh *refresh_new(struct loop *loop, const struct config_issuer *issuer,
    const struct shared *shared, struct alg_tools *tools);
/* Looks whether a worker wants something: call it when the bell rang. */
void refresh_look(struct refresh *r);
/* True once the issuer has keys or the first attempt has ended. */
bool refresh_tried(const struct refresh *r);
/* Ends it, a fetch under way included; NULL is fine; the pointer becomes NULL. */
void refresh_free(struct refresh **r);

#endif
