#include "gateway/request/errand.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/request/request.h"
#include "shm/lease.h"
#include "tests/unit/loop_support.h"

/* Requests of two workers, played by one process: each has a gate, all share the leases. */

#define TTL_MS	1000

static const uint8_t digest[32] = "the same", other[32] = "another";
static struct shared_control control;
static struct shared shared = { .control = &control };
static struct gate gates[2];

static struct party {
	struct request	request;
	struct errand	errand;
	struct task	task;
	unsigned	woken;
	char		memory[256];
} parties[4];

static void
note(struct loop *l, struct task *task)
{
	(void)l;
	((struct party *)((char *)task - offsetof(struct party, task)))->woken++;
}

/* Parties 0 to 2 are requests of the first worker, 3 is of the second. */
static void
set_up(void)
{
	static const uint8_t key[16] = "sixteen bytes ..";
	size_t size = lease_size_for(64);

	loop_set_up();
	shared.leases = lease_init(mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0), size, key);
	for (unsigned i = 0; i < 2; i++)
		gates[i] = (struct gate){ .loop = loop, .shared = &shared, .slot = i * 70 };
	for (unsigned i = 0; i < 4; i++) {
		struct party *p = &parties[i];

		*p = (struct party){ .request = { .gate = &gates[i / 3], .task = &p->task } };
		task_init(&p->task, note);
		arena_init(&p->request.arena, p->memory, sizeof(p->memory), 0);
	}
}

static enum errand_answer
ask(unsigned i)
{
	parties[i].request.deadline_ms = 0;
	return errand_ask(&parties[i].request, &parties[i].errand, digest, TTL_MS);
}

static void
turn(void)
{
	turn_for(1);
}

START_TEST(one_does_it_and_the_others_are_woken)
{
	ck_assert_int_eq(ask(0), ERRAND_YOURS);
	ck_assert_int_eq(ask(0), ERRAND_YOURS);
	ck_assert_int_eq(ask(1), ERRAND_WAIT);
	ck_assert_int_eq(ask(1), ERRAND_WAIT);
	ck_assert_int_eq(ask(3), ERRAND_WAIT);
	ck_assert_uint_le(parties[1].request.deadline_ms, loop_now_ms(loop) + ERRAND_POLL_MS);
	ck_assert_uint_eq(gates[0].n_errands, 1);
	ck_assert_int_eq(errand_ask(&parties[2].request, &parties[2].errand, other, TTL_MS),
	    ERRAND_YOURS);
	errand_end(&parties[2].errand);
	turn();
	ck_assert_uint_eq(parties[1].woken, 0);
	errand_end(&parties[0].errand);
	turn();
	ck_assert_uint_eq(parties[1].woken, 1);
	ck_assert_uint_eq(parties[3].woken, 0);
	errand_heard(&gates[1]);	/* its worker was rung */
	turn();
	ck_assert_uint_eq(parties[3].woken, 1);
	/* what was to be found isn't there: the next takes over */
	ck_assert_int_eq(ask(3), ERRAND_YOURS);
	ck_assert_int_eq(ask(1), ERRAND_WAIT);
	ck_assert_uint_eq(gates[1].n_errands, 0);
}
END_TEST

START_TEST(the_end_of_a_request_ends_its_errand)
{
	ck_assert_int_eq(ask(0), ERRAND_YOURS);
	ck_assert_int_eq(ask(1), ERRAND_WAIT);
	ck_assert_int_eq(ask(2), ERRAND_WAIT);
	arena_reset(&parties[2].request.arena);
	ck_assert_uint_eq(gates[0].n_errands, 1);
	arena_reset(&parties[0].request.arena);
	turn();
	ck_assert_uint_eq(parties[1].woken, 1);
	ck_assert_uint_eq(parties[2].woken, 0);
	ck_assert_int_eq(ask(1), ERRAND_YOURS);
	errand_end(&parties[1].errand);
	errand_end(&parties[1].errand);
	ck_assert_ptr_null(gates[0].errands);
}
END_TEST

START_TEST(who_dies_leaves_it_to_others)
{
	pid_t child = fork();

	if (child == 0)
		_exit(ask(0) == ERRAND_YOURS ? 0 : 1);
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(ask(1), ERRAND_YOURS);
}
END_TEST

/* The worker's own work outlives the request it was begun for. */
START_TEST(a_worker_holds_it_for_itself)
{
	struct errand_hold hold = { .state = ERRAND_IDLE }, second = { .state = ERRAND_IDLE };

	ck_assert(errand_take(&gates[0], &hold, digest, TTL_MS));
	ck_assert(!errand_take(&gates[0], &second, digest, TTL_MS));
	ck_assert(!errand_take(&gates[1], &second, digest, TTL_MS));
	errand_release(&gates[1], &second);
	ck_assert_int_eq(errand_wait(&parties[1].request, &parties[1].errand, digest), ERRAND_WAIT);
	ck_assert_int_eq(ask(3), ERRAND_WAIT);
	errand_release(&gates[0], &hold);
	errand_release(&gates[0], &hold);
	errand_heard(&gates[1]);
	turn();
	ck_assert_uint_eq(parties[1].woken, 1);
	ck_assert_uint_eq(parties[3].woken, 1);
	ck_assert_int_eq(ask(3), ERRAND_YOURS);
	/* who waits may wait for something else next */
	errand_end(&parties[1].errand);
	ck_assert_uint_eq(gates[0].n_errands, 0);
	ck_assert(errand_take(&gates[0], &hold, other, TTL_MS));
	ck_assert_int_eq(errand_wait(&parties[1].request, &parties[1].errand, other), ERRAND_WAIT);
	parties[1].woken = 0;
	errand_end(&parties[3].errand);
	turn();
	ck_assert_uint_eq(parties[1].woken, 0);
	errand_release(&gates[0], &hold);
	turn();
	ck_assert_uint_eq(parties[1].woken, 1);
}
END_TEST

START_TEST(so_many_wait_and_no_more)
{
	ck_assert_int_eq(ask(0), ERRAND_YOURS);
	gates[0].n_errands = ERRANDS_WAITING_MAX;
	ck_assert_int_eq(ask(1), ERRAND_CROWDED);
	gates[0].n_errands = 0;
	ck_assert_int_eq(ask(1), ERRAND_WAIT);
}
END_TEST

static void
tear_down(void)
{
	for (unsigned i = 0; i < 4; i++)
		task_end(loop, &parties[i].task);
	loop_tear_down();
}

int
main(void)
{
	Suite *s = suite_create("request_errand");
	TCase *cases = tcase_create("all");

	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_test(cases, one_does_it_and_the_others_are_woken);
	tcase_add_test(cases, the_end_of_a_request_ends_its_errand);
	tcase_add_test(cases, who_dies_leaves_it_to_others);
	tcase_add_test(cases, a_worker_holds_it_for_itself);
	tcase_add_test(cases, so_many_wait_and_no_more);
	suite_add_tcase(s, cases);
	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
