/*
 * Introspection (RFC 7662): what is known of a token, for a client that may know.
 *
 * The steps before have judged the token as for any route. Whoever may not know is told exactly
 * what he is told of a token that doesn't exist. A client may know of tokens that were issued to
 * it, of those whose audience names it, and of all if its record says so.
 */
#include "gateway/base/text.h"
#include "gateway/oauth/answer.h"
#include "gateway/oauth/exchange.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/refresh.h"
#include "gateway/oauth/service.h"
#include "gateway/token/facts.h"
#include "gateway/token/revocations.h"

#define FIXED_ROOM	320	/* names of members, numbers */

enum step_result
take_token(struct request *r)
{
	struct oauth *o = r->oauth;
	struct span token = form_get(&o->form, SPAN("token"));

	if (token.n == 0)
		return fault(r, FAULT_NO_TOKEN);
	if (opaque_begins(OPAQUE_REFRESH, token)) {
		o->refresh = refresh_search_new(r, token);
		return o->refresh != NULL ? STEP_NEXT : fault(r, FAULT_NO_MEMORY);
	}
	r->token = token;
	return STEP_NEXT;
}

static enum step_result
say_inactive(struct request *r)
{
	return answer_json(r, OUTCOME_INACTIVE, SPAN("{\"active\":false}\n"));
}

static void
put_string(struct text *t, struct span name, struct span value)
{
	if (value.n == 0)
		return;
	text_put(t, SPAN(",\""));
	text_put(t, name);
	text_put(t, SPAN("\":"));
	text_json(t, value);
}

static void
put_time(struct text *t, struct span name, int64_t time_s)
{
	if (time_s == FACTS_NO_TIME || time_s < 0)
		return;
	text_put(t, SPAN(",\""));
	text_put(t, name);
	text_put(t, SPAN("\":"));
	text_u64(t, (uint64_t)time_s);
}

/* A string if there is one member, else an array. */
static void
put_audience(struct text *t, const struct facts *f)
{
	struct span rest = facts_get(f, FACTS_AUDIENCE), member;
	size_t n = 0;

	if (rest.n == 0)
		return;
	text_put(t, SPAN(",\"aud\":"));
	while (facts_next(&rest, &member)) {
		if (n == 0 && rest.n > 0)
			text_char(t, '[');
		else if (n > 0)
			text_char(t, ',');
		text_json(t, member);
		n++;
	}
	if (n > 1)
		text_char(t, ']');
}

static bool
may_know(const struct request *r, const struct facts *f)
{
	const struct oauth_client *client = r->oauth->client;

	if (client->introspects_any || facts_has_audience(f, client->id))
		return true;
	return r->judgement.issuer != NULL && r->judgement.issuer->own &&
	    span_eq(facts_get(f, FACTS_CLIENT), client->id);
}

static enum step_result
say_facts(struct request *r, const struct facts *f)
{
	/* what stands in facts may grow sixfold as JSON */
	size_t room = FIXED_ROOM + 6 * (size_t)f->size + exchange_room(f);
	struct text t = { arena_alloc(&r->arena, room), 0, room, false };

	if (t.p == NULL)
		return fault(r, FAULT_NO_MEMORY);
	text_put(&t, SPAN("{\"active\":true"));
	put_string(&t, SPAN("scope"), facts_get(f, FACTS_SCOPE));
	put_string(&t, SPAN("client_id"), facts_get(f, FACTS_CLIENT));
	text_put(&t, SPAN(",\"token_type\":\"Bearer\""));
	put_time(&t, SPAN("exp"), f->exp_s);
	put_time(&t, SPAN("iat"), f->iat_s);
	put_time(&t, SPAN("nbf"), f->nbf_s);
	put_string(&t, SPAN("sub"), facts_get(f, FACTS_SUBJECT));
	put_audience(&t, f);
	put_string(&t, SPAN("iss"), facts_get(f, FACTS_ISSUER));
	put_string(&t, SPAN("jti"), facts_get(f, FACTS_JTI));
	exchange_describe(&t, f);
	text_put(&t, SPAN("}\n"));
	return answer_json(r, OUTCOME_ACTIVE, text_span(&t));
}

static enum step_result
describe_access(struct request *r)
{
	const struct facts *f = r->judgement.facts;
	enum fault wrong = fault_of_verdict(r->judgement.verdict);

	if (wrong != FAULT_COUNT)
		return fault(r, wrong);
	if (r->judgement.verdict != VERDICT_ACTIVE || f == NULL || !may_know(r, f))
		return say_inactive(r);
	switch (revocations_check(r->gate->shared, f, loop_wall_s(r->gate->loop))) {
	case SET_YES:
		return say_inactive(r);
	case SET_UNSURE:
		return fault(r, FAULT_UNSURE);
	case SET_NO:
		break;
	}
	return say_facts(r, f);
}

static enum step_result
say_refresh(struct request *r, const struct refresh_search *s)
{
	size_t room = FIXED_ROOM + 6 * (s->scope.n + s->client_id.n + r->gate->service->issuer.n) +
	    s->audience.n;
	struct text t = { arena_alloc(&r->arena, room), 0, room, false };

	if (t.p == NULL)
		return fault(r, FAULT_NO_MEMORY);
	text_put(&t, SPAN("{\"active\":true"));
	put_string(&t, SPAN("scope"), s->scope);
	put_string(&t, SPAN("client_id"), s->client_id);
	put_time(&t, SPAN("exp"), s->expires_s);
	put_time(&t, SPAN("iat"), s->issued_s);
	put_string(&t, SPAN("sub"), s->client_id);
	text_put(&t, SPAN(",\"aud\":"));
	text_put(&t, s->audience);
	put_string(&t, SPAN("iss"), r->gate->service->issuer);
	text_put(&t, SPAN("}\n"));
	return answer_json(r, OUTCOME_ACTIVE, text_span(&t));
}

static enum step_result
describe_refresh(struct request *r)
{
	const struct refresh_search *s = r->oauth->refresh;
	const struct oauth_client *client = r->oauth->client;

	switch (refresh_search_run(r, r->oauth->refresh)) {
	case REFRESH_WAIT:
		return STEP_WAIT;
	case REFRESH_UNAVAILABLE:
		return fault(r, FAULT_UNAVAILABLE);
	case REFRESH_NONE:
		return say_inactive(r);
	case REFRESH_FOUND:
		break;
	}
	if (s->revoked || s->used_s != 0 || s->expires_s <= loop_wall_s(r->gate->loop) ||
	    (s->client != client->number && !client->introspects_any))
		return say_inactive(r);
	return say_refresh(r, s);
}

enum step_result
describe_token(struct request *r)
{
	return r->oauth->refresh != NULL ? describe_refresh(r) : describe_access(r);
}
