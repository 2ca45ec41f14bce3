/*
 * Revocation (RFC 7009): the end of a token, committed first, then known to every worker of this
 * node, then answered. Other nodes hear of it by the feed.
 *
 * 200 is also the answer for what is no token, or no good one any more, and for a token of somebody
 * else, which is left alone: whoever asks learns nothing of tokens that are not his.
 */
#include "gateway/oauth/answer.h"
#include "gateway/oauth/family.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/refresh.h"
#include "gateway/oauth/revoking.h"
#include "gateway/token/facts.h"
#include "shm/cache.h"

#define MARGIN_S	60	/* kept so much longer: clocks of nodes differ */

/* A token on its way into the revocations, or a refresh token with its family; in the arena. */
struct revoked {
	struct revoking		access;
	struct family_end	family;
};

static enum step_result
say_done(struct request *r)
{
	return answer_json(r, OUTCOME_REVOKED, SPAN("{}\n"));
}

static enum step_result
leave_alone(struct request *r)
{
	return answer_json(r, OUTCOME_INACTIVE, SPAN("{}\n"));
}

static bool
may_revoke(const struct request *r, const struct facts *f)
{
	const struct oauth_client *client = r->oauth->client;

	if (client->revokes_any)
		return true;
	return r->judgement.issuer != NULL && r->judgement.issuer->own &&
	    span_eq(facts_get(f, FACTS_CLIENT), client->id);
}

static void
begin(struct request *r, struct revoking *v, const struct facts *f)
{
	const struct revocation what = { IDENTITY_JTI, f->identity, REVOKED_ALWAYS,
		f->exp_s + MARGIN_S };

	revoking_begin(r, v, &what, facts_get(f, FACTS_ISSUER), facts_get(f, FACTS_JTI));
}

/*
 * True if this very token is known to be revoked: that was committed before. A revocation of its
 * client, subject or key may end earlier than the token.
 */
static bool
is_revoked(const struct request *r, const struct facts *f)
{
	const struct revocations_token token = { .identity = f->identity,
		.issued_s = FACTS_NO_TIME };

	return revocations_check_token(r->gate->shared, &token,
	    loop_wall_s(r->gate->loop)) == SET_YES;
}

static enum step_result
revoke_access(struct request *r, struct revoking *v)
{
	const struct facts *f = r->judgement.facts;

	if (!v->begun) {
		enum fault wrong = fault_of_verdict(r->judgement.verdict);

		if (wrong != FAULT_COUNT)
			return fault(r, wrong);
		/* it would be good later, and 200 says that it never will be */
		if (r->judgement.verdict == VERDICT_NOT_YET_VALID)
			return fault(r, FAULT_TOO_EARLY);
		if (r->judgement.verdict != VERDICT_ACTIVE || f == NULL || !may_revoke(r, f))
			return leave_alone(r);
		if (is_revoked(r, f))
			return say_done(r);
		begin(r, v, f);
	}
	switch (revoking_run(r, v)) {
	case RUN_WAIT:
		return STEP_WAIT;
	case RUN_FAIL:
		return revoking_failed(r, v);
	case RUN_DONE:
		break;
	}
	cache_remove(r->gate->shared->token_cache, r->judgement.digest);
	return say_done(r);
}

static enum step_result
revoke_refresh(struct request *r, struct family_end *end)
{
	struct refresh_search *s = r->oauth->refresh;
	const struct oauth_client *client = r->oauth->client;

	if (end->query.task == NULL) {
		switch (refresh_search_run(r, s)) {
		case REFRESH_WAIT:
			return STEP_WAIT;
		case REFRESH_UNAVAILABLE:
			return fault(r, FAULT_UNAVAILABLE);
		case REFRESH_NONE:
			return leave_alone(r);
		case REFRESH_FOUND:
			break;
		}
		if (s->client != client->number && !client->revokes_any)
			return leave_alone(r);
	}
	switch (family_revoke(r, end, s->family)) {
	case RUN_WAIT:
		return STEP_WAIT;
	case RUN_FAIL:
		return fault_store(r, end->query.outcome, end->query.sqlstate);
	case RUN_DONE:
		break;
	}
	return say_done(r);
}

enum step_result
revoke_token(struct request *r)
{
	struct oauth *o = r->oauth;

	if (o->revoked == NULL &&
	    (o->revoked = arena_zalloc(&r->arena, sizeof(*o->revoked))) == NULL)
		return fault(r, FAULT_NO_MEMORY);
	return o->refresh != NULL ? revoke_refresh(r, &o->revoked->family) :
	    revoke_access(r, &o->revoked->access);
}
