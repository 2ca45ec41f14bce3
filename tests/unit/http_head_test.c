#include "gateway/http/head.h"

#include "tests/unit/head_support.h"

START_TEST(reads_a_request)
{
	ck_request("PATCH /a/b?c=d HTTP/1.1\r\nhOST: a.test:8080\r\nX-Y:\t v w \t\r\nEmpty:\r\n"
	    "Empty2: \t \r\nContent-Length: 5\r\n\r\n", HEAD_FINE);
	ck_assert_int_eq(h.method, METHOD_PATCH);
	ck_assert_span(h.target, SPAN("/a/b?c=d"));
	ck_assert_span(h.host, SPAN("a.test:8080"));
	ck_assert_uint_eq(h.minor, 1);
	ck_assert(h.keep_alive && !h.expects_100 && !h.expects_other);
	ck_assert_int_eq(h.framing, FRAMING_LENGTH);
	ck_assert_uint_eq(h.length, 5);
	ck_assert_uint_eq(h.n_fields, 5);
	ck_assert_int_eq(h.fields[0].id, FIELD_HOST);
	ck_assert_span(h.fields[1].name, SPAN("X-Y"));
	ck_assert_span(h.fields[1].value, SPAN("v w"));
	ck_assert_span(h.fields[2].value, SPAN(""));
	ck_assert_span(h.fields[3].value, SPAN(""));
	ck_assert_uint_eq(head_count(&h, FIELD_HOST), 1);
	ck_assert_ptr_eq(head_find(&h, FIELD_CONTENT_LENGTH), &h.fields[4]);
	ck_assert_ptr_null(head_find(&h, FIELD_AUTHORIZATION));
	ck_lines("A: \xC3\xA4\r\nA: 2\r\n", HEAD_FINE);	/* obs-text, repeated */
	ck_assert_int_eq(h.framing, FRAMING_NONE);
	ck_first("OPTIONS * HTTP/1.1", HEAD_FINE);
}
END_TEST

START_TEST(refuses_other_line_ends)
{
	ck_request("GET / HTTP/1.1\nHost: a\n\n", HEAD_LINE_END);
	ck_request("GET / HTTP/1.1\nHost: a.test\r\n\r\n", HEAD_LINE_END);
	ck_request("\n", HEAD_LINE_END);
	ck_lines("A: b\n", HEAD_LINE_END);
	ck_lines("X:\rTransfer-Encoding: chunked\r\n", HEAD_LINE_END);
	ck_lines("A: b\r\r\n", HEAD_LINE_END);
	ck_request("GET / HTTP/1.1\r\nHost: a.test\r\n\n", HEAD_LINE_END);
	ck_request("GET / HTTP/1.1\r\nHost: a.test\r\n\r\rX", HEAD_LINE_END);
	ck_request("GET / HTTP/1.1\r\nHost: a.test\r\n\rX\r\n\r\n", HEAD_LINE_END);
	ck_request("\rGET / HTTP/1.1\r\n\r\n", HEAD_LINE_END);
	ck_request("GET / HTTP/1.1\r\n\rHost: a\r\n\r\n", HEAD_LINE_END);
}
END_TEST

START_TEST(refuses_folds_and_empty_first_lines)
{
	ck_lines("A: b\r\n c\r\n", HEAD_FOLDED);
	ck_lines("A: b\r\n\tc\r\n", HEAD_FOLDED);
	ck_lines("Content-Length:\r\n 5\r\n", HEAD_FOLDED);
	ck_lines("Transfer-Encoding:\r\n\tchunked\r\n", HEAD_FOLDED);
	ck_lines(" \r\n", HEAD_FOLDED);
	ck_request(" GET / HTTP/1.1\r\n\r\n", HEAD_FOLDED);
	ck_request("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HEAD_EMPTY_LINE);
}
END_TEST

START_TEST(refuses_bad_first_lines)
{
	ck_first("GET /", HEAD_START_LINE);
	ck_first("GET", HEAD_START_LINE);
	ck_first("GET / HTTP/1.1 ", HEAD_START_LINE);
	ck_first("GET  / HTTP/1.1", HEAD_START_LINE);
	ck_first("GET /  HTTP/1.1", HEAD_START_LINE);
	ck_first("GET / x HTTP/1.1", HEAD_START_LINE);
	ck_first("GET  HTTP/1.1", HEAD_START_LINE);
	ck_first("GET\t/ HTTP/1.1", HEAD_START_LINE);
	ck_first("GET /\tHTTP/1.1", HEAD_START_LINE);
	ck_first("GET / http/1.1", HEAD_START_LINE);
	ck_first("GET / HTTP/1.10", HEAD_START_LINE);
	ck_first("GET / HTTP/11", HEAD_START_LINE);
	ck_first("GET / HTTP 1.1", HEAD_START_LINE);
	ck_first("GET / ICE/1.0", HEAD_START_LINE);
	ck_first("GET / RTSP/1.0", HEAD_START_LINE);
	ck_first("G\0T / HTTP/1.1", HEAD_START_LINE);
	ck_first("\x16\x03\x01\x02", HEAD_START_LINE);
	ck_first("(GET) / HTTP/1.1", HEAD_START_LINE);
	ck_first("GET / HTTP/2.0", HEAD_VERSION);
	ck_first("PRI * HTTP/2.0", HEAD_VERSION);
	ck_first("GET / HTTP/0.9", HEAD_VERSION);
	ck_first("GET / HTTP/1.2", HEAD_VERSION);
	ck_first("GET / HTTP/9.9", HEAD_VERSION);
	ck_first("GET / HTTP/1.x", HEAD_VERSION);
	ck_first("get / HTTP/1.1", HEAD_METHOD);
	ck_first("FOO / HTTP/1.1", HEAD_METHOD);
	ck_first("M-SEARCH / HTTP/1.1", HEAD_METHOD);
	ck_first("DESCRIBE / HTTP/1.1", HEAD_METHOD);
	ck_first("TRACE / HTTP/1.1", HEAD_METHOD_REFUSED);
	ck_first("CONNECT a.test:443 HTTP/1.1", HEAD_METHOD_REFUSED);
	ck_assert_uint_eq(head_fault_status(HEAD_VERSION), 505);
	ck_assert_uint_eq(head_fault_status(HEAD_METHOD), 501);
	ck_assert_uint_eq(head_fault_status(HEAD_METHOD_REFUSED), 405);
}
END_TEST

START_TEST(refuses_bad_targets)
{
	ck_first("GET /# HTTP/1.1", HEAD_TARGET);
	ck_first("GET /\" HTTP/1.1", HEAD_TARGET);
	ck_first("GET /<b> HTTP/1.1", HEAD_TARGET);
	ck_first("GET x HTTP/1.1", HEAD_TARGET);
	ck_first("GET * HTTP/1.1", HEAD_TARGET);
	ck_first("GET ftp://a.test/ HTTP/1.1", HEAD_TARGET);
	ck_first("GET //a.test@b/ HTTP/1.1", HEAD_FINE);	/* a path, whatever it looks like */
	ck_assert_int_ne(request(SPAN("GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n")), HEAD_FINE);
	ck_assert_int_ne(request(SPAN("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n")), HEAD_FINE);
	ck_assert_int_ne(request(SPAN("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n")), HEAD_FINE);
	ck_assert_int_ne(request(SPAN("GET /\v HTTP/1.1\r\nHost: a\r\n\r\n")), HEAD_FINE);
}
END_TEST

START_TEST(refuses_bad_fields)
{
	ck_lines("A : b\r\n", HEAD_SYNTAX);
	ck_lines("A\t: b\r\n", HEAD_SYNTAX);
	ck_lines("A\r\n", HEAD_SYNTAX);
	ck_lines("A b: c\r\n", HEAD_SYNTAX);
	ck_lines("A(b: c\r\n", HEAD_SYNTAX);
	ck_lines("A\0: c\r\n", HEAD_SYNTAX);
	ck_lines("\xC3\xA4: c\r\n", HEAD_SYNTAX);
	ck_lines(": b\r\n", HEAD_FIELD_NAME);
	ck_lines("A: b\0c\r\n", HEAD_SYNTAX);
	ck_lines("A: b\x01\r\n", HEAD_SYNTAX);
	ck_lines("A: \x7f\r\n", HEAD_SYNTAX);
	ck_lines("A: \x1b[31m\r\n", HEAD_SYNTAX);
	ck_lines("Transfer_Encoding: chunked\r\n", HEAD_FIELD_NAME);
	ck_lines("Content.Length: 5\r\n", HEAD_FIELD_NAME);
	ck_lines("CONTENT_LENGTH: 5\r\n", HEAD_FIELD_NAME);
	ck_request("GET / HTTP/1.1\r\n: x\r\nHost: a.test\r\n\r\n", HEAD_FIELD_NAME);
}
END_TEST

START_TEST(one_length_in_one_spelling)
{
	ck_lines("Content-Length: 0\r\n", HEAD_FINE);
	ck_assert(h.framing == FRAMING_LENGTH && h.length == 0);
	ck_lines("Content-Length:9223372036854775807 \r\n", HEAD_FINE);
	ck_assert_uint_eq(h.length, INT64_MAX);
	ck_lines("Content-Length: 9223372036854775808\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: 18446744073709551615\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: 18446744073709551616\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: 18446744073709551621\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: 5, 5\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: +5\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: -5\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: 5 6\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: 0x5\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: 05\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: 00\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: 5.0\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: 1e2\r\n", HEAD_LENGTH);
	ck_lines("Content-Length:\r\n", HEAD_LENGTH);
	ck_lines("Content-Length: five\r\n", HEAD_LENGTH);
	ck_assert_int_ne(request(SPAN("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
	    "Content-Length: 5\r\n\r\n")), HEAD_FINE);
	ck_assert_int_ne(request(SPAN("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
	    "Content-Length: 6\r\n\r\n")), HEAD_FINE);
}
END_TEST

/* What is not one "chunked" alone, in HTTP/1.1 alone. */
START_TEST(one_coding_in_one_spelling)
{
	static const char *const bad[] = {
		"gzip", "identity", "", ",chunked", "chunked,", "chunked, chunked", "gzip, chunked",
		"chunked, gzip", "xchunked", "chunkedx", "chunked;q=1", "\"chunked\"", "chunk ed",
		"chunked\v", "\vchunked", "'chunked'", "chunked\xA0", "0chunked",
	};
	char bytes[256];

	ck_lines("Transfer-Encoding: chunked\r\n", HEAD_FINE);
	ck_assert_int_eq(h.framing, FRAMING_CHUNKED);
	ck_lines("tRANSFER-eNCODING:\tCHUNKED \r\n", HEAD_FINE);
	ck_assert_int_eq(h.framing, FRAMING_CHUNKED);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct text t = TEXT_OVER(bytes);

		text_fmt(&t, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: %s\r\n\r\n", bad[i]);
		ck_assert_msg(request(text_span(&t)) != HEAD_FINE, "%s", bad[i]);
	}
	ck_lines("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", HEAD_CODING);
	ck_lines("Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n", HEAD_CODING);
	ck_request("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HEAD_CODING);
	ck_lines("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", HEAD_LENGTH_AND_CODING);
	ck_lines("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", HEAD_LENGTH_AND_CODING);
	ck_lines("Transfer-Encoding:\r\nContent-Length: 5\r\n", HEAD_LENGTH_AND_CODING);
}
END_TEST

START_TEST(one_host_in_its_grammar)
{
	ck_host(" a.test", HEAD_FINE);
	ck_host(" A-b_c.test:0", HEAD_FINE);
	ck_host(" a.test:65535", HEAD_FINE);
	ck_host(" 127.0.0.1:80", HEAD_FINE);
	ck_host(" [::1]", HEAD_FINE);
	ck_host(" [2001:db8::1.2.3.4]:443", HEAD_FINE);
	ck_host("", HEAD_HOST);
	ck_host(" :80", HEAD_HOST);
	ck_host(" a.test:", HEAD_HOST);
	ck_host(" a.test:65536", HEAD_HOST);
	ck_host(" a.test:080", HEAD_HOST);
	ck_host(" a.test:8o", HEAD_HOST);
	ck_host(" a.test:80:80", HEAD_HOST);
	ck_host(" user@a.test", HEAD_HOST);
	ck_host(" a.test/x", HEAD_HOST);
	ck_host(" a.test, b.test", HEAD_HOST);
	ck_host(" a test", HEAD_HOST);
	ck_host(" a%2etest", HEAD_HOST);
	ck_host(" [::1", HEAD_HOST);
	ck_host(" []", HEAD_HOST);
	ck_host(" [::1]x", HEAD_HOST);
	ck_host(" [::1%25eth0]", HEAD_HOST);
	ck_host(" [a.test]", HEAD_HOST);
	ck_host(" \xC3\xA4.test", HEAD_HOST);
	ck_host(" a.test\r\nHost: a.test", HEAD_HOST);
	ck_host(" a.test\r\nHost: b.test", HEAD_HOST);
	ck_request("GET / HTTP/1.1\r\n\r\n", HEAD_HOST);
	ck_request("GET / HTTP/1.0\r\n\r\n", HEAD_FINE);
	ck_assert_uint_eq(h.host.n, 0);
	ck_request("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", HEAD_HOST);
	ck_request("GET / HTTP/1.0\r\nHost: @\r\n\r\n", HEAD_HOST);
}
END_TEST

START_TEST(an_absolute_target_agrees_with_host)
{
	ck_first("GET http://a.test/x?y HTTP/1.1", HEAD_FINE);
	ck_assert_span(h.target, SPAN("/x?y"));
	ck_assert_span(h.host, SPAN("a.test"));
	ck_first("GET HTTPS://A.TEST?y HTTP/1.1", HEAD_FINE);
	ck_assert_span(h.target, SPAN("?y"));
	ck_first("GET http://a.test HTTP/1.1", HEAD_FINE);
	ck_assert_span(h.target, SPAN("/"));
	ck_first("GET http://b.test/ HTTP/1.1", HEAD_HOST_UNLIKE);
	ck_first("GET http://a.test:80/ HTTP/1.1", HEAD_HOST_UNLIKE);
	ck_first("GET http://a.test@b.test/ HTTP/1.1", HEAD_HOST_UNLIKE);
	ck_first("GET http:/// HTTP/1.1", HEAD_HOST_UNLIKE);
	ck_assert_int_ne(request(SPAN("GET http://a.test\\x HTTP/1.1\r\nHost: a.test\r\n\r\n")),
	    HEAD_FINE);
	ck_first("GET http:/a.test/ HTTP/1.1", HEAD_TARGET);
	ck_request("GET http://a.test/ HTTP/1.1\r\n\r\n", HEAD_HOST);
	ck_request("GET http://a.test/ HTTP/1.0\r\n\r\n", HEAD_FINE);
	ck_assert_span(h.host, SPAN("a.test"));
}
END_TEST

START_TEST(says_whether_the_connection_stays)
{
	ck_lines("Connection: close\r\n", HEAD_FINE);
	ck_assert(!h.keep_alive);
	ck_lines("Connection: keep-alive, CLOSE\r\n", HEAD_FINE);
	ck_assert(!h.keep_alive);
	ck_lines("Connection: x\r\nConnection: ,close,\r\n", HEAD_FINE);
	ck_assert(!h.keep_alive);
	ck_lines("Connection: closed\r\n", HEAD_FINE);
	ck_assert(h.keep_alive);
	ck_assert(head_connection_names(&h, SPAN("Closed")));
	ck_assert(!head_connection_names(&h, SPAN("close")));
	ck_lines("Connection: X-Consumer_ID , te\r\n", HEAD_FINE);
	ck_assert(head_connection_names(&h, SPAN("x-consumer-id")));
	ck_assert(head_connection_names(&h, SPAN("TE")));
	ck_request("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", HEAD_FINE);
	ck_assert(h.keep_alive);
	ck_request("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", HEAD_FINE);
	ck_assert(!h.keep_alive);
	ck_request("GET / HTTP/1.0\r\n\r\n", HEAD_FINE);
	ck_assert(!h.keep_alive);
}
END_TEST

START_TEST(tells_expectations_and_upgrades)
{
	ck_lines("Expect: 100-Continue\r\n", HEAD_FINE);
	ck_assert(h.expects_100 && !h.expects_other);
	ck_lines("Expect: 100-continue, foo\r\n", HEAD_FINE);
	ck_assert(!h.expects_100 && h.expects_other);
	ck_lines("Expect: 100-continue\r\nExpect:\r\n", HEAD_FINE);
	ck_assert(h.expects_100 && h.expects_other);
	ck_request("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", HEAD_FINE);
	ck_assert(!h.expects_100 && !h.expects_other);
	ck_lines("Connection: Upgrade\r\nUpgrade: websocket\r\n", HEAD_FINE);
	ck_assert_span(h.upgrade, SPAN("websocket"));
	ck_lines("Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n", HEAD_FINE);
	ck_assert_span(h.upgrade, SPAN("h2c"));
	ck_assert_uint_eq(h.length, 3);
	ck_lines("Upgrade: websocket\r\n", HEAD_FINE);
	ck_assert_uint_eq(h.upgrade.n, 0);
}
END_TEST

/* A request of exactly n bytes, by a long field or a long target. */
static struct span
of_size(size_t n, bool by_target)
{
	static char bytes[4096];
	struct text t = TEXT_OVER(bytes);
	size_t fixed = strlen("GET / HTTP/1.1\r\nHost: a\r\nA: \r\n\r\n");

	text_put(&t, SPAN("GET /"));
	for (size_t i = fixed; by_target && i < n; i++)
		text_char(&t, 'x');
	text_put(&t, SPAN(" HTTP/1.1\r\nHost: a\r\nA: "));
	for (size_t i = fixed; !by_target && i < n; i++)
		text_char(&t, 'x');
	text_put(&t, SPAN("\r\n\r\n"));
	ck_assert_uint_eq(t.n, n);
	return text_span(&t);
}

START_TEST(holds_its_limits)
{
	char bytes[512];
	struct text t;

	ck_assert_int_eq(request(of_size(512, false)), HEAD_FINE);
	ck_assert_int_eq(request(of_size(513, false)), HEAD_TOO_LARGE);
	ck_assert_int_eq(request(of_size(2000, false)), HEAD_TOO_LARGE);
	ck_assert_int_eq(request(of_size(32 + 127, true)), HEAD_FINE);
	ck_assert_uint_eq(h.target.n, 128);
	ck_assert_int_eq(request(of_size(32 + 128, true)), HEAD_TARGET_LONG);
	ck_assert_int_eq(request(of_size(2000, true)), HEAD_TARGET_LONG);
	for (unsigned n = MAX_FIELDS - 1; n <= MAX_FIELDS + 1; n++) {
		t = TEXT_OVER(bytes);
		text_put(&t, SPAN("GET / HTTP/1.1\r\nHost: a\r\n"));
		for (unsigned i = 1; i < n; i++)
			text_put(&t, i % 2 == 0 ? SPAN("A:\r\n") : SPAN("B: c\r\n"));
		text_put(&t, SPAN("\r\n"));
		ck_assert_int_eq(request(text_span(&t)),
		    n > MAX_FIELDS ? HEAD_TOO_MANY : HEAD_FINE);
	}
	ck_assert_uint_eq(head_fault_status(HEAD_TOO_LARGE), 431);
	ck_assert_uint_eq(head_fault_status(HEAD_TOO_MANY), 431);
	ck_assert_uint_eq(head_fault_status(HEAD_TARGET_LONG), 414);
}
END_TEST

/* The first head of what came; what follows is not looked at. */
START_TEST(stops_at_the_end_of_the_head)
{
	struct head_scan s = { 0 };
	size_t end;

	ck_assert_int_eq(head_scan(&s, SPAN("GET / HTTP/1.1\r\nHost: a\r\n\r\n\n\0 \r"), &limits,
	    &end),
	    HEAD_FINE);
	ck_assert_uint_eq(end, 27);
}
END_TEST

START_TEST(methods_have_one_spelling)
{
	enum method m;

	for (unsigned i = 0; i < METHOD_COUNT; i++)
		ck_assert(method_find(method_name((enum method)i), &m) && m == (enum method)i);
	ck_assert(!method_find(SPAN("get"), &m) && !method_find(SPAN("GETX"), &m) &&
	    !method_find(SPAN(""), &m));
	for (int i = HEAD_FINE; i <= HEAD_STATUS; i++)
		ck_assert(head_fault_status((enum head_fault)i) >= 200 &&
		    head_fault_text((enum head_fault)i)[0] != '\0');
}
END_TEST

SUITE_RUN("http_head", reads_a_request, refuses_other_line_ends,
    refuses_folds_and_empty_first_lines, refuses_bad_first_lines, refuses_bad_targets,
    refuses_bad_fields, one_length_in_one_spelling, one_coding_in_one_spelling,
    one_host_in_its_grammar, an_absolute_target_agrees_with_host,
    says_whether_the_connection_stays, tells_expectations_and_upgrades, holds_its_limits,
    stops_at_the_end_of_the_head, methods_have_one_spelling)
