/*
 * What a pool of connections keeps of one server (scheme, host, port) under one trust: quiet
 * connections, its addresses, a TLS session, and how many exchanges are under way.
 *
 * A connection is given back only after an exchange that left nothing unclear. It is kept for a
 * while; the one that was used last is leased first, after a look whether the server has closed it
 * or spoken unasked. When the trust anchors have changed, connections and session are dropped.
 *
 * Names are looked up once for all that wait, and the answer is kept. A failed lookup is an
 * answer too, for a second; and when none of the addresses could be reached they are looked up
 * again, but no sooner than a second after the last time. So a server that is away, or asked very
 * often, does not become a row of lookups. The address that answered last is tried first.
 */
#ifndef GATEWAY_HTTP_ORIGIN_H
#define GATEWAY_HTTP_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/http/fetch_pool.h"
#include "gateway/http/resolve.h"
#include "gateway/http/stream.h"
#include "gateway/http/trust.h"
#include "gateway/http/url.h"

/* A connection between two exchanges. */
struct kept {
	struct stream	stream;
	uint64_t	born_ms;	/* when it was connected */
	uint64_t	since_ms;	/* since when it waits */
	uint64_t	until_ms;
};

struct origin {
	struct origin			*next;
	const struct fetch_pool_limits	*limits;	/* of the pool, as are the next two */
	struct fetch_pool_counts	*counts;
	struct trusts			*trusts;
	struct url			 url;		/* its target says nothing */
	unsigned			 in_flight;
	struct kept			*kept;		/* room for limits->idle, latest last */
	unsigned			 n_kept;
	struct stream_trust		 trust;		/* context NULL: not asked for yet */
	struct resolve_answer		 addresses;	/* none: the lookup failed */
	const char			*no_address;	/* why it did */
	uint64_t			 addresses_ms;	/* good until then */
	uint64_t			 looked_up_ms;	/* when the last lookup began */
	struct resolve			*lookup;	/* under way; NULL: none */
	char				 ca_file[];
};

/* One of the URL's server, with nothing kept; NULL without memory. */
struct origin *origin_new(const struct url *url, const char *ca_file,
    const struct fetch_pool_limits *limits, struct fetch_pool_counts *counts,
    struct trusts *trusts);
/* Nothing must be in flight; the pointer becomes NULL. */
void origin_free(struct origin **o);

/* A kept connection that still looks alive; false if there is none. */
bool origin_lease(struct origin *o, uint64_t now_ms, struct kept *lease);
/*
 * Keeps a connection for the next exchange, or closes it where that is one too many or it is too
 * old. `theirs_s` is how long the server said it keeps it; 0: it did not say.
 */
void origin_return(struct origin *o, struct kept *lease, uint64_t theirs_s, uint64_t now_ms);
/* Closes connections that have been kept since before this time. */
void origin_suspect(struct origin *o, uint64_t before_ms);
/* Closes kept connections whose time is up or that the server has closed; returns the others. */
unsigned origin_tend(struct origin *o, uint64_t now_ms);

/*
 * What a new connection with TLS is made with; NULL when the trust anchors can't be read, and
 * *reason says why.
 */
struct stream_trust *origin_trust(struct origin *o, const char **reason);

/*
 * The addresses as they are known: DONE; FAIL with *reason, a static sentence; WAIT: nothing is
 * known, origin_join() must be asked.
 */
enum run origin_addresses(const struct origin *o, uint64_t now_ms, struct resolve_answer *answer,
    const char **reason);
/* A lookup to wait for, under way or fresh, for the caller to end; NULL (errno set) if it can't. */
struct resolve *origin_join(struct origin *o, uint64_t now_ms);
/* A lookup that was joined has come to an end: addresses, or a reason why there are none. */
void origin_learn(struct origin *o, const struct resolve *lookup,
    const struct resolve_answer *answer, const char *reason, uint64_t now_ms);
/* The only address, given by the caller. */
void origin_set_address(struct origin *o, const struct sockaddr *address, socklen_t len);
/* This address has answered, or none of them did. */
void origin_reached(struct origin *o, const struct resolve_address *address);
void origin_unreached(struct origin *o);

#endif
