#include "gateway/access/access.h"
#include "gateway/access/policy.h"
#include "gateway/request/refuse.h"

/* A token that did not pass by itself. */
static enum step_result
refuse_verdict(struct request *r, enum verdict verdict)
{
	enum refusal refusal = policy_verdict_refusal(verdict);

	return refuse_because(r, refusal, (struct refuse_more){
	    .sentence = refusal == REFUSE_INVALID_TOKEN ? verdict_sentence(verdict) : NULL,
	    .retry_after_s = policy_retry_after_s(refusal) });
}

/* A good token that this route does not accept. */
static enum step_result
refuse_facts(struct request *r, enum policy_check check)
{
	enum verdict verdict;
	enum refusal refusal = policy_refusal(check, &verdict);

	if (refusal == REFUSE_SCOPE)
		return refuse_because(r, refusal, (struct refuse_more){
		    .scope = policy_scopes(r->route->config, &r->arena) });
	return refuse_verdict(r, r->judgement.verdict = verdict);
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
			return refuse_verdict(r, r->judgement.verdict);
		enum policy_check check = policy_judge(route, facts);
		if (check != POLICY_CHECKS)
			return refuse_facts(r, check);
		r->authenticated = true;
	}
	if (r->head.framing == FRAMING_LENGTH && r->head.length > route->max_body) {
		r->must_close = true;
		return refuse(r, REFUSE_BODY_SIZE);
	}
	return STEP_NEXT;
}
