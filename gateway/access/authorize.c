#include "gateway/access/access.h"
#include "gateway/request/refuse.h"

#define RETRY_S	1	/* what Retry-After says while something is missing that may come */

static enum step_result
refuse_token(struct request *r, enum verdict verdict)
{
	return refuse_because(r, REFUSE_INVALID_TOKEN,
	    (struct refuse_more){ .sentence = verdict_sentence(verdict) });
}

/* The token may be good, but what would show it is not there. */
static enum step_result
refuse_for_now(struct request *r, enum refusal refusal)
{
	return refuse_because(r, refusal, (struct refuse_more){ .retry_after_s = RETRY_S });
}

/* A token that did not pass by itself. */
static enum step_result
refuse_verdict(struct request *r)
{
	switch (r->judgement.verdict) {
	case VERDICT_KEYS_UNAVAILABLE:
		return refuse_for_now(r, REFUSE_NO_KEYS);
	case VERDICT_REVOCATIONS_UNSURE:
		return refuse_for_now(r, REFUSE_NO_REVOCATIONS);
	case VERDICT_STORE_UNAVAILABLE:
		return refuse_for_now(r, REFUSE_NO_STORE);
	case VERDICT_CONSUMERS_UNAVAILABLE:
		return refuse_for_now(r, REFUSE_NO_CONSUMERS);
	case VERDICT_ASK_ISSUER:
	case VERDICT_INTROSPECTION_FAILED:
		return refuse_for_now(r, REFUSE_NO_INTROSPECTION);
	case VERDICT_INTROSPECTION_BUSY:
		return refuse_for_now(r, REFUSE_BUSY_INTROSPECTION);
	case VERDICT_NO_MEMORY:
		return refuse(r, REFUSE_NO_MEMORY);
	case VERDICT_ACTIVE:
	case VERDICT_EXPIRED:
	case VERDICT_NOT_YET_VALID:
	case VERDICT_BAD_SIGNATURE:
	case VERDICT_UNKNOWN_KEY:
	case VERDICT_WRONG_ISSUER:
	case VERDICT_WRONG_AUDIENCE:
	case VERDICT_ALGORITHM:
	case VERDICT_TOKEN_TYPE:
	case VERDICT_MALFORMED:
	case VERDICT_ENCRYPTED:
	case VERDICT_EXTENSION:
	case VERDICT_BOUND:
	case VERDICT_NO_CONSUMER:
	case VERDICT_TOO_LARGE:
	case VERDICT_REVOKED:
	case VERDICT_INACTIVE:
	case VERDICT_UNKNOWN_TOKEN:
	case VERDICT_UNKNOWN_CONSUMER:
	case VERDICT_COUNT:
		break;
	}
	return refuse_token(r, r->judgement.verdict);
}

/* The issuer of a token, if the route accepts it; NULL if not. */
static const struct config_issuer *
accepted_issuer(const struct config_route *route, const struct facts *facts)
{
	for (size_t i = 0; i < route->n_issuers; i++)
		if (route->issuers[i]->id == facts->issuer)
			return route->issuers[i];
	return NULL;
}

/* The route's own audience, else what the issuer asks of routes without one. */
static bool
accepts_audience(const struct config_route *route, const struct config_issuer *issuer,
    const struct facts *facts)
{
	const struct span *wanted = route->n_audience > 0 ? route->audience :
	    issuer->route_audience;
	size_t n = route->n_audience > 0 ? route->n_audience : issuer->n_route_audience;

	for (size_t i = 0; i < n; i++)
		if (facts_has_audience(facts, wanted[i]))
			return true;
	return n == 0;
}

/* The scopes a route needs as one line, for the challenge. */
static struct span
needed_scopes(struct request *r)
{
	const struct config_route *route = r->route->config;
	size_t n = 0, at = 0;

	for (size_t i = 0; i < route->n_scopes; i++)
		n += route->scopes[i].n + 1;
	char *line = arena_alloc(&r->arena, n);
	if (line == NULL)
		return SPAN("");
	for (size_t i = 0; i < route->n_scopes; i++) {
		memcpy(line + at, route->scopes[i].p, route->scopes[i].n);
		at += route->scopes[i].n;
		line[at++] = ' ';
	}
	return span_make(line, at - 1);
}

enum step_result
check_policy(struct request *r)
{
	const struct config_route *route = r->route->config;
	const struct facts *facts = r->judgement.facts;

	if (r->token.n == 0) {
		if (!route->anonymous)
			return refuse(r, REFUSE_NO_TOKEN);
	} else {
		if (!r->judged || r->judgement.verdict != VERDICT_ACTIVE || facts == NULL)
			return refuse_verdict(r);
		const struct config_issuer *issuer = accepted_issuer(route, facts);
		if (issuer == NULL)
			return refuse_token(r, r->judgement.verdict = VERDICT_WRONG_ISSUER);
		if (!accepts_audience(route, issuer, facts))
			return refuse_token(r, r->judgement.verdict = VERDICT_WRONG_AUDIENCE);
		for (size_t i = 0; i < route->n_scopes; i++)
			if (!facts_has_scope(facts, route->scopes[i]))
				return refuse_because(r, REFUSE_SCOPE,
				    (struct refuse_more){ .scope = needed_scopes(r) });
		r->authenticated = true;
	}
	if (r->head.framing == FRAMING_LENGTH && r->head.length > route->max_body) {
		r->must_close = true;
		return refuse(r, REFUSE_BODY_SIZE);
	}
	return STEP_NEXT;
}
