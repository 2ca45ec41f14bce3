/*
 * The verdict on the token: recalled from shared memory, else found by verifying it.
 *
 * A token whose key is unknown, or whose issuer's keys have never come, may be early: the keeper is asked for fresh keys
 * and the request waits a moment. Whether there is a fetch at all is the keeper's decision, at most one in
 * jwks_cooldown, so random key ids cost an issuer nothing.
 */
#include "gateway/access/access.h"
#include "gateway/base/metric.h"
#include "gateway/request/refuse.h"

#define KEYS_PATIENCE_MS	2000
#define KEYS_POLL_MS		20

enum step_result
recall_verdict(struct request *r)
{
	if (r->token.n == 0)
		return STEP_NEXT;
	r->judged = recall_find(r->gate->recall, r->token, loop_wall_s(r->gate->loop), &r->arena,
	    &r->judgement);
	if (r->judged)
		metric_count(METRIC_CACHE_HITS, 0);
	else
		metric_count(METRIC_CACHE_MISSES, 0);
	return STEP_NEXT;
}

/* True while fresh keys may yet come for this token. */
static bool
keys_may_come(struct request *r)
{
	struct recall *recall = r->gate->recall;
	uint64_t now_ms = loop_now_ms(r->gate->loop);

	if (r->judgement.issuer == NULL)
		return false;
	if (r->keys_deadline_ms == 0) {
		if (!recall_want_keys(recall, &r->judgement, loop_wall_s(r->gate->loop)))
			return false;
		shared_ring_all(r->gate->shared, SHARED_KEEPER);
		r->keys_deadline_ms = now_ms + KEYS_PATIENCE_MS;
	}
	return now_ms < r->keys_deadline_ms &&
	    recall_keys_pending(recall, &r->judgement);
}

enum step_result
verify_token(struct request *r)
{
	if (r->token.n == 0 || r->judged)
		return STEP_NEXT;
	recall_verify(r->gate->recall, r->token, loop_wall_s(r->gate->loop), &r->arena,
	    &r->judgement);
	if ((r->judgement.verdict == VERDICT_UNKNOWN_KEY ||
	    r->judgement.verdict == VERDICT_KEYS_UNAVAILABLE) && keys_may_come(r)) {
		r->deadline_ms = loop_now_ms(r->gate->loop) + KEYS_POLL_MS;
		return STEP_WAIT;
	}
	r->judged = true;
	return STEP_NEXT;
}
