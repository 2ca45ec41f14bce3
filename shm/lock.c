#include "shm/lock.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#define TRY_YIELDS 64
#define TRY_NAPS 20
#define TRY_NAP_NS 100000

#ifdef GATEHOUSE_DEBUG_KILL
void (*lock_debug_hook)(const char *point);
#endif

void
lock_init(struct lock *lock)
{
	pthread_mutexattr_t attr;

	if (pthread_mutexattr_init(&attr) != 0 ||
	    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) != 0 ||
	    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) != 0 ||
	    pthread_mutex_init(&lock->mutex, &attr) != 0)
		abort();
	pthread_mutexattr_destroy(&attr);
}

/*
 * Anything but these answers means that the memory of the lock was overwritten, and nothing
 * around it can be trusted.
 */
static enum lock_result
settle(struct lock *lock, int error)
{
	if (error == 0)
		return LOCK_OK;
	if (error == EBUSY)
		return LOCK_BUSY;
	if (error != EOWNERDEAD || pthread_mutex_consistent(&lock->mutex) != 0)
		abort();
	return LOCK_RECOVERED;
}

enum lock_result
lock_take(struct lock *lock)
{
	return settle(lock, pthread_mutex_lock(&lock->mutex));
}

enum lock_result
lock_try(struct lock *lock)
{
	static const struct timespec nap = { .tv_nsec = TRY_NAP_NS };
	enum lock_result result;
	int i;

	for (i = 0; i < TRY_YIELDS + TRY_NAPS; i++) {
		result = settle(lock, pthread_mutex_trylock(&lock->mutex));
		if (result != LOCK_BUSY)
			return result;
		if (i < TRY_YIELDS)
			sched_yield();
		else
			nanosleep(&nap, NULL);
	}
	return LOCK_BUSY;
}

void
lock_drop(struct lock *lock)
{
	if (pthread_mutex_unlock(&lock->mutex) != 0)
		abort();
}

/*
 * glibc keeps the owner in the mutex anyway; a second copy would cost a system call per take and
 * could disagree.
 */
pid_t
lock_owner(const struct lock *lock)
{
	return __atomic_load_n(&lock->mutex.__data.__owner, __ATOMIC_RELAXED);
}
