/* Reading whatever a server answers: in one piece, byte by byte, cut anywhere. */
#include "gateway/cli/audit_answer.h"

#include "tests/unit/suite.h"

static struct audit_answer a;

static void
begin(unsigned wanted, bool bodiless)
{
	if (a.memory == NULL)
		ck_assert(answer_init(&a));
	answer_begin(&a, wanted, bodiless);
}

/* Feeds in pieces of that size; true if more was wanted at the end. */
static bool
feed(struct span bytes, size_t piece)
{
	bool more = true;

	while (more && bytes.n > 0) {
		size_t n = bytes.n < piece ? bytes.n : piece;

		more = answer_feed(&a, span_make(bytes.p, n));
		bytes = span_skip(bytes, n);
	}
	return more;
}

/* What an answer comes to, however it arrives. */
static void
ck_answer(struct span bytes, unsigned wanted, enum answer_end end, unsigned n, unsigned status,
    struct span body)
{
	static const size_t pieces[] = { 1, 2, 7, 100, 1 << 20 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		begin(wanted, false);
		feed(bytes, pieces[i]);
		answer_finish(&a, false);
		ck_assert_int_eq(a.end, end);
		ck_assert_uint_eq(a.n, n);
		ck_assert_uint_eq(n == 0 ? 0 : a.statuses[0], status);
		ck_assert_span(a.body, body);
	}
}

START_TEST(reads_answers)
{
	ck_answer(SPAN("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), 1, ANSWER_CAME, 1, 200,
	    SPAN("hello"));
	ck_answer(SPAN("HTTP/1.0 403 no\r\n\r\nto the end"), 1, ANSWER_CAME, 1, 403,
	    SPAN("to the end"));
	ck_answer(SPAN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n"
	    "0\r\n\r\n"), 1, ANSWER_CAME, 1, 200, SPAN("hello"));
	ck_answer(SPAN("HTTP/1.1 100 go on\r\n\r\nHTTP/1.1 103 hints\r\nLink: a\r\n\r\n"
	    "HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n"), 1, ANSWER_CAME, 1, 401, SPAN(""));
	ck_answer(SPAN("HTTP/1.1 101 other\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n\1\2\3"), 1,
	    ANSWER_CAME, 1, 101, SPAN(""));
}
END_TEST

START_TEST(counts_answers)
{
	const struct span two = SPAN("HTTP/1.1 400 a\r\nContent-Length: 1\r\n\r\nx"
	    "HTTP/1.1 200 b\r\nContent-Length: 1\r\n\r\ny");

	ck_answer(two, 1, ANSWER_CAME, 1, 400, SPAN("x"));
	ck_answer(two, 2, ANSWER_CAME, 2, 400, SPAN("x"));
	ck_assert_uint_eq(a.statuses[1], 200);
	/* more than there is room for */
	begin(100, false);
	for (int i = 0; i < 50; i++)
		feed(two, 1000);
	answer_finish(&a, false);
	ck_assert_uint_eq(a.n, ANSWER_STATUSES);
}
END_TEST

START_TEST(breaks_off)
{
	const struct span cut = SPAN("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhel");

	ck_answer(cut, 1, ANSWER_CAME, 1, 200, SPAN("hel"));
	ck_answer(SPAN("HTTP/1.1 200 OK\r\nA: b"), 1, ANSWER_CAME, 1, 200, SPAN(""));
	ck_answer(SPAN("HTTP/1.1 200"), 1, ANSWER_CAME, 1, 200, SPAN(""));
	ck_answer(SPAN("HTTP/1.1 200\nbare: lf\n\n"), 1, ANSWER_CAME, 1, 200, SPAN(""));
	ck_answer(SPAN(""), 1, ANSWER_CLOSED, 0, 0, SPAN(""));
	ck_answer(SPAN("HTTP/1.1 100 go on\r\n\r\n"), 1, ANSWER_CLOSED, 0, 0, SPAN(""));
	begin(1, false);
	answer_finish(&a, true);
	ck_assert_int_eq(a.end, ANSWER_SILENT);
}
END_TEST

START_TEST(refuses_what_is_no_http)
{
	ck_answer(SPAN("<html>no head</html>"), 1, ANSWER_NO_HTTP, 0, 0, SPAN(""));
	ck_assert_span(a.raw, SPAN("<html>no head</html>"));
	ck_answer(SPAN("HTTP/1.1 2"), 1, ANSWER_NO_HTTP, 0, 0, SPAN(""));
	ck_answer(SPAN("HTTP/1.1 20000 OK\r\n\r\n"), 1, ANSWER_NO_HTTP, 0, 0, SPAN(""));
	ck_answer(SPAN("HTTP/2 200\r\n\r\n"), 1, ANSWER_NO_HTTP, 0, 0, SPAN(""));
	ck_answer(SPAN("\0\0\0\0"), 1, ANSWER_NO_HTTP, 0, 0, SPAN(""));
}
END_TEST

START_TEST(no_body_after_head)
{
	begin(1, true);
	ck_assert(!feed(SPAN("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"), 9));
	answer_finish(&a, false);
	ck_assert_uint_eq(a.statuses[0], 200);
}
END_TEST

START_TEST(takes_retry_after)
{
	begin(1, false);
	feed(SPAN("HTTP/1.1 429 slow\r\nA: b\r\nretry-AFTER:  7 \r\nContent-Length: 0\r\n\r\n"), 3);
	ck_assert_uint_eq(a.retry_after_s, 7);
	begin(1, false);
	feed(SPAN("HTTP/1.1 429 slow\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n\r\n"), 3);
	ck_assert_uint_eq(a.retry_after_s, 0);
	begin(1, false);
	feed(SPAN("HTTP/1.1 429 slow\r\nRetry-After: 18446744073709551615\r\n\r\n"), 3);
	ck_assert_uint_eq(a.retry_after_s, 3600);
}
END_TEST

/* A body has a maximum, and so has garbage; then no more is wanted. */
START_TEST(keeps_no_more_than_it_may)
{
	static char much[ANSWER_BODY_MAX];
	bool more = true;

	memset(much, 'x', sizeof(much));
	begin(1, false);
	ck_assert(feed(SPAN("HTTP/1.1 200 OK\r\n\r\n"), 100));
	for (int i = 0; i < 10 && more; i++)
		more = feed(span_make(much, 100000), 16384);
	ck_assert(!more);
	ck_assert_uint_eq(a.body.n, ANSWER_BODY_MAX);
	begin(1, false);
	ck_assert(!feed(span_make(much, sizeof(much)), 16384));
	answer_finish(&a, false);
	ck_assert_int_eq(a.end, ANSWER_NO_HTTP);
	ck_assert_uint_eq(a.raw.n, ANSWER_RAW_MAX);
	answer_fini(&a);
	ck_assert_ptr_null(a.memory);
}
END_TEST

SUITE_RUN("cli_audit_answer", reads_answers, counts_answers, breaks_off, refuses_what_is_no_http,
    no_body_after_head, takes_retry_after, keeps_no_more_than_it_may)
