/*
 * The token service's own keys: from the database into shared memory, and made where none are.
 *
 * The public keys become the key set of the issuer that the token service is, so its tokens are
 * checked like any other's; the private ones, sealed as they are, go into a slot that the workers
 * sign with (token/signer.h). All of it is read anew when PostgreSQL tells of news, when a worker
 * meets a key it doesn't know, and now and then. What was read stays while the database is away.
 *
 * Where there is no key for the configured algorithm one is made. The very first signs at once; a
 * further one is published for jwks_max_age before it signs, so whoever keeps our key set has it
 * by then. A key that was replaced stays published until no token of it can be alive.
 */
#ifndef GATEWAY_OWN_KEYS_H
#define GATEWAY_OWN_KEYS_H

#include <stdbool.h>

#include "gateway/base/shared.h"
#include "gateway/conf/config.h"
#include "gateway/loop/loop.h"
#include "gateway/token/alg.h"

struct db;
struct own_keys;

/* Begins; what is given outlives it. NULL when it can't; the reason is in the log. */
struct own_keys *own_keys_new(struct loop *loop, const struct config *config,
    const struct shared *shared, struct alg_tools *tools, struct db *db);
/* There is news, or the connection was made anew. */
void own_keys_wake(struct own_keys *k);
/* Looks whether a worker wants something: call it when the bell rang. */
void own_keys_look(struct own_keys *k);
/* True once there are keys, or they could not be had. */
bool own_keys_tried(const struct own_keys *k);
/* Ends it; NULL is fine; the pointer becomes NULL. */
void own_keys_free(struct own_keys **k);

#endif
