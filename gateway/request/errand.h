/*
 * Errands: of all requests that need the same work done, over all workers, one does it and the
 * others wait (shm/lease.h).
 *
 *	if (find_it(r))			// in shared memory
 *		return STEP_NEXT;
 *	switch (errand_ask(r, e, digest, ttl_ms)) {
 *	case ERRAND_YOURS:	look once more, then do it, publish, errand_end(e)
 *	case ERRAND_WAIT:	return STEP_WAIT; and then the whole again
 *	case ERRAND_CROWDED:	refuse: too many wait already
 *
 * Who waits is woken when the errand ended, whatever came of it, and looks for what it needed; if
 * it is not there the next takes the errand over. If the one who does it dies, the others find out
 * within ERRAND_POLL_MS. How long a request waits altogether is its own decision. An errand
 * saves work and proves nothing: two may do the same when one overstays.
 */
#ifndef GATEWAY_REQUEST_ERRAND_H
#define GATEWAY_REQUEST_ERRAND_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/request/gate.h"

#define ERRAND_POLL_MS		100
#define ERRANDS_WAITING_MAX	16384	/* requests of one worker that wait at a time */

struct request;

enum errand_state {
	ERRAND_IDLE,
	ERRAND_HELD,		/* the work is this request's */
	ERRAND_ALONE,		/* so it is, but there was no room for a lease: nobody knows */
	ERRAND_WAITING,
};

/* Work in hand that is the worker's, whatever becomes of the request it was begun for; zeroed. */
struct errand_hold {
	enum errand_state	 state;		/* IDLE, HELD or ALONE */
	uint8_t			 digest[32];
	uint64_t		 ticket;
};

/* In the request's memory, zeroed. */
struct errand {
	enum errand_state	 state;
	uint8_t			 digest[32];
	uint64_t		 ticket;
	struct request		*request;
	struct errand		*next, **link;	/* of those that wait in this worker */
	struct arena_cleanup	 cleanup;
};

enum errand_answer {
	ERRAND_YOURS,
	ERRAND_WAIT,
	ERRAND_CROWDED,
};

/*
 * Asks for the work that is named by a digest; it is thought to take ttl_ms at most. With WAIT the
 * request's deadline is set (no later than one that it has) and it runs again when there is news.
 */
enum errand_answer errand_ask(struct request *r, struct errand *e, const uint8_t digest[32],
    uint64_t ttl_ms);
/* The work is done or given up; wakes who waits. Safe in any state; the request's end calls it. */
void errand_end(struct errand *e);
/*
 * For work that outlives requests. Takes it in hand, or says false: it is in another's, of this
 * worker or not, and errand_wait() waits for it.
 */
bool errand_take(struct gate *g, struct errand_hold *h, const uint8_t digest[32],
    uint64_t ttl_ms);
/* It is done or given up; wakes who waits. Safe in any state. */
void errand_release(struct gate *g, struct errand_hold *h);
/* WAIT as errand_ask() says it, or CROWDED. The digest may be another than before. */
enum errand_answer errand_wait(struct request *r, struct errand *e, const uint8_t digest[32]);

/* The worker was rung: all that wait look again. */
void errand_heard(struct gate *g);

#endif
