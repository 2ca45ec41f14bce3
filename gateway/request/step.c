#include "gateway/request/step.h"

#include "gateway/base/must.h"

enum step_result
step_switch(struct request *r, const struct flow *flow)
{
	r->flow = flow;
	r->step = 0;
	return STEP_SWITCH;
}

enum step_result
step_run(struct request *r)
{
	for (;;) {
		must(r->step < FLOW_STEPS_MAX && r->flow->steps[r->step] != NULL);
		enum step_result result = r->flow->steps[r->step](r);

		switch (result) {
		case STEP_NEXT:
			r->step++;
			break;
		case STEP_SWITCH:
			break;
		case STEP_WAIT:
		case STEP_END:
			return result;
		}
	}
}
