/*
 * A wire carries the bytes of one connection, and knows whether to try.
 *
 * It pairs a descriptor with its readiness (edge-triggered): a read or write that can't succeed
 * makes no system call. Encrypted connections get a second kind of wire behind the same four
 * functions.
 *
 * Short writes of one turn of the loop leave together. In a loop without an outbox they are
 * gathered (task_gather): the first try of a task is put off, and looks like one on a full socket.
 * In a loop with an outbox they are posted: they count as written, and leave at the turn's end.
 * Large ones (more than LETTER_MAX) leave at once, while the processor's cache still has them. What
 * the kernel does not take of a posted write, the wire owes and sends when it can, before anything
 * else: until then it takes no more and tells no end, and closing it is a reset. If a posted
 * write fails, the wire breaks as by the network: its task runs, reads tell what the peer has said
 * and then, as writes do at once, WIRE_BROKEN, and closing is a reset.
 */
#ifndef GATEWAY_HTTP_WIRE_H
#define GATEWAY_HTTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "gateway/base/span.h"
#include "gateway/http/conduit.h"
#include "gateway/loop/loop.h"

struct late;

struct wire {
	struct watch	 watch;
	struct loop	*loop;
	unsigned	 letter;	/* its number in the outbox; 0: none there */
	bool		 failed;	/* a posted write */
	struct late	*late;		/* the rest of a letter; NULL: it owes nothing */
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
/*
 * Closes it, after a last attempt to send what was posted: what still can't be sent makes it a
 * reset. Safe on a closed one.
 */
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
/* Sends at once what was posted; true if the kernel has all of it. */
bool wire_settle(struct wire *w);
/* True while bytes that count as written wait for room: never before the turn's end. */
bool wire_owes(const struct wire *w);
/* Says that we have sent our last byte, which wire_settle() has said. */
void wire_shutdown(struct wire *w);

/* For the outbox: `put` bytes of the letter were sent, or the errno with a minus before it. */
void wire_posted(struct wire *w, struct span letter, ssize_t put);

#endif
