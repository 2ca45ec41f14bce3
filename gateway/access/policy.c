#include "gateway/access/policy.h"

#define RETRY_S	1	/* while something is missing that may come */

/* The issuer of a token, if the route accepts it; NULL if not. */
static const struct config_issuer *
accepted_issuer(const struct config_route *route, const struct facts *facts)
{
	for (size_t i = 0; i < route->n_issuers; i++)
		if (route->issuers[i]->id == facts->issuer)
			return route->issuers[i];
	return NULL;
}

static bool
accepts_issuer(const struct config_route *route, const struct facts *facts)
{
	return accepted_issuer(route, facts) != NULL;
}

/* The route's own audience, else what the issuer asks of routes without one. */
struct policy_audience
policy_audience(const struct config_route *route, const struct config_issuer *issuer)
{
	if (route->n_audience > 0 || issuer == NULL)
		return (struct policy_audience){ route->audience, route->n_audience };
	return (struct policy_audience){ issuer->route_audience, issuer->n_route_audience };
}

static bool
accepts_audience(const struct config_route *route, const struct facts *facts)
{
	struct policy_audience wanted = policy_audience(route, accepted_issuer(route, facts));

	for (size_t i = 0; i < wanted.n; i++)
		if (facts_has_audience(facts, wanted.names[i]))
			return true;
	return wanted.n == 0;
}

static bool
has_scopes(const struct config_route *route, const struct facts *facts)
{
	for (size_t i = 0; i < route->n_scopes; i++)
		if (!facts_has_scope(facts, route->scopes[i]))
			return false;
	return true;
}

static const struct {
	const char	*name;
	bool		(*holds)(const struct config_route *, const struct facts *);
	enum refusal	 refusal;
	enum verdict	 verdict;
} checks[POLICY_CHECKS] = {
	[POLICY_ISSUER] = { "route's issuers", accepts_issuer, REFUSE_INVALID_TOKEN,
	    VERDICT_WRONG_ISSUER },
	[POLICY_AUDIENCE] = { "route's audience", accepts_audience, REFUSE_INVALID_TOKEN,
	    VERDICT_WRONG_AUDIENCE },
	[POLICY_SCOPES] = { "route's scopes", has_scopes, REFUSE_SCOPE, VERDICT_ACTIVE },
};

bool
policy_holds(enum policy_check check, const struct config_route *route, const struct facts *facts)
{
	return checks[check].holds(route, facts);
}

enum policy_check
policy_judge(const struct config_route *route, const struct facts *facts)
{
	unsigned check = 0;

	while (check < POLICY_CHECKS && checks[check].holds(route, facts))
		check++;
	return (enum policy_check)check;
}

const char *
policy_name(enum policy_check check)
{
	return checks[check].name;
}

enum refusal
policy_refusal(enum policy_check check, enum verdict *verdict)
{
	*verdict = checks[check].verdict;
	return checks[check].refusal;
}

enum refusal
policy_verdict_refusal(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_KEYS_UNAVAILABLE:
		return REFUSE_NO_KEYS;
	case VERDICT_REVOCATIONS_UNSURE:
		return REFUSE_NO_REVOCATIONS;
	case VERDICT_STORE_UNAVAILABLE:
		return REFUSE_NO_STORE;
	case VERDICT_CONSUMERS_UNAVAILABLE:
		return REFUSE_NO_CONSUMERS;
	case VERDICT_ASK_ISSUER:
	case VERDICT_INTROSPECTION_FAILED:
		return REFUSE_NO_INTROSPECTION;
	case VERDICT_INTROSPECTION_BUSY:
		return REFUSE_BUSY_INTROSPECTION;
	case VERDICT_NO_MEMORY:
		return REFUSE_NO_MEMORY;
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
	return REFUSE_INVALID_TOKEN;
}

/* The token may be good, but what would show it is not there. Memory is another matter. */
unsigned
policy_retry_after_s(enum refusal refusal)
{
	return refuse_status(refusal) == 503 && refusal != REFUSE_NO_MEMORY ? RETRY_S : 0;
}

struct span
policy_scopes(const struct config_route *route, struct arena *arena)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < route->n_scopes; i++)
		n += route->scopes[i].n + 1;
	char *line = n == 0 ? NULL : arena_alloc(arena, n);
	if (line == NULL)
		return SPAN("");
	for (size_t i = 0; i < route->n_scopes; i++) {
		memcpy(line + at, route->scopes[i].p, route->scopes[i].n);
		at += route->scopes[i].n;
		line[at++] = ' ';
	}
	return span_make(line, at - 1);
}
