#include "gateway/request/route.h"

#include "tests/unit/suite.h"

#define ROUTES	4

static struct config_upstream upstreams[1];
static struct config_route routes[ROUTES];
static struct span hosts[ROUTES], paths[ROUTES], methods[ROUTES];
static struct config config = { .routes = routes };
static struct router *router;

static struct upstream *
find(const void *argument, const struct config_upstream *upstream)
{
	ck_assert_str_eq(argument, "argument");
	ck_assert_ptr_eq(upstream, upstreams);
	return (struct upstream *)upstreams;
}

/* Adds a route; NULL for what it leaves open. */
static void
add(const char *name, const char *host, const char *path, const char *method)
{
	size_t i = config.n_routes++;

	hosts[i] = span_of(host);
	paths[i] = span_of(path);
	methods[i] = span_of(method);
	routes[i] = (struct config_route){ .name = name, .upstream = upstreams,
		.hosts = &hosts[i], .n_hosts = host != NULL, .paths = &paths[i],
		    .n_paths = path != NULL,
		.methods = &methods[i], .n_methods = method != NULL };
}

static struct route_match
match(const char *host, const char *path, enum method method)
{
	if (router == NULL)
		router = router_new(&config, find, "argument");
	ck_assert_ptr_nonnull(router);
	return router_find(router, span_of(host), span_of(path), method);
}

#define ck_route(host, path, method, expected) do { \
	struct route_match m_ = match(host, path, METHOD_##method); \
	ck_assert_ptr_nonnull(m_.route); \
	ck_assert_str_eq(m_.route->config->name, expected); \
	ck_assert_uint_eq(m_.allowed, 0); \
} while (0)
#define ck_no_route(host, path, method, bits) do { \
	struct route_match m_ = match(host, path, METHOD_##method); \
	ck_assert_ptr_null(m_.route); \
	ck_assert_uint_eq(m_.allowed, bits); \
} while (0)

START_TEST(the_longest_path_wins_in_any_order)
{
	add("all", NULL, "/", NULL);
	add("orders", NULL, "/orders", NULL);
	add("special", NULL, "/orders/special", NULL);
	ck_route("x", "/", GET, "all");
	ck_route("x", "/order", GET, "all");
	ck_route("x", "/orders", GET, "orders");
	ck_route("x", "/ORDERS/1", GET, "orders");
	ck_route("x", "/orders;a=b", GET, "orders");
	ck_route("x", "/orders/special/", GET, "special");
	ck_route("x", "/orders/specials", GET, "orders");
	ck_assert_span(match("x", "/ORDERS/1", METHOD_GET).prefix, SPAN("/orders"));
	router_free(&router);
	ck_assert_ptr_null(router);
}
END_TEST

START_TEST(a_host_goes_before_a_path)
{
	add("path", NULL, "/a/b/c", NULL);
	add("wild", "*.a.test", NULL, NULL);
	add("wilder", "*.b.a.test", "/", NULL);
	add("exact", "c.b.a.test", NULL, NULL);
	ck_route("C.B.A.TEST", "/a/b/c", GET, "exact");
	ck_route("d.b.a.test", "/a/b/c", GET, "wilder");
	ck_route("x.y.b.a.test", "/", GET, "wilder");
	ck_route("d.a.test", "/a/b/c", GET, "wild");
	ck_route("a.test", "/a/b/c", GET, "path");
	ck_route("", "/a/b/c", GET, "path");
	ck_route("xa.test", "/a/b/c/d", GET, "path");
	ck_no_route(".a.test.evil", "/", GET, 0);
	ck_no_route("", "/", GET, 0);
	router_free(&router);
}
END_TEST

START_TEST(a_method_is_no_way_around_a_path)
{
	add("all", NULL, NULL, NULL);
	add("read", NULL, "/a", "GET");
	ck_route("x", "/a", GET, "read");
	ck_no_route("x", "/a", POST, 1u << METHOD_GET);
	ck_no_route("x", "/A/b", HEAD, 1u << METHOD_GET);
	ck_route("x", "/b", POST, "all");
	router_free(&router);
}
END_TEST

START_TEST(routes_of_one_path_share_its_methods)
{
	add("any", NULL, "/a", NULL);
	add("get", NULL, "/a", "GET");
	add("post", NULL, "/A", "POST");
	add("put", "h", "/a", "PUT");
	ck_route("x", "/a", GET, "get");
	ck_route("x", "/a", POST, "post");
	ck_route("x", "/a", DELETE, "any");
	ck_no_route("h", "/a", GET, 1u << METHOD_PUT);
	router_free(&router);
	config.n_routes = 0;
	add("get", NULL, "/a", "GET");
	add("post", NULL, "/a", "POST");
	ck_no_route("x", "/a", DELETE, 1u << METHOD_GET | 1u << METHOD_POST);
	ck_no_route("x", "*", OPTIONS, 0);
	router_free(&router);
	router_free(&router);
}
END_TEST

START_TEST(equal_rules_keep_the_order_of_the_file)
{
	add("first", NULL, "/a", NULL);
	add("second", NULL, "/a", NULL);
	ck_route("x", "/a", GET, "first");
	router_free(&router);
}
END_TEST

SUITE_RUN("request_route", the_longest_path_wins_in_any_order, a_host_goes_before_a_path,
    a_method_is_no_way_around_a_path, routes_of_one_path_share_its_methods,
    equal_rules_keep_the_order_of_the_file)
