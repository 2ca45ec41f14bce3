/*
 * Tells the service manager that started us how we are, in the protocol of sd_notify(3).
 *
 * Only so can it follow a binary upgrade: the old master names the new one as the main process
 * before it ends. Without a manager that listens (NOTIFY_SOCKET) nothing happens.
 */
#ifndef GATEWAY_NOTIFY_H
#define GATEWAY_NOTIFY_H

#include <sys/types.h>

/* All workers are ready. */
void notify_ready(void);
/* We are about to end; `heir` goes on in our place (0: nobody). */
void notify_ending(pid_t heir);

#endif
