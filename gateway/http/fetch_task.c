#include "gateway/http/fetch_task.h"

#include "gateway/base/must.h"

/* Does what can be done now. At the outcome the descriptor leaves the loop. */
static void
advance(struct fetch_task *t)
{
	t->started = true;
	t->outcome = fetch_run(t->fetch, loop_now_ms(t->loop));
	t->result = *fetch_result(t->fetch);
	if (t->outcome == RUN_WAIT) {
		if (loop_want(t->loop, &t->watch, fetch_want(t->fetch), &t->task))
			return;
		t->outcome = RUN_FAIL;
		t->result.failure = FETCH_BROKEN;
		t->result.reason = "the kernel watches no more descriptors";
	}
	loop_unwatch(t->loop, &t->watch);
	task_end(t->loop, &t->task);
}

static void
run(struct loop *loop, struct task *task)
{
	struct fetch_task *t = (struct fetch_task *)task;

	advance(t);
	if (t->outcome != RUN_WAIT)
		task_wake(loop, t->owner);
}

bool
fetch_task_begin(struct fetch_task *t, struct loop *loop, const struct fetch_request *request,
    struct task *owner)
{
	must(t->fetch == NULL);
	*t = (struct fetch_task){ .loop = loop, .owner = owner, .watch.fd = -1,
		.outcome = RUN_WAIT };
	t->fetch = fetch_begin(request, loop_now_ms(loop));
	task_init(&t->task, run);
	return t->fetch != NULL;
}

enum run
fetch_task_run(struct fetch_task *t)
{
	if (!t->started)
		advance(t);
	return t->outcome;
}

void
fetch_task_end(struct fetch_task *t)
{
	if (t->fetch == NULL)
		return;
	loop_unwatch(t->loop, &t->watch);
	task_end(t->loop, &t->task);
	fetch_end(&t->fetch);
}
