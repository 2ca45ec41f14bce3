/*
 * A pool lets the fetches of one process share what is dear: connections, kept open between them,
 * the addresses of names, TLS sessions, trust anchors. It also bounds how many there are.
 *
 * All of it is kept by server (scheme, host, port) and file of trust anchors. A fetch takes a kept
 * connection if there is one that looks alive, and opens one otherwise; afterwards it is kept if
 * the answer ended cleanly and the server keeps it too (origin.h tells more). A kept connection
 * may have died without a sign: a fetch that fails on one before a byte of the answer came, or is
 * told 408, is sent once more on a fresh one. So whatever is fetched through a pool must bear being
 * sent twice.
 *
 * The limits are per server, so that one which hangs takes nothing from the others. A fetch counts
 * as under way until fetch_end().
 */
#ifndef GATEWAY_HTTP_FETCH_POOL_H
#define GATEWAY_HTTP_FETCH_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/loop/loop.h"

#define FETCH_POOL_SERVERS	64	/* a pool knows; those not in use make room for others */

struct fetch_pool;
struct origin;
struct url;

struct fetch_pool_limits {
	unsigned	in_flight;	/* fetches under way; more are refused */
	unsigned	idle;		/* connections kept; more are closed */
	uint64_t	idle_ms;	/* how long one is kept unused */
	uint64_t	life_ms;	/* how old one may become: changes behind it are seen */
	uint64_t	addresses_ms;	/* how long addresses are believed */
};

#define FETCH_POOL_USUAL ((struct fetch_pool_limits){ .in_flight = 64, .idle = 16, \
	.idle_ms = 30000, .life_ms = 600000, .addresses_ms = 45000 })

/* What has happened since the pool was made, and (the last two) how things stand. */
struct fetch_pool_counts {
	uint64_t	connected;	/* connections made, TLS included */
	uint64_t	resumed;	/* of these, with an earlier TLS session */
	uint64_t	reused;		/* exchanges that found a kept connection */
	uint64_t	retried;	/* of these, sent once more on a fresh one */
	uint64_t	lookups;	/* of addresses */
	uint64_t	refused;	/* fetches: as many under way as may be */
	unsigned	idle;
	unsigned	in_flight;
};

/*
 * A new pool. In a loop it closes by itself what has been idle for too long; without one (NULL)
 * fetch_pool_tend() must be called. NULL without memory.
 */
struct fetch_pool *fetch_pool_new(struct loop *loop, const struct fetch_pool_limits *limits);
/* Closes all that is kept. No fetch may be under way; NULL is fine; the pointer becomes NULL. */
void fetch_pool_free(struct fetch_pool **pool);
/*
 * Reads the trust anchors for this URL ahead, so that no fetch has to; before anything is served.
 * False if that fails, and *reason says why: a sentence that lives until the next OpenSSL call.
 */
bool fetch_pool_prepare(struct fetch_pool *pool, const char *url, const char *ca_file,
    const char **reason);
/* Closes kept connections whose time is up, or that their server has closed; returns the others. */
unsigned fetch_pool_tend(struct fetch_pool *pool, uint64_t now_ms);
const struct fetch_pool_counts *fetch_pool_counts(struct fetch_pool *pool);

/*
 * For fetch.c: takes a place among those under way to the URL's server, and gives it back. NULL
 * (errno set): EBUSY when there is none, ENOMEM.
 */
struct origin *fetch_pool_enter(struct fetch_pool *pool, const struct url *url,
    const char *ca_file);
void fetch_pool_leave(struct fetch_pool *pool, struct origin *origin);

#endif
