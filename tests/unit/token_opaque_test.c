#include "gateway/token/opaque.h"

#include "gateway/base/encode.h"
#include "gateway/token/seal.h"

#include "tests/unit/suite.h"

/* "gha_", an id of version 7, the bytes 0 to 31, and their tag by the key of bytes 100 to 131. */
#define BODY	"AZCnw9jxeryN7wEjRWeJqwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define TOKEN	"gha_" BODY "foZl-0i9Q10"
#define REFRESH	"ghr_" BODY "oFANvTLMHfY"

static const struct seal_key key = { { 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112,
	113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 130, 131 } };

static const uint8_t token_id[UUID_SIZE] = { 0x01, 0x90, 0xa7, 0xc3, 0xd8, 0xf1, 0x7a, 0xbc, 0x8d,
	0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab };

START_TEST(is_written_and_read)
{
	uint8_t secret[OPAQUE_SECRET], id[UUID_SIZE];
	char text[OPAQUE_TEXT];

	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)i;
	opaque_write(OPAQUE_ACCESS, token_id, secret, &key, text);
	ck_assert_span(span_make(text, OPAQUE_TEXT), SPAN(TOKEN));
	ck_assert(opaque_read(OPAQUE_ACCESS, SPAN(TOKEN), &key, id));
	ck_assert_int_eq(memcmp(id, token_id, sizeof(id)), 0);
	opaque_write(OPAQUE_REFRESH, token_id, secret, &key, text);
	ck_assert_span(span_make(text, OPAQUE_TEXT), SPAN(REFRESH));
	ck_assert(opaque_read(OPAQUE_REFRESH, span_make(text, OPAQUE_TEXT), &key, id));
}
END_TEST

START_TEST(new_ones_differ)
{
	uint8_t a_id[UUID_SIZE], b_id[UUID_SIZE], id[UUID_SIZE];
	char a[OPAQUE_TEXT], b[OPAQUE_TEXT];

	ck_assert(opaque_new(OPAQUE_ACCESS, &key, a_id, a) &&
	    opaque_new(OPAQUE_ACCESS, &key, b_id, b));
	ck_assert_int_ne(memcmp(a + 26, b + 26, OPAQUE_TEXT - 26), 0);
	ck_assert(opaque_read(OPAQUE_ACCESS, span_make(a, OPAQUE_TEXT), &key, id));
	ck_assert_int_eq(memcmp(id, a_id, sizeof(id)), 0);
}
END_TEST

START_TEST(what_is_malformed_is_refused)
{
	static const char *const bad[] = {
		"", "gha_", "gha", "eyJhbGciOiJub25lIn0.e30.",
		REFRESH, "GHA_" BODY "foZl-0i9Q10", "gha_" BODY "foZl-0i9Q1", "gha_" BODY,
		TOKEN "A", TOKEN "=", " " TOKEN,
		/* foreign characters */
		"gha_" BODY "foZl-0i9Q1=", "gha_" BODY "foZ/-0i9Q10",
		/* an id of version 4 */
		"gha_AZCnw9jxSryN7wEjRWeJqwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4ffoZl-0i9Q10",
	};
	uint8_t id[UUID_SIZE];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!opaque_read(OPAQUE_ACCESS, span_of(bad[i]), NULL, id), "%s",
		    bad[i]);
	ck_assert(!opaque_read(OPAQUE_REFRESH, SPAN(TOKEN), NULL, id));
}
END_TEST

/* Whatever bit is turned, and whatever other key: it was not made here. */
START_TEST(the_tag_tells_what_was_made_here)
{
	uint8_t content[64], id[UUID_SIZE];
	char text[OPAQUE_TEXT];
	struct seal_key other = key;
	size_t n;

	for (size_t bit = 0; bit < (OPAQUE_TEXT - 4) * 6 / 8 * 8; bit++) {
		ck_assert(base64url_decode(span_skip(SPAN(TOKEN), 4), content, &n));
		content[bit / 8] ^= (uint8_t)(1 << bit % 8);
		memcpy(text, "gha_", 4);
		base64url_encode(content, n, text + 4);
		ck_assert(!opaque_read(OPAQUE_ACCESS, span_make(text, OPAQUE_TEXT), &key, id));
	}
	memcpy(text, "ghr_", 4);
	memcpy(text + 4, TOKEN + 4, OPAQUE_TEXT - 4);
	ck_assert(!opaque_read(OPAQUE_REFRESH, span_make(text, OPAQUE_TEXT), &key, id));
	other.bytes[31] ^= 1;
	ck_assert(!opaque_read(OPAQUE_ACCESS, SPAN(TOKEN), &other, id));
	ck_assert(opaque_read(OPAQUE_ACCESS, SPAN(TOKEN), NULL, id));
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
    the_tag_tells_what_was_made_here, the_beginning_tells_the_kind,
    digests_are_compared_whole)
