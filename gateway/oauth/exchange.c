#include "gateway/oauth/exchange.h"

#include "gateway/access/inquiry.h"
#include "gateway/base/text.h"
#include "gateway/oauth/oauth.h"
#include "gateway/token/opaque.h"
#include "gateway/token/revocations.h"

#define SENTENCE_ROOM	128

static bool
is_jwt_type(struct span type)
{
	return span_eq(type, SPAN(EXCHANGE_TYPE "jwt"));
}

/* The types of tokens that are taken and made; an access token may be a JWT and need not. */
static bool
is_known_type(struct span type)
{
	return is_jwt_type(type) || span_eq(type, SPAN(EXCHANGE_TYPE "access_token"));
}

/* Looks at a token and its type, which come together. */
static enum fault
check_type(struct span token, struct span type)
{
	if (!is_known_type(type))
		return FAULT_TOKEN_TYPE;
	return is_jwt_type(type) && opaque_begins(OPAQUE_ACCESS, token) ? FAULT_NO_JWT :
	    FAULT_COUNT;
}

static enum fault
read_form_of(struct request *r, struct exchange *x)
{
	struct oauth *o = r->oauth;
	struct span subject_type = form_get(&o->form, SPAN("subject_token_type"));
	struct span actor_type = form_get(&o->form, SPAN("actor_token_type"));
	struct span requested = form_get(&o->form, SPAN("requested_token_type"));
	enum fault wrong;

	x->subject_token = form_get(&o->form, SPAN("subject_token"));
	x->actor_token = form_get(&o->form, SPAN("actor_token"));
	if (x->subject_token.n == 0 || subject_type.n == 0)
		return FAULT_NO_SUBJECT_TOKEN;
	if ((x->actor_token.n == 0) != (actor_type.n == 0))
		return FAULT_HALF_ACTOR;
	if ((wrong = check_type(x->subject_token, subject_type)) != FAULT_COUNT)
		return wrong;
	if (x->actor_token.n > 0 &&
	    (wrong = check_type(x->actor_token, actor_type)) != FAULT_COUNT)
		return wrong;
	if (requested.n == 0)
		requested = SPAN(EXCHANGE_TYPE "access_token");
	if (!is_known_type(requested))
		return FAULT_REQUESTED_TYPE;
	o->issued_type = requested;
	o->as_jwt = is_jwt_type(requested);
	return exchange_may_begin(r);
}

enum step_result
read_exchange(struct request *r)
{
	struct exchange *x = arena_zalloc(&r->arena, sizeof(*x));

	if (x == NULL)
		return fault(r, FAULT_NO_MEMORY);
	r->oauth->exchange = x;
	enum fault wrong = read_form_of(r, x);
	if (wrong != FAULT_COUNT)
		return fault(r, wrong);
	request_judge_next(r, x->subject_token);
	return STEP_NEXT;
}

enum step_result
exchange_refuse(struct request *r, enum fault which, enum verdict verdict)
{
	enum fault wrong = fault_of_verdict(verdict);
	struct text t = { arena_alloc(&r->arena, SENTENCE_ROOM), 0, SENTENCE_ROOM, false };

	if (wrong != FAULT_COUNT || t.p == NULL)
		return fault(r, wrong != FAULT_COUNT ? wrong : FAULT_NO_MEMORY);
	text_fmt(&t, "%s: %s%c", which == FAULT_SUBJECT_TOKEN ? "subject_token" : "actor_token",
	    verdict_sentence(verdict), '\0');
	return fault_because(r, which, (struct fault_more){ .sentence = t.p });
}

/* The verdict on a token that is good by itself: what was revoked meanwhile counts too. */
static enum verdict
judge_revocation(const struct request *r, const struct facts *f)
{
	switch (revocations_check(r->gate->shared, f, loop_wall_s(r->gate->loop))) {
	case SET_NO:
		return VERDICT_ACTIVE;
	case SET_YES:
		return VERDICT_REVOKED;
	case SET_UNSURE:
		break;
	}
	return VERDICT_REVOCATIONS_UNSURE;
}

/*
 * The verdict on the token in hand. Opaque tokens of others are not taken: their issuer alone can
 * read them, and whether it was asked lately is no reason to take one today and not tomorrow.
 */
static enum verdict
judged_verdict(const struct request *r)
{
	const struct judgement *j = &r->judgement;

	if (j->verdict == VERDICT_ACTIVE && !j->issuer->own && inquiry_is_opaque(r->token))
		return VERDICT_MALFORMED;
	return j->verdict;
}

/*
 * Whose token it is comes before whether it was revoked: a client learns nothing of tokens that it
 * may not exchange but what they say themselves.
 */
enum step_result
take_subject(struct request *r)
{
	struct exchange *x = r->oauth->exchange;
	enum verdict verdict = judged_verdict(r);

	x->subject = r->judgement;
	if (verdict == VERDICT_ACTIVE) {
		enum fault wrong = exchange_may_take(r);

		if (wrong != FAULT_COUNT)
			return fault(r, wrong);
		verdict = judge_revocation(r, x->subject.facts);
	}
	if (verdict != VERDICT_ACTIVE)
		return exchange_refuse(r, FAULT_SUBJECT_TOKEN, verdict);
	request_judge_next(r, x->actor_token);
	return STEP_NEXT;
}

/* Afterwards the request's judgement is the one on the subject token again, for the log. */
enum step_result
take_actor(struct request *r)
{
	struct exchange *x = r->oauth->exchange;

	if (x->actor_token.n > 0) {
		enum verdict verdict = judged_verdict(r);

		x->actor = r->judgement;
		if (verdict == VERDICT_ACTIVE)
			verdict = judge_revocation(r, x->actor.facts);
		if (verdict != VERDICT_ACTIVE)
			return exchange_refuse(r, FAULT_ACTOR_TOKEN, verdict);
	}
	r->judgement = x->subject;
	r->judged = true;
	enum fault wrong = exchange_may_act(r);
	return wrong == FAULT_COUNT ? STEP_NEXT : fault(r, wrong);
}

enum step_result
settle_exchange(struct request *r)
{
	struct oauth *o = r->oauth;
	const struct facts *f = o->exchange->subject.facts;
	enum fault wrong = exchange_settle_claims(r);

	if (wrong != FAULT_COUNT)
		return fault(r, wrong);
	o->subject = facts_get(f, FACTS_SUBJECT);
	o->ends_s = f->exp_s;
	return settle_scope_within(r, facts_get(f, FACTS_SCOPE));
}
