/*
 * The broom: takes away what has expired in the database, little by little.
 *
 * Rows of expired tokens, refresh tokens with their families, and revocations, at most a thousand a
 * statement with a pause between, so that no lock is held for long; of all nodes one sweeps at a
 * time.
 */
#ifndef GATEWAY_BROOM_H
#define GATEWAY_BROOM_H

#include "gateway/loop/loop.h"

struct broom;
struct db;

/* Begins; what is given outlives it. NULL without memory. */
struct broom *broom_new(struct loop *loop, struct db *db);
/* Ends it; NULL is fine; the pointer becomes NULL. */
void broom_free(struct broom **broom);

#endif
