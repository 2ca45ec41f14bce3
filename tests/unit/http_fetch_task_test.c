#include "gateway/http/fetch_task.h"

#include <errno.h>

#include "tests/unit/fetch_support.h"
#include "tests/unit/loop_support.h"

#define OWNERS	8

/* Whoever asks: counts how often it is woken, and ends the test's turning when all are done. */
struct owner {
	struct task		 task;
	struct fetch_task	 fetch;
	unsigned		 woken;
	bool			 done;
};

static struct server server;
static struct fetch_pool *pool;
static struct owner owners[OWNERS];
static unsigned n_asked;

static void
run_owner(struct loop *l, struct task *task)
{
	struct owner *o = (struct owner *)task;

	o->woken++;
	if (fetch_task_run(&o->fetch) != RUN_WAIT)
		o->done = true;
	for (unsigned i = 0; i < n_asked; i++)
		if (!owners[i].done)
			return;
	loop_stop(l);
}

static void
set_up(const struct fetch_pool_limits *limits)
{
	loop_set_up();
	server_start(&server);
	pool = fetch_pool_new(loop, limits);
	memset(owners, 0, sizeof(owners));
	n_asked = 0;
}

static void
tear_down(void)
{
	ck_assert_uint_eq(fetch_pool_counts(pool)->in_flight, 0);
	fetch_pool_free(&pool);
	server_stop(&server);
	loop_tear_down();
}

static bool
begin(struct owner *o, const char *host, uint64_t timeout_ms)
{
	char url[64];
	struct fetch_request r = { .url = url, .pool = pool, .form = SPAN("token=x"),
		.max_bytes = 100, .timeout_ms = timeout_ms };

	snprintf(url, sizeof(url), "http://%s:%d/", host, server.port);
	task_init(&o->task, run_owner);
	return fetch_task_begin(&o->fetch, loop, &r, &o->task);
}

START_TEST(owners_are_woken_once_each)
{
	server = (struct server){ .script = { OK_ANSWER } };
	set_up(&FETCH_POOL_USUAL);
	/* all wait for the same lookup, in one loop */
	for (n_asked = 0; n_asked < OWNERS; n_asked++) {
		ck_assert(begin(&owners[n_asked], "localhost", 5000));
		ck_assert_int_eq(fetch_task_run(&owners[n_asked].fetch), RUN_WAIT);
		ck_assert_int_eq(fetch_task_run(&owners[n_asked].fetch), RUN_WAIT);
	}
	turn_for(5000);
	server_order(&server, 'c');	/* which is nothing to them any more */
	turn_once();
	turn_once();
	for (unsigned i = 0; i < OWNERS; i++) {
		ck_assert_uint_eq(owners[i].woken, 1);
		ck_assert_uint_eq(owners[i].task.deadline_ms, 0);
		ck_assert_int_eq(owners[i].fetch.outcome, RUN_DONE);
		ck_assert_uint_eq(owners[i].fetch.result.status, 200);
		ck_assert_span(owners[i].fetch.result.body, SPAN("ok"));
		fetch_task_end(&owners[i].fetch);
	}
	ck_assert_uint_eq(fetch_pool_counts(pool)->lookups, 1);
	tear_down();
}
END_TEST

START_TEST(one_after_the_other_over_one_connection)
{
	server = (struct server){ .script = { OK_ANSWER, OK_ANSWER, CLOSE, OK_ANSWER } };
	set_up(&FETCH_POOL_USUAL);
	n_asked = 1;
	for (int i = 0; i < 50; i++) {
		owners[0].done = false;
		ck_assert(begin(&owners[0], "127.0.0.1", 5000));
		if (fetch_task_run(&owners[0].fetch) == RUN_WAIT)
			turn_for(5000);
		ck_assert_int_eq(owners[0].fetch.outcome, RUN_DONE);
		fetch_task_end(&owners[0].fetch);
	}
	ck_assert_int_eq(server.accepted, 2);
	ck_assert_int_eq(server.requests, 51);
	tear_down();
}
END_TEST

START_TEST(time_runs_out_by_itself)
{
	server = (struct server){ .script = { HANG } };
	set_up(&FETCH_POOL_USUAL);
	n_asked = 1;
	ck_assert(begin(&owners[0], "127.0.0.1", 50));
	ck_assert_int_eq(fetch_task_run(&owners[0].fetch), RUN_WAIT);
	turn_for(5000);
	ck_assert(owners[0].done);
	ck_assert_int_eq(owners[0].fetch.outcome, RUN_FAIL);
	ck_assert_int_eq(owners[0].fetch.result.failure, FETCH_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(owners[0].fetch.result.reason, "timed out"));
	fetch_task_end(&owners[0].fetch);
	tear_down();
}
END_TEST

START_TEST(busy_is_told_at_once)
{
	struct fetch_pool_limits limits = FETCH_POOL_USUAL;

	limits.in_flight = 1;
	server = (struct server){ .script = { HANG } };
	set_up(&limits);
	ck_assert(begin(&owners[0], "127.0.0.1", 5000));
	ck_assert(!begin(&owners[1], "127.0.0.1", 5000));
	ck_assert_int_eq(errno, EBUSY);
	fetch_task_end(&owners[1].fetch);
	fetch_task_end(&owners[0].fetch);
	ck_assert(begin(&owners[1], "127.0.0.1", 5000));
	fetch_task_end(&owners[1].fetch);
	tear_down();
}
END_TEST

START_TEST(ended_in_any_state)
{
	server = (struct server){ .script = { HANG } };
	set_up(&FETCH_POOL_USUAL);
	fetch_task_end(&owners[0].fetch);	/* zeroed */
	n_asked = 1;
	for (int turns = 0; turns < 20; turns++) {
		ck_assert(begin(&owners[0], turns % 2 ? "localhost" : "127.0.0.1", 5000));
		for (int i = 0; i < turns; i++) {
			fetch_task_run(&owners[0].fetch);
			turn_once();
		}
		fetch_task_end(&owners[0].fetch);
		fetch_task_end(&owners[0].fetch);
	}
	ck_assert_uint_eq(owners[0].woken, 0);
	tear_down();
}
END_TEST

/* Turns until the pool keeps nothing any more. */
static void
turn_until_empty(void)
{
	uint64_t end_ms = clock_ms() + 10000;

	while (fetch_pool_counts(pool)->idle > 0 && clock_ms() < end_ms)
		turn_for(10);
	ck_assert_uint_eq(fetch_pool_counts(pool)->idle, 0);
}

static void
ask_one(void)
{
	n_asked = 1;
	owners[0].done = false;
	ck_assert(begin(&owners[0], "127.0.0.1", 5000));
	if (fetch_task_run(&owners[0].fetch) == RUN_WAIT)
		turn_for(5000);
	ck_assert_int_eq(owners[0].fetch.outcome, RUN_DONE);
	fetch_task_end(&owners[0].fetch);
	ck_assert_uint_eq(fetch_pool_counts(pool)->idle, 1);
}

START_TEST(the_pool_tends_itself)
{
	struct fetch_pool_limits limits = FETCH_POOL_USUAL;

	limits.idle_ms = 20;
	server = (struct server){ .script = { OK_ANSWER } };
	set_up(&limits);
	for (int i = 0; i < 3; i++) {
		ask_one();
		turn_until_empty();
	}
	tear_down();
}
END_TEST

START_TEST(and_sees_who_has_left)
{
	server = (struct server){ .script = { OK_ANSWER } };
	set_up(&FETCH_POOL_USUAL);
	ask_one();
	server_order(&server, 'c');
	turn_until_empty();
	tear_down();
}
END_TEST

SUITE_RUN("http_fetch_task", owners_are_woken_once_each, one_after_the_other_over_one_connection,
    time_runs_out_by_itself, busy_is_told_at_once, ended_in_any_state, the_pool_tends_itself,
    and_sees_who_has_left)
