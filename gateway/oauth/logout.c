/*
 * A logout told by an issuer (OpenID Connect Back-Channel Logout 1.0): its tokens of that session,
 * or of that subject, are revoked.
 *
 * A session never comes back, so all its tokens are revoked. A subject logs in again: revoked is
 * what was issued up to the logout token's own iat, which the same clock wrote as theirs. So the
 * same logout token, sent again, does no more than the first time, and what was issued after the
 * logout stays good. When its last token expires nobody tells; it is kept as long as the longest
 * life of a token of our own.
 */
#include "gateway/access/judge.h"
#include "gateway/base/text.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/revoking.h"
#include "gateway/token/logout.h"
#include "shm/set.h"

#define SENTENCE_MAX	160

/* A logout token and what comes of it; in the arena. */
struct ending {
	struct span	 token;
	struct logout	 logout;
	enum verdict	 verdict;
	struct revoking	 revoking;
};

static bool
lacks_key(struct request *r)
{
	struct ending *e = r->oauth->ending;

	e->verdict = recall_logout(r->gate->recall, r->endpoint->issuer, e->token,
	    loop_wall_s(r->gate->loop), &r->arena, &e->logout);
	return e->verdict == VERDICT_UNKNOWN_KEY || e->verdict == VERDICT_KEYS_UNAVAILABLE;
}

static enum step_result
refuse_token(struct request *r, const struct ending *e)
{
	enum fault wrong = fault_of_verdict(e->verdict);
	char *memory = arena_alloc(&r->arena, SENTENCE_MAX);

	if (wrong != FAULT_COUNT || memory == NULL)
		return fault(r, wrong != FAULT_COUNT ? wrong : FAULT_NO_MEMORY);
	struct text t = { memory, 0, SENTENCE_MAX - 1, false };
	text_fmt(&t, "logout_token: %s", e->logout.why);
	memory[t.n] = '\0';
	return fault_because(r, FAULT_LOGOUT_TOKEN, (struct fault_more){ .sentence = memory });
}

enum step_result
verify_logout(struct request *r)
{
	struct oauth *o = r->oauth;

	if (o->ending == NULL) {
		struct span token = form_get(&o->form, SPAN("logout_token"));

		if (token.n == 0)
			return fault(r, FAULT_NO_LOGOUT_TOKEN);
		if ((o->ending = arena_zalloc(&r->arena, sizeof(*o->ending))) == NULL)
			return fault(r, FAULT_NO_MEMORY);
		o->ending->token = token;
		r->judgement.issuer = r->endpoint->issuer;
	}
	if (judge_patiently(r, lacks_key) == STEP_WAIT)
		return STEP_WAIT;
	r->judged = true;
	r->judgement.verdict = o->ending->verdict;
	r->judgement.source = RECALL_VERIFIED;
	return o->ending->verdict == VERDICT_ACTIVE ? STEP_NEXT : refuse_token(r, o->ending);
}

/* The same logout token once more, as from an issuer that did not hear the answer. */
static bool
is_done(const struct request *r, const struct logout *logout)
{
	uint64_t before_s;

	return set_has(r->gate->shared->replays, logout->once,
	    (uint64_t)loop_wall_s(r->gate->loop), &before_s) == SET_YES;
}

static void
begin(struct request *r, struct ending *e)
{
	const struct logout *logout = &e->logout;
	const struct revocation what = {
		.kind = logout->kind,
		.identity = logout->identity,
		.before_s = logout->kind == IDENTITY_SESSION ? REVOKED_ALWAYS : logout->issued_s,
		.expires_s = loop_wall_s(r->gate->loop) + CONFIG_LIFETIME_MAX_S,
	};

	revoking_begin(r, &e->revoking, &what, span_of(r->endpoint->issuer->issuer),
	    logout->value);
}

enum step_result
revoke_logout(struct request *r)
{
	struct ending *e = r->oauth->ending;

	if (!e->revoking.begun) {
		if (is_done(r, &e->logout))
			return answer_nothing(r, OUTCOME_LOGOUT);
		begin(r, e);
	}
	switch (revoking_run(r, &e->revoking)) {
	case RUN_WAIT:
		return STEP_WAIT;
	case RUN_FAIL:
		return revoking_failed(r, &e->revoking);
	case RUN_DONE:
		break;
	}
	/* where there is no room it is only work done twice */
	set_add(r->gate->shared->replays, e->logout.once, (uint64_t)e->logout.stale_s,
	    (uint64_t)loop_wall_s(r->gate->loop));
	return answer_nothing(r, OUTCOME_LOGOUT);
}
