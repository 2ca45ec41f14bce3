#include "shm/counter.h"
#include "tests/unit/shm_memory.h"

static struct counter *
counter_new(void)
{
	return counter_init(memory_new(counter_size()), counter_size());
}

static bool
even_live(pid_t pid)
{
	return pid % 2 == 0;
}

struct sums {
	uint64_t series;
	uint64_t total;
	uint64_t overflow;
};

static void
visit(void *arg, uint64_t key, uint64_t total)
{
	struct sums *sums = arg;

	if (key == COUNTER_OVERFLOW) {
		sums->overflow = total;
		return;
	}
	sums->series++;
	sums->total += total;
}

START_TEST(slabs_go_to_one_process_each)
{
	struct counter *counter = counter_new();
	int i;

	ck_assert_int_eq(counter_claim(counter, 2, even_live), 0);
	ck_assert_int_eq(counter_claim(counter, 3, even_live), 1);
	ck_assert_int_eq(counter_claim(counter, 4, even_live), 1);
	counter_release(counter, 0);
	ck_assert_int_eq(counter_claim(counter, 6, even_live), 0);
	for (i = 2; i < COUNTER_SLABS; i++)
		ck_assert_int_eq(counter_claim(counter, 100 + i * 2, even_live), i);
	ck_assert_int_eq(counter_claim(counter, 1000, even_live), -1);
}
END_TEST

START_TEST(sums_over_slabs_and_owners)
{
	struct counter *counter = counter_new();
	struct sums sums = { 0 };
	int first = counter_claim(counter, 2, even_live);
	int second = counter_claim(counter, 4, even_live);

	counter_add(counter_slab(counter, first), 11, 1);
	counter_add(counter_slab(counter, first), 12, 10);
	counter_add(counter_slab(counter, second), 11, 100);
	counter_add(counter_slab(counter, second), 13, 1000);
	counter_release(counter, first);
	ck_assert_int_eq(counter_claim(counter, 6, even_live), first);
	counter_add(counter_slab(counter, first), 11, 10000);
	ck_assert_uint_eq(counter_total(counter, 11), 10101);
	ck_assert_uint_eq(counter_total(counter, 99), 0);
	counter_sum(counter, visit, &sums);
	ck_assert_uint_eq(sums.series, 3);
	ck_assert_uint_eq(sums.total, 11111);
	ck_assert_uint_eq(sums.overflow, 0);
}
END_TEST

START_TEST(a_full_slab_counts_the_rest_as_overflow)
{
	struct counter *counter = counter_new();
	int slab = counter_claim(counter, 2, even_live);
	struct sums sums = { 0 };
	uint64_t key;

	for (key = 1; key <= COUNTER_CELLS; key++)
		counter_add(counter_slab(counter, slab), key, 1);
	counter_add(counter_slab(counter, slab), 1, 1);
	counter_sum(counter, visit, &sums);
	ck_assert_uint_eq(sums.series, COUNTER_SERIES_MAX);
	ck_assert_uint_eq(sums.overflow, COUNTER_CELLS - COUNTER_SERIES_MAX);
	ck_assert_uint_eq(sums.total + sums.overflow, COUNTER_CELLS + 1);
	ck_assert_uint_eq(counter_total(counter, 1), 2);
}
END_TEST

START_TEST(attaches_to_what_fits)
{
	void *memory = memory_new(counter_size());

	ck_assert_ptr_null(counter_attach(memory, counter_size()));
	ck_assert_ptr_null(counter_init(memory, counter_size() - 1));
	ck_assert_ptr_nonnull(counter_init(memory, counter_size()));
	ck_assert_ptr_nonnull(counter_attach(memory, counter_size()));
}
END_TEST

MEMORY_RUN("shm_counter", slabs_go_to_one_process_each, sums_over_slabs_and_owners,
    a_full_slab_counts_the_rest_as_overflow, attaches_to_what_fits)
