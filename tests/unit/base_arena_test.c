#include "gateway/base/arena.h"

#include <stdint.h>

#include "tests/unit/suite.h"

static _Alignas(16) char first[256];
static struct arena arena;

START_TEST(aligns_whatever_it_was_given)
{
	for (size_t skip = 0; skip < 32; skip++) {
		arena_init(&arena, first + skip, sizeof(first) - skip, 0);
		for (size_t n = 1; n < 32; n += 7) {
			char *p = arena_alloc(&arena, n);

			ck_assert_ptr_nonnull(p);
			ck_assert_uint_eq((uintptr_t)p % 16, 0);
			ck_assert(p >= first + skip && p + n <= first + sizeof(first));
		}
	}
}
END_TEST

START_TEST(uses_the_first_memory_to_its_end)
{
	arena_init(&arena, first, sizeof(first), 0);
	for (size_t i = 0; i < sizeof(first) / 16; i++)
		ck_assert_ptr_eq(arena_alloc(&arena, 16), first + 16 * i);
	ck_assert_ptr_null(arena_alloc(&arena, 1));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 0));
	arena_reset(&arena);
	ck_assert_ptr_eq(arena_alloc(&arena, sizeof(first)), first);
	ck_assert_ptr_null(arena_alloc(&arena, 1));
	arena_init(&arena, first, 15, 0);
	ck_assert_ptr_null(arena_alloc(&arena, 1));
	arena_init(&arena, NULL, 0, 0);
	ck_assert_ptr_null(arena_alloc(&arena, 1));
}
END_TEST

START_TEST(holds_its_limit)
{
	size_t taken = 0;

	arena_init(&arena, NULL, 0, 1 << 20);
	while (arena_alloc(&arena, 1000) != NULL)
		taken += 1000;
	ck_assert_uint_gt(taken, 900000);
	ck_assert_uint_le(taken, 1 << 20);
	ck_assert_uint_le(arena.taken, arena.limit);
	arena_reset(&arena);
	ck_assert_uint_eq(arena.taken, 0);
	ck_assert_ptr_null(arena_alloc(&arena, (1 << 20) + 1));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 1 << 20));
	ck_assert_ptr_null(arena_alloc(&arena, 1));
	arena_reset(&arena);
}
END_TEST

START_TEST(refuses_what_would_overflow)
{
	arena_init(&arena, first, sizeof(first), SIZE_MAX);
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 15));
	ck_assert_ptr_null(arena_zalloc(&arena, SIZE_MAX / 2 + 1));
	ck_assert_ptr_null(arena_copy(&arena, span_make(first, SIZE_MAX)).p);
	arena_reset(&arena);
}
END_TEST

START_TEST(a_large_piece_leaves_the_chunk_in_use)
{
	arena_init(&arena, NULL, 0, 1 << 20);
	char *one = arena_alloc(&arena, 16);
	char *large = arena_alloc(&arena, 100000);
	char *two = arena_alloc(&arena, 16);
	ck_assert_ptr_eq(one + 16, two);
	memset(large, 1, 100000);
	arena_reset(&arena);
}
END_TEST

START_TEST(zeroes_and_copies)
{
	memset(first, 'x', sizeof(first));
	arena_init(&arena, first, sizeof(first), 0);
	char *zero = arena_zalloc(&arena, 20);
	for (size_t i = 0; i < 20; i++)
		ck_assert_int_eq(zero[i], 0);
	struct span copy = arena_copy(&arena, SPAN("a\0b"));
	ck_assert_span(copy, SPAN("a\0b"));
	ck_assert_ptr_null(arena_copy(&arena, SPAN("")).p);
	ck_assert_uint_eq(arena_copy(&arena, span_make(first, 1000)).n, 0);
}
END_TEST

static char order[8];
static size_t n_order;

static void
note(void *name)
{
	order[n_order++] = *(char *)name;
	/* the memory is there until all have run, and a clean-up may still use it */
	*(char *)name = 'x';
	ck_assert_ptr_nonnull(arena_alloc(&arena, 1));
}

START_TEST(cleans_up_newest_first_and_once)
{
	struct arena_cleanup *c;

	arena_init(&arena, NULL, 0, 1 << 20);
	for (char name = 'a'; name < 'd'; name++) {
		char *p = arena_alloc(&arena, 1);

		*p = name;
		c = arena_alloc(&arena, sizeof(*c));
		arena_defer(&arena, c, note, p);
	}
	arena_reset(&arena);
	ck_assert_span(span_make(order, n_order), SPAN("cba"));
	arena_reset(&arena);
	ck_assert_uint_eq(n_order, 3);
}
END_TEST

SUITE_RUN("base_arena", aligns_whatever_it_was_given, uses_the_first_memory_to_its_end,
    holds_its_limit, refuses_what_would_overflow, a_large_piece_leaves_the_chunk_in_use,
    zeroes_and_copies, cleans_up_newest_first_and_once)
