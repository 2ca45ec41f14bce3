/*
 * What is on its way out over a wire: a short list of spans that stay where they are until they
 * are sent.
 *
 * Bodies pass through without a copy: the spans point into the buffer they were read into, whose
 * bytes must stay until out_flush() says RUN_DONE.
 */
#ifndef GATEWAY_HTTP_OUT_H
#define GATEWAY_HTTP_OUT_H

#include "gateway/base/span.h"
#include "gateway/base/want.h"
#include "gateway/http/wire.h"

#define OUT_SPANS	6

struct out {
	struct iovec	iov[OUT_SPANS];
	unsigned	n, at;
	size_t		left;		/* bytes not sent yet */
	struct conduit	*conduit;	/* behind the spans; NULL: none */
	uint64_t	sent;		/* bytes sent in all */
	char		chunk[20];	/* size line of the chunk under way */
};

void out_init(struct out *o);
/*
 * Queues bytes. There is room after a flush that was done; the callers queue at most a head and a
 * piece.
 */
void out_put(struct out *o, struct span s);
/*
 * Queues a piece of a body as one chunk; `last` ends the body behind it (an empty last piece only
 * ends it).
 */
void out_put_chunk(struct out *o, struct span piece, bool last);
/* Queues all that a conduit holds, behind the spans; nothing can be queued behind it. */
void out_put_conduit(struct out *o, struct conduit *c);
/* Sends: RUN_DONE when all is gone, RUN_WAIT for the wire, RUN_FAIL when it is broken. */
enum run out_flush(struct out *o, struct wire *w);

#endif
