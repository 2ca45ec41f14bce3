/*
 * The gate: what all requests of one worker share.
 *
 * One gate a worker process. It holds what the configuration became (routes, upstreams), the
 * worker's view of shared memory, pools of memory, and the open connections.
 */
#ifndef GATEWAY_REQUEST_GATE_H
#define GATEWAY_REQUEST_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "gateway/base/pool.h"
#include "gateway/base/shared.h"
#include "gateway/conf/config.h"
#include "gateway/http/conduit.h"
#include "gateway/http/head.h"
#include "gateway/loop/loop.h"

/* Signatures checked in one turn of the loop, lest they hold up requests that need none. */
#define GATE_VERIFICATIONS_PER_TURN	8

/* A path that the gateway answers itself, on every listener and before any route. */
struct endpoint {
	struct span		 path;		/* in normal form; compared byte for byte */
	unsigned		 methods;	/* bits by enum method */
	const struct flow	*flow;
	uint16_t		 label;		/* of the path, for metrics */
	struct span		 host;		/* the one it is for, without port; empty: any */
	struct span		 document;	/* what is answered, where that was made ahead */
	const struct config_issuer *issuer;	/* who posts logout tokens there; NULL: none */
};

struct access_log;
struct batch;
struct book;
struct client;
struct db;
struct errand;
struct flow;
struct introspector;
struct recall;
struct seal_key;
struct signer;
struct router;
struct service;
struct upstream;

struct gate {
	struct loop		*loop;
	const struct config	*config;
	const struct shared	*shared;
	unsigned		 slot;
	const struct flow	*flow;		/* of requests that are proxied */
	const struct endpoint	*endpoints;	/* the worker's; none: only routes */
	size_t			 n_endpoints;
	struct router		*router;
	struct upstream		**upstreams;	/* in the order of the configuration */
	struct recall		*recall;
	struct introspector	*introspector;	/* the worker's; NULL: no issuer is ever asked */
	struct db		*db;		/* NULL: no database is configured */
	struct batch		*revocations;	/* on their way into it; NULL: the same */
	struct book		*consumers;	/* NULL: no issuer wants to know them */
	struct signer		*signer;	/* NULL: no token service is configured */
	const struct seal_key	*opaque_key;	/* of its opaque tokens; NULL: the same */
	struct service		*service;	/* of gateway/oauth; NULL: the same */
	struct errand		*errands;	/* that wait for another's work; see errand.h */
	size_t			 n_errands;
	struct access_log	*access_log;
	struct head_limits	 limits;	/* of clients' heads */
	struct pool		 blocks;	/* inboxes */
	struct conduits		 conduits;	/* for large bodies */
	struct pool		 requests;	/* request, fields and first memory of the arena */
	struct client		*clients;	/* all open connections */
	size_t			 n_clients;
	bool			 draining;
	unsigned		 verifications;	/* of tokens, in this turn of the loop */
	uint64_t		 trimmed_ms;	/* when spare memory was last given back */
	struct turn_end		 turn_end;
	uint64_t		 id_prefix;	/* random; request ids are this and a count */
	uint64_t		 id_count;
	struct span		*claim_headers;	/* that some route or issuer makes of a claim */
	size_t			 n_claim_headers;
	uint16_t		*verdict_labels; /* metric labels by enum verdict */
};

/* Makes the gate of a worker. NULL when something fails; the reason is in the log. */
struct gate *gate_new(struct loop *loop, const struct config *config, const struct shared *shared,
    unsigned slot, const struct flow *flow);
/* Frees it, connections included, when the loop turns no more; the pointer becomes NULL. */
void gate_free(struct gate **gate);

/* Takes a fresh connection of a client; owns fd from here. */
void gate_accept(struct gate *g, int fd, const struct sockaddr_storage *address);
/* Open connections of clients. */
size_t gate_clients(const struct gate *g);
/*
 * No new requests on kept connections: each is told with its next answer, and quiet ones are
 * closed after a while.
 */
void gate_drain(struct gate *g);
/* Opens the access log again. */
void gate_reopen_logs(struct gate *g);
/* Writes what is left of the access log. */
void gate_flush_logs(struct gate *g);
/* The upstream of a configuration's row. */
struct upstream *gate_upstream(const struct gate *g, const struct config_upstream *config);

#endif
