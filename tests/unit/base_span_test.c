#include "gateway/base/span.h"

#include "tests/unit/suite.h"

START_TEST(compares_by_length_and_bytes)
{
	ck_assert(span_eq(SPAN("ab"), SPAN("ab")));
	ck_assert(!span_eq(SPAN("ab"), SPAN("abc")));
	ck_assert(!span_eq(SPAN("a\0b"), SPAN("a\0c")));
	ck_assert(span_eq(span_make(NULL, 0), SPAN("")));
	ck_assert(!span_eq(SPAN("a"), SPAN("A")));
	ck_assert(span_eq(span_of(NULL), SPAN("")));
	ck_assert_uint_eq(SPAN("a\0b").n, 3);
}
END_TEST

START_TEST(folds_ascii_only)
{
	ck_assert(span_eq_nocase(SPAN("AZaz09"), SPAN("azAZ09")));
	ck_assert(!span_eq_nocase(SPAN("@["), SPAN("`{")));
	ck_assert(!span_eq_nocase(SPAN("\xC4"), SPAN("\xE4")));
	ck_assert(!span_eq_nocase(SPAN("a"), SPAN("ab")));
	ck_assert(span_eq_nocase(span_make(NULL, 0), SPAN("")));
	ck_assert(span_starts_nocase(SPAN("Bearer x"), SPAN("bearer")));
	ck_assert(span_starts_nocase(SPAN("bearer"), SPAN("BEARER")));
	ck_assert(!span_starts_nocase(SPAN("beare"), SPAN("bearer")));
	ck_assert(span_starts_nocase(SPAN("x"), SPAN("")));
}
END_TEST

START_TEST(trims_spaces_and_tabs_alone)
{
	ck_assert_span(span_trim(SPAN(" \t a b\t ")), SPAN("a b"));
	ck_assert_span(span_trim(SPAN(" \t ")), SPAN(""));
	ck_assert_span(span_trim(SPAN("")), SPAN(""));
	ck_assert_span(span_trim(SPAN("\r\na\v")), SPAN("\r\na\v"));
	ck_assert_uint_eq(span_trim(span_make(NULL, 0)).n, 0);
}
END_TEST

/* The items of a list, each in brackets. */
static struct span
items_of(struct span list)
{
	static char out[64];
	struct span item;
	size_t n = 0;

	while (span_next(&list, ',', &item)) {
		out[n++] = '[';
		memcpy(out + n, item.p, item.n);
		n += item.n;
		out[n++] = ']';
	}
	return span_make(out, n);
}

START_TEST(hands_out_every_item)
{
	ck_assert_span(items_of(SPAN("a")), SPAN("[a]"));
	ck_assert_span(items_of(SPAN("a, b\t,c")), SPAN("[a][b][c]"));
	ck_assert_span(items_of(SPAN(",a,,b,")), SPAN("[][a][][b][]"));
	ck_assert_span(items_of(SPAN("")), SPAN("[]"));
	ck_assert_span(items_of(SPAN(",")), SPAN("[][]"));
	ck_assert_span(items_of(span_make(NULL, 0)), SPAN(""));
}
END_TEST

START_TEST(sees_a_control_character_at_every_place)
{
	char bytes[40];

	for (size_t n = 0; n <= sizeof(bytes); n++)
		for (size_t at = 0; at < n; at++)
			for (int c = 0; c < 256; c++) {
				memset(bytes, 'x', sizeof(bytes));
				bytes[at] = (char)c;
				ck_assert_int_eq(span_has_control(span_make(bytes, n)),
				    (c < 0x20 && c != '\t') || c == 0x7f);
			}
	memset(bytes, '\t', sizeof(bytes));
	ck_assert(!span_has_control(span_make(bytes, sizeof(bytes))));
	bytes[7] = '\n';
	ck_assert(span_has_control(span_make(bytes, sizeof(bytes))));
	ck_assert(!span_has_control(SPAN("")));
}
END_TEST

START_TEST(reads_one_spelling_of_a_number)
{
	static const char *const bad[] = {
		"", "00", "01", "+1", "-1", " 1", "1 ", "1a", "0x1", "1.0", "1,",
		"18446744073709551616", "99999999999999999999", "100000000000000000000",
	};
	uint64_t n = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(!span_to_u64(span_of(bad[i]), &n), "%s", bad[i]);
		ck_assert_uint_eq(n, 7);
	}
	ck_assert(!span_to_u64(SPAN("1\0"), &n));
	ck_assert(span_to_u64(SPAN("0"), &n) && n == 0);
	ck_assert(span_to_u64(SPAN("18446744073709551615"), &n) && n == UINT64_MAX);
}
END_TEST

SUITE_RUN("base_span", compares_by_length_and_bytes, folds_ascii_only, trims_spaces_and_tabs_alone,
    hands_out_every_item, sees_a_control_character_at_every_place,
    reads_one_spelling_of_a_number)
