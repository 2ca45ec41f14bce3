/*
 * What the wires of a worker write in one turn of the loop, sent together at its end.
 *
 * A short write is copied and counts as written; its wire looks after what the kernel does not
 * take at once, and after failures, as if the network had failed a moment later. All of it is one
 * system call, behind the work of the turn, so that a receiver that is woken does not take the
 * processor from it.
 *
 * Memory is bounded: a full outbox is sent at once.
 */
#ifndef GATEWAY_HTTP_OUTBOX_H
#define GATEWAY_HTTP_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "gateway/base/span.h"
#include "gateway/loop/loop.h"

struct outbox;
struct wire;

#define LETTER_MAX	8192	/* bytes; more is not worth a copy, nor waiting for others */

/*
 * Gives the loop an outbox, which all its wires use from now on. NULL (errno set): no memory, or
 * no io_uring to be had (loop/ring.h). It must be made before whatever writes at the end of a turn,
 * and freed after its wires, before its loop, which turns no more.
 */
struct outbox *outbox_new(struct loop *loop);
void outbox_free(struct outbox **outbox);

/*
 * Copies the n bytes of the vector (LETTER_MAX at most) into the outbox; gives the letter's number,
 * never 0. A wire has one letter at most.
 */
unsigned outbox_post(struct outbox *o, struct wire *w, const struct iovec *iov, int n_iov,
    size_t n);
/* Takes a letter back: its bytes, which stay until something is posted or sent. */
struct span outbox_take(struct outbox *o, unsigned letter);
/* Sends all letters, and tells their wires what became of them (wire_posted). */
void outbox_send(struct outbox *o);

#endif
