/*
 * Whether a token that is good by itself was revoked: asked of shared memory on every request,
 * after the caches as after a verification, so that no cached verdict outlives a revocation.
 */
#include "gateway/access/access.h"
#include "gateway/token/revocations.h"

enum step_result
check_revocation(struct request *r)
{
	const struct shared *shared = r->gate->shared;
	bool alone = r->gate->config->database == NULL;
	struct judgement *j = &r->judgement;

	if (!r->judged || j->verdict != VERDICT_ACTIVE ||
	    (alone && atomic_load(&shared->control->revoked_kinds) == 0))
		return STEP_NEXT;
	switch (revocations_check(shared, j->facts, loop_wall_s(r->gate->loop))) {
	case SET_NO:
		break;
	case SET_YES:
		j->verdict = VERDICT_REVOKED;
		break;
	case SET_UNSURE:
		/* without a database what the set has lost was acknowledged to nobody */
		if (!alone)
			j->verdict = VERDICT_REVOCATIONS_UNSURE;
		break;
	}
	return STEP_NEXT;
}
