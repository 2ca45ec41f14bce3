/*
 * A bell wakes another process of the gateway that sleeps in its loop.
 *
 * Ringing is a signal that every process ignores unless it asked for it (SIGURG), so a ring that
 * comes too late hurts nobody. Rings that come together are heard as one; none is lost. A bell
 * costs its hearer one descriptor, and the ringer none, however many processes there are and
 * whoever started them.
 */
#ifndef GATEWAY_BASE_BELL_H
#define GATEWAY_BASE_BELL_H

#include <sys/types.h>

/* A descriptor (non-blocking) that is readable when this process was rung; -1 with errno set. */
int bell_open(void);
/* Makes the bell silent until the next ring. */
void bell_clear(int bell);
/*
 * Rings the bell of a process; nothing happens when there is none of that id, or not of our user.
 */
void bell_ring(pid_t pid);

#endif
