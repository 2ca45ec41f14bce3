/*
 * A dial gets a connection to a server: a kept one of its origin, or a new one, for which names
 * are resolved beside, each address is tried in turn, and TLS is laid over it.
 *
 * It is pulled, as what it is part of (fetch.h). It knows the time only as it is told; whoever
 * runs it ends it at its deadline.
 */
#ifndef GATEWAY_HTTP_DIAL_H
#define GATEWAY_HTTP_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/want.h"
#include "gateway/http/origin.h"

enum dial_state {
	DIAL_BEGIN,
	DIAL_FRESH,		/* as BEGIN, but a kept connection won't do */
	DIAL_RESOLVE,
	DIAL_CONNECT,
	DIAL_HANDSHAKE,
	DIAL_OPEN,
};

struct dial {
	enum dial_state		 state;		/* after FAIL: what it was about */
	struct origin		*origin;
	struct kept		 link;		/* the connection; to be used when OPEN */
	bool			 reused;	/* it has carried an exchange before */
	struct want		 want;		/* after WAIT */
	uint64_t		 deadline_ms;
	uint64_t		 connect_ms;	/* this address has until then */
	struct stream_trust	*trust;		/* https only */
	struct resolve		*lookup;
	int			 lookup_fd;	/* -1: none */
	struct resolve_answer	 addresses;
	size_t			 next_address;
	char			 reason[256];	/* after FAIL: a sentence */
};

/* Prepares one that has until deadline_ms. */
void dial_init(struct dial *d, struct origin *origin, uint64_t deadline_ms);
/* Goes on: WAIT for d->want, DONE with d->link.stream open, or FAIL with d->reason. */
enum run dial_run(struct dial *d, uint64_t now_ms);
/*
 * The connection turned out to be of no use: the next run gets a fresh one. The old one stays open
 * until then, so that their numbers differ.
 */
void dial_again(struct dial *d);
/* Gives the connection to the origin to keep; `theirs_s` as origin_return() takes it. */
void dial_keep(struct dial *d, uint64_t theirs_s, uint64_t now_ms);
/* Ends it in any state, and closes what is open: with a good-bye, if all went well. */
void dial_fini(struct dial *d, bool good);

#endif
