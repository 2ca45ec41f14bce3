/*
 * What the keeper does with the database: the feed of revocations, the token service's keys, and
 * taking away what has expired. PostgreSQL's notices wake the first two.
 */
#ifndef GATEWAY_STORE_H
#define GATEWAY_STORE_H

#include <stdbool.h>

#include "gateway/loop/loop.h"
#include "gateway/process.h"
#include "gateway/token/alg.h"

struct store;

/* Begins; the configuration has a database. NULL when it can't; the reason is in the log. */
struct store *store_new(struct loop *loop, const struct process *process, struct alg_tools *tools);
/* The bell rang: perhaps somebody wants something. */
void store_look(struct store *s);
/* True once all was read that is to be read at the start, or could not be. */
bool store_tried(const struct store *s);
/* Ends it; NULL is fine; the pointer becomes NULL. */
void store_free(struct store **s);

#endif
