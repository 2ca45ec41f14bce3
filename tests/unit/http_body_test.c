#include "gateway/http/body.h"

#include "tests/unit/suite.h"

/* Each body is read at once, byte by byte, and cut in two at every position. */

struct decoded {
	enum body_result	result;
	size_t			used;
	size_t			n;
	char			content[65536];
};

static void
feed(struct decoded *d, struct body *b, struct span in)
{
	/* memory of just these bytes, for a sanitizer to watch */
	char *p = malloc(in.n + 1);
	struct span piece, rest = { p, in.n };
	size_t used;

	memcpy(p, in.p, in.n);
	while ((d->result = body_next(b, rest, &used, &piece)) == BODY_PIECE) {
		ck_assert(piece.n > 0 && piece.p + piece.n == rest.p + used);
		ck_assert_uint_le(d->n + piece.n, sizeof(d->content));
		memcpy(d->content + d->n, piece.p, piece.n);
		d->n += piece.n;
		d->used += used;
		rest = span_skip(rest, used);
	}
	d->used += used;
	ck_assert(d->result != BODY_MORE || used == rest.n);
	free(p);
}

static struct decoded whole, cut;

static enum body_result
decode(enum framing framing, uint64_t length, struct span bytes)
{
	struct body b;

	body_init(&b, framing, length);
	whole.n = whole.used = 0;
	feed(&whole, &b, bytes);
	ck_assert_uint_eq(b.content, whole.n);
	for (size_t at = 0; at <= bytes.n; at++) {
		size_t n = bytes.n - at;

		body_init(&b, framing, length);
		cut.n = cut.used = 0;
		feed(&cut, &b, span_make(bytes.p, at));
		if (cut.result == BODY_MORE && n > 0)
			feed(&cut, &b, span_skip(bytes, at));
		ck_assert_msg(cut.result == whole.result && cut.used == whole.used &&
		    cut.n == whole.n && memcmp(cut.content, whole.content, cut.n) == 0,
		    "cut at %zu", at);
	}
	body_init(&b, framing, length);
	cut.n = cut.used = 0;
	cut.result = BODY_MORE;
	for (size_t at = 0; at < bytes.n && cut.result == BODY_MORE; at++)
		feed(&cut, &b, span_make(bytes.p + at, 1));
	ck_assert(bytes.n == 0 || (cut.result == whole.result && cut.n == whole.n));
	return whole.result;
}

#define ck_chunks(literal, expected, said) do { \
	ck_assert_msg(decode(FRAMING_CHUNKED, 0, SPAN(literal)) == (expected), "%s", #literal); \
	ck_assert_span(span_make(whole.content, whole.n), SPAN(said)); \
} while (0)
#define ck_bad(literal)	ck_assert_msg(decode(FRAMING_CHUNKED, 0, SPAN(literal)) == BODY_BAD, \
	"%s", #literal)

START_TEST(reads_chunks)
{
	ck_chunks("0\r\n\r\n", BODY_END, "");
	ck_chunks("5\r\nhello\r\n0\r\n\r\n", BODY_END, "hello");
	ck_chunks("5\r\nhello\r\n1\r\n!\r\n00\r\n\r\n", BODY_END, "hello!");
	ck_chunks("a\r\n0123456789\r\n0\r\n\r\n", BODY_END, "0123456789");
	ck_chunks("A\r\n\r\n0\r\n\r\n\r\n0\r\n0\r\n\r\n", BODY_END, "\r\n0\r\n\r\n\r\n0");
	ck_chunks("000000000000000A\r\n0123456789\r\n0\r\n\r\n", BODY_END, "0123456789");
	ck_chunks("", BODY_MORE, "");
	ck_chunks("5\r\nhel", BODY_MORE, "hel");
	ck_chunks("5\r\nhello\r\n0\r\n\r", BODY_MORE, "hello");
	ck_chunks("FFFFFFFFFFFFFFFF\r\nx", BODY_MORE, "x");
}
END_TEST

START_TEST(leaves_what_follows)
{
	ck_chunks("1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n", BODY_END, "x");
	ck_assert_uint_eq(whole.used, 11);
	ck_assert_int_eq(decode(FRAMING_LENGTH, 3, SPAN("abcdef")), BODY_END);
	ck_assert_uint_eq(whole.used, 3);
	ck_assert_int_eq(decode(FRAMING_NONE, 0, SPAN("abc")), BODY_END);
	ck_assert_uint_eq(whole.used, 0);
}
END_TEST

START_TEST(reads_past_extensions_and_trailers)
{
	ck_chunks("5;a\r\nhello\r\n0;b=c;d=\"e;f\"\r\n\r\n", BODY_END, "hello");
	ck_chunks("5; a = b\r\nhello\r\n0\r\n\r\n", BODY_END, "hello");
	ck_chunks("1\r\nx\r\n0\r\nAuthorization: Bearer x\r\nContent-Length: 9\r\nHost: b\r\n"
	    "X-Consumer-ID: 1\r\nEmpty:\r\n\r\n", BODY_END, "x");
	ck_chunks("0\r\nA: \xC3\xA4\t\r\n\r\n", BODY_END, "");
}
END_TEST

START_TEST(refuses_bad_sizes)
{
	ck_bad("\r\nhello");
	ck_bad("g\r\n");
	ck_bad("0x5\r\nhello\r\n");
	ck_bad(" 5\r\nhello\r\n");
	ck_bad("5 \r\nhello\r\n");
	ck_bad("5\t\r\nhello\r\n");
	ck_bad("+5\r\nhello\r\n");
	ck_bad("-5\r\nhello\r\n");
	ck_bad("5,5\r\nhello\r\n");
	ck_bad("5.0\r\n");
	ck_bad("5\nhello\r\n");
	ck_bad("5\rhello\r\n");
	ck_bad("5\r\rhello\r\n");
	ck_bad("5\0\r\nhello\r\n");
	ck_bad("00000000000000005\r\nhello\r\n");
	ck_bad("10000000000000005\r\nhello\r\n");
	ck_bad("FFFFFFFFFFFFFFFFF\r\n");
	ck_bad("\xEF\xBC\x95\r\nhello\r\n");
	ck_bad("5\r\nhello\r\n\r\n");
}
END_TEST

START_TEST(refuses_bad_ends_of_chunks)
{
	ck_bad("5\r\nhelloXX0\r\n\r\n");
	ck_bad("5\r\nhello\n0\r\n\r\n");
	ck_bad("5\r\nhello0\r\n\r\n");
	ck_bad("5\r\nhello\r0\r\n\r\n");
	ck_bad("5\r\nhello \r\n0\r\n\r\n");
	ck_bad("5\r\nhello\r\n 0\r\n\r\n");
	ck_bad("5\r\nhello\r\n0\n\n");
	ck_bad("0\r\n\n");
	ck_bad("0\r\n\rX");
	ck_bad("0\n\r\n");
}
END_TEST

START_TEST(refuses_bad_extensions)
{
	ck_bad("5;\r\nhello\r\n0\r\n\r\n");
	ck_bad("5; \r\nhello\r\n0\r\n\r\n");
	ck_bad("5;;a\r\nhello\r\n0\r\n\r\n");
	ck_bad("5;a;\r\nhello\r\n0\r\n\r\n");
	ck_bad("5;=b\r\nhello\r\n0\r\n\r\n");
	ck_bad("5;a\nb\r\nhello\r\n0\r\n\r\n");
	ck_bad("5;a\rb\r\nhello\r\n0\r\n\r\n");
	ck_bad("5;a\0\r\nhello\r\n0\r\n\r\n");
	ck_bad("5;a\x7f\r\nhello\r\n0\r\n\r\n");
	ck_bad("5;a=\"\n\"\r\nhello\r\n0\r\n\r\n");
}
END_TEST

START_TEST(refuses_bad_trailers)
{
	ck_bad("0\r\n A: b\r\n\r\n");
	ck_bad("0\r\nA: b\r\n c\r\n\r\n");
	ck_bad("0\r\nA : b\r\n\r\n");
	ck_bad("0\r\n: b\r\n\r\n");
	ck_bad("0\r\nA\r\n\r\n");
	ck_bad("0\r\nA: b\n\r\n");
	ck_bad("0\r\nA: b\rc\r\n\r\n");
	ck_bad("0\r\nA: \0\r\n\r\n");
	ck_bad("0\r\nGET / HTTP/1.1\r\n\r\n");
}
END_TEST

START_TEST(a_length_is_kept_to_the_byte)
{
	ck_assert_int_eq(decode(FRAMING_LENGTH, 0, SPAN("")), BODY_END);
	ck_assert_int_eq(decode(FRAMING_LENGTH, 5, SPAN("hello")), BODY_END);
	ck_assert_span(span_make(whole.content, whole.n), SPAN("hello"));
	ck_assert_int_eq(decode(FRAMING_LENGTH, 6, SPAN("hello")), BODY_MORE);
	ck_assert_int_eq(decode(FRAMING_LENGTH, UINT64_MAX, SPAN("hello")), BODY_MORE);
	ck_assert_int_eq(decode(FRAMING_CLOSE, 0, SPAN("hello")), BODY_MORE);
	ck_assert_span(span_make(whole.content, whole.n), SPAN("hello"));
}
END_TEST

/* Only a body that ends with the connection may end with it. */
START_TEST(a_close_is_an_end_of_one_kind_only)
{
	static const struct {
		enum framing	framing;
		struct span	bytes;
		bool		ends;
	} rows[] = {
		{ FRAMING_CLOSE, { "hello", 5 }, true },
		{ FRAMING_CLOSE, { "", 0 }, true },
		{ FRAMING_NONE, { "", 0 }, true },
		{ FRAMING_LENGTH, { "hello", 5 }, true },
		{ FRAMING_LENGTH, { "hell", 4 }, false },
		{ FRAMING_CHUNKED, { "", 0 }, false },
		{ FRAMING_CHUNKED, { "4\r\nhell", 7 }, false },
		{ FRAMING_CHUNKED, { "4\r\nhell\r\n", 9 }, false },
		{ FRAMING_CHUNKED, { "4\r\nhell\r\n0\r\n\r", 13 }, false },
		{ FRAMING_CHUNKED, { "4\r\nhell\r\n0\r\n\r\n", 14 }, true },
		{ FRAMING_CHUNKED, { "x", 1 }, false },
	};
	struct body b;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		body_init(&b, rows[i].framing, 5);
		whole.n = whole.used = 0;
		feed(&whole, &b, rows[i].bytes);
		ck_assert_msg(body_close(&b) == rows[i].ends, "row %zu", i);
		ck_assert(body_ended(&b) == rows[i].ends);
	}
}
END_TEST

START_TEST(what_is_bad_stays_bad)
{
	struct span piece;
	struct body b;
	size_t used;

	body_init(&b, FRAMING_CHUNKED, 0);
	ck_assert_int_eq(body_next(&b, SPAN("x"), &used, &piece), BODY_BAD);
	ck_assert_int_eq(body_next(&b, SPAN("0\r\n\r\n"), &used, &piece), BODY_BAD);
	ck_assert_uint_eq(used, 0);
	ck_assert(!body_close(&b) && !body_ended(&b));
}
END_TEST

/* Feeds a text again and again; how often before it is refused, or `most`. */
static unsigned
repeat(struct body *b, struct span text, unsigned most)
{
	unsigned n = 0;

	for (whole.n = whole.used = 0; n < most; n++) {
		whole.n = 0;
		feed(&whole, b, text);
		if (whole.result == BODY_BAD)
			break;
	}
	return n;
}

START_TEST(framing_may_not_cost_more_than_its_worth)
{
	struct body b;

	body_init(&b, FRAMING_CHUNKED, 0);
	feed(&whole, &b, SPAN("1;x="));
	ck_assert_uint_eq(repeat(&b, SPAN("aaaaaaaaaaaaaaaa"), 2000), 1023);
	body_init(&b, FRAMING_CHUNKED, 0);
	feed(&whole, &b, SPAN("0\r\n"));
	ck_assert_uint_eq(repeat(&b, SPAN("Abcdefgh: ijkl\r\n"), 2000), 1023);
	/* chunks of three bytes and more may go on for ever */
	body_init(&b, FRAMING_CHUNKED, 0);
	ck_assert_uint_eq(repeat(&b, SPAN("3\r\nabc\r\n"), 100000), 100000);
	ck_assert_uint_eq(b.content, 300000);
}
END_TEST

START_TEST(only_a_length_is_known_ahead)
{
	struct body b;

	body_init(&b, FRAMING_LENGTH, 10);
	ck_assert_uint_eq(body_ahead(&b), 10);
	body_skip(&b, 4);
	ck_assert_uint_eq(b.content, 4);
	feed(&whole, &b, SPAN("abcd"));
	ck_assert_uint_eq(body_ahead(&b), 2);
	ck_assert(!body_ended(&b));
	body_skip(&b, 2);
	ck_assert(body_ended(&b));
	ck_assert_uint_eq(body_ahead(&b), 0);
	for (enum framing f = FRAMING_NONE; f <= FRAMING_CLOSE; f++) {
		body_init(&b, f, 10);
		ck_assert_uint_eq(body_ahead(&b), f == FRAMING_LENGTH ? 10 : 0);
	}
}
END_TEST

SUITE_RUN("http_body", reads_chunks, leaves_what_follows, reads_past_extensions_and_trailers,
    refuses_bad_sizes, refuses_bad_ends_of_chunks, refuses_bad_extensions, refuses_bad_trailers,
    a_length_is_kept_to_the_byte, a_close_is_an_end_of_one_kind_only, what_is_bad_stays_bad,
    framing_may_not_cost_more_than_its_worth, only_a_length_is_known_ahead)
