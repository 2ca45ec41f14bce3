/*
 * A flow is an array of steps. A step does all it can with a request and answers NEXT, WAIT or
 * END; or it switches the request into another flow.
 *
 * After WAIT the same step runs again when something has happened; after END an answer is on its
 * way or sent.
 */
#ifndef GATEWAY_REQUEST_STEP_H
#define GATEWAY_REQUEST_STEP_H

#include "gateway/request/request.h"

enum step_result {
	STEP_NEXT,
	STEP_WAIT,
	STEP_END,
	STEP_SWITCH,	/* the request goes on with the first step of another flow */
};

#define FLOW_STEPS_MAX	20

typedef enum step_result step_function(struct request *);

struct flow {
	const char	*name;
	step_function	*steps[FLOW_STEPS_MAX];		/* the last one ends it */
};

/* Puts the request into another flow; a step ends with `return step_switch(r, flow);`. */
enum step_result step_switch(struct request *r, const struct flow *flow);
/* Runs the flow's steps until one waits or ends: STEP_WAIT or STEP_END. */
enum step_result step_run(struct request *r);

#endif
