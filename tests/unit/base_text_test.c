#include "gateway/base/text.h"

#include "tests/unit/suite.h"

/* A text over memory of exactly this size, for a sanitizer to watch. */
static struct text
text_of(size_t size)
{
	char *p = malloc(size == 0 ? 1 : size);

	ck_assert_ptr_nonnull(p);
	return (struct text){ p, 0, size, false };
}

START_TEST(fits_exactly_or_not_at_all)
{
	struct text t = text_of(4);

	text_put(&t, SPAN("abcd"));
	ck_assert(!t.cut && t.n == 4);
	text_put(&t, SPAN(""));
	ck_assert(!t.cut);
	text_char(&t, 'e');
	ck_assert(t.cut);
	ck_assert_span(text_span(&t), SPAN("abcd"));
	free(t.p);
	t = text_of(4);
	text_put(&t, SPAN("abcde"));
	ck_assert(t.cut && t.n == 0);
	text_put(&t, SPAN("a"));
	ck_assert(t.cut);	/* once and for all */
	free(t.p);
	t = text_of(0);
	text_put(&t, SPAN(""));
	ck_assert(!t.cut);
	text_u64(&t, 0);
	ck_assert(t.cut && t.n == 0);
	free(t.p);
}
END_TEST

START_TEST(writes_numbers)
{
	struct text t = text_of(64);

	text_u64(&t, 0);
	text_char(&t, ' ');
	text_u64(&t, UINT64_MAX);
	text_char(&t, ' ');
	text_hex(&t, 0);
	text_char(&t, ' ');
	text_hex(&t, UINT64_MAX);
	text_str(&t, " 10:");
	text_hex(&t, 16);
	ck_assert_span(text_span(&t), SPAN("0 18446744073709551615 0 ffffffffffffffff 10:10"));
	free(t.p);
}
END_TEST

START_TEST(formats_what_fits)
{
	for (size_t size = 0; size < 12; size++) {
		struct text t = text_of(size);

		text_fmt(&t, "%s-%d", "abc", 42);
		ck_assert_msg(t.cut == (size < 7), "%zu bytes", size);
		ck_assert_span(text_span(&t), t.cut ? SPAN("") : SPAN("abc-42"));
		free(t.p);
	}
}
END_TEST

static struct span
json_of(struct span s)
{
	static char room[256];
	struct text t = TEXT_OVER(room);

	text_json(&t, s);
	ck_assert(!t.cut);
	return text_span(&t);
}

START_TEST(is_json_whatever_comes)
{
	ck_assert_span(json_of(SPAN("")), SPAN("\"\""));
	ck_assert_span(json_of(SPAN("a\"b\\c\nd\re\t\x01\x7f")),
	    SPAN("\"a\\\"b\\\\c\\nd\\u000de\\u0009\\u0001\\u007f\""));
	ck_assert_span(json_of(SPAN("\0")), SPAN("\"\\u0000\""));
	ck_assert_span(json_of(SPAN("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")),
	    SPAN("\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""));
	/* cut short, alone, overlong, a surrogate, too high: one U+FFFD a byte */
	ck_assert_span(json_of(SPAN("\xC3")), SPAN("\"\xEF\xBF\xBD\""));
	ck_assert_span(json_of(SPAN("\xA4x")), SPAN("\"\xEF\xBF\xBDx\""));
	ck_assert_span(json_of(SPAN("\xC0\xAF")), SPAN("\"\xEF\xBF\xBD\xEF\xBF\xBD\""));
	ck_assert_span(json_of(SPAN("\xED\xA0\x80")),
	    SPAN("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""));
	ck_assert_span(json_of(SPAN("x\xE2\x82\"")), SPAN("\"x\xEF\xBF\xBD\xEF\xBF\xBD\\\"\""));
}
END_TEST

START_TEST(a_form_takes_any_byte)
{
	char out[64];
	struct text t = TEXT_OVER(out);

	text_form(&t, SPAN("aZ09-._* +/=&%\0\xc3\xbc\n"));
	ck_assert_span(text_span(&t), SPAN("aZ09-._*+%2B%2F%3D%26%25%00%C3%BC%0A"));
	t = (struct text){ out, 0, 4, false };
	text_form(&t, SPAN("ab&"));
	ck_assert(t.cut && t.n <= 4);
}
END_TEST

START_TEST(json_never_passes_the_end)
{
	struct span hostile = SPAN("a\"\x01\xFF\xC3\xA4");

	for (size_t size = 0; size < 32; size++) {
		struct text t = text_of(size);

		text_json(&t, hostile);
		ck_assert_uint_le(t.n, size);
		ck_assert(t.cut == (size < json_of(hostile).n));
		free(t.p);
	}
}
END_TEST

SUITE_RUN("base_text", fits_exactly_or_not_at_all, writes_numbers, formats_what_fits,
    is_json_whatever_comes, a_form_takes_any_byte, json_never_passes_the_end)
