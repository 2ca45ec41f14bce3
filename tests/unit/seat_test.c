#include "gateway/seat.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/log.h"

static const struct shared_sizes sizes = { 1 << 20, 1 << 18, 1 << 16, 1 << 18, 1 << 18,
	1 << 18, 1 << 18 };
static struct shared shared;
static struct seat seat;

/* Ends at once. */
static int
die(void *argument, const struct seat *s)
{
	(void)argument;
	(void)s;
	_exit(1);
}

/* Says that it works, and works until a signal ends it; stubborn ones need SIGKILL. */
static int
work(void *argument, const struct seat *s)
{
	const bool *stubborn = argument;

	signal(SIGTERM, *stubborn ? SIG_IGN : SIG_DFL);
	signal(SIGQUIT, *stubborn ? SIG_IGN : SIG_DFL);
	atomic_store(&shared.control->slots[s->slot].state, SHARED_READY);
	while (pause() < 0)
		continue;
	return 0;
}

static bool mild = false, stubborn = true;
static const struct seat_child failing = { die, NULL };
static const struct seat_child working = { work, &mild };
static const struct seat_child stubborn_one = { work, &stubborn };

static void
setup(void)
{
	static const uint8_t key[SHARED_BOOT_KEY_SIZE] = "a key of a test";

	log_open("/dev/null", LOG_LEVEL_ERROR);
	ck_assert_ptr_null(shared_create(&shared, &sizes, key, 0));
	seat = (struct seat){ .role = SHARED_WORKER, .state = SEAT_EMPTY };
}

static void
teardown(void)
{
	if (seat.pid > 0) {
		kill(seat.pid, SIGKILL);
		waitpid(seat.pid, NULL, 0);
	}
	shared_close(&shared);
}

static void
fill(const struct seat_child *child, uint64_t now_ms)
{
	ck_assert(seat_fill(&seat, &shared, 1, now_ms, child));
	ck_assert_int_eq(seat.state, SEAT_TAKEN);
	if (child->run == die)
		return;
	while (!seat_ready(&seat, &shared))
		usleep(100);
}

static int
reap(uint64_t now_ms)
{
	int status;

	ck_assert_int_eq(waitpid(seat.pid, &status, 0), seat.pid);
	seat_reaped(&seat, &shared, status, now_ms);
	ck_assert_int_eq(seat.pid, 0);
	ck_assert_uint_eq(shared_free_slots(&shared), SHARED_SLOTS);
	return status;
}

START_TEST(a_dead_child_is_replaced_at_once)
{
	fill(&working, 1000);
	kill(seat.pid, SIGKILL);
	reap(60000);
	ck_assert_int_eq(seat.state, SEAT_EMPTY);
	ck_assert_uint_eq(seat_due_ms(&seat), 60000);
	ck_assert_uint_eq(atomic_load(&shared.control->restarts), 1);
}
END_TEST

START_TEST(who_keeps_dying_waits_longer_each_time)
{
	uint64_t now_ms = 1000;

	for (unsigned deaths = 1; deaths <= 60; deaths++) {
		uint64_t pause_ms = (deaths - 1) * 100;

		fill(&failing, now_ms);
		reap(now_ms + 10);
		ck_assert_uint_eq(seat_due_ms(&seat),
		    now_ms + 10 + (pause_ms < 5000 ? pause_ms : 5000));
		ck_assert_uint_eq(seat.failed_starts, deaths);
		now_ms = seat_due_ms(&seat);
	}
	fill(&working, now_ms);
	kill(seat.pid, SIGKILL);
	reap(now_ms + 1000);
	ck_assert_uint_eq(seat_due_ms(&seat), now_ms + 1000);
	ck_assert_uint_eq(seat.failed_starts, 0);
}
END_TEST

START_TEST(who_stands_still_is_killed_and_replaced)
{
	uint64_t later_ms = 1000 + 30000;

	fill(&working, 1000);
	seat_watch(&seat, &shared, later_ms);
	ck_assert_int_eq(seat.state, SEAT_TAKEN);
	seat_watch(&seat, &shared, later_ms + 1);
	ck_assert_int_eq(seat.state, SEAT_STUCK);
	ck_assert_int_eq(WTERMSIG(reap(later_ms + 2)), SIGKILL);
	ck_assert_int_eq(seat.state, SEAT_EMPTY);
}
END_TEST

START_TEST(who_is_stuck_when_all_end_is_not_replaced)
{
	fill(&working, 1000);
	seat_watch(&seat, &shared, 40000);
	seat_drain(&seat, 40000, 1000);
	reap(40001);
	ck_assert_int_eq(seat.state, SEAT_CLOSED);
	ck_assert_uint_eq(seat_due_ms(&seat), UINT64_MAX);
}
END_TEST

START_TEST(draining_ends_in_stopping_ends_in_killing)
{
	fill(&stubborn_one, 1000);
	seat_drain(&seat, 2000, 5000);
	ck_assert_int_eq(seat.state, SEAT_LEAVING);
	ck_assert_uint_eq(seat_due_ms(&seat), 7000);
	seat_watch(&seat, &shared, 6999);
	ck_assert_int_eq(seat.state, SEAT_LEAVING);
	seat_watch(&seat, &shared, 7000);
	ck_assert_int_eq(seat.state, SEAT_STOPPING);
	seat_watch(&seat, &shared, seat_due_ms(&seat));
	ck_assert_int_eq(seat.state, SEAT_KILLED);
	seat_stop(&seat, 20000);
	ck_assert_int_eq(WTERMSIG(reap(20000)), SIGKILL);
	ck_assert_int_eq(seat.state, SEAT_CLOSED);
}
END_TEST

START_TEST(a_child_that_leaves_as_told_is_not_replaced)
{
	fill(&working, 1000);
	seat_drain(&seat, 2000, 5000);
	ck_assert_int_eq(WTERMSIG(reap(2001)), SIGQUIT);
	ck_assert_int_eq(seat.state, SEAT_CLOSED);
	ck_assert_uint_eq(atomic_load(&shared.control->restarts), 0);
}
END_TEST

START_TEST(an_empty_seat_is_closed_without_anybody_being_told)
{
	seat_drain(&seat, 1000, 1000);
	ck_assert_int_eq(seat.state, SEAT_CLOSED);
	seat.state = SEAT_EMPTY;
	seat_stop(&seat, 1000);
	ck_assert_int_eq(seat.state, SEAT_CLOSED);
	seat_signal(&seat, SIGKILL);
}
END_TEST

START_TEST(without_a_slot_it_waits)
{
	for (int i = 0; i < SHARED_SLOTS; i++)
		shared_claim(&shared, getpid(), SHARED_WORKER, 1, 0);
	ck_assert(!seat_fill(&seat, &shared, 1, 1000, &working));
	ck_assert_int_eq(seat.state, SEAT_EMPTY);
	ck_assert_uint_gt(seat_due_ms(&seat), 1000);
	ck_assert_uint_eq(seat.failed_starts, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("seat");
	TCase *lives = tcase_create("lives");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(lives, setup, teardown);
	tcase_add_test(lives, a_dead_child_is_replaced_at_once);
	tcase_add_test(lives, who_keeps_dying_waits_longer_each_time);
	tcase_add_test(lives, who_stands_still_is_killed_and_replaced);
	tcase_add_test(lives, who_is_stuck_when_all_end_is_not_replaced);
	tcase_add_test(lives, draining_ends_in_stopping_ends_in_killing);
	tcase_add_test(lives, a_child_that_leaves_as_told_is_not_replaced);
	tcase_add_test(lives, an_empty_seat_is_closed_without_anybody_being_told);
	tcase_add_test(lives, without_a_slot_it_waits);
	suite_add_tcase(suite, lives);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
