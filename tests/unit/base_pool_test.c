#include "gateway/base/pool.h"

#include <stdint.h>

#include "tests/unit/suite.h"

START_TEST(keeps_what_was_needed_lately)
{
	struct pool pool;
	void *blocks[6];

	pool_init(&pool, 100, 1);
	for (int i = 0; i < 6; i++) {
		blocks[i] = pool_lease(&pool);
		ck_assert_ptr_nonnull(blocks[i]);
		ck_assert_uint_eq((uintptr_t)blocks[i] % 16, 0);
		memset(blocks[i], i, pool.size);
	}
	ck_assert_uint_ge(pool.size, 100);
	for (int i = 0; i < 6; i++)
		pool_return(&pool, blocks[i]);
	pool_return(&pool, NULL);
	ck_assert_uint_eq(pool.leased, 0);
	pool_trim(&pool);
	ck_assert_uint_eq(pool.kept, 6);	/* six were in use since the start */
	ck_assert_ptr_eq(pool_lease(&pool), blocks[5]);
	void *second = pool_lease(&pool);
	pool_return(&pool, second);
	pool_trim(&pool);
	ck_assert_uint_eq(pool.kept, 2);	/* two at once, one of them back, and the spare one */
	pool_trim(&pool);
	ck_assert_uint_eq(pool.kept, 1);
	pool_return(&pool, blocks[5]);
	pool_fini(&pool);
	ck_assert_ptr_null(pool.free);
}
END_TEST

START_TEST(small_blocks_and_no_spares)
{
	struct pool pool;

	pool_init(&pool, 1, 0);
	void *block = pool_lease(&pool);
	ck_assert_uint_ge(pool.size, sizeof(void *));
	pool_return(&pool, block);
	pool_trim(&pool);
	pool_trim(&pool);
	ck_assert_uint_eq(pool.kept, 0);
	pool_fini(&pool);
}
END_TEST

SUITE_RUN("base_pool", keeps_what_was_needed_lately, small_blocks_and_no_spares)
