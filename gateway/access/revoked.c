/*
 * Whether a token that is good by itself was revoked: asked of shared memory on every request,
 * after the caches as after a verification, so that no cached verdict outlives a revocation.
 */
#include "gateway/access/access.h"
#include "gateway/token/revocations.h"

enum step_result
check_revocation(struct request *r)
{
	struct judgement *j = &r->judgement;

	/* without a database nothing can be revoked */
	if (r->gate->config->database == NULL || !r->judged || j->verdict != VERDICT_ACTIVE)
		return STEP_NEXT;
	switch (revocations_check(r->gate->shared, j->facts, loop_wall_s(r->gate->loop))) {
	case SET_NO:
		break;
	case SET_YES:
		j->verdict = VERDICT_REVOKED;
		break;
	case SET_UNSURE:
		j->verdict = VERDICT_REVOCATIONS_UNSURE;
		break;
	}
	return STEP_NEXT;
}
