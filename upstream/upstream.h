/*
 * A group of servers that do the same work, as one worker sees it, and the choice among them.
 *
 * Health is shared by all workers on the board in shared memory: a server that failed max_fails
 * times in a row gets no request for fail_timeout, and then one failure more puts it out again.
 * How a server is chosen among those that are up is a policy, one file each (policy_*.c, listed
 * in policy.def).
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include "upstream/conn.h"

#define UPSTREAM_SERVERS_MAX	64

struct upstream {
	const struct config_upstream	*config;
	struct loop			*loop;
	struct server			*servers;
	size_t				 n_servers;
	unsigned			 turn;		/* of round robin */
};

/* Bits of servers, in the order of the configuration. */
typedef uint64_t upstream_set;

/*
 * A policy answers with the index of a server out of `candidates` (never empty). `key` is a hash of
 * what requests that belong together have in common.
 */
struct policy {
	const char	*name;
	size_t		(*choose)(struct upstream *u, upstream_set candidates, uint64_t key);
};

size_t policy_round_robin(struct upstream *u, upstream_set candidates, uint64_t key);
size_t policy_least_connections(struct upstream *u, upstream_set candidates, uint64_t key);
size_t policy_consistent_hash(struct upstream *u, upstream_set candidates, uint64_t key);

/*
 * Makes the group of a worker (its slot); `blocks` and the board outlive it. NULL when there is
 * no memory.
 */
struct upstream *upstream_new(struct loop *loop, const struct config_upstream *config,
    struct pool *blocks, struct board *board, unsigned worker);
/* Frees it; its waiting connections are closed, none may be leased; NULL is fine. */
void upstream_free(struct upstream **upstream);

/* A server for a request, not one of `tried`; NULL when none is up. */
struct server *upstream_choose(struct upstream *u, upstream_set tried, uint64_t key);
/* The bit of a server. */
upstream_set upstream_bit(const struct upstream *u, const struct server *s);
/* Reports how a server did: it answered, or it failed. */
void upstream_report(struct server *s, bool answered);
/* Counts an exchange with the server as under way, for all workers to see, and ends it. */
void upstream_enter(struct server *s);
void upstream_leave(struct server *s);
/* Closes waiting connections and keeps no more of them. */
void upstream_retire(struct upstream *u);

#endif
