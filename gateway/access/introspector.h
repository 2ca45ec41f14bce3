/*
 * The introspector: one worker's questions to issuers about their tokens (RFC 7662).
 *
 * A question under way is an inquiry. It belongs to the worker, not to the request it was begun
 * for: it goes on when that client hangs up, others join it, and in the background it has no
 * request at all. Over all workers there is one inquiry per token and issuer at a time (a lease:
 * request/errand.h), and of each issuer at most introspection.calls, of which tokens that nobody
 * knows may take three quarters, and no more than introspection.rate: a flood of them holds up
 * nothing that is known. A request that finds no place waits for one, up to introspection.timeout,
 * unless too many do. Nor do questions that nobody waits for take the last eighth.
 *
 * What an answer says goes into the caches first and is then told to whoever waits. An error is no
 * answer: whoever waits is told so, nothing is remembered, and the issuer is spared questions in
 * the background for a second, then two, up to half a minute.
 *
 * A token that was verified here, and of which its issuer said "not active", stands in
 * shared.inactive for as long as it would have lived: whatever the caches forget, it is asked about
 * again before it passes (inquiry_suspects).
 */
#ifndef GATEWAY_ACCESS_INTROSPECTOR_H
#define GATEWAY_ACCESS_INTROSPECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/access/inquiry.h"

struct introspector;

/* Opens a worker's. NULL: the reason is in the log. The gate outlives it. */
struct introspector *introspector_open(struct gate *g);
/* Ends all inquiries, and wipes what they know; NULL is fine; the pointer becomes NULL. */
void introspector_close(struct introspector **introspector);

/* True while the issuer's last answer was none. */
bool introspector_in_trouble(const struct introspector *in, const struct config_issuer *issuer);
/* Milliseconds for which an inquiry is thought to be under way at most. */
uint64_t introspector_patience_ms(const struct config_issuer *issuer);

/* Joins an inquiry of this worker; false if there is none. */
bool introspector_join(struct introspector *in, const struct question *q, struct inquirer *who,
    struct request *r);

enum introspector_result {
	INTROSPECTOR_BEGUN,	/* and joined */
	INTROSPECTOR_QUEUED,	/* all places are taken: to be begun again when woken, or soon */
	INTROSPECTOR_BUSY,	/* as many as may be wait, or were asked about in this time */
	INTROSPECTOR_FAILED,	/* it can't be asked */
};
/*
 * Begins an inquiry with the errand for q->key in hand, which becomes the inquiry's, or is given
 * back. The question is copied. `r` NULL: nobody waits.
 */
enum introspector_result introspector_begin(struct introspector *in, const struct question *q,
    struct errand_hold *hold, struct inquirer *who, struct request *r);
/* Asks in the background, unless that is under way, or too much is, or it failed just now. */
void introspector_refresh(struct introspector *in, const struct question *q);
#endif
