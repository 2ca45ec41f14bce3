#include "gateway/token/chance.h"

#include "tests/unit/suite.h"

#define PART	42

static bool
is_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

START_TEST(no_part_is_given_twice_or_stays_behind)
{
	static uint8_t parts[100][PART];
	static struct chance chance;

	for (size_t i = 0; i < 100; i++) {
		ck_assert(chance_take(&chance, parts[i], PART));
		for (size_t j = 0; j < i; j++)
			ck_assert_int_ne(memcmp(parts[i], parts[j], PART), 0);
		/* all that has been given is wiped */
		ck_assert_uint_le(chance.left, CHANCE_RESERVE - PART);
		ck_assert(is_zero(chance.reserve + chance.left, CHANCE_RESERVE - chance.left));
	}
}
END_TEST

START_TEST(a_part_may_be_the_whole_and_is_never_made_of_two_reserves)
{
	static uint8_t whole[CHANCE_RESERVE], part[PART];
	static struct chance chance;

	ck_assert(chance_take(&chance, part, PART));
	ck_assert(chance_take(&chance, whole, sizeof(whole)));
	ck_assert_uint_eq(chance.left, 0);
	ck_assert(!is_zero(whole, PART) && !is_zero(whole + sizeof(whole) - PART, PART));
	ck_assert(chance_take(&chance, part, PART));
	ck_assert_uint_eq(chance.left, CHANCE_RESERVE - PART);
}
END_TEST

START_TEST(what_is_left_is_forgotten)
{
	static uint8_t part[PART];
	static struct chance chance;

	ck_assert(chance_take(&chance, part, PART));
	chance_forget(&chance);
	ck_assert_uint_eq(chance.left, 0);
	ck_assert(is_zero(chance.reserve, CHANCE_RESERVE));
}
END_TEST

SUITE_RUN("token_chance", no_part_is_given_twice_or_stays_behind,
    a_part_may_be_the_whole_and_is_never_made_of_two_reserves, what_is_left_is_forgotten)
