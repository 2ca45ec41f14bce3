#include "gateway/access/rewrite.h"

#include "tests/unit/access_support.h"

static struct span
rewritten(void)
{
	struct span head = rewrite_request(&request, &server);

	ck_assert_uint_gt(head.n, 0);
	return head;
}

/* Times a line with this beginning stands in a head. */
static unsigned
lines_with(struct span head, const char *begin)
{
	unsigned n = 0;
	size_t length = strlen(begin);

	for (size_t i = 0; i + length + 1 < head.n; i++)
		n += head.p[i] == '\n' &&
		    span_starts_nocase(span_skip(head, i + 1), span_make(begin, length));
	return n;
}

#define ck_one(line) do { \
	struct span head_ = rewritten(); \
	ck_assert_msg(lines_with(head_, line) == 1 && span_holds(head_, "\r\n" line "\r\n"), \
	    "%s not once in: %.*s", line, SPAN_ARG(head_)); \
} while (0)
#define ck_none(begin) do { \
	struct span head_ = rewritten(); \
	ck_assert_msg(lines_with(head_, begin) == 0, "%.*s", SPAN_ARG(head_)); \
} while (0)

START_TEST(writes_the_head_anew)
{
	receive("Accept: x\r\nx-lower:  y \r\n");
	ck_assert_span(rewritten(), SPAN("GET /a?b HTTP/1.1\r\nHost: be.test:3000\r\nAccept: x\r\n"
	    "x-lower: y\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n"
	    "X-Forwarded-Host: a.test\r\nX-Forwarded-Port: 80\r\nX-Real-IP: 192.0.2.7\r\n"
	    "Forwarded: for=192.0.2.7;host=\"a.test\";proto=http\r\n"
	    "X-Request-ID: iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii\r\n\r\n"));
	route_conf.preserve_host = true;
	ck_one("Host: a.test");
	receive_from("192.0.2.7", SPAN("GET / HTTP/1.0\r\n\r\n"));
	ck_one("Host: be.test:3000");
	ck_none("X-Forwarded-Host");
	ck_assert_int_eq(memcmp(rewritten().p, "GET / HTTP/1.1\r\n", 16), 0);
}
END_TEST

/* SECURITY: what only the gateway may say, in every disguise. */
START_TEST(nothing_of_ours_comes_from_a_client)
{
	static const char *const begins[] = {
		"x-consumer", "x_consumer", "x-credential", "x-authenticated", "x-anonymous",
		"x_anonymous",
		"connection", "keep-alive", "te:", "trailer", "upgrade", "expect", "proxy-",
		"x-original",
		"x-rewrite", "x-http-method", "x-forwarded-uri", "x_forwarded", "http2",
	};

	route_conf.anonymous = false;
	receive("X-Consumer-ID: 1\r\nx_consumer_id: 2\r\nX.Consumer.ID: 3\r\n"
	    "X-CONSUMER-USERNAME: 4\r\n"
	    "X-Credential-Identifier: 5\r\nX-Authenticated-Scope: 6\r\nX-Anonymous-Consumer: 7\r\n"
	    "X_Anonymous-Consumer: 8\r\nConnection: close, X-Request-ID, Host, X-Forwarded-For\r\n"
	    "Keep-Alive: 9\r\nTE: trailers\r\nTrailer: x\r\nExpect: 100-continue\r\n"
	    "Proxy-Authorization: x\r\nX-Original-URL: /x\r\nX-Rewrite-URL: /x\r\n"
	    "X-HTTP-Method-Override: PUT\r\nX_Forwarded_For: 6.6.6.6\r\nX-Forwarded-Uri: /x\r\n"
	    "X-Request-ID: mine\r\n");
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		ck_none(begins[i]);
	ck_one("X-Request-ID: iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii");
	ck_one("Host: be.test:3000");
	ck_one("X-Forwarded-For: 192.0.2.7");
	receive("X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"
	    "X-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\n");
	ck_assert(!span_holds(rewritten(), "6.6.6.6") && !span_holds(rewritten(), "evil") &&
	    !span_holds(rewritten(), "https") && !span_holds(rewritten(), "Port: 1\r"));
}
END_TEST

START_TEST(connection_takes_along_what_it_names)
{
	receive("Connection: X-A, x_b\r\nConnection: cookie\r\nX-A: 1\r\nX-B: 2\r\nCookie: 3\r\n"
	    "X-C: 4\r\n"
	    "Content-Length: 5\r\n");
	ck_none("X-A");
	ck_none("X-B");
	ck_none("Cookie");
	ck_one("X-C: 4");
	receive("Connection: Content-Length, Transfer-Encoding, X-Consumer-ID\r\n"
	    "Content-Length: 5\r\n");
	ck_one("Content-Length: 5");
}
END_TEST

START_TEST(one_framing)
{
	receive("Transfer-Encoding: Chunked\r\n");
	ck_one("Transfer-Encoding: chunked");
	ck_none("Content-Length");
	receive("Content-Length: 0\r\n");
	ck_one("Content-Length: 0");
	receive("");
	ck_none("Content-Length");
	ck_none("Transfer-Encoding");
}
END_TEST

#define CLAIMS	"{\"client_id\":\"app\",\"sub\":\"alice\",\"scope\":\"a b\",\"email\":\"x@y\"}"

START_TEST(says_who_calls)
{
	struct config_claim_header header = { "email", "X-User-Email" };

	route_conf.claim_headers = &header;
	route_conf.n_claim_headers = 1;
	/* also what another route makes of a claim */
	struct span names[] = { SPAN("X-User-Email"), SPAN("X-User-Level") };
	gate.claim_headers = names;
	gate.n_claim_headers = 2;
	receive("X-User-Level: evil\r\n"
	    "Authorization: Bearer a.b.c\r\nX-Consumer-ID: evil\r\nx_user.email: evil\r\n");
	judge_active(CLAIMS);
	request.authenticated = true;
	ck_one("X-Consumer-ID: app");
	ck_one("X-Authenticated-Scope: a b");
	ck_one("X-User-Email: x@y");
	ck_one("Authorization: Bearer a.b.c");
	ck_assert(!span_holds(rewritten(), "evil"));
	route_conf.hide_credentials = true;
	ck_none("Authorization");
	ck_none("X-Anonymous-Consumer");
	request.authenticated = false;
	ck_none("X-Consumer");
	ck_none("X-User-Email");
	route_conf.anonymous = true;
	ck_one("X-Anonymous-Consumer: true");
	gate.claim_headers = NULL;
	gate.n_claim_headers = 0;
}
END_TEST

/* The store has the last word on how a consumer is called that it knows. */
START_TEST(a_known_consumer_is_called_as_the_store_calls_it)
{
	static char name[255], custom_id[255];

	memset(name, 'n', sizeof(name));
	memset(custom_id, 'c', sizeof(custom_id));
	receive("X-Consumer-Custom-ID: evil\r\n");
	judge_active(CLAIMS);
	request.authenticated = true;
	struct consumer known = { SPAN("acme"), SPAN("") };
	request.known = &known;
	ck_one("X-Consumer-ID: acme");
	ck_one("X-Consumer-Username: acme");
	ck_none("X-Consumer-Custom-ID");
	ck_one("X-Credential-Identifier: app");
	ck_one("X-Authenticated-Scope: a b");
	ck_one("X-Authenticated-Userid: alice");
	known.custom_id = SPAN("17");
	ck_one("X-Consumer-Custom-ID: 17");
	/* all of the longest has room */
	known = (struct consumer){ span_make(name, sizeof(name)),
		span_make(custom_id, sizeof(custom_id)) };
	ck_assert(span_holds(rewritten(), "nnn\r\nX-Consumer-Custom-ID: ccc"));
}
END_TEST

/* The issuer's claims, except where the route has something else for the same header. */
START_TEST(an_issuer_has_claims_of_its_own)
{
	struct config_claim_header of_issuer[] = { { "email", "X_User-EMAIL" },
		{ "email", "X-Mail" }, { "none", "X-None" } };
	struct config_claim_header of_route[] = { { "none", "X-User-Email" } };

	issuer.claim_headers = of_issuer;
	issuer.n_claim_headers = 3;
	receive("");
	judge_active(CLAIMS);
	request.authenticated = true;
	ck_one("X_User-EMAIL: x@y");
	ck_one("X-Mail: x@y");
	ck_none("X-None");
	route_conf.claim_headers = of_route;
	route_conf.n_claim_headers = 1;
	ck_one("X-Mail: x@y");
	ck_none("X_User-EMAIL");
	ck_none("X-User-Email");
	/* another issuer's mean nothing here */
	static const struct config_issuer other;
	request.judgement.issuer = &other;
	ck_none("X-Mail");
	issuer.n_claim_headers = route_conf.n_claim_headers = 0;
}
END_TEST

static struct span
first_line_of(const char *target, const char *prefix)
{
	static char bytes[512];
	struct text t = TEXT_OVER(bytes);

	text_fmt(&t, "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n", target);
	receive_from("192.0.2.7", text_span(&t));
	request.route_prefix = span_of(prefix);
	struct span head = rewritten();
	return span_make(head.p, (size_t)((const char *)memchr(head.p, '\r', head.n) - head.p));
}

#define ck_target(target, prefix, expected) \
	ck_assert_span(first_line_of(target, prefix), SPAN("GET " expected " HTTP/1.1"))

START_TEST(what_decides_is_what_is_sent)
{
	ck_target("//a//%41?b=%41", "/a", "/a/A?b=%41");
	ck_target("http://a.test?x", "/", "/?x");
	ck_target("http://a.test", "/", "/");
	route_conf.strip_path = true;
	ck_target("/api/x?y", "/api", "/x?y");
	ck_target("/api", "/api", "/");
	ck_target("/api?x", "/api", "/?x");
	ck_target("/API/x", "/api", "/x");
	ck_target("/api/x", "/api/", "/x");
	ck_target("/api;v=1/x", "/api", "/;v=1/x");
	ck_target("/x", "/", "/x");
	ck_target("/", "/", "/");
}
END_TEST

START_TEST(a_proxy_we_trust_is_believed)
{
	trust_some();
	receive_from("10.0.0.1", SPAN("GET / HTTP/1.1\r\nHost: a.test:8080\r\n"
	    "X-Forwarded-For: 1.2.3.4\r\n"
	    "Forwarded: for=1.2.3.4\r\nX-Forwarded-Host: front.test\r\nX-Forwarded-Port: 443\r\n"
	    "\r\n"));
	request.client = SPAN("1.2.3.4");
	ck_one("X-Forwarded-For: 1.2.3.4, 10.0.0.1");
	ck_one("Forwarded: for=1.2.3.4, for=10.0.0.1;host=\"a.test:8080\";proto=http");
	ck_one("X-Forwarded-Host: front.test");
	ck_one("X-Forwarded-Port: 443");
	ck_one("X-Real-IP: 1.2.3.4");
	receive_from("::1", SPAN("GET / HTTP/1.1\r\nHost: [::2]:81\r\n\r\n"));
	ck_one("Forwarded: for=\"[::1]\";host=\"[::2]:81\";proto=http");
	ck_one("X-Forwarded-Port: 81");
	receive_from("::1", SPAN("GET / HTTP/1.1\r\nHost: [::2]\r\n\r\n"));
	request.scheme = SPAN("https");
	ck_one("X-Forwarded-Port: 443");
}
END_TEST

START_TEST(without_memory_nothing)
{
	receive("");
	arena_init(&request.arena, NULL, 0, 0);
	ck_assert_uint_eq(rewrite_request(&request, &server).n, 0);
	ck_assert_ptr_null(rewrite_answer_fields(&request, &request.head).p);
}
END_TEST

START_TEST(an_answer_keeps_what_is_not_of_the_connection)
{
	static struct field fields[MAX_FIELDS];
	static const struct head_limits limits = { 4096, 100, MAX_FIELDS };
	struct head h;

	receive("");
	request.limit_fields = SPAN("RateLimit-Limit: 1\r\n");
	ck_assert_int_eq(head_parse_response(&h, SPAN("HTTP/1.1 200 OK\r\n"
	    "Connection: X-A, keep-alive\r\n"
	    "X-A: 1\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a\r\n"
	    "Set-Cookie: b\r\nX-Request-ID: theirs\r\nX_Request_ID: theirs\r\nTrailer: x\r\n"
	    "Upgrade: h2\r\n"
	    "X-Consumer-ID: 7\r\n\r\n"), &limits, fields, METHOD_GET), HEAD_FINE);
	ck_assert_span(rewrite_answer_fields(&request, &h),
	    SPAN("Set-Cookie: a\r\nSet-Cookie: b\r\nX-Consumer-ID: 7\r\nRateLimit-Limit: 1\r\n"));
}
END_TEST

SUITE_RUN("access_rewrite", writes_the_head_anew, nothing_of_ours_comes_from_a_client,
    connection_takes_along_what_it_names, one_framing, says_who_calls,
    a_known_consumer_is_called_as_the_store_calls_it, an_issuer_has_claims_of_its_own,
    what_decides_is_what_is_sent,
    a_proxy_we_trust_is_believed, without_memory_nothing,
    an_answer_keeps_what_is_not_of_the_connection)
