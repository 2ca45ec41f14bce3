#include "gateway/oauth/form.h"

#include <stdio.h>

#include "tests/unit/suite.h"

static char bytes[1 << 16];
static struct form form;

static enum form_result
parse(struct span text)
{
	memcpy(bytes, text.p, text.n);
	return form_parse(&form, bytes, text.n);
}

#define ck_value(text, name, expected) do { \
	ck_assert_int_eq(parse(SPAN(text)), FORM_FINE); \
	ck_assert_span(form_get(&form, SPAN(name)), SPAN(expected)); \
} while (0)

START_TEST(reads_what_is_there)
{
	ck_value("a=b", "a", "b");
	ck_value("a=b&c=d", "c", "d");
	ck_value("&&a=b&", "a", "b");
	ck_value("a=b=c", "a", "b=c");
	ck_value("a=1+2%20%2b", "a", "1 2 +");
	ck_value("%61%62=%c3%a4", "ab", "\xc3\xa4");
	ck_value("a+b=1", "a b", "1");
	ck_value("a=%26%3d", "a", "&=");
	ck_value("=x&a=b", "a", "b");
	ck_value("A=1", "a", "");
}
END_TEST

START_TEST(what_has_no_value_is_not_there)
{
	unsigned at = 0;
	struct span value;

	ck_value("", "a", "");
	ck_value("a", "a", "");
	ck_value("a=&b=1", "a", "");
	ck_value("audience=", "audience", "");
	ck_assert(!form_next(&form, SPAN("audience"), &at, &value));
}
END_TEST

START_TEST(a_parameter_comes_once)
{
	ck_assert_int_eq(parse(SPAN("a=1&a=1")), FORM_REPEATED);
	ck_assert_int_eq(parse(SPAN("a=1&b=1&%61=2")), FORM_REPEATED);
	ck_assert_int_eq(parse(SPAN("scope=&scope=x")), FORM_REPEATED);
	ck_assert_int_eq(parse(SPAN("unknown=1&unknown=2")), FORM_REPEATED);
	ck_assert_int_eq(parse(SPAN("a=1&A=2")), FORM_FINE);
}
END_TEST

START_TEST(audience_and_resource_may_be_repeated)
{
	struct span value;
	unsigned at = 0;

	ck_assert_int_eq(parse(SPAN("audience=a&resource=r&audience=&audience=b&resource=s")),
	    FORM_FINE);
	ck_assert(form_next(&form, SPAN("audience"), &at, &value));
	ck_assert_span(value, SPAN("a"));
	ck_assert(form_next(&form, SPAN("audience"), &at, &value));
	ck_assert_span(value, SPAN("b"));
	ck_assert(!form_next(&form, SPAN("audience"), &at, &value));
	at = 0;
	ck_assert(form_next(&form, SPAN("resource"), &at, &value));
	ck_assert(form_next(&form, SPAN("resource"), &at, &value));
	ck_assert_span(value, SPAN("s"));
	ck_assert(!form_next(&form, SPAN("resource"), &at, &value));
}
END_TEST

START_TEST(refuses_what_is_malformed)
{
	static const char *const bad[] = {
		"a=%", "a=%2", "a=%zz", "a=%0g", "a=%00", "%00=1", "a=b&c=%", "%=1", "a=%c3",
		"a=%ff", "a=%c0%af", "a=%ed%a0%80", "a=\xe4", "%a4=1",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(parse(span_of(bad[i])) == FORM_MALFORMED, "%s", bad[i]);
	ck_assert_int_eq(parse(span_make("a=b\0c", 5)), FORM_MALFORMED);
}
END_TEST

/* A value of plain bytes with one thing in it, `text`, wherever it stands. */
static void
ck_everywhere(struct span text, enum form_result expected, struct span decoded)
{
	enum { PLAIN = 37 };
	char form_text[2 + PLAIN + 8], wanted[PLAIN + 8];

	for (size_t before = 0; before <= PLAIN; before++) {
		size_t after = PLAIN - before;

		memset(form_text, 'x', sizeof(form_text));
		memset(wanted, 'x', sizeof(wanted));
		memcpy(form_text, "a=", 2);
		memcpy(form_text + 2 + before, text.p, text.n);
		memcpy(wanted + before, decoded.p, decoded.n);
		enum form_result got = parse(span_make(form_text, 2 + PLAIN + text.n));
		ck_assert_int_eq(got, expected);
		if (got == FORM_FINE)
			ck_assert_span(form_get(&form, SPAN("a")),
			    span_make(wanted, before + decoded.n + after));
	}
}

START_TEST(what_is_not_plain_is_found_wherever_it_stands)
{
	ck_everywhere(SPAN("%41"), FORM_FINE, SPAN("A"));
	ck_everywhere(SPAN("+"), FORM_FINE, SPAN(" "));
	ck_everywhere(SPAN("%c3%A4"), FORM_FINE, SPAN("\xc3\xa4"));
	ck_everywhere(SPAN("\xc3\xa4"), FORM_FINE, SPAN("\xc3\xa4"));
	ck_everywhere(SPAN("%zz"), FORM_MALFORMED, SPAN(""));
	ck_everywhere(SPAN("%00"), FORM_MALFORMED, SPAN(""));
	ck_everywhere(SPAN("\0"), FORM_MALFORMED, SPAN(""));
	ck_everywhere(SPAN("\xc3"), FORM_MALFORMED, SPAN(""));
	ck_everywhere(SPAN("\xff"), FORM_MALFORMED, SPAN(""));
}
END_TEST

START_TEST(parameters_are_bounded)
{
	static char many[8 * (FORM_PARAMS_MAX + 1)];
	int n = 0;

	for (int i = 0; i < FORM_PARAMS_MAX; i++)
		n += snprintf(many + n, sizeof(many) - (size_t)n, "&p%d=1", i);
	ck_assert_int_eq(parse(span_make(many, (size_t)n)), FORM_FINE);
	ck_assert_uint_eq(form.n, FORM_PARAMS_MAX);
	n += snprintf(many + n, sizeof(many) - (size_t)n, "&q=1");
	ck_assert_int_eq(parse(span_make(many, (size_t)n)), FORM_TOO_MANY);
}
END_TEST

SUITE_RUN("oauth_form", reads_what_is_there, what_has_no_value_is_not_there,
    a_parameter_comes_once, audience_and_resource_may_be_repeated, refuses_what_is_malformed,
    what_is_not_plain_is_found_wherever_it_stands, parameters_are_bounded)
