/*
 * Name resolution that does not block: getaddrinfo(3) in a thread of its own, waited for like a
 * socket.
 *
 * An address literal is answered at once, without a thread. A lookup that is given up goes on in
 * its thread and is forgotten there; at most RESOLVE_MAX_RUNNING of them exist in a process, more
 * are refused.
 */
#ifndef GATEWAY_HTTP_RESOLVE_H
#define GATEWAY_HTTP_RESOLVE_H

#include <stddef.h>
#include <sys/socket.h>

#include "gateway/base/want.h"

#define RESOLVE_ADDRESSES	8
#define RESOLVE_MAX_RUNNING	32

struct resolve_address {
	struct sockaddr_storage	address;
	socklen_t		len;
};

/* Addresses in the order of RFC 6724, the first RESOLVE_ADDRESSES of them. */
struct resolve_answer {
	size_t			n;
	struct resolve_address	addresses[RESOLVE_ADDRESSES];
};

struct resolve;

/* Begins to resolve a host (name or address) and a decimal port; NULL (errno set) if it can't. */
struct resolve *resolve_begin(const char *host, const char *port);
/* One more holder of the same lookup, who ends it for himself with resolve_end(). */
struct resolve *resolve_hold(struct resolve *r);
/*
 * WAIT until its descriptor is readable; DONE with *answer filled; FAIL with *reason, a static
 * sentence. Once it is over it says the same whenever it is asked.
 */
enum run resolve_run(struct resolve *r, struct resolve_answer *answer, const char **reason);
/*
 * The descriptor to wait for, which becomes readable and stays so; -1 if none is needed. Holders
 * that wait in the same loop need a duplicate each.
 */
int resolve_fd(const struct resolve *r);
/* Ends it for this holder in any state; NULL is fine; the pointer becomes NULL. */
void resolve_end(struct resolve **r);

#endif
