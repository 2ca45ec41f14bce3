/*
 * A wire carries the bytes of one connection, and knows whether to try.
 *
 * It pairs a descriptor with its readiness (edge-triggered): a read or write that can't succeed
 * makes no system call. Writes of one turn of the loop are gathered (task_gather): the first try
 * of a task is put off, and looks like one on a full socket. Large writes are not: they leave while
 * the processor's cache still has them. Encrypted connections get a second kind of wire behind the
 * same four functions.
 */
#ifndef GATEWAY_HTTP_WIRE_H
#define GATEWAY_HTTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "gateway/http/conduit.h"
#include "gateway/loop/loop.h"

struct wire {
	struct watch	 watch;
	struct loop	*loop;
};

/* Instead of a length. */
enum {
	WIRE_AGAIN = 0,		/* nothing now; the watch's task runs when there is */
	WIRE_END = -1,		/* the peer has sent its last byte */
	WIRE_BROKEN = -2,	/* reset, or another error of the kernel */
};

/*
 * Puts a connected (or connecting) non-blocking socket into the loop; owns fd from here, also on
 * failure.
 */
bool wire_open(struct wire *w, struct loop *loop, int fd, struct task *task);
/* Closes it; safe on a closed one. */
void wire_close(struct wire *w);
/* The same, but the peer sees a reset: for an answer that must not look complete. */
void wire_reset(struct wire *w);
bool wire_is_open(const struct wire *w);
/* The events of this wire run another task from now on. */
void wire_give(struct wire *w, struct task *task);

/* Reads at most n bytes: how many, or one of the above. */
ssize_t wire_read(struct wire *w, void *buf, size_t n);
/* Writes what it can of the vector: how many bytes, WIRE_AGAIN or WIRE_BROKEN. */
ssize_t wire_write(struct wire *w, const struct iovec *iov, int n);
/*
 * Moves at most n bytes from the wire into an empty conduit, or all of a conduit to the wire as far
 * as it takes them; answer as wire_read() and wire_write() do. SIGPIPE must be ignored.
 */
ssize_t wire_pour(struct wire *w, struct conduit *c, size_t n);
ssize_t wire_drain(struct wire *w, struct conduit *c);
/* Says that we have sent our last byte. */
void wire_shutdown(struct wire *w);

#endif
