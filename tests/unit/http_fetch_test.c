#include "gateway/http/fetch.h"

#include <arpa/inet.h>
#include <check.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/http/url.h"
#include "tests/unit/certificate_support.h"

/*
 * A server in a thread that plays one script per connection: reads a head, then writes the bytes,
 * piece by piece of `piece` bytes, and closes. An empty script never answers. TLS if it has a
 * context.
 */
struct server {
	int		 fd;
	int		 port;
	const char	*script[8];
	size_t		 piece;
	SSL_CTX		*tls;
	char		 seen[8192];	/* the last request */
	pthread_t	 thread;
	int		 served;
};

static size_t
receive(int fd, SSL *tls, char *p, size_t n)
{
	ssize_t got = tls != NULL ? SSL_read(tls, p, (int)n) : recv(fd, p, n, 0);

	return got < 0 ? 0 : (size_t)got;
}

static void
transmit(int fd, SSL *tls, const char *p, size_t n)
{
	if (tls != NULL)
		SSL_write(tls, p, (int)n);
	else
		(void)!send(fd, p, n, MSG_NOSIGNAL);
}

static void
play(struct server *s, int fd, SSL *tls, const char *script)
{
	size_t have = 0, n = strlen(script), some;

	while (have + 1 < sizeof(s->seen) &&
	    (some = receive(fd, tls, s->seen + have, sizeof(s->seen) - have - 1)) > 0) {
		have += some;
		s->seen[have] = '\0';
		if (strstr(s->seen, "\r\n\r\n") != NULL)
			break;
	}
	for (size_t at = 0; at < n; at += s->piece) {
		transmit(fd, tls, script + at, n - at < s->piece ? n - at : s->piece);
		if (s->piece < 100)
			usleep(100);
	}
	if (n == 0)
		receive(fd, tls, s->seen, sizeof(s->seen));
}

static void *
serve(void *argument)
{
	struct server *s = argument;

	for (s->served = 0; s->script[s->served] != NULL; s->served++) {
		int fd = accept(s->fd, NULL, NULL);
		SSL *tls = NULL;

		if (fd < 0)
			break;
		if (s->tls != NULL) {
			tls = SSL_new(s->tls);
			SSL_set_fd(tls, fd);
			if (SSL_accept(tls) != 1) {
				SSL_free(tls);
				close(fd);
				continue;
			}
		}
		play(s, fd, tls, s->script[s->served]);
		if (tls != NULL)
			SSL_shutdown(tls);
		SSL_free(tls);
		shutdown(fd, SHUT_WR);
		close(fd);
	}
	return NULL;
}

static void
server_start(struct server *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(listen(s->fd, 8), 0);
	getsockname(s->fd, (struct sockaddr *)&a, &len);
	s->port = ntohs(a.sin_port);
	if (s->piece == 0)
		s->piece = 1 << 20;
	ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

/* Pulls a fetch to its end with plain poll(2). */
static enum run
pull(struct fetch *f)
{
	for (;;) {
		enum run run = fetch_run(f, clock_ms());
		const struct want *want = fetch_want(f);
		struct pollfd p = { want->fd, want->events, 0 };
		uint64_t now = clock_ms();

		if (run != RUN_WAIT)
			return run;
		ck_assert_uint_ne(want->deadline_ms, 0);
		poll(&p, 1, want->deadline_ms > now ? (int)(want->deadline_ms - now) : 0);
	}
}

static struct fetch *
start(const struct fetch_request *request, const char *origin, const char *target,
    const struct server *s)
{
	struct fetch_request r = *request;
	char url[128];

	snprintf(url, sizeof(url), "%s:%d%s", origin, s->port, target);
	r.url = url;
	struct fetch *f = fetch_begin(&r, clock_ms());
	ck_assert_ptr_nonnull(f);
	return f;
}

static const struct fetch_request plain = { .max_bytes = 1000, .timeout_ms = 3000, .redirects = 3 };

/* One row: what the server says, whether a fetch succeeds, and its body or a word of its reason. */
static const struct {
	const char	*answer;
	enum run	 run;
	unsigned	 status;
	const char	*text;
} answers[] = {
	{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", RUN_DONE, 200, "hello" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", RUN_DONE, 200, "" },
	{ "HTTP/1.0 200 OK\r\n\r\nuntil the end", RUN_DONE, 200, "until the end" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n",
	    RUN_DONE, 200, "abcde" },
	{ "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", RUN_DONE, 404, "no" },
	{ "HTTP/1.1 204 No Content\r\n\r\n", RUN_DONE, 204, "" },
	{ "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
	    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1",
	    RUN_DONE, 200, "1" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1 and more", RUN_DONE, 200, "1" },
	{ "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
	    RUN_FAIL, 0, "interim" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", RUN_FAIL, 0, "too large" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", RUN_FAIL, 0, "cut short" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	    RUN_FAIL, 0, "cut short" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
	    RUN_FAIL, 0, "malformed" },
	{ "HTTP/1.1 200 OK\r\nContent-Le", RUN_FAIL, 0, "cut short" },
	{ "HTTP/1.1 200 OK\nContent-Length: 1\n\n1", RUN_FAIL, 0, "malformed" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n1",
	    RUN_FAIL, 0, "malformed" },
	{ "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n1", RUN_FAIL, 0,
	    "compressed" },
	{ "SSH-2.0-OpenSSH\r\n\r\n", RUN_FAIL, 0, "malformed" },
	{ "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\n\r\n",
	    RUN_FAIL, 0, "another server" },
	{ "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
	    RUN_FAIL, 0, "another server" },
	{ "HTTP/1.1 302 Found\r\nLocation: //example.com/\r\nContent-Length: 0\r\n\r\n",
	    RUN_FAIL, 0, "another server" },
	{ "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", RUN_FAIL, 0, "another server" },
};

static void
try_answer(int row, size_t piece)
{
	struct server s = { .script = { answers[row].answer }, .piece = piece };

	server_start(&s);
	struct fetch *f = start(&plain, "http://127.0.0.1", "/x", &s);
	enum run run = pull(f);
	const struct fetch_result *result = fetch_result(f);

	ck_assert_msg(run == answers[row].run, "%s: %s", answers[row].answer,
	    run == RUN_FAIL ? result->reason : "done");
	if (run == RUN_DONE) {
		ck_assert_uint_eq(result->status, answers[row].status);
		ck_assert(span_eq(result->body, span_of(answers[row].text)));
	} else
		ck_assert_msg(strstr(result->reason, answers[row].text) != NULL, "%s",
		    result->reason);
	fetch_end(&f);
	ck_assert_ptr_null(f);
	server_stop(&s);
}

START_TEST(answers_whole)
{
	try_answer(_i, 0);
}
END_TEST

START_TEST(answers_byte_by_byte)
{
	try_answer(_i, 1);
}
END_TEST

START_TEST(request_is_as_asked)
{
	struct server s = { .script = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" } };
	struct fetch_request r = plain;

	server_start(&s);
	r.accept = "application/json";
	r.authorization = "Basic Zm9v";
	r.form = SPAN("a=b&c=d");
	struct fetch *f = start(&r, "http://127.0.0.1", "/a/b?c=d", &s);
	ck_assert_int_eq(pull(f), RUN_DONE);
	ck_assert_ptr_nonnull(strstr(s.seen, "POST /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(s.seen,
	    "\r\nAccept: application/json\r\nConnection: close\r\n"));
	ck_assert_ptr_nonnull(strstr(s.seen, "\r\nAuthorization: Basic Zm9v\r\n"));
	ck_assert_ptr_nonnull(strstr(s.seen, "urlencoded\r\nContent-Length: 7\r\n\r\n"));
	fetch_end(&f);
	server_stop(&s);
}
END_TEST

START_TEST(redirect_to_itself_is_followed)
{
	struct server s = { .script = {
		"HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nthat",
	} };

	server_start(&s);
	struct fetch *f = start(&plain, "http://127.0.0.1", "/here", &s);
	ck_assert_int_eq(pull(f), RUN_DONE);
	ck_assert(span_eq(fetch_result(f)->body, SPAN("that")));
	ck_assert_ptr_nonnull(strstr(s.seen, "GET /there "));
	fetch_end(&f);
	server_stop(&s);
}
END_TEST

static const char again[] = "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";

START_TEST(redirects_end)
{
	struct server s = { .script = { again, again, again, again, again } };

	server_start(&s);
	struct fetch *f = start(&plain, "http://127.0.0.1", "/", &s);
	ck_assert_int_eq(pull(f), RUN_FAIL);
	ck_assert_ptr_nonnull(strstr(fetch_result(f)->reason, "too often"));
	fetch_end(&f);
	server_stop(&s);
}
END_TEST

START_TEST(redirect_is_an_answer_when_none_is_asked_for)
{
	struct server s = { .script = { again } };
	struct fetch_request r = plain;

	server_start(&s);
	r.redirects = 0;
	struct fetch *f = start(&r, "http://127.0.0.1", "/", &s);
	ck_assert_int_eq(pull(f), RUN_DONE);
	ck_assert_uint_eq(fetch_result(f)->status, 302);
	fetch_end(&f);
	server_stop(&s);
}
END_TEST

START_TEST(silence_ends_at_the_deadline)
{
	struct server s = { .script = { "" } };
	struct fetch_request r = plain;

	server_start(&s);
	r.timeout_ms = 50;
	struct fetch *f = start(&r, "http://127.0.0.1", "/", &s);
	ck_assert_int_eq(pull(f), RUN_FAIL);
	ck_assert_ptr_nonnull(strstr(fetch_result(f)->reason, "timed out while waiting"));
	fetch_end(&f);
	server_stop(&s);
}
END_TEST

START_TEST(nobody_listens)
{
	struct server s = { .script = { NULL } };

	server_start(&s);
	server_stop(&s);
	struct fetch *f = start(&plain, "http://127.0.0.1", "/", &s);
	ck_assert_int_eq(pull(f), RUN_FAIL);
	ck_assert_ptr_nonnull(strstr(fetch_result(f)->reason, "Connection refused"));
	fetch_end(&f);
}
END_TEST

START_TEST(names_are_resolved)
{
	struct server s = { .script = { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" } };

	server_start(&s);
	struct fetch *f = start(&plain, "http://localhost", "/", &s);
	ck_assert_int_eq(pull(f), RUN_DONE);	/* over ::1 first, where nobody listens */
	fetch_end(&f);
	server_stop(&s);
}
END_TEST

START_TEST(given_up_in_any_state)
{
	struct server s = { .script = { "" } };

	server_start(&s);
	for (int turns = 0; turns < 4; turns++) {
		struct fetch *f = start(&plain, "http://localhost", "/", &s);

		for (int i = 0; i < turns; i++)
			fetch_run(f, clock_ms());
		fetch_end(&f);
	}
	server_stop(&s);
}
END_TEST

START_TEST(urls)
{
	static const char *const bad[] = {
		"", "/x", "ftp://a/", "http://", "http:///x", "http://a:0/", "http://a:65536/",
		"http://a:/", "http://u@a/", "http://a/ b", "http://a/\r\nX: y", "http://a/#f",
		"http://[::1/", "http://[a]/", "http://a b/", "file:///etc/passwd",
		"http://\xc3\xa9/", "http://a/\xc3\xa9", "http://a:1:2/",
	};
	struct url u, v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!url_parse(&u, span_of(bad[i])), "%s", bad[i]);
	ck_assert(url_parse(&u, SPAN("HTTPS://Id.Example:443?a=b")));
	ck_assert_str_eq(u.host, "id.example");
	ck_assert_str_eq(u.authority, "id.example");
	ck_assert_str_eq(u.target, "/?a=b");
	ck_assert(url_parse(&v, SPAN("http://[::1]:8080/x")));
	ck_assert_str_eq(v.authority, "[::1]:8080");
	ck_assert(url_is_loopback(&v) && !url_is_loopback(&u) && !url_same_origin(&u, &v));
	ck_assert(url_parse(&v, SPAN("http://127.1.2.3/")) && url_is_loopback(&v));
	ck_assert(url_parse(&v, SPAN("http://127.0.0.1.example/")) && !url_is_loopback(&v));
	ck_assert(url_follow(&v, &u, SPAN("/y?z")) && url_same_origin(&u, &v));
}
END_TEST

/*
 * One row: whom the certificate names, whether it is trusted, the server's newest TLS, a word or
 * "".
 */
static const struct {
	const char	*name;
	bool		 trusted;
	int		 version;
	const char	*host;
	const char	*reason;
} certificates[] = {
	{ "DNS:localhost", true, TLS1_3_VERSION, "https://localhost", "" },
	{ "DNS:localhost", true, TLS1_2_VERSION, "https://localhost", "" },
	{ "IP:127.0.0.1", true, TLS1_3_VERSION, "https://127.0.0.1", "" },
	{ "DNS:other.example", true, TLS1_3_VERSION, "https://localhost", "mismatch" },
	{ "DNS:127.0.0.1", true, TLS1_3_VERSION, "https://127.0.0.1", "mismatch" },
	{ "DNS:localhost", false, TLS1_3_VERSION, "https://localhost", "self-signed" },
	{ "DNS:localhost", true, TLS1_1_VERSION, "https://localhost", "TLS with" },
};

START_TEST(tls)
{
	struct server s = { .script = { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" } };
	struct fetch_request r = plain;
	char path[] = "/tmp/gatehouse-test-XXXXXX";
	int fd = mkstemp(path);

	close(fd);
	s.tls = make_certificate(certificates[_i].name, path);
	SSL_CTX_set_max_proto_version(s.tls, certificates[_i].version);
	server_start(&s);
	r.ca_file = certificates[_i].trusted ? path : NULL;
	struct fetch *f = start(&r, certificates[_i].host, "/", &s);
	enum run run = pull(f);
	const char *reason = run == RUN_FAIL ? fetch_result(f)->reason : "";

	if (certificates[_i].reason[0] == '\0')
		ck_assert_msg(run == RUN_DONE, "%s", reason);
	else
		ck_assert_msg(run == RUN_FAIL && strstr(reason, certificates[_i].reason) != NULL,
		    "%s", reason);
	fetch_end(&f);
	server_stop(&s);
	SSL_CTX_free(s.tls);
	unlink(path);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("http_fetch");
	TCase *t = tcase_create("fetch");
	SRunner *runner = srunner_create(suite);

	signal(SIGPIPE, SIG_IGN);
	tcase_add_loop_test(t, answers_whole, 0, (int)(sizeof(answers) / sizeof(answers[0])));
	tcase_add_loop_test(t, answers_byte_by_byte, 0,
	    (int)(sizeof(answers) / sizeof(answers[0])));
	tcase_add_test(t, request_is_as_asked);
	tcase_add_test(t, redirect_to_itself_is_followed);
	tcase_add_test(t, redirects_end);
	tcase_add_test(t, redirect_is_an_answer_when_none_is_asked_for);
	tcase_add_test(t, silence_ends_at_the_deadline);
	tcase_add_test(t, nobody_listens);
	tcase_add_test(t, names_are_resolved);
	tcase_add_test(t, given_up_in_any_state);
	tcase_add_test(t, urls);
	tcase_add_loop_test(t, tls, 0, (int)(sizeof(certificates) / sizeof(certificates[0])));
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
