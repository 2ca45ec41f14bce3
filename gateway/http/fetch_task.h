/*
 * A fetch for a task of a loop, as a query of the database is: its own task watches descriptors
 * and time, and wakes the owner when there is an outcome, and only then.
 *
 *	static struct fetch_task t;			// zeroed, or ended
 *	if (!fetch_task_begin(&t, loop, &request, r->task))
 *		refuse;					// errno: EBUSY, ENOMEM
 *	switch (fetch_task_run(&t)) {
 *	case RUN_WAIT:	return STEP_WAIT; and then ask again
 *	case RUN_DONE:	t.result has a whole answer, of whatever status
 *	case RUN_FAIL:	t.result says why there is none
 *	}
 *	fetch_task_end(&t);
 *
 * The owner's own deadline is left alone, and it may run for other reasons meanwhile.
 */
#ifndef GATEWAY_HTTP_FETCH_TASK_H
#define GATEWAY_HTTP_FETCH_TASK_H

#include <stdbool.h>

#include "gateway/http/fetch.h"
#include "gateway/loop/loop.h"

/* Zeroed at first; it must not move while it is under way. */
struct fetch_task {
	struct task		 task;
	struct watch		 watch;
	struct loop		*loop;
	struct task		*owner;
	struct fetch		*fetch;		/* NULL: none */
	bool			 started;
	enum run		 outcome;
	struct fetch_result	 result;	/* with DONE and FAIL; until fetch_task_end() */
};

/* Begins as fetch_begin() does; false with its errno. The owner's task outlives it. */
bool fetch_task_begin(struct fetch_task *t, struct loop *loop,
    const struct fetch_request *request, struct task *owner);
/* Starts it, or tells the outcome. */
enum run fetch_task_run(struct fetch_task *t);
/* Ends it in any state, a zeroed or ended one included; the owner is not woken any more. */
void fetch_task_end(struct fetch_task *t);

#endif
