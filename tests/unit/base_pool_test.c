#include "gateway/base/pool.h"

#include <stdint.h>

#include "tests/unit/suite.h"

START_TEST(keeps_at_most_so_many)
{
	struct pool pool;
	void *blocks[4];

	pool_init(&pool, 100, 2);
	for (int i = 0; i < 4; i++) {
		blocks[i] = pool_lease(&pool);
		ck_assert_ptr_nonnull(blocks[i]);
		ck_assert_uint_eq((uintptr_t)blocks[i] % 16, 0);
		memset(blocks[i], i, pool.size);
	}
	ck_assert_uint_ge(pool.size, 100);
	ck_assert_uint_eq(pool.leased, 4);
	for (int i = 0; i < 4; i++)
		pool_return(&pool, blocks[i]);
	ck_assert_uint_eq(pool.leased, 0);
	ck_assert_uint_eq(pool.kept, 2);
	ck_assert_ptr_eq(pool_lease(&pool), blocks[1]);
	ck_assert_uint_eq(pool.kept, 1);
	pool_return(&pool, blocks[1]);
	pool_return(&pool, NULL);
	ck_assert_uint_eq(pool.leased, 0);
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
	ck_assert_uint_eq(pool.kept, 0);
	pool_fini(&pool);
}
END_TEST

SUITE_RUN("base_pool", keeps_at_most_so_many, small_blocks_and_no_spares)
