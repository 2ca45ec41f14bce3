#include "shm/rate.h"
#include "tests/unit/shm_memory.h"

#define SECOND 1000000ULL

static const struct rate_limit ten_a_second = { .period_us = SECOND / 10, .burst = 10 };

static struct rate *
rate_new(size_t size)
{
	return rate_init(memory_new(size), size);
}

static int
passed(struct rate *rate, uint64_t key, int requests, uint64_t now_us)
{
	int n = 0;

	while (requests-- > 0)
		n += rate_take(rate, key, &ten_a_second, now_us, NULL);
	return n;
}

START_TEST(a_burst_passes_then_one_a_period)
{
	struct rate *rate = rate_new(rate_size_min());
	struct rate_verdict v;

	ck_assert_int_eq(passed(rate, 1, 9, 5 * SECOND), 9);
	ck_assert(rate_take(rate, 1, &ten_a_second, 5 * SECOND, &v));
	ck_assert_uint_eq(v.limit, 10);
	ck_assert_uint_eq(v.remaining, 0);
	ck_assert_uint_eq(v.reset_s, 1);
	ck_assert_uint_eq(v.retry_after_s, 0);
	ck_assert(!rate_take(rate, 1, &ten_a_second, 5 * SECOND, &v));
	ck_assert_uint_eq(v.retry_after_s, 1);
	ck_assert(!rate_take(rate, 1, &ten_a_second, 5 * SECOND + 99999, NULL));
	ck_assert(rate_take(rate, 1, &ten_a_second, 5 * SECOND + 100000, NULL));
	ck_assert(!rate_take(rate, 1, &ten_a_second, 5 * SECOND + 100000, NULL));
	ck_assert_int_eq(passed(rate, 1, 20, 7 * SECOND), 10);
}
END_TEST

START_TEST(peeking_counts_nothing)
{
	struct rate *rate = rate_new(rate_size_min());
	struct rate_verdict v;
	int i;

	for (i = 0; i < 20; i++)
		ck_assert(rate_peek(rate, 1, &ten_a_second, SECOND, &v));
	ck_assert_uint_eq(v.remaining, 10);
	passed(rate, 1, 4, SECOND);
	rate_peek(rate, 1, &ten_a_second, SECOND, &v);
	ck_assert_uint_eq(v.remaining, 6);
	passed(rate, 1, 6, SECOND);
	ck_assert(!rate_peek(rate, 1, &ten_a_second, SECOND, &v));
	ck_assert_uint_eq(v.retry_after_s, 1);
}
END_TEST

START_TEST(consumers_do_not_share)
{
	struct rate *rate = rate_new(rate_size_for(1000));
	uint64_t key, wrong = 0;

	for (key = 0; key < 1000; key++)
		wrong += passed(rate, hash_mix64(key), 12, SECOND) != 10;
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(a_full_bucket_forgives_the_one_nearest_its_end)
{
	struct rate *rate = rate_new(rate_size_min());
	uint64_t key;

	for (key = 1; key <= 8; key++)
		passed(rate, key, 11 - (int)key, SECOND);
	ck_assert_int_eq(passed(rate, 9, 20, SECOND), 10);
	ck_assert_int_eq(passed(rate, 1, 20, SECOND), 0);
	ck_assert_int_eq(passed(rate, 7, 20, SECOND), 6);
	ck_assert_int_eq(passed(rate, 8, 20, SECOND), 10);
}
END_TEST

START_TEST(a_clock_that_jumps_back_locks_nobody_out_for_long)
{
	struct rate *rate = rate_new(rate_size_min());

	ck_assert_int_eq(passed(rate, 1, 20, 5000 * SECOND), 10);
	ck_assert_int_eq(passed(rate, 1, 20, 10 * SECOND), 0);
	ck_assert_int_eq(passed(rate, 1, 20, 11 * SECOND), 10);
}
END_TEST

START_TEST(extreme_limits_are_bounded)
{
	const struct rate_limit endless = { .period_us = UINT64_MAX, .burst = UINT64_MAX };
	const struct rate_limit none = { 0 };
	struct rate *rate = rate_new(rate_size_min());
	struct rate_verdict v;

	ck_assert(rate_take(rate, 1, &endless, SECOND, &v));
	ck_assert(!rate_take(rate, 1, &endless, SECOND, &v));
	ck_assert(!rate_take(rate, 2, &none, SECOND, &v));
}
END_TEST

START_TEST(exact_over_processes)
{
	struct rate *rate = rate_new(rate_size_min());
	const struct rate_limit hundred = { .period_us = 1000 * SECOND, .burst = 100 };
	int *counts = memory_new(4096);
	int i, n, sum = 0;

	for (i = 0; i < 4; i++) {
		if (fork() != 0)
			continue;
		for (n = 0; n < 2000; n++)
			counts[i] += rate_take(rate, (uint64_t)n % 20, &hundred, SECOND, NULL);
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		wait(NULL);
	for (i = 0; i < 4; i++)
		sum += counts[i];
	ck_assert_int_ge(sum, 2000);
	for (i = 0; i < 4; i++) {
		if (fork() != 0)
			continue;
		counts[i] = 0;
		for (n = 0; n < 1000; n++)
			counts[i] += rate_take(rate, 7777, &hundred, 9000000 * SECOND, NULL);
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		wait(NULL);
	ck_assert_int_eq(counts[0] + counts[1] + counts[2] + counts[3], 100);
}
END_TEST

START_TEST(attaches_to_what_fits)
{
	size_t size = rate_size_for(100);
	void *memory = memory_new(size);
	struct rate *rate;

	ck_assert_ptr_null(rate_attach(memory, size));
	ck_assert_ptr_null(rate_init(memory, rate_size_min() - 1));
	rate = rate_init(memory, size);
	ck_assert_int_eq(passed(rate, 5, 20, SECOND), 10);
	ck_assert_int_eq(passed(rate_attach(memory, size), 5, 20, SECOND), 0);
	ck_assert_ptr_null(rate_attach(memory, size - 128));
}
END_TEST

MEMORY_RUN("shm_rate", a_burst_passes_then_one_a_period, peeking_counts_nothing,
    consumers_do_not_share, a_full_bucket_forgives_the_one_nearest_its_end,
    a_clock_that_jumps_back_locks_nobody_out_for_long, extreme_limits_are_bounded,
    exact_over_processes, attaches_to_what_fits)
