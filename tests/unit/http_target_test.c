#include "gateway/http/target.h"

#include "tests/unit/suite.h"

static _Alignas(16) char memory[4096];
static struct arena arena;
static struct target target;

static enum target_result
normalize(struct span raw)
{
	arena_init(&arena, memory, sizeof(memory), 0);
	return target_normalize(&target, raw, &arena);
}

#define ck_path(raw, expected) do { \
	ck_assert_msg(normalize(SPAN(raw)) == TARGET_FINE, "%s", raw); \
	ck_assert_span(target.path, SPAN(expected)); \
} while (0)

START_TEST(has_one_normal_form)
{
	ck_path("/", "/");
	ck_path("/a/b", "/a/b");
	ck_path("//", "/");
	ck_path("//a///b//", "/a/b/");
	ck_path("/%41%7a%30%2D%5f%7E", "/Az0-_~");
	ck_path("/%2ea/..b/.c", "/.a/..b/.c");
	ck_path("/a%3bb%2C%c3%a4", "/a%3Bb%2C%C3%A4");
	ck_path("/%e2%82%ac%F0%9f%98%80", "/%E2%82%AC%F0%9F%98%80");
	ck_path("/%25%32%65", "/%252e");
	ck_path("/%252e%252e/", "/%252e%252e/");
	ck_path("/a;x=y/b", "/a;x=y/b");
	ck_path("/...", "/...");
	ck_path("/a/%20../", "/a/%20../");
	ck_path("*", "*");
	ck_path("", "/");
	ck_path("?a=%zz/../", "/");
	ck_assert_span(target.query, SPAN("?a=%zz/../"));
	ck_path("/a?", "/a");
	ck_assert_span(target.query, SPAN("?"));
	ck_path("/%3f?b?c", "/%3F");
	ck_assert_span(target.query, SPAN("?b?c"));
}
END_TEST

START_TEST(refuses_two_readings)
{
	static const char *const bad[] = {
		"/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/./b", "/a/../b", "/a//../b",
		"/%2e", "/%2E%2e/", "/.%2e/a", "/a/%2e%2e", "/..;", "/..;x/a", "/a/.;x=y/b",
		"/a/%2e%2e;x",
		"/a%2fb", "/a%2Fb", "/%2f", "/a%5cb", "/a%5C", "/a\\b", "/\\", "/..\\", "/%00",
		"/a%0d%0aX",
		"/%1f", "/%7f", "/%", "/a%", "/a%2", "/a%g0", "/a%0g", "/%%32", "/%+1", "/% 1",
		"/%c0%af", "/%c0%ae%c0%ae/", "/%e0%80%af", "/%ed%a0%80", "/%f4%90%80%80",
		"/%f8%88%80%80%80",
		"/%c3", "/%c3/%a4", "/%c3a", "/%a4", "/%ff", "/%c3%a4%c3", "/a/..//", "/a/%2e/",
		"//..", "/..%3bx/a", "/a/.%3B", "/%2e%2E%3b/",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(normalize(span_of(bad[i])) == TARGET_AMBIGUOUS, "%s", bad[i]);
}
END_TEST

START_TEST(needs_memory_only_for_what_changes)
{
	arena_init(&arena, NULL, 0, 0);
	ck_assert_int_eq(target_normalize(&target, SPAN("/a?b=//"), &arena), TARGET_FINE);
	ck_assert_int_eq(target_normalize(&target, SPAN("//a"), &arena), TARGET_NO_MEMORY);
}
END_TEST

START_TEST(a_prefix_ends_with_a_segment)
{
	ck_assert(target_covers(SPAN("/"), SPAN("/")));
	ck_assert(target_covers(SPAN("/"), SPAN("/anything")));
	ck_assert(target_covers(SPAN("/admin"), SPAN("/admin")));
	ck_assert(target_covers(SPAN("/admin"), SPAN("/admin/")));
	ck_assert(target_covers(SPAN("/admin"), SPAN("/admin/x")));
	ck_assert(target_covers(SPAN("/admin"), SPAN("/ADMIN/x")));
	ck_assert(target_covers(SPAN("/Admin"), SPAN("/aDMIN;x=y")));
	ck_assert(!target_covers(SPAN("/admin"), SPAN("/administrator")));
	ck_assert(!target_covers(SPAN("/admin"), SPAN("/admi")));
	ck_assert(!target_covers(SPAN("/admin"), SPAN("/x/admin")));
	ck_assert(target_covers(SPAN("/admin/"), SPAN("/admin/x")));
	ck_assert(!target_covers(SPAN("/admin/"), SPAN("/admin")));
	ck_assert(!target_covers(SPAN("/"), SPAN("*")));
}
END_TEST

START_TEST(finds_a_parameter_however_it_is_spelled)
{
	struct span name = SPAN("access_token");

	ck_assert(target_query_has(SPAN("?access_token=x"), name));
	ck_assert(target_query_has(SPAN("?a=b&access_token"), name));
	ck_assert(target_query_has(SPAN("?&&access_token=&"), name));
	ck_assert(target_query_has(SPAN("?%61ccess%5Ftoken=x"), name));
	ck_assert(target_query_has(SPAN("?%61%63%63%65%73%73%5f%74%6f%6b%65%6e"), name));
	ck_assert(!target_query_has(SPAN("?access_tokens=x"), name));
	ck_assert(!target_query_has(SPAN("?access_toke"), name));
	ck_assert(!target_query_has(SPAN("?x=access_token"), name));
	ck_assert(!target_query_has(SPAN("?access_token%00=x"), name));
	ck_assert(!target_query_has(SPAN("?access_token%"), name));
	ck_assert(!target_query_has(SPAN("?access_token%3"), name));
	ck_assert(!target_query_has(SPAN("?"), name));
	ck_assert(!target_query_has(SPAN(""), name));
}
END_TEST

SUITE_RUN("http_target", has_one_normal_form, refuses_two_readings,
    needs_memory_only_for_what_changes, a_prefix_ends_with_a_segment,
    finds_a_parameter_however_it_is_spelled)
