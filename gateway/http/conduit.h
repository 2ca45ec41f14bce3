/*
 * A conduit is a pipe of the kernel through which the bytes of a body pass from one connection to
 * another without a copy to us and back.
 *
 * It is leased empty and holds at most what was poured into it (wire_pour()) and not drained yet
 * (wire_drain()). One that comes back with bytes in it is closed, never used again. A worker has at
 * most CONDUITS_MAX, which bounds the kernel's memory for them as well; who gets none copies.
 */
#ifndef GATEWAY_HTTP_CONDUIT_H
#define GATEWAY_HTTP_CONDUIT_H

#include <stddef.h>

#define CONDUITS_MAX	16
#define CONDUIT_SIZE	((size_t)1 << 20)	/* the most that Linux gives to everybody */

struct conduit {
	int		 in, out;	/* descriptors to write to and to read from */
	size_t		 held;		/* bytes in it */
	struct conduit	*next;		/* among the free */
};

struct conduits {
	struct conduit	*free;
	unsigned	 n_free, n_leased;
	unsigned	 peak;		/* most leased at once since the last conduits_trim() */
};

/* An empty one; NULL when there is no descriptor, no memory, or CONDUITS_MAX are leased. */
struct conduit *conduit_lease(struct conduits *all);
/* Gives it back; NULL is fine. The pointer becomes NULL. */
void conduit_return(struct conduits *all, struct conduit **conduit);
/* Closes those that were not needed since the last call; call it every second or so. */
void conduits_trim(struct conduits *all);
/* Closes the free ones; none may be leased. */
void conduits_fini(struct conduits *all);

#endif
