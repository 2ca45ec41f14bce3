#include "upstream/call.h"

#include "tests/unit/upstream_support.h"

static char content[32768];
static size_t n_content;

/* Opens a connection to the first server, new as it is, and sends a request. */
static int
open_new(enum method method)
{
	begin(method);
	ck_assert_int_eq(settle(call_open(&call)), RUN_DONE);
	int fd = accept_from(0);
	send_request();
	return fd;
}

/* An exchange whose answer comes byte by byte. */
static enum run
answer_slowly(int fd, struct span answer)
{
	enum run run = RUN_WAIT;

	for (size_t i = 0; i < answer.n; i++) {
		say(fd, span_make(answer.p + i, 1));
		turn_once();
		if (run == RUN_WAIT)
			run = call_answer(&call);
	}
	return run;
}

START_TEST(an_exchange_and_another_on_the_same_connection)
{
	set_up(1);
	int fd = open_new(METHOD_GET);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(answer_slowly(fd, SPAN("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
		    "\r\nhello")),
		    RUN_DONE);
		ck_assert_uint_eq(call.head.status, 200);
		ck_assert_int_eq(read_all(content, &n_content), RUN_DONE);
		ck_assert_span(span_make(content, n_content), SPAN("hello"));
		ck_assert(call_answered(&call));
		ck_assert_uint_eq(board_load(upstream->servers[0].board), 1);
		call_end(&call, true);
		ck_assert_uint_eq(upstream->servers[0].n_idle, 1);
		ck_assert_uint_eq(blocks.leased, 0);
		begin(METHOD_GET);
		ck_assert_int_eq(call_open(&call), RUN_DONE);
		send_request();
	}
	call_end(&call, true);		/* no answer: it can't be used again */
	ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
	ck_assert(nobody_connects(0));
	hang_up(fd);
	tear_down();
}
END_TEST

START_TEST(reads_every_framing)
{
	set_up(1);
	int fd = open_new(METHOD_GET);
	say(fd, SPAN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n"
	    "0\r\n\r\n"));
	ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
	ck_assert_int_eq(read_all(content, &n_content), RUN_DONE);
	ck_assert_span(span_make(content, n_content), SPAN("abcde"));
	call_end(&call, true);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 1);
	begin(METHOD_HEAD);
	ck_assert_int_eq(call_open(&call), RUN_DONE);
	send_request();
	say(fd, SPAN("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"));
	ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
	ck_assert(call_answered(&call));
	ck_assert_int_eq(read_all(content, &n_content), RUN_DONE);
	ck_assert_uint_eq(n_content, 0);
	call_end(&call, true);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 1);
	begin(METHOD_GET);
	ck_assert_int_eq(call_open(&call), RUN_DONE);
	send_request();
	say(fd, SPAN("HTTP/1.1 200 OK\r\n\r\nto the end"));
	hang_up(fd);
	ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
	ck_assert_int_eq(read_all(content, &n_content), RUN_DONE);
	ck_assert_span(span_make(content, n_content), SPAN("to the end"));
	ck_assert(call_answered(&call));
	call_end(&call, true);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
	tear_down();
}
END_TEST

START_TEST(interim_answers_come_one_by_one)
{
	set_up(1);
	int fd = open_new(METHOD_GET);
	say(fd, SPAN("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
	    "HTTP/1.1 204 No Content\r\n\r\n"));
	ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
	ck_assert_uint_eq(call.head.status, 100);
	ck_assert(!call_answered(&call));
	ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
	ck_assert_uint_eq(call.head.status, 103);
	ck_assert_span(call.head.fields[0].value, SPAN("x"));
	ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
	ck_assert_uint_eq(call.head.status, 204);
	ck_assert(call_answered(&call));
	call_end(&call, true);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 1);
	hang_up(fd);
	tear_down();
}
END_TEST

/* Each is refused, and its connection never used again. */
START_TEST(malformed_answers)
{
	static const char *const bad[] = {
		"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"HTTP/1.1 099 x\r\n\r\n",
		"HTTP/1.1 1000 x\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
		"HTTP/1.1 204 No Content\r\n\r\nx",
		"HTTP/1.1 304 Not Modified\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/2.0 200 OK\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: x\r\n\r\n", "\x16\x03\x01\x02\n",
	};

	set_up(1);
	conf.max_fails = 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = open_new(METHOD_GET);
		say(fd, span_of(bad[i]));
		ck_assert_msg(settle(call_answer(&call)) == RUN_FAIL, "%s", bad[i]);
		ck_assert_msg(call.error == CALL_BAD_ANSWER, "%s", bad[i]);
		ck_assert(!call_retry(&call, true));
		call_end(&call, true);
		ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
		hang_up(fd);
	}
	tear_down();
}
END_TEST

START_TEST(a_flood_of_interim_answers_is_refused)
{
	unsigned n = 0;

	set_up(1);
	int fd = open_new(METHOD_GET);
	for (int i = 0; i < 30; i++)
		say(fd, SPAN("HTTP/1.1 102 x\r\n\r\n"));
	while (settle(call_answer(&call)) == RUN_DONE)
		n++;
	ck_assert_uint_eq(n, 16);
	ck_assert_int_eq(call.error, CALL_BAD_ANSWER);
	call_end(&call, true);
	hang_up(fd);
	tear_down();
}
END_TEST

START_TEST(heads_have_limits)
{
	set_up(1);
	int fd = open_new(METHOD_GET);
	say(fd, SPAN("HTTP/1.1 200 OK\r\nA: "));
	for (int i = 0; i < 32; i++)
		say(fd, SPAN("01234567890123456789012345678901234567890123456789012345678901234"));
	ck_assert_int_eq(settle(call_answer(&call)), RUN_FAIL);
	ck_assert_int_eq(call.error, CALL_BAD_ANSWER);
	call_end(&call, true);
	hang_up(fd);
	tear_down();
}
END_TEST

START_TEST(a_body_cut_short_is_no_body)
{
	static const char *const cut[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	};

	set_up(1);
	for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
		int fd = open_new(METHOD_GET);
		say(fd, span_of(cut[i]));
		hang_up(fd);
		ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
		ck_assert_int_eq(read_all(content, &n_content), RUN_FAIL);
		ck_assert_int_eq(call.error, CALL_CUT);
		ck_assert(!call_answered(&call));
		ck_assert(!call_retry(&call, true));
		call_end(&call, true);
	}
	int fd = open_new(METHOD_GET);
	say(fd, SPAN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX"));
	ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
	ck_assert_int_eq(read_all(content, &n_content), RUN_FAIL);
	ck_assert_int_eq(call.error, CALL_BAD_ANSWER);
	call_end(&call, true);
	hang_up(fd);
	tear_down();
}
END_TEST

/* Bytes behind an answer may be the begin of somebody else's. */
START_TEST(a_connection_with_surplus_is_closed)
{
	static const char *const surplus[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nHTTP",
	};

	set_up(1);
	for (size_t i = 0; i < sizeof(surplus) / sizeof(surplus[0]); i++) {
		int fd = open_new(METHOD_GET);
		say(fd, span_of(surplus[i]));
		ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
		ck_assert_int_eq(read_all(content, &n_content), RUN_DONE);
		call_end(&call, true);
		ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
		hang_up(fd);
	}
	tear_down();
}
END_TEST

START_TEST(a_connection_is_kept_only_in_good_order)
{
	static const struct {
		const char	*answer;
		bool		 sent, read;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", true,
		true },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", true, true },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, true },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", true, false },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, false },
	};

	set_up(1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = open_new(METHOD_GET);
		say(fd, span_of(rows[i].answer));
		ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
		if (rows[i].read)
			ck_assert_int_eq(read_all(content, &n_content), RUN_DONE);
		call_end(&call, rows[i].sent);
		ck_assert_msg(upstream->servers[0].n_idle == 0, "row %zu", i);
		hang_up(fd);
	}
	tear_down();
}
END_TEST

START_TEST(silence_has_an_end)
{
	set_up(1);
	conf.read_timeout_ms = 60;
	int fd = open_new(METHOD_GET);
	ck_assert_int_eq(settle(call_answer(&call)), RUN_FAIL);
	ck_assert_int_eq(call.error, CALL_READ_TIMEOUT);
	ck_assert(!call_retry(&call, true));
	ck_assert_uint_eq(board_failures(upstream->servers[0].board), 1);
	call_end(&call, true);
	hang_up(fd);
	fd = open_new(METHOD_GET);
	say(fd, SPAN("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"));
	ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
	ck_assert_int_eq(read_all(content, &n_content), RUN_FAIL);
	ck_assert_int_eq(call.error, CALL_READ_TIMEOUT);
	call_end(&call, true);
	hang_up(fd);
	tear_down();
}
END_TEST

START_TEST(can_be_ended_at_any_time)
{
	set_up(1);
	begin(METHOD_GET);
	call_end(&call, false);
	call_end(&call, false);
	begin(METHOD_GET);
	ck_assert_int_eq(call_open(&call), RUN_WAIT);
	call_end(&call, false);
	int fd = open_new(METHOD_GET);
	say(fd, SPAN("HTTP/1.1 200"));
	turn_once();
	ck_assert_int_eq(call_answer(&call), RUN_WAIT);
	call_end(&call, true);
	hang_up(fd);
	close(accept_from(0));	/* the one that was still connecting */
	tear_down();
}
END_TEST

/* An answer of `n` bytes of content, of which all but the last come through a conduit. */
static void
pour_answer(int fd, size_t n, struct span surplus)
{
	struct conduits conduits = { .free = NULL };
	struct conduit *conduit = conduit_lease(&conduits);
	static char body[100000];
	char bin[4096];
	size_t poured = 0;

	ck_assert_ptr_nonnull(conduit);
	say(fd, SPAN("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"));
	ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
	say(fd, span_make(body, n));
	if (surplus.n > 0)
		say(fd, surplus);
	if (n < sizeof(body))
		shutdown(fd, SHUT_WR);
	while (call_ahead(&call) > 0) {
		if (settle(call_pour(&call, conduit)) == RUN_FAIL)
			break;
		poured += conduit->held;
		while (conduit->held > 0) {
			ssize_t more = read(conduit->out, bin, sizeof(bin));
			ck_assert_int_gt(more, 0);
			conduit->held -= (size_t)more;
		}
	}
	ck_assert_uint_le(poured, n);
	conduit_return(&conduits, &conduit);
	conduits_fini(&conduits);
}

/* What follows the end is noticed as ever: the end itself is read. */
START_TEST(a_large_body_can_be_poured)
{
	for (int surplus = 0; surplus < 2; surplus++) {
		set_up(1);
		int fd = open_new(METHOD_GET);
		pour_answer(fd, 100000, surplus ? SPAN("HTTP") : SPAN(""));
		ck_assert(!call_answered(&call));
		ck_assert_int_eq(call.error, CALL_FINE);
		ck_assert_int_eq(read_all(content, &n_content), RUN_DONE);
		ck_assert_uint_gt(n_content, 0);
		ck_assert(call_answered(&call));
		ck_assert_uint_eq(call.body.content, 100000);
		call_end(&call, true);
		ck_assert_uint_eq(upstream->servers[0].n_idle, surplus ? 0 : 1);
		hang_up(fd);
		tear_down();
	}
}
END_TEST

START_TEST(a_body_cut_short_while_poured_is_no_body)
{
	set_up(1);
	int fd = open_new(METHOD_GET);
	pour_answer(fd, 50000, SPAN(""));
	ck_assert_int_eq(call.error, CALL_CUT);
	ck_assert(!call_answered(&call));
	call_end(&call, true);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
	hang_up(fd);
	tear_down();
}
END_TEST

SUITE_RUN("upstream_call", an_exchange_and_another_on_the_same_connection, reads_every_framing,
    interim_answers_come_one_by_one, malformed_answers, a_flood_of_interim_answers_is_refused,
    heads_have_limits, a_body_cut_short_is_no_body, a_connection_with_surplus_is_closed,
    a_connection_is_kept_only_in_good_order, silence_has_an_end, can_be_ended_at_any_time,
    a_large_body_can_be_poured, a_body_cut_short_while_poured_is_no_body)
