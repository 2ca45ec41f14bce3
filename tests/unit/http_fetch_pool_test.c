#include <errno.h>

#include "tests/unit/fetch_pool_support.h"

static struct fetch *
begin(void)
{
	struct fetch *f = begin_at("http://127.0.0.1", (struct fetch_request){
		.form = SPAN("token=x"), .authorization = "Basic Zm9v" });

	ck_assert_ptr_nonnull(f);
	return f;
}

START_TEST(one_connection_serves_many)
{
	PLAY(OK_ANSWER);
	set_up();
	for (int i = 0; i < 20; i++) {
		struct fetch *f = begin();

		ck_assert_int_eq(pull(f), RUN_DONE);
		fetch_end(&f);
	}
	ck_assert_int_eq(server.accepted, 1);
	ck_assert_int_eq(server.requests, 20);
	ck_assert_uint_eq(fetch_pool_counts(pool)->reused, 19);
	ck_assert_uint_eq(fetch_pool_counts(pool)->connected, 1);
	ck_assert_uint_eq(fetch_pool_counts(pool)->idle, 1);
	ck_assert_ptr_nonnull(strstr(server.seen, "POST /introspect HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(server.seen, "\r\nAuthorization: Basic Zm9v\r\n"));
	ck_assert_ptr_nonnull(strstr(server.seen, "\r\n\r\ntoken=x"));
	ck_assert_ptr_null(strstr(server.seen, "Connection:"));
	tear_down();
}
END_TEST

/* One row: what the server says, what becomes of the fetch, and whether its connection is kept. */
static const struct {
	const char		*answer;
	enum fetch_failure	 failure;
	bool			 kept;
} answers[] = {
	{ OK_ANSWER, FETCH_FINE, true },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: v\r\n\r\n",
	    FETCH_FINE, true },
	{ "HTTP/1.1 204 No Content\r\n\r\n", FETCH_FINE, true },
	{ "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", FETCH_FINE, true },
	{ "HTTP/1.1 100 Continue\r\n\r\n" OK_ANSWER, FETCH_FINE, true },
	{ "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", FETCH_FINE, true },
	{ "HTTP/1.1 503 Sorry\r\nContent-Length: 0\r\n\r\n", FETCH_FINE, true },
	{ "HTTP/1.1 307 There\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", FETCH_FINE, true },
	{ "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
	    FETCH_FINE, false },
	{ "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", FETCH_FINE, false },
	{ "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
	    FETCH_FINE, false },
	{ CLOSE "HTTP/1.1 200 OK\r\n\r\nok", FETCH_FINE, false },
	{ OK_ANSWER "\n", FETCH_FINE, false },
	{ OK_ANSWER OK_ANSWER, FETCH_FINE, false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nx", FETCH_FINE, false },
	{ "HTTP/1.1 204 No Content\r\n\r\nx", FETCH_FINE, false },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", FETCH_FINE, false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", FETCH_BAD_ANSWER, false },
	{ "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n1",
	    FETCH_BAD_ANSWER, false },
	{ "SSH-2.0-OpenSSH\r\n\r\n", FETCH_BAD_ANSWER, false },
	{ "\x16\x03\x01", FETCH_TIMED_OUT, false },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", FETCH_TIMED_OUT, false },
	{ HANG, FETCH_TIMED_OUT, false },
	{ CLOSE "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", FETCH_BROKEN, false },
	{ CLOSE, FETCH_BROKEN, false },
};

START_TEST(what_leaves_a_connection_usable)
{
	PLAY(answers[_i].answer);
	set_up();
	for (int i = 0; i < 3; i++) {
		struct fetch *f = begin_at(plain, (struct fetch_request){ .form = SPAN("token=x"),
			.timeout_ms = answers[_i].failure == FETCH_TIMED_OUT ? 200 : 5000,
			.redirects = 3 });

		pull(f);
		ck_assert_msg(fetch_result(f)->failure == answers[_i].failure, "%s: %s",
		    answers[_i].answer, fetch_result(f)->reason);
		fetch_end(&f);
	}
	eventually(&server.requests, 3);
	ck_assert_msg(server.accepted == (answers[_i].kept ? 1 : 3), "%s: %d connections",
	    answers[_i].answer, server.accepted);
	ck_assert_uint_eq(fetch_pool_counts(pool)->idle, answers[_i].kept);
	tear_down();
}
END_TEST

START_TEST(one_that_the_server_closed_is_not_used)
{
	static const char orders[] = { 'c', 'r', 's' };

	PLAY(OK_ANSWER);
	set_up();
	ask_well(plain);
	server_order(&server, orders[_i]);
	ask_well(plain);		/* never what was said unasked */
	ck_assert_int_eq(server.accepted, 2);
	ck_assert_int_eq(server.requests, 2);
	ck_assert_uint_eq(fetch_pool_counts(pool)->retried, 0);
	server_order(&server, orders[_i]);
	ck_assert_uint_eq(fetch_pool_tend(pool, test_ms()), 0);
	tear_down();
}
END_TEST

START_TEST(a_kept_one_that_fails_gets_one_more_try)
{
	PLAY(OK_ANSWER, CLOSE, OK_ANSWER);
	set_up();
	ask_well(plain);
	ask_well(plain);
	ck_assert_int_eq(server.accepted, 2);
	ck_assert_int_eq(server.requests, 3);
	ck_assert_uint_eq(fetch_pool_counts(pool)->retried, 1);
	tear_down();
}
END_TEST

START_TEST(but_only_one)
{
	PLAY(OK_ANSWER, CLOSE);
	set_up();
	ask_well(plain);
	ck_assert_int_eq(ask(plain), FETCH_BROKEN);
	ck_assert_int_eq(server.accepted, 2);
	ck_assert_int_eq(server.requests, 3);
	tear_down();
}
END_TEST

START_TEST(a_late_goodbye_is_none_of_ours)
{
	static const char goodbye[] = CLOSE "HTTP/1.1 408 Request Timeout\r\n"
	    "Connection: close\r\nContent-Length: 3\r\n\r\nbye";

	PLAY(OK_ANSWER, goodbye, OK_ANSWER, goodbye);
	set_up();
	ask_well(plain);
	ask_well(plain);
	ck_assert_uint_eq(fetch_pool_counts(pool)->retried, 1);
	/* twice: it is an answer */
	struct fetch *f = begin();
	ck_assert_int_eq(pull(f), RUN_DONE);
	ck_assert_uint_eq(fetch_result(f)->status, 408);
	ck_assert_span(fetch_result(f)->body, SPAN("bye"));
	fetch_end(&f);
	ck_assert_int_eq(server.requests, 5);
	tear_down();
}
END_TEST

START_TEST(and_none_once_an_answer_has_begun)
{
	PLAY(OK_ANSWER, CLOSE "HTTP/1.1 2", OK_ANSWER);
	set_up();
	ask_well(plain);
	ck_assert_int_eq(ask(plain), FETCH_BROKEN);
	ck_assert_int_eq(server.requests, 2);
	tear_down();
}
END_TEST

/* So many at once, each with a connection of its own; then they are all kept, as far as may be. */
static void
ask_at_once(unsigned n)
{
	struct fetch *f[16];

	for (unsigned i = 0; i < n; i++) {
		f[i] = begin();
		fetch_run(f[i], test_ms());
	}
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(pull(f[i]), RUN_DONE);
	for (unsigned i = 0; i < n; i++)
		fetch_end(&f[i]);
}

START_TEST(so_many_are_kept)
{
	PLAY(OK_ANSWER);
	limits.idle = 3;
	set_up();
	ask_at_once(5);
	ck_assert_int_eq(server.accepted, 5);
	ck_assert_uint_eq(fetch_pool_counts(pool)->idle, 3);
	ask_at_once(4);
	ck_assert_int_eq(server.accepted, 6);
	tear_down();
}
END_TEST

START_TEST(silence_makes_all_suspect_that_were_kept_before)
{
	PLAY(OK_ANSWER, OK_ANSWER, OK_ANSWER, HANG);
	set_up();
	ask_at_once(3);
	skew_ms += 1;
	struct fetch *f = begin_at(plain, (struct fetch_request){ .timeout_ms = 200 });
	ck_assert_int_eq(pull(f), RUN_FAIL);
	ck_assert_int_eq(fetch_result(f)->failure, FETCH_TIMED_OUT);
	fetch_end(&f);
	ck_assert_uint_eq(fetch_pool_counts(pool)->idle, 0);
	tear_down();
}
END_TEST

START_TEST(they_are_kept_for_a_while)
{
	PLAY(OK_ANSWER);
	set_up();
	ask_well(plain);
	skew_ms = limits.idle_ms - 500;
	ask_well(plain);
	ck_assert_int_eq(server.accepted, 1);
	skew_ms += limits.idle_ms;
	ask_well(plain);
	ck_assert_int_eq(server.accepted, 2);
	ck_assert_uint_eq(fetch_pool_tend(pool, test_ms()), 1);
	skew_ms += limits.idle_ms;
	ck_assert_uint_eq(fetch_pool_tend(pool, test_ms()), 0);
	tear_down();
}
END_TEST

START_TEST(but_not_for_ever)
{
	PLAY(OK_ANSWER);
	set_up();
	for (skew_ms = 0; skew_ms <= limits.life_ms; skew_ms += 20000)
		ask_well(plain);
	ck_assert_int_eq(server.accepted, 2);
	tear_down();
}
END_TEST

START_TEST(a_server_may_say_for_how_long)
{
	PLAY("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=4\r\nContent-Length: 2\r\n\r\nok");
	set_up();
	ask_well(plain);
	skew_ms = 2500;
	ask_well(plain);
	ck_assert_int_eq(server.accepted, 1);
	skew_ms += 3000;
	ask_well(plain);
	ck_assert_int_eq(server.accepted, 2);
	tear_down();
}
END_TEST

START_TEST(so_many_may_be_under_way)
{
	struct server other = { .script = { OK_ANSWER } };
	struct fetch *f[2], *third;
	char url[64];

	PLAY(OK_ANSWER);
	limits.in_flight = 2;
	set_up();
	server_start(&other);
	f[0] = begin();
	f[1] = begin();
	errno = 0;
	ck_assert_ptr_null(begin_at(plain, (struct fetch_request){ 0 }));
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_uint_eq(fetch_pool_counts(pool)->refused, 1);
	/* that is nothing to another server */
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", other.port);
	third = fetch_begin(&(struct fetch_request){ .url = url, .pool = pool, .max_bytes = 9,
		.timeout_ms = 5000 }, test_ms());
	ck_assert_int_eq(pull(third), RUN_DONE);
	fetch_end(&third);
	fetch_end(&f[0]);
	ask_well(plain);
	fetch_end(&f[1]);
	tear_down();
	server_stop(&other);
}
END_TEST

START_TEST(servers_at_rest_make_room)
{
	char url[64];

	PLAY(OK_ANSWER);
	set_up();
	ask_well(plain);
	for (int i = 0; i < 3 * FETCH_POOL_SERVERS; i++) {
		snprintf(url, sizeof(url), "http://127.0.0.%d:%d/", i + 2, server.port);
		struct fetch *f = fetch_begin(&(struct fetch_request){ .url = url, .pool = pool,
			.timeout_ms = 5000 }, test_ms());
		ck_assert_ptr_nonnull(f);
		fetch_end(&f);
	}
	ck_assert_uint_eq(fetch_pool_counts(pool)->idle, 0);
	ask_well(plain);
	tear_down();
}
END_TEST

START_TEST(redirects_go_over_the_same_connection)
{
	static const char there[] =
	    "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";

	PLAY(there, OK_ANSWER, there, CLOSE, OK_ANSWER);
	set_up();
	for (int i = 0; i < 2; i++) {
		struct fetch *f = begin_at(plain, (struct fetch_request){ .redirects = 3 });

		ck_assert_int_eq(pull(f), RUN_DONE);
		ck_assert_uint_eq(fetch_result(f)->status, 200);
		ck_assert_ptr_nonnull(strstr(server.seen, "GET /there "));
		fetch_end(&f);
		ck_assert_int_eq(server.accepted, i + 1);
	}
	tear_down();
}
END_TEST

START_TEST(given_up_in_any_state)
{
	PLAY(HANG);
	use_tls("DNS:localhost", TLS1_3_VERSION);
	set_up();
	for (int turns = 0; turns < 12; turns++) {
		struct fetch *f = begin_at("https://localhost", (struct fetch_request){ 0 });

		for (int i = 0; i < turns; i++) {
			const struct want *want = fetch_want(f);
			struct pollfd p = { want->fd, want->events, 0 };

			if (fetch_run(f, test_ms()) == RUN_WAIT)
				poll(&p, 1, i < 8 ? 20 : 0);
		}
		fetch_end(&f);
	}
	ck_assert_uint_eq(fetch_pool_counts(pool)->idle, 0);
	ck_assert_int_gt(server.requests, 0);
	tear_down();
}
END_TEST

START_TEST(a_name_is_looked_up_once)
{
	struct fetch *f[8];

	PLAY(OK_ANSWER);
	set_up();
	for (int i = 0; i < 8; i++) {
		f[i] = begin_at("http://localhost", (struct fetch_request){ 0 });
		fetch_run(f[i], test_ms());
	}
	for (int i = 7; i >= 0; i--) {
		ck_assert_int_eq(pull(f[i]), RUN_DONE);
		fetch_end(&f[i]);
	}
	ck_assert_uint_eq(fetch_pool_counts(pool)->lookups, 1);
	skew_ms = limits.addresses_ms - 500;
	server_order(&server, 'c');
	ask_well("http://localhost");
	ck_assert_uint_eq(fetch_pool_counts(pool)->lookups, 1);
	skew_ms = limits.addresses_ms + 500;
	server_order(&server, 'c');
	ask_well("http://localhost");
	ck_assert_uint_eq(fetch_pool_counts(pool)->lookups, 2);
	tear_down();
}
END_TEST

/* Row 1: so late that its outcome is too old. */
START_TEST(a_lookup_that_all_gave_up_serves_the_next)
{
	PLAY(OK_ANSWER);
	set_up();
	struct fetch *f = begin_at("http://localhost", (struct fetch_request){ 0 });
	ck_assert_int_eq(fetch_run(f, test_ms()), RUN_WAIT);
	poll(&(struct pollfd){ fetch_want(f)->fd, fetch_want(f)->events, 0 }, 1, 5000);
	fetch_end(&f);
	skew_ms = _i == 1 ? limits.addresses_ms : 500;
	ask_well("http://localhost");
	ck_assert_uint_eq(fetch_pool_counts(pool)->lookups, _i + 1);
	tear_down();
}
END_TEST

/* No name server need be asked to know that a label of 64 letters is none. */
static const char no_name[] =
    "http://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example";

START_TEST(a_failed_lookup_is_not_repeated_at_once)
{
	PLAY(OK_ANSWER);
	set_up();
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(ask(no_name), FETCH_NO_ADDRESS);
	ck_assert_uint_eq(fetch_pool_counts(pool)->lookups, 1);
	skew_ms += 1500;
	ck_assert_int_eq(ask(no_name), FETCH_NO_ADDRESS);
	ck_assert_uint_eq(fetch_pool_counts(pool)->lookups, 2);
	tear_down();
}
END_TEST

START_TEST(addresses_that_fail_are_looked_up_again)
{
	int port;

	PLAY(OK_ANSWER);
	set_up();
	ask_well("http://localhost");
	port = server.port;
	server_stop(&server);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(ask("http://localhost"), FETCH_NOT_CONNECTED);
	ck_assert_uint_eq(fetch_pool_counts(pool)->lookups, 1);
	skew_ms += 1500;
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(ask("http://localhost"), FETCH_NOT_CONNECTED);
	ck_assert_uint_eq(fetch_pool_counts(pool)->lookups, 2);
	ck_assert_int_eq(server.port, port);
	server_start(&server);		/* for tear_down() */
	tear_down();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("http_fetch_pool");
	TCase *t = tcase_create("pool");
	SRunner *runner = srunner_create(suite);

	tcase_set_timeout(t, 60);
	tcase_add_test(t, one_connection_serves_many);
	tcase_add_loop_test(t, what_leaves_a_connection_usable, 0,
	    (int)(sizeof(answers) / sizeof(answers[0])));
	tcase_add_loop_test(t, one_that_the_server_closed_is_not_used, 0, 3);
	tcase_add_test(t, a_kept_one_that_fails_gets_one_more_try);
	tcase_add_test(t, but_only_one);
	tcase_add_test(t, a_late_goodbye_is_none_of_ours);
	tcase_add_test(t, and_none_once_an_answer_has_begun);
	tcase_add_test(t, so_many_are_kept);
	tcase_add_test(t, silence_makes_all_suspect_that_were_kept_before);
	tcase_add_test(t, they_are_kept_for_a_while);
	tcase_add_test(t, but_not_for_ever);
	tcase_add_test(t, a_server_may_say_for_how_long);
	tcase_add_test(t, so_many_may_be_under_way);
	tcase_add_test(t, servers_at_rest_make_room);
	tcase_add_test(t, redirects_go_over_the_same_connection);
	tcase_add_test(t, given_up_in_any_state);
	tcase_add_test(t, a_name_is_looked_up_once);
	tcase_add_loop_test(t, a_lookup_that_all_gave_up_serves_the_next, 0, 2);
	tcase_add_test(t, a_failed_lookup_is_not_repeated_at_once);
	tcase_add_test(t, addresses_that_fail_are_looked_up_again);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
