#include "gateway/access/access.h"

#include "gateway/access/rewrite.h"
#include "tests/unit/access_support.h"

static struct span path = { "/a", 2 }, host = { "a.test", 6 }, method = { "GET", 3 };

static struct upstream *
find(const void *argument, const struct config_upstream *upstream)
{
	(void)argument;
	(void)upstream;
	return NULL;
}

static void
set_up(void)
{
	config.routes = &route_conf;
	config.n_routes = 1;
	gate.router = router_new(&config, find, NULL);
	ck_assert_ptr_nonnull(gate.router);
}

/* Runs the step on a request of these lines from a trusted proxy. */
static enum step_result
admit(struct span head)
{
	receive_from("10.0.0.1", head);
	request.route = NULL;
	return find_route(&request);
}

#define ck_client(lines, expected) do { \
	struct span head_ = SPAN("GET /a HTTP/1.1\r\nHost: a.test\r\n" lines "\r\n"); \
	ck_assert_int_eq(admit(head_), STEP_NEXT); \
	ck_assert_span(request.client, SPAN(expected)); \
} while (0)

START_TEST(learns_the_client_from_who_is_trusted)
{
	set_up();
	ck_client("X-Forwarded-For: 1.2.3.4\r\n", "10.0.0.1");
	trust_some();
	ck_client("", "10.0.0.1");
	ck_client("X-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4");
	ck_client("X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\n", "1.2.3.4");
	ck_client("X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 10.0.0.9\r\n", "1.2.3.4");
	router_free(&gate.router);
}
END_TEST

/* A proxy may add its line below the client's own instead of going on with it. */
START_TEST(the_last_line_is_the_proxys)
{
	set_up();
	trust_some();
	ck_client("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4\r\n", "1.2.3.4");
	struct span head = rewrite_request(&request, &server);
	ck_assert(span_holds(head, "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.1\r\n"));
	ck_assert(span_holds(head, "X-Real-IP: 1.2.3.4\r\n"));
	ck_client("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For:\r\n", "10.0.0.1");
	ck_client("Forwarded: for=6.6.6.6\r\nForwarded: for=1.2.3.4\r\n", "10.0.0.1");
	head = rewrite_request(&request, &server);
	ck_assert(span_holds(head, "Forwarded: for=6.6.6.6, for=1.2.3.4, for=10.0.0.1;"));
	/* what is said twice where only one can be said is not believed */
	ck_client("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n", "10.0.0.1");
	ck_assert_span(request.scheme, SPAN("http"));
	ck_client("X-Forwarded-Host: evil.test\r\nX-Forwarded-Host: b.test\r\n", "10.0.0.1");
	ck_assert(!span_holds(rewrite_request(&request, &server), "evil.test"));
	ck_client("X-Forwarded-Proto: HTTPS\r\n", "10.0.0.1");
	ck_assert_span(request.scheme, SPAN("https"));
	router_free(&gate.router);
}
END_TEST

START_TEST(a_host_has_no_port_and_no_last_dot_here)
{
	static const struct {
		const char	*host;
		bool		 ours;
	} rows[] = {
		{ "a.test", true }, { "A.TEST:8080", true }, { "a.test.", true },
		{ "a.test.:1", true }, { "xa.test", false }, { "a.test.x", false },
		{ "[::1]", false }, { "[::1]:80", false },
	};
	static char head[256];

	route_conf.hosts = &host;
	route_conf.n_hosts = 1;
	set_up();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct text t = TEXT_OVER(head);

		text_fmt(&t, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i].host);
		ck_assert_msg((admit(text_span(&t)) == STEP_NEXT) == rows[i].ours, "%s",
		    rows[i].host);
	}
	router_free(&gate.router);
}
END_TEST

START_TEST(refuses_what_no_route_takes)
{
	route_conf.paths = &path;
	route_conf.n_paths = 1;
	route_conf.methods = &method;
	route_conf.n_methods = 1;
	set_up();
	ck_assert_int_eq(admit(SPAN("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")), STEP_END);
	ck_answer(404, "Content-Type", "not_found");
	ck_assert_int_eq(admit(SPAN("POST /a HTTP/1.1\r\nHost: a\r\n\r\n")), STEP_END);
	ck_answer(405, "Allow: GET\r\n", "method_not_allowed");
	ck_assert_int_eq(admit(SPAN("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")), STEP_END);
	ck_answer(404, "", "not_found");
	router_free(&gate.router);
}
END_TEST

START_TEST(refuses_ambiguity_and_closes)
{
	set_up();
	receive("");
	request.head.target = SPAN("/a/%2e%2e/b");
	ck_assert_int_eq(find_route(&request), STEP_END);
	ck_answer(400, "", "more than one way");
	ck_assert(request.must_close && request.target.path.n == 0);
	router_free(&gate.router);
}
END_TEST

START_TEST(refuses_expectations_and_upgrades)
{
	set_up();
	ck_assert_int_eq(admit(SPAN("PUT / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n")), STEP_END);
	ck_answer(417, "", "expectation_failed");
	ck_assert_int_eq(admit(SPAN("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
	    "Upgrade: h2c, websocket\r\n\r\n")), STEP_END);
	ck_answer(400, "", "upgrade");
	ck_assert_int_eq(admit(SPAN("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
	    "Upgrade: h2c\r\n\r\n")), STEP_NEXT);
	ck_assert_int_eq(admit(SPAN("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n")),
	    STEP_NEXT);
	router_free(&gate.router);
}
END_TEST

static enum step_result
stay(struct request *r)
{
	(void)r;
	return STEP_WAIT;
}

START_TEST(an_endpoint_comes_before_any_route)
{
	static const struct flow proxy = { "proxy", { find_route, stay } };
	static const struct flow own = { "own", { stay } };
	static const struct endpoint endpoints[] = {
		{ .path = { "/oauth2/token", 13 }, .methods = 1 << METHOD_POST, .flow = &own },
		{ .path = { "/oauth2/jwks", 12 },
		    .methods = 1 << METHOD_GET | 1 << METHOD_HEAD, .flow = &own },
		{ .path = { "/it", 3 }, .methods = 1 << METHOD_GET, .flow = &own,
		    .host = { "One.test", 8 } },
		{ .path = { "/it", 3 }, .methods = 1 << METHOD_GET, .flow = &own,
		    .host = { "[::1]", 5 } },
	};

	set_up();
	gate.endpoints = endpoints;
	gate.n_endpoints = 4;
	receive_from("10.0.0.1", SPAN("POST /oauth2//%74oken?a=b HTTP/1.1\r\nHost: z\r\n\r\n"));
	request.route = NULL;
	request.flow = &proxy;
	ck_assert_int_eq(step_run(&request), STEP_WAIT);
	ck_assert(request.flow == &own && request.step == 0 && request.route == NULL);
	ck_assert_ptr_eq(request.endpoint, &endpoints[0]);
	/* another method, and what is not exactly its path */
	ck_assert_int_eq(admit(SPAN("GET /oauth2/token HTTP/1.1\r\nHost: z\r\n\r\n")), STEP_END);
	ck_answer(405, "Allow: POST\r\n", "method_not_allowed");
	ck_assert_int_eq(admit(SPAN("PUT /oauth2/jwks HTTP/1.1\r\nHost: z\r\n\r\n")), STEP_END);
	ck_answer(405, "Allow: GET, HEAD\r\n", "");
	ck_assert_int_eq(admit(SPAN("POST /oauth2/token/ HTTP/1.1\r\nHost: z\r\n\r\n")), STEP_NEXT);
	ck_assert(request.endpoint == NULL && request.route != NULL);
	ck_assert_int_eq(admit(SPAN("GET /OAUTH2/JWKS HTTP/1.1\r\nHost: z\r\n\r\n")), STEP_NEXT);
	ck_assert_int_eq(admit(SPAN("GET /oauth2/jwks HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n")),
	    STEP_END);
	ck_answer(417, "", "expectation_failed");
	/* of a host, and of no other */
	ck_assert_int_eq(admit(SPAN("GET /it HTTP/1.1\r\nHost: one.TEST:80\r\n\r\n")), STEP_SWITCH);
	ck_assert_ptr_eq(request.endpoint, &endpoints[2]);
	ck_assert_int_eq(admit(SPAN("GET /it HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n")), STEP_SWITCH);
	ck_assert_ptr_eq(request.endpoint, &endpoints[3]);
	ck_assert_int_eq(admit(SPAN("GET /it HTTP/1.1\r\nHost: two.test\r\n\r\n")), STEP_NEXT);
	ck_assert_int_eq(admit(SPAN("GET /it HTTP/1.0\r\n\r\n")), STEP_NEXT);
	gate.endpoints = NULL;
	gate.n_endpoints = 0;
	router_free(&gate.router);
}
END_TEST

SUITE_RUN("access_admit", learns_the_client_from_who_is_trusted, the_last_line_is_the_proxys,
    an_endpoint_comes_before_any_route,
    a_host_has_no_port_and_no_last_dot_here, refuses_what_no_route_takes,
    refuses_ambiguity_and_closes, refuses_expectations_and_upgrades)
