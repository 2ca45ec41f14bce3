#include "shm/cache.h"
#include "tests/unit/shm_memory.h"

static uint8_t buf[CACHE_VALUE_MAX];

static struct cache *
cache_of(size_t size)
{
	return cache_init(memory_new(size), size, memory_key);
}

/* A value that tells whose it is in every byte. */
static const void *
value_of(uint64_t n, size_t len)
{
	static uint8_t value[CACHE_VALUE_MAX + 1];
	size_t i;

	for (i = 0; i < len; i++)
		value[i] = (uint8_t)(hash_mix64(n) >> i % 8 * 8);
	return value;
}

static bool
has(struct cache *cache, uint64_t n, size_t len)
{
	uint8_t digest[32];

	return cache_get(cache, memory_digest(digest, n), 10, buf, sizeof(buf)) == len &&
	    memcmp(buf, value_of(n, len), len) == 0;
}

static bool
put(struct cache *cache, uint64_t n, size_t len)
{
	uint8_t digest[32];

	return cache_put(cache, memory_digest(digest, n), value_of(n, len), len, 100, 10);
}

START_TEST(keeps_values_of_all_lengths)
{
	struct cache *cache = cache_of(64 * 20000);
	size_t len;

	for (len = 1; len <= CACHE_VALUE_MAX; len = len * 3 / 2 + 1) {
		ck_assert(put(cache, len, len));
		ck_assert(has(cache, len, len));
	}
	ck_assert(put(cache, 1, CACHE_VALUE_MAX));
	ck_assert(has(cache, 1, CACHE_VALUE_MAX));
	ck_assert(!put(cache, 1, 0));
	ck_assert(!put(cache, 1, CACHE_VALUE_MAX + 1));
	ck_assert(!has(cache, 99999, 1));
}
END_TEST

START_TEST(expires_at_its_second)
{
	struct cache *cache = cache_of(cache_size_min());
	uint8_t digest[32];

	memory_digest(digest, 1);
	ck_assert(cache_put(cache, digest, "value", 5, 20, 10));
	ck_assert_uint_eq(cache_get(cache, digest, 19, buf, sizeof(buf)), 5);
	ck_assert_uint_eq(cache_get(cache, digest, 20, buf, sizeof(buf)), 0);
	ck_assert(!cache_put(cache, digest, "value", 5, 10, 10));
	ck_assert(cache_put(cache, digest, "value", 5, UINT64_MAX, 10));
	ck_assert_uint_eq(cache_get(cache, digest, 4000000000, buf, sizeof(buf)), 5);
	ck_assert_uint_eq(cache_get(cache, digest, 10, buf, 4), 0);
}
END_TEST

START_TEST(replaces_and_removes)
{
	struct cache *cache = cache_of(cache_size_min());
	uint8_t digest[32];
	uint64_t n;

	for (n = 0; n < 20; n++)
		ck_assert(put(cache, n, 100 + n * 10));
	for (n = 0; n < 20; n += 2)
		ck_assert(put(cache, n, 300 - n * 10));
	for (n = 0; n < 20; n += 5) {
		ck_assert(cache_remove(cache, memory_digest(digest, n)));
		ck_assert(!cache_remove(cache, digest));
	}
	for (n = 0; n < 20; n++)
		ck_assert(has(cache, n, n % 2 == 0 ? 300 - n * 10 : 100 + n * 10) == (n % 5 != 0));
}
END_TEST

START_TEST(read_entries_outlive_unread_ones)
{
	struct cache *cache = cache_of(cache_size_min());
	struct cache_stats stats;
	uint64_t n;

	for (n = 0; n < 10; n++)
		put(cache, n, 400);
	for (n = 100; n < 400; n++) {
		put(cache, n, 400);
		for (uint64_t i = 0; i < 10; i++)
			ck_assert_msg(has(cache, i, 400), "entry %lu at %lu", i, n);
	}
	cache_stats(cache, &stats);
	ck_assert_uint_gt(stats.entries, 30);
	ck_assert_uint_eq(stats.entries + stats.evictions, 310);
	ck_assert_uint_le(stats.used_bytes, stats.capacity_bytes);
}
END_TEST

START_TEST(expired_entries_go_first)
{
	struct cache *cache = cache_of(cache_size_min());
	struct cache_stats stats;
	uint8_t digest[32];
	uint64_t n;

	for (n = 0; n < 10; n++)
		cache_put(cache, memory_digest(digest, n), value_of(n, 400), 400, 5, 1);
	for (n = 100; n < 136; n++)
		put(cache, n, 400);
	for (n = 100; n < 136; n++)
		ck_assert(has(cache, n, 400));
	cache_stats(cache, &stats);
	ck_assert_uint_eq(stats.evictions, 0);
}
END_TEST

START_TEST(no_fill_after_a_bar)
{
	struct cache *cache = cache_of(cache_size_min());
	uint64_t ticket = cache_ticket(cache);
	uint8_t digest[32];

	memory_digest(digest, 1);
	ck_assert(cache_put_if(cache, ticket, digest, "a", 1, 100, 10));
	cache_bar(cache);
	ck_assert(!cache_put_if(cache, ticket, digest, "b", 1, 100, 10));
	ck_assert_uint_eq(cache_get(cache, digest, 10, buf, sizeof(buf)), 1);
	ck_assert_int_eq(buf[0], 'a');
	ck_assert(cache_put_if(cache, cache_ticket(cache), digest, "c", 1, 100, 10));
}
END_TEST

START_TEST(attaches_to_what_fits)
{
	size_t size = cache_size_for(100, 450);
	void *memory = memory_new(size);
	struct cache *cache;

	ck_assert_ptr_null(cache_attach(memory, size));
	ck_assert_ptr_null(cache_init(memory, cache_size_min() - 1, memory_key));
	cache = cache_init(memory, size, memory_key);
	put(cache, 1, 50);
	ck_assert_ptr_eq(cache_attach(memory, size), cache);
	ck_assert(has(cache_attach(memory, size), 1, 50));
	ck_assert_ptr_null(cache_attach(memory, size - 4096));
	memory_free(memory, size);
}
END_TEST

/* Counts by itself, since an assertion each would take longer than what is tested. */
START_TEST(a_million_entries_stay)
{
	const uint64_t entries = 1000000;
	struct cache *cache = cache_of(cache_size_for(entries, 450));
	uint8_t digest[32], value[450] = { 0 };
	uint64_t n, kept = 0, found = 0, wrong = 0;

	for (n = 0; n < entries; n++) {
		memcpy(value, &n, sizeof(n));
		kept += cache_put(cache, memory_digest(digest, n), value, 450, 100, 10);
	}
	for (n = 0; n < entries; n++) {
		if (cache_get(cache, memory_digest(digest, n), 10, buf, sizeof(buf)) == 0)
			continue;
		found++;
		wrong += memcmp(buf, &n, sizeof(n)) != 0;
	}
	ck_assert_uint_eq(kept, entries);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_ge(found, entries * 97 / 100);
}
END_TEST

MEMORY_RUN("shm_cache", keeps_values_of_all_lengths, expires_at_its_second, replaces_and_removes,
    read_entries_outlive_unread_ones, expired_entries_go_first, no_fill_after_a_bar,
    attaches_to_what_fits, a_million_entries_stay)
