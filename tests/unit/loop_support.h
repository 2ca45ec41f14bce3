/* What tests of the loop and of what runs in it share: turning a loop for a while. */
#ifndef TESTS_UNIT_LOOP_SUPPORT_H
#define TESTS_UNIT_LOOP_SUPPORT_H

#include <stddef.h>
#include <sys/socket.h>

#include "gateway/base/clock.h"
#include "gateway/loop/loop.h"
#include "tests/unit/suite.h"

static struct loop *loop;

static inline void
loop_set_up(void)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
}

static inline void
loop_tear_down(void)
{
	loop_free(&loop);
	ck_assert_ptr_null(loop);
}

static inline void
loop_stop_task(struct loop *l, struct task *task)
{
	(void)task;
	loop_stop(l);
}

/* Turns for so many milliseconds, or until a task stops the loop. */
static inline void
turn_for(uint64_t ms)
{
	struct task end;

	task_init(&end, loop_stop_task);
	task_deadline(loop, &end, clock_ms() + ms);
	loop_run(loop);
	task_end(loop, &end);
}

/* Turns once: what is ready now is seen, what waits on the queue runs. */
static inline void
turn_once(void)
{
	struct task end;

	task_init(&end, loop_stop_task);
	task_wake(loop, &end);
	loop_run(loop);
	task_end(loop, &end);
}

#endif
