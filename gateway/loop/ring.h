/*
 * Many sends in one system call, through io_uring; the only place that knows it.
 *
 * A send that wakes its receiver often costs its sender the processor at once. Sends that enter
 * the kernel together wake their receivers together, and there is one way in and out for all.
 *
 * The sockets need not be non-blocking: every send is made with MSG_DONTWAIT, so each is over when
 * ring_run() returns, whole, in part or not at all. Nothing of the caller's memory is looked at
 * afterwards, and the ring holds no socket open.
 */
#ifndef GATEWAY_LOOP_RING_H
#define GATEWAY_LOOP_RING_H

#include <stddef.h>

struct ring;

/*
 * A ring for at most `size` sends at a time (a power of two). NULL (errno set) where the kernel is
 * older than 5.18 or allows no io_uring.
 */
struct ring *ring_new(unsigned size);
/* NULL is fine; the pointer becomes NULL. */
void ring_free(struct ring **ring);
/* Queues a send of n bytes at p. The result of the first one queued is results[0], and so on. */
void ring_send(struct ring *ring, int fd, const void *p, size_t n);
/*
 * Makes all queued sends. Each result is the number of bytes sent, or an errno with a minus before
 * it; what the kernel did not come to is -EAGAIN, and as good as not queued.
 */
void ring_run(struct ring *ring, int *results);

#endif
