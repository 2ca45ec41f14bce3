#include "shm/permits.h"

#include "tests/unit/shm_memory.h"

/* Processes with odd numbers are dead. */
static bool
even_live(pid_t pid)
{
	return pid % 2 == 0;
}

static struct permits *
permits_new(void)
{
	return permits_init(memory_new(permits_size()), permits_size());
}

static int
take(struct permits *p, pid_t pid, bool wait)
{
	struct permits_asker asker = { pid, (unsigned)pid, even_live };

	return permits_take(p, 1, 3, &asker, wait);
}

START_TEST(there_are_only_so_many)
{
	struct permits *p = permits_new();

	ck_assert_int_eq(take(p, 10, false), 1);
	ck_assert_int_eq(take(p, 12, false), 2);
	ck_assert_int_eq(take(p, 14, false), -1);
	ck_assert_int_eq(take(p, 10, false), -1);
	permits_give(p, 1, 12);
	ck_assert_int_eq(take(p, 14, false), -1);
	permits_give(p, 1, 10);
	ck_assert_int_eq(take(p, 14, false), 1);
	ck_assert_uint_eq(permits_count(p, PERMITS_COMING_UP), 2);
	permits_note(p, 1, PERMITS_UP);
	ck_assert_uint_eq(permits_count(p, PERMITS_UP), 1);
}
END_TEST

START_TEST(the_dead_hold_nothing)
{
	struct permits *p = permits_new();

	ck_assert_int_eq(take(p, 11, false), 1);
	ck_assert_int_eq(take(p, 13, false), 2);
	ck_assert_int_eq(take(p, 20, false), 1);
	permits_note(p, 1, PERMITS_UP);
	ck_assert_int_eq(take(p, 22, false), 2);
	ck_assert_int_eq(take(p, 24, true), -1);
	permits_forget(p, 22, 24);
	ck_assert(!permits_wanted(p, 0));
	ck_assert_int_eq(take(p, 24, true), 2);
}
END_TEST

START_TEST(who_waits_is_called_in_turn)
{
	struct permits *p = permits_new();

	take(p, 10, false);
	take(p, 12, false);
	ck_assert_int_eq(take(p, 70, true), -1);
	ck_assert(permits_wanted(p, 10) && !permits_wanted(p, 70));
	ck_assert_int_eq(take(p, 30, true), -1);
	ck_assert_int_eq(take(p, 8, true), -1);
	ck_assert(permits_wanted(p, 70));
	ck_assert_int_eq(permits_next(p, 30), 70);
	ck_assert_int_eq(permits_next(p, 70), 8);
	permits_stop_waiting(p, 30);
	ck_assert_int_eq(permits_next(p, 0), -1);
	/* who gets one waits no more */
	take(p, 30, true);
	permits_give(p, 2, 12);
	ck_assert_int_eq(take(p, 30, true), 2);
	ck_assert(!permits_wanted(p, 0));
}
END_TEST

START_TEST(others_find_it_as_it_was_made)
{
	struct permits *p = permits_new();

	ck_assert_ptr_eq(permits_attach(p, permits_size()), p);
	ck_assert_ptr_null(permits_attach(p, permits_size() - 1));
	ck_assert_ptr_null(permits_init(p, permits_size() - 1));
	memset(p, 0, 8);
	ck_assert_ptr_null(permits_attach(p, permits_size()));
}
END_TEST

int
main(void)
{
	const TTest *const tests[] = { there_are_only_so_many, the_dead_hold_nothing,
		who_waits_is_called_in_turn, others_find_it_as_it_was_made };

	return memory_run("shm_permits", tests, sizeof(tests) / sizeof(tests[0]));
}
