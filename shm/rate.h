#ifndef SHM_RATE_H
#define SHM_RATE_H

/*
 * Rate limits by the generic cell rate algorithm (ITU-T I.371; GCRA), exact over all processes.
 *
 * A consumer of a limit is a 64-bit key with one cell, which holds the key and the theoretical
 * arrival time (TAT) and changes only by a 16-byte compare-and-swap: the decision is the count,
 * so concurrent requests can't pass on the same credit. The limit comes with each call and may
 * change at any time.
 *
 * Memory is bounded: a cell whose TAT is past says no more than a missing one and is reused;
 * where all eight of a bucket are live, the one nearest to its TAT is forgotten, which forgives
 * its consumer what it had used. Newcomers take a lock to find their cell, so that one key never
 * gets two. A process that dies in there leaves nothing to repair; one that dies elsewhere has
 * counted its request or has not.
 *
 * Time is the caller's, in microseconds, from one clock that does not jump (CLOCK_MONOTONIC). A
 * caller whose time is late by d is at most as generous as it was d ago, and counts from then
 * only if the cell was missing. If time went back by more than a second against the cells, each
 * is brought, at its next refusal, to the fullest it could be now: nobody is locked out for
 * longer than burst periods and a second, and nobody gains.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATE_VERSION 1

struct rate;

struct rate_limit {
	uint64_t period_us; /* one request every so often in the long run; at least 1 */
	uint64_t burst;	    /* so many at once; at least 1 */
};

struct rate_verdict {
	uint64_t limit;		/* the burst */
	uint64_t remaining;	/* requests that would pass right now, after this one */
	uint64_t reset_s;	/* until all of the burst is there again, rounded up */
	uint64_t retry_after_s; /* until one request passes, rounded up; 0 if this one did */
};

/* The bytes to give to rate_init for so many consumers at once. */
size_t rate_size_for(size_t consumers);

/* The least size rate_init takes. */
size_t rate_size_min(void);

/*
 * Formats zeroed, page-aligned memory; uses as much of it as makes whole buckets. NULL if it is
 * too small.
 */
struct rate *rate_init(void *memory, size_t size);

/* The limits that rate_init made in this memory, or NULL. */
struct rate *rate_attach(void *memory, size_t size);

/*
 * Decides and counts one request. The key is a hash nobody can choose (shm/hash.h); verdict may
 * be NULL.
 */
bool rate_take(struct rate *rate, uint64_t key, const struct rate_limit *limit, uint64_t now_us,
    struct rate_verdict *verdict);

/*
 * Tells what rate_take would say, and counts nothing; remaining does not include the request
 * asked about.
 */
bool rate_peek(struct rate *rate, uint64_t key, const struct rate_limit *limit, uint64_t now_us,
    struct rate_verdict *verdict);

#endif
