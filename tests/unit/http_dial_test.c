#include "gateway/http/dial.h"

#include "tests/unit/fetch_support.h"

static struct server server;
static struct origin *origin;
static struct trusts trusts;
static struct fetch_pool_counts counts;
static struct fetch_pool_limits limits;
static char ca_file[] = "/tmp/gatehouse-test-XXXXXX";

static void
set_up(const char *scheme)
{
	struct url url;
	char text[64];

	close(mkstemp(ca_file));
	server = (struct server){ .script = { OK_ANSWER } };
	if (strcmp(scheme, "https") == 0)
		server.tls = make_certificate("DNS:localhost", ca_file);
	server_start(&server);
	snprintf(text, sizeof(text), "%s://localhost:%d/", scheme, server.port);
	ck_assert(url_parse(&url, span_of(text)));
	limits = FETCH_POOL_USUAL;
	counts = (struct fetch_pool_counts){ 0 };
	origin = origin_new(&url, ca_file, &limits, &counts, &trusts);
	ck_assert_ptr_nonnull(origin);
}

static void
tear_down(void)
{
	origin_free(&origin);
	trust_forget(&trusts);
	server_stop(&server);
	unlink(ca_file);
}

/* Where the server listens, or nobody. */
static struct resolve_address
address_at(int port)
{
	struct resolve_address a = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	memcpy(&a.address, &in, sizeof(in));
	return a;
}

static int
closed_port(void)
{
	struct server other = { .script = { OK_ANSWER } };

	server_start(&other);
	server_stop(&other);
	return other.port;
}

static void
know(struct resolve_address first, struct resolve_address second)
{
	origin->addresses = (struct resolve_answer){ 2, { first, second } };
	origin->addresses_ms = clock_ms() + 60000;
	origin->looked_up_ms = clock_ms();
}

/* Dials and hangs up: how it went. */
static enum run
dial(void)
{
	struct dial d = { 0 };
	enum run run;

	dial_init(&d, origin, clock_ms() + 5000);
	while ((run = dial_run(&d, clock_ms())) == RUN_WAIT) {
		struct pollfd p = { d.want.fd, d.want.events, 0 };

		poll(&p, 1, 5000);
	}
	if (run == RUN_DONE && origin->url.https) {
		/* a session comes behind the handshake, or with an answer */
		static const char request[] = "GET / HTTP/1.1\r\n\r\n";
		char answer[64];
		size_t n;

		stream_write(&d.link.stream, request, strlen(request), &n);
		while (stream_read(&d.link.stream, answer, sizeof(answer), &n) == RUN_WAIT)
			poll(&(struct pollfd){ d.link.stream.fd, POLLIN, 0 }, 1, 5000);
	}
	dial_fini(&d, run == RUN_DONE);
	return run;
}

START_TEST(the_address_that_answered_is_tried_first)
{
	struct resolve_address good, bad;

	set_up("http");
	good = address_at(server.port);
	bad = address_at(closed_port());
	know(bad, good);
	ck_assert_int_eq(dial(), RUN_DONE);
	ck_assert_uint_eq(origin->addresses.n, 2);
	ck_assert_mem_eq(&origin->addresses.addresses[0], &good, sizeof(good));
	ck_assert_mem_eq(&origin->addresses.addresses[1], &bad, sizeof(bad));
	ck_assert_uint_eq(counts.connected, 1);
	tear_down();
}
END_TEST

START_TEST(when_none_answers_all_are_doubted)
{
	struct resolve_address bad = address_at(closed_port());

	set_up("http");
	know(bad, bad);
	ck_assert_int_eq(dial(), RUN_FAIL);
	ck_assert_uint_le(origin->addresses_ms, clock_ms() + 1000);
	tear_down();
}
END_TEST

START_TEST(a_server_proves_itself_now_and_then)
{
	SSL_SESSION *session;

	set_up("https");
	know(address_at(server.port), address_at(server.port));
	ck_assert_int_eq(dial(), RUN_DONE);
	ck_assert_int_eq(dial(), RUN_DONE);
	ck_assert_uint_eq(counts.resumed, 1);
	session = origin->trust.session;
	ck_assert_ptr_nonnull(session);
	ck_assert_int_eq(dial(), RUN_DONE);
	ck_assert_uint_eq(counts.resumed, 2);
	/* resuming does not make it younger */
	ck_assert_ptr_eq(origin->trust.session, session);
	SSL_SESSION_set_time(session, SSL_SESSION_get_time(session) - STREAM_SESSION_S);
	ck_assert_int_eq(dial(), RUN_DONE);
	ck_assert_uint_eq(counts.resumed, 2);
	ck_assert_int_eq(server.resumed, 2);
	ck_assert_int_eq(dial(), RUN_DONE);
	ck_assert_uint_eq(counts.resumed, 3);
	tear_down();
}
END_TEST

SUITE_RUN("http_dial", the_address_that_answered_is_tried_first,
    when_none_answers_all_are_doubted, a_server_proves_itself_now_and_then)
