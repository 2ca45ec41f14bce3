/*
 * The active health check of one upstream server, run by the keeper for all workers.
 *
 * Every interval it asks the server for the check's path. An answer of 2xx or 3xx within the
 * timeout is good and puts the server up at once; two bad checks in a row put it down. What it
 * found stands on the board in shared memory, where workers look before they choose a server.
 */
#ifndef UPSTREAM_PROBE_H
#define UPSTREAM_PROBE_H

#include "gateway/conf/config.h"
#include "gateway/loop/loop.h"

struct board;
struct probe;

/*
 * Begins to check; all of it outlives the probe. NULL when there is no memory or the board is
 * full.
 */
struct probe *probe_new(struct loop *loop, const struct config_upstream *upstream,
    const struct config_server *server, struct board *board);
/* Ends it; what it found last stays. NULL is fine; the pointer becomes NULL. */
void probe_free(struct probe **p);

#endif
