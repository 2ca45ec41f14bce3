#include "gateway/request/step.h"

#include "gateway/base/must.h"

enum step_result
step_run(struct request *r)
{
	for (;;) {
		must(r->step < FLOW_STEPS_MAX && r->flow->steps[r->step] != NULL);
		enum step_result result = r->flow->steps[r->step](r);

		if (result != STEP_NEXT)
			return result;
		r->step++;
	}
}
