/*
 * The doorman lets clients in: it accepts connections for one worker and hands them to its gate.
 *
 * All workers wait at the same listening sockets, and the kernel wakes one of them. Whoever has
 * clearly more clients than the least busy worker takes one connection and steps back for a
 * quarter of a millisecond, so kept connections spread over the workers; whatever nobody took in
 * that time he takes. When there is no room (max_connections, descriptors, memory) the doorman
 * waits a moment, leaving connections in the queue, where other workers find them; if there is
 * still no room he answers a few with 503 and waits again: nobody hangs, and nothing spins.
 */
#ifndef GATEWAY_DOORMAN_H
#define GATEWAY_DOORMAN_H

#include <stdbool.h>

#include "gateway/loop/loop.h"
#include "gateway/process.h"
#include "gateway/request/gate.h"

struct doorman;

/* Begins to let clients in. NULL when memory or the kernel fails; the reason is in the log. */
struct doorman *doorman_new(struct loop *loop, const struct process *process, struct gate *gate);
/*
 * Takes what is in the queues, then leaves the doors: the listening sockets stay with the master
 * and with the other workers.
 */
void doorman_leave(struct doorman *d);
/* Frees it; NULL is fine; the pointer becomes NULL. */
void doorman_free(struct doorman **d);

#endif
