#ifndef SHM_LOCK_H
#define SHM_LOCK_H

/*
 * A lock that lives in shared memory, knows its owner, and outlives it.
 *
 * It is a robust process-shared mutex: when its owner dies, the kernel hands it to the next
 * taker, who is told so (LOCK_RECOVERED) and must bring what the lock guards back into order
 * before dropping it. A taker that dies while doing that leaves the same duty to the next. Nobody
 * waits forever for the dead; for the merely stopped there is lock_try.
 */

#include <pthread.h>
#include <sys/types.h>

enum lock_result {
	LOCK_OK,	/* the lock is held, and what it guards is in order */
	LOCK_RECOVERED, /* the lock is held, its last owner died inside: repair first */
	LOCK_BUSY,	/* the lock is not held (lock_try only) */
};

struct lock {
	pthread_mutex_t mutex;
};

/* Formats a lock. The memory must be shared by all who will use it. */
void lock_init(struct lock *lock);

/* Waits for the lock. Never answers LOCK_BUSY. */
enum lock_result lock_take(struct lock *lock);

/*
 * Tries for some milliseconds, so that an owner that was stopped or swapped out cannot hold up
 * others.
 */
enum lock_result lock_try(struct lock *lock);

/* Lets go of a lock held by the caller. */
void lock_drop(struct lock *lock);

/*
 * The thread id (in a one-threaded process: the process id) of the owner, dead or alive; 0 when
 * nobody holds it.
 */
pid_t lock_owner(const struct lock *lock);

/*
 * lock_point marks a place, inside a critical section or in a read that takes no lock, where a
 * death or a delay would hurt most. It is nothing at all in a normal build; built with
 * GATEHOUSE_DEBUG_KILL it calls lock_debug_hook, through which tests stop the process, or kill it,
 * right there.
 */
#ifdef GATEHOUSE_DEBUG_KILL
extern void (*lock_debug_hook)(const char *point);
#define lock_point(name)                       \
	do {                                   \
		if (lock_debug_hook != NULL)   \
			lock_debug_hook(name); \
	} while (0)
#else
#define lock_point(name) ((void)0)
#endif

#endif
