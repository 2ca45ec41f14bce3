#include "shm/set.h"
#include "tests/unit/shm_memory.h"

static uint8_t digest[32];
static uint64_t before;

static struct set *
set_new(size_t entries)
{
	size_t size = set_size_for(entries);

	return set_init(memory_new(size), size, memory_key);
}

static enum set_put_result
put(struct set *set, uint64_t n, uint64_t before_s, uint64_t expires_s, uint64_t now_s)
{
	return set_put(set, memory_digest(digest, n), before_s, expires_s, now_s);
}

static enum set_answer
has(struct set *set, uint64_t n, uint64_t now_s)
{
	return set_has(set, memory_digest(digest, n), now_s, &before);
}

START_TEST(an_entry_counts_until_it_expires)
{
	struct set *set = set_new(100);

	ck_assert_int_eq(has(set, 1, 10), SET_NO);
	ck_assert_int_eq(put(set, 1, SET_ANY_TIME, 20, 10), SET_OK);
	ck_assert_int_eq(put(set, 2, 15, 20, 10), SET_OK);
	ck_assert_int_eq(has(set, 1, 19), SET_YES);
	ck_assert_uint_eq(before, SET_ANY_TIME);
	ck_assert_int_eq(has(set, 2, 19), SET_YES);
	ck_assert_uint_eq(before, 15);
	ck_assert_int_eq(has(set, 1, 20), SET_NO);
	ck_assert_int_eq(has(set, 3, 10), SET_NO);
	ck_assert_int_eq(put(set, 3, SET_ANY_TIME, 10, 10), SET_OK);
	ck_assert_int_eq(has(set, 3, 10), SET_NO);
}
END_TEST

START_TEST(putting_again_only_makes_it_stronger)
{
	struct set *set = set_new(100);

	put(set, 1, 50, 100, 10);
	put(set, 1, 40, 200, 10);
	ck_assert_int_eq(has(set, 1, 199), SET_YES);
	ck_assert_uint_eq(before, 50);
	put(set, 1, SET_ANY_TIME, 150, 10);
	ck_assert_int_eq(has(set, 1, 199), SET_YES);
	ck_assert_uint_eq(before, SET_ANY_TIME);
	put(set, 1, 7, 900, 200);
	ck_assert_int_eq(has(set, 1, 200), SET_YES);
	ck_assert_uint_eq(before, 7);
}
END_TEST

START_TEST(full_makes_it_unsure_and_loses_nothing)
{
	struct set *set = set_new(1000);
	uint64_t n, kept = 0, yes = 0, doubt;
	struct set_stats stats;

	while (put(set, kept, SET_ANY_TIME, 100, 10) == SET_OK)
		kept++;
	set_stats(set, &stats);
	ck_assert_uint_ge(kept, stats.capacity * 9 / 10);
	ck_assert_uint_eq(stats.entries, kept);
	for (n = 0; n < kept; n++)
		yes += has(set, n, 10) == SET_YES;
	ck_assert_uint_eq(yes, kept);
	ck_assert_int_eq(has(set, kept, 10), SET_UNSURE);
	doubt = set_doubt(set);
	ck_assert_uint_ne(doubt, 0);
	set_mark_unsure(set);
	ck_assert(!set_mark_sure(set, doubt));
	ck_assert_int_eq(has(set, kept, 10), SET_UNSURE);
	ck_assert(set_mark_sure(set, set_doubt(set)));
	ck_assert_int_eq(has(set, kept, 10), SET_NO);
	ck_assert_int_eq(put(set, 1000000, SET_ANY_TIME, 300, 100), SET_OK);
}
END_TEST

START_TEST(a_doubt_ends_when_all_that_may_be_lost_has_expired)
{
	struct set *set = set_new(100);

	ck_assert(!set_outlive(set, 10));
	put(set, 1, SET_ANY_TIME, 100, 10);
	set_mark_unsure(set);
	ck_assert(!set_outlive(set, 10));
	/* what is put later is not in doubt */
	put(set, 2, SET_ANY_TIME, 900, 10);
	ck_assert(!set_outlive(set, 99));
	ck_assert_int_eq(has(set, 3, 99), SET_UNSURE);
	ck_assert(set_outlive(set, 100));
	ck_assert_int_eq(has(set, 3, 100), SET_NO);
	ck_assert_int_eq(has(set, 2, 100), SET_YES);
	ck_assert(!set_outlive(set, 100));
	/* a doubt on top of another is outlived with all that was put before it */
	set_mark_unsure(set);
	ck_assert(!set_outlive(set, 100));
	put(set, 4, SET_ANY_TIME, 1000, 100);
	set_mark_unsure(set);
	ck_assert(!set_outlive(set, 900));
	ck_assert(!set_outlive(set, 999));
	ck_assert(set_outlive(set, 1000));
}
END_TEST

START_TEST(what_had_no_room_is_outlived)
{
	struct set *set = set_new(1000);
	uint64_t n = 0;

	while (put(set, n, SET_ANY_TIME, 100, 10) == SET_OK)
		n++;
	ck_assert_int_eq(put(set, n, SET_ANY_TIME, 200, 10), SET_FULL);
	ck_assert(!set_outlive(set, 100));
	ck_assert(!set_outlive(set, 199));
	ck_assert(set_outlive(set, 200));
}
END_TEST

START_TEST(ninety_percent_can_be_used)
{
	const uint64_t entries = 100000;
	struct set *set = set_new(entries);
	uint64_t n, kept = 0, yes = 0;

	for (n = 0; n < entries; n++)
		kept += put(set, n, SET_ANY_TIME, 100, 10) == SET_OK;
	for (n = 0; n < entries; n++)
		yes += has(set, n, 10) == SET_YES;
	ck_assert_uint_eq(kept, entries);
	ck_assert_uint_eq(yes, entries);
	ck_assert_int_eq(has(set, entries, 10), SET_NO);
}
END_TEST

START_TEST(sweeping_frees_the_expired_only)
{
	struct set *set = set_new(4000);
	uint64_t n, round, wrong = 0;
	struct set_stats stats;

	for (round = 0; round < 5; round++) {
		for (n = 0; n < 2000; n++)
			put(set, round * 2000 + n, SET_ANY_TIME, n % 10 == 0 ? 1000 : 20 + round,
			    10 + round);
		set_sweep(set, 20 + round);
		set_stats(set, &stats);
		ck_assert_uint_eq(stats.entries, 200 * (round + 1));
	}
	for (n = 0; n < 10000; n++)
		wrong += has(set, n, 50) != (n % 10 == 0 ? SET_YES : SET_NO);
	ck_assert_uint_eq(wrong, 0);
	ck_assert(!stats.unsure);
}
END_TEST

static void
put_forever(struct set *set)
{
	uint64_t n;

	for (n = 0;; n++)
		put(set, n % 50, SET_ANY_TIME, 100, 10);
}

START_TEST(a_death_while_putting_leaves_a_doubt)
{
	struct set *set = set_new(100);
	pid_t pid;
	int round;

	for (round = 0; round < 200 && set_doubt(set) == 0; round++) {
		pid = fork();
		if (pid == 0)
			put_forever(set);
		usleep(100 + (unsigned int)round * 7);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		ck_assert_int_eq(put(set, 99, SET_ANY_TIME, 100, 10), SET_OK);
		ck_assert_int_eq(has(set, 99, 10), SET_YES);
	}
	ck_assert_uint_ne(set_doubt(set), 0);
	ck_assert_int_eq(has(set, 1000, 10), SET_UNSURE);
}
END_TEST

START_TEST(of_all_who_add_one_is_the_first)
{
	struct set *set = set_new(100);
	uint8_t once[32] = { 1 };

	ck_assert_int_eq(set_add(set, once, 20, 10), SET_ADDED);
	ck_assert_int_eq(set_add(set, once, 30, 10), SET_THERE);
	ck_assert_int_eq(set_add(set, once, 30, 19), SET_THERE);
	ck_assert_int_eq(set_add(set, once, 30, 20), SET_ADDED);
	ck_assert_int_eq(set_add(set, once, 30, 29), SET_THERE);
	/* full: nothing is forgotten for it, and nothing becomes unsure */
	for (unsigned i = 0; i < 100000; i++) {
		memcpy(once + 8, &i, sizeof(i));
		if (set_add(set, once, 30, 20) == SET_NO_ROOM)
			break;
	}
	ck_assert_int_eq(set_add(set, once, 30, 20), SET_NO_ROOM);
	memset(once + 8, 0, sizeof(unsigned));
	ck_assert_int_eq(set_add(set, once, 30, 20), SET_THERE);
	ck_assert_uint_eq(set_doubt(set), 0);
	/* the expired make room */
	memset(once + 8, 0xff, sizeof(unsigned));
	ck_assert_int_eq(set_add(set, once, 60, 30), SET_ADDED);
}
END_TEST

START_TEST(attaches_to_what_fits)
{
	size_t size = set_size_for(100);
	void *memory = memory_new(size);

	ck_assert_ptr_null(set_attach(memory, size));
	ck_assert_ptr_null(set_init(memory, set_size_for(0) - 1, memory_key));
	ck_assert_ptr_nonnull(set_init(memory, size, memory_key));
	ck_assert_ptr_nonnull(set_attach(memory, size));
	ck_assert_ptr_null(set_attach(memory, size - 1));
}
END_TEST

MEMORY_RUN("shm_set", an_entry_counts_until_it_expires, putting_again_only_makes_it_stronger,
    full_makes_it_unsure_and_loses_nothing, a_doubt_ends_when_all_that_may_be_lost_has_expired,
    what_had_no_room_is_outlived, ninety_percent_can_be_used, sweeping_frees_the_expired_only, a_death_while_putting_leaves_a_doubt,
    of_all_who_add_one_is_the_first, attaches_to_what_fits)
