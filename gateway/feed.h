/*
 * The feed: brings what was revoked, on whatever node, from the database into shared memory.
 *
 * It reads what follows the last row it knows (shared_control.feed_seq): when PostgreSQL tells of
 * news, after each reconnection, and every few seconds whatever happens. While the set of
 * revocations is unsure (at the start, or after something may have been lost) it reads all that is
 * in force, and then the set is sure. It does so too after each reconnection, since what answers
 * then may be a database that was restored. Numbers of rows appear in the order of commits, so
 * nothing is passed over.
 */
#ifndef GATEWAY_FEED_H
#define GATEWAY_FEED_H

#include <stdbool.h>

#include "gateway/base/shared.h"
#include "gateway/conf/config.h"
#include "gateway/loop/loop.h"

struct db;
struct feed;

/* Begins; what is given outlives it. NULL without memory. */
struct feed *feed_new(struct loop *loop, const struct config *config, const struct shared *shared,
    struct db *db);
/* There is news, or the connection was made anew. */
void feed_wake(struct feed *feed);
/* True once all was read, or could not be. */
bool feed_tried(const struct feed *feed);
/* Ends it; NULL is fine; the pointer becomes NULL. */
void feed_free(struct feed **feed);

#endif
