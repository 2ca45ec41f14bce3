#include "gateway/token/opaque.h"

#include "tests/unit/suite.h"

/* "gha_", an id of version 7, and the bytes 0 to 31. */
#define TOKEN	"gha_AZCnw9jxeryN7wEjRWeJqwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

static const uint8_t token_id[UUID_SIZE] = { 0x01, 0x90, 0xa7, 0xc3, 0xd8, 0xf1, 0x7a, 0xbc, 0x8d,
	0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab };

START_TEST(is_written_and_read)
{
	uint8_t secret[OPAQUE_SECRET], id[UUID_SIZE];
	char text[OPAQUE_TEXT];

	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)i;
	opaque_write(OPAQUE_ACCESS, token_id, secret, text);
	ck_assert_span(span_make(text, OPAQUE_TEXT), SPAN(TOKEN));
	ck_assert(opaque_read(OPAQUE_ACCESS, SPAN(TOKEN), id));
	ck_assert_int_eq(memcmp(id, token_id, sizeof(id)), 0);
	opaque_write(OPAQUE_REFRESH, token_id, secret, text);
	ck_assert_int_eq(memcmp(text, "ghr_", 4), 0);
	ck_assert_int_eq(memcmp(text + 4, TOKEN + 4, OPAQUE_TEXT - 4), 0);
	ck_assert(opaque_read(OPAQUE_REFRESH, span_make(text, OPAQUE_TEXT), id));
}
END_TEST

START_TEST(new_ones_differ)
{
	uint8_t a_id[UUID_SIZE], b_id[UUID_SIZE], id[UUID_SIZE];
	char a[OPAQUE_TEXT], b[OPAQUE_TEXT];

	ck_assert(opaque_new(OPAQUE_ACCESS, a_id, a) && opaque_new(OPAQUE_ACCESS, b_id, b));
	ck_assert_int_ne(memcmp(a + 26, b + 26, OPAQUE_TEXT - 26), 0);
	ck_assert(opaque_read(OPAQUE_ACCESS, span_make(a, OPAQUE_TEXT), id));
	ck_assert_int_eq(memcmp(id, a_id, sizeof(id)), 0);
}
END_TEST

START_TEST(what_is_malformed_is_refused)
{
	static const char *const bad[] = {
		"", "gha_", "gha", "eyJhbGciOiJub25lIn0.e30.",
		"ghr_AZCnw9jxeryN7wEjRWeJqwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
		"GHA_AZCnw9jxeryN7wEjRWeJqwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
		"gha_AZCnw9jxeryN7wEjRWeJqwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4",
		TOKEN "A", TOKEN "=", " " TOKEN,
		/* foreign characters */
		"gha_AZCnw9jxeryN7wEjRWeJqwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4=",
		"gha_AZCnw9jxeryN7wEjRWeJqwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscH/4f",
		/* an id of version 4 */
		"gha_AZCnw9jxSryN7wEjRWeJqwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f",
	};
	uint8_t id[UUID_SIZE];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!opaque_read(OPAQUE_ACCESS, span_of(bad[i]), id), "%s", bad[i]);
	ck_assert(!opaque_read(OPAQUE_REFRESH, SPAN(TOKEN), id));
}
END_TEST

/* What begins so never reaches the checker of JWTs, be it well-formed or not. */
START_TEST(the_beginning_tells_the_kind)
{
	ck_assert(opaque_begins(OPAQUE_ACCESS, SPAN("gha_")));
	ck_assert(opaque_begins(OPAQUE_ACCESS, SPAN("gha_a.b.c")));
	ck_assert(!opaque_begins(OPAQUE_ACCESS, SPAN("gha")));
	ck_assert(!opaque_begins(OPAQUE_ACCESS, SPAN("ghr_x")));
	ck_assert(!opaque_begins(OPAQUE_ACCESS, span_make(NULL, 0)));
	ck_assert(opaque_begins(OPAQUE_REFRESH, SPAN("ghr_x")));
}
END_TEST

START_TEST(digests_are_compared_whole)
{
	uint8_t a[OPAQUE_DIGEST] = { 0 }, b[OPAQUE_DIGEST] = { 0 };

	ck_assert(opaque_same(a, b));
	b[OPAQUE_DIGEST - 1] = 1;
	ck_assert(!opaque_same(a, b));
}
END_TEST

SUITE_RUN("token_opaque", is_written_and_read, new_ones_differ, what_is_malformed_is_refused,
    the_beginning_tells_the_kind, digests_are_compared_whole)
