/*
 * The verdict on the token: recalled from shared memory, else found by verifying it.
 *
 * A token whose key is unknown, or whose issuer's keys have never come, may be early: the keeper
 * is asked for fresh keys and the request waits a moment. Whether there is a fetch at all is the
 * keeper's decision, at most one in jwks_cooldown, so random key ids cost an issuer nothing.
 */
#include "gateway/access/judge.h"

#include "gateway/access/access.h"
#include "gateway/base/metric.h"
#include "shm/keys.h"

#define KEYS_PATIENCE_MS	2000
#define KEYS_POLL_MS		20
#define KEYS_FRESH_S		2	/* an attempt that ended so lately may be news */

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

enum keys_hope {
	KEYS_HOPELESS,		/* nothing will change */
	KEYS_LOOK_AGAIN,	/* an attempt has ended just now: perhaps after we looked */
	KEYS_COMING,
};

/* The token's key is not there: asks for fresh ones, if nobody has done so lately. */
static enum keys_hope
ask_for_keys(struct request *r, const struct config_issuer *issuer, const struct keys_slot *slot,
    const struct keys_info *info)
{
	int64_t since_s = loop_wall_s(r->gate->loop) - (int64_t)info->tried_at_s;

	if (info->status != KEYS_NEVER && !(info->attempts & 1)) {
		if (since_s >= 0 && since_s < (int64_t)issuer->jwks_cooldown_s)
			return since_s < KEYS_FRESH_S ? KEYS_LOOK_AGAIN : KEYS_HOPELESS;
		keys_want(slot);
		shared_ring_all(r->gate->shared, SHARED_KEEPER);
	}
	r->keys_deadline_ms = loop_now_ms(r->gate->loop) + KEYS_PATIENCE_MS;
	r->keys_attempts = info->attempts;
	return KEYS_COMING;
}

/* What to expect for a token whose key is not there. */
static enum keys_hope
hope_for_keys(struct request *r)
{
	const struct config_issuer *issuer = r->judgement.issuer;
	struct keys_slot slot;
	struct keys_info info;

	if (issuer == NULL || !keys_slot(r->gate->shared->keys, issuer->id, false, &slot) ||
	    !keys_info(&slot, &info))
		return KEYS_HOPELESS;
	if (r->keys_deadline_ms == 0)
		return ask_for_keys(r, issuer, &slot, &info);
	/* the attempt that was begun then, or after, has ended */
	if (info.attempts != r->keys_attempts && !(info.attempts & 1))
		return KEYS_LOOK_AGAIN;
	return loop_now_ms(r->gate->loop) < r->keys_deadline_ms ? KEYS_COMING : KEYS_LOOK_AGAIN;
}

/* Verifies; true if the token's key was not there. */
static bool
lacks_key(struct request *r)
{
	recall_verify(r->gate->recall, r->token, loop_wall_s(r->gate->loop), &r->arena,
	    &r->judgement);
	return r->judgement.verdict == VERDICT_UNKNOWN_KEY ||
	    r->judgement.verdict == VERDICT_KEYS_UNAVAILABLE;
}

/* A turn of the loop has room for a few verifications; who needs no more of them goes ahead. */
static bool
may_verify_now(struct request *r)
{
	struct gate *g = r->gate;

	if (g->verifications < GATE_VERIFICATIONS_PER_TURN) {
		g->verifications++;
		return true;
	}
	task_wake(g->loop, r->task);
	return false;
}

/*
 * With other requests about to be looked at in this turn, the rest of this one waits for the next:
 * so signatures are checked one right after the other, and their answers leave together, which
 * wakes whoever reads them once and not each time.
 */
static enum step_result
give_way(struct request *r)
{
	if (!loop_has_more(r->gate->loop))
		return STEP_NEXT;
	task_wake(r->gate->loop, r->task);
	return STEP_WAIT;
}

enum step_result
judge_patiently(struct request *r, bool (*lacks_it)(struct request *))
{
	if (r->keys_deadline_ms == 0 && !may_verify_now(r))
		return STEP_WAIT;
	/* while keys are on their way there is nothing new to find */
	if (r->keys_deadline_ms != 0 || lacks_it(r)) {
		switch (hope_for_keys(r)) {
		case KEYS_COMING:
			r->deadline_ms = loop_now_ms(r->gate->loop) + KEYS_POLL_MS;
			return STEP_WAIT;
		case KEYS_LOOK_AGAIN:
			lacks_it(r);
			break;
		case KEYS_HOPELESS:
			break;
		}
	}
	return STEP_NEXT;
}

enum step_result
verify_token(struct request *r)
{
	if (r->token.n == 0 || r->judged)
		return STEP_NEXT;
	if (judge_patiently(r, lacks_key) == STEP_WAIT)
		return STEP_WAIT;
	r->judged = true;
	return give_way(r);
}
