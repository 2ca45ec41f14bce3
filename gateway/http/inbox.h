/*
 * The buffer a connection reads into: one message head, and behind it a window through which the
 * body passes.
 *
 * The head stays where it was read until the message is done, because spans point into it; the
 * body's bytes come and go behind it. Memory is a block of a pool, held only while something is
 * in it, so an idle connection holds none.
 */
#ifndef GATEWAY_HTTP_INBOX_H
#define GATEWAY_HTTP_INBOX_H

#include "gateway/base/pool.h"
#include "gateway/base/span.h"
#include "gateway/http/wire.h"

struct inbox {
	struct pool	*pool;
	char		*block;		/* NULL: none held */
	size_t		 head;		/* bytes of the head, kept until inbox_next() */
	size_t		 start, end;	/* what has been read and not taken; start >= head */
};

void inbox_init(struct inbox *in, struct pool *pool);
/* Gives the block back, with all that is in it. */
void inbox_fini(struct inbox *in);
/* Bytes read and not taken. */
struct span inbox_bytes(const struct inbox *in);
/*
 * Reads more: bytes read, 0 for WIRE_AGAIN (or a full buffer), WIRE_END, WIRE_BROKEN (also: no
 * memory).
 */
ssize_t inbox_fill(struct inbox *in, struct wire *w);
bool inbox_is_full(const struct inbox *in);
/* The first n bytes are a head: they stay, and what follows is the body. */
void inbox_keep_head(struct inbox *in, size_t n);
/* Takes n bytes of the body. */
void inbox_take(struct inbox *in, size_t n);
/*
 * The message is done: forgets its head, moves what follows to the front, gives the block back if
 * nothing does.
 */
void inbox_next(struct inbox *in);

#endif
