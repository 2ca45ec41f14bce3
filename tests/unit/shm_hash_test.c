#include "shm/hash.h"
#include "tests/unit/shm_memory.h"

/* SipHash-1-3 under the key 00..0f of the inputs "", 00, 00 01, 00 01 02, ... */
START_TEST(siphash_1_3_vectors)
{
	static const uint64_t expected[] = { 0xabac0158050fc4dcULL, 0xc9f49bf37d57ca93ULL,
		0x82cb9b024dc7d44dULL, 0x8bf80ab8e7ddf7fbULL, 0xcf75576088d38328ULL,
		0xdef9d52f49533b67ULL, 0xc50d2b50c59f22a7ULL, 0xd3927d989bb11140ULL,
		0x369095118d299a8eULL };
	uint8_t key[16], input[8];
	size_t i;

	for (i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	for (i = 0; i < 8; i++)
		input[i] = (uint8_t)i;
	for (i = 0; i <= 8; i++)
		ck_assert_uint_eq(hash_bytes(input, i, key), expected[i]);
}
END_TEST

START_TEST(digests_spread_and_depend_on_the_key)
{
	uint8_t digest[32], other[16] = { 1 };
	int buckets[64] = { 0 };
	uint64_t n;
	int i;

	for (n = 0; n < 64000; n++)
		buckets[hash_digest(memory_digest(digest, n), memory_key) >> 58]++;
	for (i = 0; i < 64; i++) {
		ck_assert_int_gt(buckets[i], 800);
		ck_assert_int_lt(buckets[i], 1200);
	}
	ck_assert_uint_ne(hash_digest(digest, memory_key), hash_digest(digest, other));
}
END_TEST

START_TEST(mix_is_a_bijection_without_fixed_small_numbers)
{
	uint64_t n;

	ck_assert_uint_eq(hash_mix64(0), 0);
	for (n = 1; n < 1000; n++) {
		ck_assert_uint_ne(hash_mix64(n), n);
		ck_assert_uint_ne(hash_mix64(n) >> 32, hash_mix64(n + 1) >> 32);
	}
}
END_TEST

MEMORY_RUN("shm_hash", siphash_1_3_vectors, digests_spread_and_depend_on_the_key,
    mix_is_a_bijection_without_fixed_small_numbers)
