#include "gateway/base/encode.h"

#include "tests/unit/suite.h"

START_TEST(comes_back_at_every_length)
{
	uint8_t in[64], out[BASE64URL_DECODED(128)];
	char text[BASE64URL_ENCODED(64)];
	size_t n;

	for (size_t length = 0; length <= sizeof(in); length++) {
		for (size_t i = 0; i < length; i++)
			in[i] = (uint8_t)(i * 37 + length);
		size_t encoded = base64url_encode(in, length, text);
		ck_assert_uint_eq(encoded, BASE64URL_ENCODED(length));
		ck_assert(base64url_decode(span_make(text, encoded), out, &n));
		ck_assert_uint_le(n, BASE64URL_DECODED(encoded));
		ck_assert_uint_eq(n, length);
		ck_assert_int_eq(memcmp(in, out, n), 0);
	}
}
END_TEST

START_TEST(base64_is_padded)
{
	static const struct {
		const char	*in, *out;
	} pairs[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "\xfb\xff\xfe", "+//+" } };
	char out[16];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		size_t n = base64_encode((const uint8_t *)pairs[i].in, strlen(pairs[i].in), out);
		ck_assert_uint_eq(n, BASE64_ENCODED(strlen(pairs[i].in)));
		ck_assert_span(span_make(out, n), span_of(pairs[i].out));
	}
}
END_TEST

/* Every text of two, three and four characters: what decodes is spelled in one way only. */
START_TEST(one_value_has_one_spelling)
{
	char text[3], again[8];
	uint8_t out[16];
	unsigned good = 0;
	size_t n;

	for (unsigned i = 0; i < 1u << 24; i++) {
		text[0] = (char)i;
		text[1] = (char)(i >> 8);
		text[2] = (char)(i >> 16);
		size_t length = text[2] == '\0' ? 2 : 3;
		if (!base64url_decode(span_make(text, length), out, &n))
			continue;
		good++;
		ck_assert_uint_eq(base64url_encode(out, n, again), length);
		ck_assert_int_eq(memcmp(text, again, length), 0);
	}
	ck_assert_uint_eq(good, 256 + 65536);
}
END_TEST

START_TEST(refuses_what_is_not_canonical)
{
	static const char *const bad[] = {
		"A", "AAAAA", "AA==", "AAA=", "AA=", "=", "AB", "AAB", "A+AA", "A/AA", "AA A",
		"AAA\n",
		" AAA", "AA.A", "AAAAAB", "A%41A", "AA\xC3\xA4",
	};
	uint8_t out[16];
	size_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!base64url_decode(span_of(bad[i]), out, &n), "%s", bad[i]);
	ck_assert(!base64url_decode(SPAN("AA\0A"), out, &n));
	ck_assert(base64url_decode(SPAN(""), out, &n) && n == 0);
	ck_assert(base64url_decode(span_make(NULL, 0), out, &n) && n == 0);
	ck_assert(base64url_decode(SPAN("-_-_"), out, &n) && n == 3);
}
END_TEST

START_TEST(hexadecimal_is_lower_case)
{
	char out[8];

	hex_encode((const uint8_t *)"\x00\x9f\xff\x10", 4, out);
	ck_assert_span(span_make(out, 8), SPAN("009fff10"));
}
END_TEST

/* What RFC 3629 says of one to four bytes, told by arithmetic instead of tables. */
static bool
is_code_point(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7f >> n);

	if (n == 1 ? p[0] >= 0x80 : (p[0] & (0xff << (7 - n) & 0xff)) != (0xff << (8 - n) & 0xff))
		return false;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c >= least[n - 1] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

START_TEST(utf8_is_that_of_the_rfc)
{
	static const uint8_t tails[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0,
		0xff };
	const size_t n = sizeof(tails);
	uint8_t p[4];

	for (unsigned i = 0; i < 256 * n * n * n; i++) {
		p[0] = (uint8_t)(i / (n * n * n));
		p[1] = tails[i / (n * n) % n];
		p[2] = tails[i / n % n];
		p[3] = tails[i % n];
		size_t expected = 0;
		for (size_t k = 4; k > 0; k--)
			if (is_code_point(p, k))
				expected = k;
		ck_assert_uint_eq(utf8_length(span_make(p, 4)), expected);
		for (size_t k = 1; k < expected; k++)
			ck_assert_uint_eq(utf8_length(span_make(p, k)), 0);
	}
	ck_assert(utf8_valid(SPAN("")) && utf8_valid(SPAN("a\xC3\xA4\0\xF4\x8F\xBF\xBF")));
	ck_assert(!utf8_valid(SPAN("a\xC3")) && !utf8_valid(SPAN("\xF4\x90\x80\x80")));
	ck_assert_uint_eq(utf8_length(span_make(NULL, 0)), 0);
}
END_TEST

SUITE_RUN("base_encode", comes_back_at_every_length, base64_is_padded, one_value_has_one_spelling,
    refuses_what_is_not_canonical, hexadecimal_is_lower_case, utf8_is_that_of_the_rfc)
