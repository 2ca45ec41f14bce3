/* Heads of answers: head_parse_response(). */
#include "gateway/http/head.h"

#include "tests/unit/head_support.h"

START_TEST(reads_an_answer)
{
	ck_answer("200 OK", "Content-Length: 5\r\n", HEAD_FINE);
	ck_assert_uint_eq(h.status, 200);
	ck_assert_span(h.reason, SPAN("OK"));
	ck_assert(h.keep_alive && h.framing == FRAMING_LENGTH && h.length == 5);
	ck_answer("404 ", "Transfer-Encoding: chunked\r\n", HEAD_FINE);
	ck_assert(h.reason.n == 0 && h.framing == FRAMING_CHUNKED);
	ck_answer("599 N\xC3\xB6", "Connection: close\r\nContent-Length: 0\r\n", HEAD_FINE);
	ck_assert(!h.keep_alive && h.framing == FRAMING_LENGTH && h.length == 0);
	ck_answer("200 OK", "", HEAD_FINE);
	ck_assert(h.framing == FRAMING_CLOSE && !h.keep_alive);
	ck_response("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n", GET,
	    HEAD_FINE);
	ck_assert(h.keep_alive && h.minor == 0);
	ck_answer("200 OK", "Keep-Alive: max=5, timeout=30\r\nContent-Length: 1\r\n", HEAD_FINE);
	ck_assert_uint_eq(h.idle_s, 30);
	ck_answer("200 OK", "Keep-Alive: timeout=x\r\nContent-Length: 1\r\n", HEAD_FINE);
	ck_assert_uint_eq(h.idle_s, 0);
	ck_answer("200 OK", "X_Consumer_ID: 1\r\nContent_Length: 7\r\n", HEAD_FINE);
	ck_assert_int_eq(h.framing, FRAMING_CLOSE);
}
END_TEST

START_TEST(knows_which_answers_have_no_body)
{
	ck_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", HEAD, HEAD_FINE);
	ck_assert(h.framing == FRAMING_NONE && h.keep_alive);
	ck_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", HEAD, HEAD_FINE);
	ck_assert(h.framing == FRAMING_NONE && h.keep_alive);
	ck_answer("304 Not Modified", "Content-Length: 5\r\n", HEAD_FINE);
	ck_assert(h.framing == FRAMING_NONE && h.keep_alive);
	ck_answer("204 No Content", "", HEAD_FINE);
	ck_assert(h.framing == FRAMING_NONE && h.keep_alive);
	ck_answer("204 No Content", "Content-Length: 0\r\n", HEAD_FINE);
	ck_answer("204 No Content", "Content-Length: 5\r\n", HEAD_LENGTH);
	ck_answer("204 No Content", "Transfer-Encoding: chunked\r\n", HEAD_CODING);
	ck_answer("100 Continue", "", HEAD_FINE);
	ck_assert_int_eq(h.framing, FRAMING_NONE);
	ck_answer("103 Early Hints", "Content-Length: 5\r\n", HEAD_LENGTH);
	ck_answer("101 Switching Protocols", "Transfer-Encoding: chunked\r\n", HEAD_CODING);
	ck_answer("101 Switching Protocols", "Connection: upgrade\r\nUpgrade: x\r\n", HEAD_FINE);
}
END_TEST

START_TEST(refuses_bad_answers)
{
	ck_answer("099 x", "", HEAD_STATUS);
	ck_answer("600 x", "", HEAD_STATUS);
	ck_answer("1000 x", "", HEAD_STATUS);
	ck_answer("2x0 OK", "", HEAD_STATUS);
	ck_answer("200OK", "", HEAD_STATUS);
	ck_answer("200\tOK", "", HEAD_STATUS);
	ck_answer("20 OK", "", HEAD_STATUS);
	ck_answer("200 \x01", "", HEAD_STATUS);
	ck_answer("200 \x7f", "", HEAD_STATUS);
	ck_answer(" 200 OK", "", HEAD_STATUS);
	ck_response("HTTP/2.0 200 OK\r\n\r\n", GET, HEAD_START_LINE);
	ck_response("HTTP/1.2 200 OK\r\n\r\n", GET, HEAD_VERSION);
	ck_response("ICY 200 OK\r\n\r\n", GET, HEAD_START_LINE);
	ck_response("http/1.1 200 OK\r\n\r\n", GET, HEAD_START_LINE);
	ck_response("HTTP/1.1\r\n\r\n", GET, HEAD_START_LINE);
	ck_response("HTTP/1.1 200 OK\nContent-Length: 1\n\n", GET, HEAD_LINE_END);
	ck_answer("200 OK", "Content-Length: 5\r\n 6\r\n", HEAD_FOLDED);
	ck_answer("200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
	    HEAD_LENGTH_AND_CODING);
	ck_answer("200 OK", "Content-Length: +5\r\n", HEAD_LENGTH);
	ck_answer("200 OK", "Transfer-Encoding: gzip, chunked\r\n", HEAD_CODING);
	ck_answer("200 OK", "Transfer-Encoding: gzip\r\n", HEAD_CODING);
	ck_answer("304 x", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
	    HEAD_LENGTH_AND_CODING);
	ck_answer("200 OK", "A : b\r\n", HEAD_SYNTAX);
	ck_answer("200 OK", ": b\r\n", HEAD_FIELD_NAME);
	ck_answer("200 OK", "A: b\x01\r\n", HEAD_SYNTAX);
	ck_response("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", GET, HEAD_CODING);
	ck_assert_int_ne(response(SPAN("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
	    "Content-Length: 5\r\n\r\n"), METHOD_GET), HEAD_FINE);
}
END_TEST

SUITE_RUN("http_answer", reads_an_answer, knows_which_answers_have_no_body, refuses_bad_answers)
