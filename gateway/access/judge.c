/*
 * The verdict on the token: recalled from shared memory, else found by verifying it.
 *
 * A token whose key is unknown, or whose issuer's keys have never come, may be early: the keeper
 * is asked for fresh keys and the request waits a moment. Whether there is a fetch at all is the
 * keeper's decision, at most one in jwks_cooldown, so random key ids cost an issuer nothing.
 */
#include "gateway/access/access.h"
#include "gateway/base/metric.h"
#include "shm/keys.h"

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

/*
 * Asks for fresh keys: true if an attempt is under way or allowed now. Before the first attempt
 * has ended, and while one is under way, there is nothing to ask.
 */
static bool
ask_for_keys(struct request *r, const struct config_issuer *issuer, const struct keys_slot *slot,
    const struct keys_info *info)
{
	int64_t since_s = loop_wall_s(r->gate->loop) - (int64_t)info->tried_at_s;

	if (info->status == KEYS_NEVER || info->attempts & 1)
		return true;
	if (since_s >= 0 && since_s < (int64_t)issuer->jwks_cooldown_s)
		return false;
	keys_want(slot);
	shared_ring_all(r->gate->shared, SHARED_KEEPER);
	return true;
}

/* True while fresh keys may yet come for this token. */
static bool
keys_may_come(struct request *r)
{
	const struct config_issuer *issuer = r->judgement.issuer;
	uint64_t now_ms = loop_now_ms(r->gate->loop);
	struct keys_slot slot;
	struct keys_info info;

	if (issuer == NULL || !keys_slot(r->gate->shared->keys, issuer->id, false, &slot) ||
	    !keys_info(&slot, &info))
		return false;
	if (r->keys_deadline_ms == 0) {
		if (!ask_for_keys(r, issuer, &slot, &info))
			return false;
		r->keys_deadline_ms = now_ms + KEYS_PATIENCE_MS;
		r->keys_attempts = info.attempts;
		return true;
	}
	/* the attempt that was begun then, or after, has ended */
	if (info.attempts != r->keys_attempts && !(info.attempts & 1))
		return false;
	return now_ms < r->keys_deadline_ms;
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
