#include "gateway/db/value.h"

#include <string.h>

#include "tests/unit/suite.h"

START_TEST(numbers_and_times_come_back)
{
	const int64_t numbers[] = { 0, 1, -1, INT64_MAX, INT64_MIN, 1795400000 };
	char room[8];
	int64_t back;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		value_put_i64(room, numbers[i]);
		ck_assert(value_i64(span_make(room, 8), &back));
		ck_assert_int_eq(back, numbers[i]);
	}
	value_put_time(room, 1795400000);
	ck_assert(value_time(span_make(room, 8), &back));
	ck_assert_int_eq(back, 1795400000);
	ck_assert(value_i64(SPAN("\xff\xff\xff\xfe"), &back));
	ck_assert_int_eq(back, -2);
	ck_assert(value_i64(SPAN("\1"), &back));
	ck_assert_int_eq(back, 1);
	ck_assert(!value_i64(SPAN("abc"), &back));
	ck_assert(!value_time(SPAN("abcd"), &back));
}
END_TEST

START_TEST(a_time_before_2000_is_rounded_down)
{
	char room[8];
	int64_t back;

	value_put_i64(room, -1);
	ck_assert(value_time(span_make(room, 8), &back));
	ck_assert_int_eq(back, 946684799);
}
END_TEST

START_TEST(members_of_an_array_come_back_in_order)
{
	struct value_array a = { 0 };
	struct span member;
	size_t at = 0;

	value_array_begin(&a, VALUE_TEXT);
	value_array_add(&a, SPAN("one"));
	value_array_add(&a, span_make(NULL, 0));
	value_array_add(&a, SPAN(""));
	struct span whole = value_array_end(&a);

	ck_assert(value_member(whole, &at, &member));
	ck_assert_span(member, SPAN("one"));
	ck_assert(value_member(whole, &at, &member));
	ck_assert_ptr_null(member.p);
	ck_assert(value_member(whole, &at, &member));
	ck_assert_ptr_nonnull(member.p);
	ck_assert_uint_eq(member.n, 0);
	ck_assert(!value_member(whole, &at, &member));
	value_array_free(&a);
}
END_TEST

START_TEST(an_empty_array_has_no_dimension)
{
	struct value_array a = { 0 };
	struct span member;
	size_t at = 0;

	value_array_begin(&a, VALUE_UUID);
	struct span whole = value_array_end(&a);
	ck_assert_uint_eq(whole.n, 12);
	ck_assert_mem_eq(whole.p, "\0\0\0\0\0\0\0\0\0\0\x0b\x86", 12);
	ck_assert(!value_member(whole, &at, &member));
	value_array_free(&a);
}
END_TEST

START_TEST(what_is_cut_off_has_no_more_members)
{
	struct value_array a = { 0 };
	struct span member;

	value_array_begin(&a, VALUE_BYTEA);
	value_array_add(&a, SPAN("0123456789"));
	struct span whole = value_array_end(&a);
	for (size_t n = 0; n < whole.n; n++) {
		char *copy = malloc(n + 1);
		size_t at = 0;

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, whole.p, n);
		ck_assert(!value_member(span_make(copy, n), &at, &member));
		free(copy);
	}
	value_array_free(&a);
}
END_TEST

SUITE_RUN("db_value", numbers_and_times_come_back, a_time_before_2000_is_rounded_down,
    members_of_an_array_come_back_in_order, an_empty_array_has_no_dimension,
    what_is_cut_off_has_no_more_members)
