/* The pool over TLS: sessions, trust, and that nothing is left behind. */
#include <dirent.h>
#include <malloc.h>

#include "tests/unit/fetch_pool_support.h"

static const int versions[] = { TLS1_3_VERSION, TLS1_2_VERSION };

START_TEST(tls_sessions_are_resumed)
{
	PLAY(OK_ANSWER);
	use_tls("DNS:localhost", versions[_i]);
	set_up();
	for (int i = 0; i < 4; i++) {
		ask_well("https://localhost");
		ask_well("https://localhost");
		ck_assert_int_eq(server.accepted, i + 1);
		ck_assert_int_eq(server.resumed, i);
		server_order(&server, i < 2 ? 'c' : 'r');
	}
	ck_assert_uint_eq(fetch_pool_counts(pool)->resumed, 3);
	ck_assert_uint_eq(fetch_pool_counts(pool)->retried, 0);
	tear_down();
}
END_TEST

START_TEST(a_session_of_one_name_is_none_for_another)
{
	PLAY(OK_ANSWER);
	use_tls("DNS:localhost", versions[_i]);
	set_up();
	ask_well("https://localhost");
	ck_assert_int_eq(ask("https://127.0.0.1"), FETCH_NOT_TRUSTED);
	ask_well("https://localhost");
	ck_assert_int_eq(server.accepted, 2);
	ck_assert_int_eq(server.requests, 2);
	tear_down();
}
END_TEST

START_TEST(other_trust_anchors_end_what_was_trusted)
{
	char another[] = "/tmp/gatehouse-test-XXXXXX";

	PLAY(OK_ANSWER);
	use_tls("DNS:localhost", versions[_i]);
	set_up();
	ask_well("https://localhost");
	server_order(&server, 'c');
	close(mkstemp(another));
	SSL_CTX_free(make_certificate("DNS:localhost", another));
	ck_assert_int_eq(rename(another, ca_file), 0);
	ck_assert_int_eq(ask("https://localhost"), FETCH_NOT_TRUSTED);
	ck_assert_int_eq(unlink(ca_file), 0);
	ck_assert_int_eq(ask("https://localhost"), FETCH_UNUSABLE);
	ck_assert_int_eq(server.requests, 1);
	tear_down();
}
END_TEST

START_TEST(a_connection_made_under_others_is_not_kept)
{
	struct fetch *f;

	PLAY(OK_ANSWER);
	use_tls("DNS:localhost", versions[_i]);
	set_up();
	f = begin_at("https://localhost", (struct fetch_request){ 0 });
	ck_assert_int_eq(pull(f), RUN_DONE);
	/* the next one has to look at the file */
	ck_assert_int_eq(truncate(ca_file, 0), 0);
	ck_assert_int_eq(ask("https://localhost"), FETCH_UNUSABLE);
	SSL_CTX_free(make_certificate("DNS:localhost", ca_file));
	ck_assert_int_eq(ask("https://localhost"), FETCH_NOT_TRUSTED);
	fetch_end(&f);
	ck_assert_uint_eq(fetch_pool_counts(pool)->idle, 0);
	tear_down();
}
END_TEST

START_TEST(who_trusts_others_has_other_connections)
{
	char another[] = "/tmp/gatehouse-test-XXXXXX", url[64];
	struct fetch *f;

	PLAY(OK_ANSWER);
	use_tls("DNS:localhost", versions[_i]);
	set_up();
	ask_well("https://localhost");
	close(mkstemp(another));
	SSL_CTX_free(make_certificate("DNS:localhost", another));
	snprintf(url, sizeof(url), "https://localhost:%d/", server.port);
	f = fetch_begin(&(struct fetch_request){ .url = url, .ca_file = another, .pool = pool,
		.max_bytes = 9, .timeout_ms = 5000 }, test_ms());
	ck_assert_int_eq(pull(f), RUN_FAIL);
	ck_assert_int_eq(fetch_result(f)->failure, FETCH_NOT_TRUSTED);
	fetch_end(&f);
	unlink(another);
	tear_down();
}
END_TEST

START_TEST(plain_is_not_taken_for_tls)
{
	PLAY(OK_ANSWER);
	set_up();
	close(mkstemp(ca_file));
	SSL_CTX_free(make_certificate("DNS:localhost", ca_file));
	ask_well("http://localhost");
	struct fetch *f = begin_at("https://localhost", (struct fetch_request){ .timeout_ms = 200 });
	ck_assert_int_eq(pull(f), RUN_FAIL);
	ck_assert_ptr_nonnull(strstr(fetch_result(f)->reason, "shaking hands"));
	fetch_end(&f);
	ask_well("http://localhost");
	tear_down();
}
END_TEST

START_TEST(trust_is_prepared_or_refused_ahead)
{
	const char *reason = NULL;

	PLAY(OK_ANSWER);
	use_tls("DNS:localhost", TLS1_3_VERSION);
	set_up();
	ck_assert(fetch_pool_prepare(pool, "https://localhost/", ca_file, &reason));
	ck_assert(fetch_pool_prepare(pool, "http://localhost/", NULL, &reason));
	ck_assert(!fetch_pool_prepare(pool, "https://localhost/", "/nowhere", &reason));
	ck_assert_ptr_nonnull(reason);
	ck_assert(!fetch_pool_prepare(pool, "localhost", "", &reason));
	tear_down();
}
END_TEST

static unsigned
count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static size_t
used_memory(void)
{
	return mallinfo2().uordblks;
}

/* All ways a fetch may go. */
static void
mixed_fetches(int n)
{
	for (int i = 0; i < n; i++) {
		server.requests = i;
		ask("https://localhost");
		if (i % 5 == 0)
			ask("https://127.0.0.1");
		if (i % 50 == 7)
			server_order(&server, "crs"[i / 50 % 3]);
	}
}

START_TEST(a_thousand_leave_nothing_behind)
{
	unsigned descriptors;
	size_t memory;

	PLAY(OK_ANSWER, OK_ANSWER, CLOSE, OK_ANSWER, "garbage\r\n\r\n",
	    CLOSE "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", OK_ANSWER);
	use_tls("DNS:localhost", TLS1_3_VERSION);
	set_up();
	mixed_fetches(200);
	server_order(&server, 'c');
	fetch_pool_tend(pool, test_ms());
	descriptors = count_descriptors();
	memory = used_memory();
	mixed_fetches(1000);
	server_order(&server, 'c');
	fetch_pool_tend(pool, test_ms());
	ck_assert_uint_eq(count_descriptors(), descriptors);
	ck_assert_msg(used_memory() < memory + 65536, "%zu bytes became %zu", memory,
	    used_memory());
	tear_down();
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("http_fetch_pool_tls");
	TCase *t = tcase_create("pool");
	SRunner *runner = srunner_create(suite);

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, tls_sessions_are_resumed, 0, 2);
	tcase_add_loop_test(t, a_session_of_one_name_is_none_for_another, 0, 2);
	tcase_add_loop_test(t, other_trust_anchors_end_what_was_trusted, 0, 2);
	tcase_add_loop_test(t, a_connection_made_under_others_is_not_kept, 0, 2);
	tcase_add_loop_test(t, who_trusts_others_has_other_connections, 0, 2);
	tcase_add_test(t, plain_is_not_taken_for_tls);
	tcase_add_test(t, trust_is_prepared_or_refused_ahead);
	tcase_add_test(t, a_thousand_leave_nothing_behind);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
