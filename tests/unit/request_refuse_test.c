#include "gateway/request/refuse.h"

#include <jansson.h>

#include "gateway/request/status.h"
#include "tests/unit/access_support.h"

START_TEST(every_row_is_a_whole_answer)
{
	for (int i = 0; i < REFUSE_COUNT; i++) {
		receive("");
		ck_assert_int_eq(refuse(&request, (enum refusal)i), STEP_END);
		ck_answer(request.answer.status, "Content-Type: application/json\r\n",
		    "\"error_description\":");
		ck_assert(request.answer.status >= 400 && request.answer.status < 600);
		ck_assert(!span_eq(status_reason(request.answer.status), SPAN("Unknown")));
		ck_assert(request.answer.framing == FRAMING_LENGTH &&
		    request.answer.length == request.answer_body.n);
		ck_assert(span_holds(request.answer.fields, "WWW-Authenticate: Bearer realm=") ==
		    (request.answer.status == 401 || request.answer.status == 403 ||
		    span_holds(request.answer_body, "invalid_request")));
		json_t *json = json_loadb(request.answer_body.p, request.answer_body.n, 0, NULL);
		ck_assert_ptr_nonnull(json);
		ck_assert(json_is_string(json_object_get(json, "error")));
		json_decref(json);
		ck_assert_int_eq(memcmp(request.answer.fields.p + request.answer.fields.n - 2,
		    "\r\n", 2),
		    0);
	}
}
END_TEST

START_TEST(no_token_is_no_error)
{
	receive("");
	refuse(&request, REFUSE_NO_TOKEN);
	ck_answer(401, "WWW-Authenticate: Bearer realm=\"realm of tests\"\r\n", "\"unauthorized\"");
	ck_assert(!span_holds(request.answer.fields, "error"));
}
END_TEST

START_TEST(says_more_where_asked)
{
	receive("");
	request.limit_fields = SPAN("RateLimit-Reset: 1\r\n");
	refuse_because(&request, REFUSE_SCOPE, (struct refuse_more){ .scope = SPAN("a b"),
	    .allow = SPAN("GET"), .retry_after_s = 7, .status = 418, .sentence = "a sentence" });
	ck_answer(418, "error=\"insufficient_scope\", error_description=\"a sentence\", "
	    "scope=\"a b\"\r\nAllow: GET\r\nRetry-After: 7\r\nRateLimit-Reset: 1\r\n",
	    "a sentence");
	request.route = NULL;
	refuse(&request, REFUSE_INVALID_TOKEN);
	ck_answer(401, "Bearer realm=\"gatehouse\", error=\"invalid_token\"", "invalid_token");
}
END_TEST

START_TEST(long_scopes_and_realms_are_told_whole)
{
	static char scope[4000], realm[700];

	memset(scope, 's', sizeof(scope));
	memset(realm, 'r', sizeof(realm) - 1);
	receive("");
	route_conf.realm = realm;
	refuse_because(&request, REFUSE_SCOPE,
	    (struct refuse_more){ .scope = span_make(scope, sizeof(scope)) });
	ck_assert(span_holds(request.answer.fields, "sss\"\r\n"));
	ck_assert_uint_gt(request.answer.fields.n, sizeof(scope) + sizeof(realm));
}
END_TEST

START_TEST(a_challenge_tells_where_the_metadata_are)
{
	static char url[2100] = "https://a.test/";

	memset(url + 15, 'p', sizeof(url) - 16);
	route_conf.resource_metadata = url;
	for (int i = 0; i < REFUSE_COUNT; i++) {
		receive("");
		refuse(&request, (enum refusal)i);
		ck_assert(span_holds(request.answer.fields, "ppp\"\r\n") ==
		    span_holds(request.answer.fields, "WWW-Authenticate"));
	}
	receive("");
	refuse_because(&request, REFUSE_SCOPE, (struct refuse_more){ .scope = SPAN("a b") });
	ck_answer(403, ", scope=\"a b\", resource_metadata=\"https://a.test/ppp", "");
	request.route = NULL;
	refuse(&request, REFUSE_NO_TOKEN);
	ck_assert(!span_holds(request.answer.fields, "resource_metadata"));
	route_conf.resource_metadata = "";
}
END_TEST

START_TEST(without_memory_a_bare_status)
{
	receive("");
	arena_init(&request.arena, NULL, 0, 0);
	ck_assert_int_eq(refuse(&request, REFUSE_NO_TOKEN), STEP_END);
	ck_assert_uint_eq(request.answer.status, 503);
	ck_assert(request.must_close && request.answer_body.n == 0);
}
END_TEST

START_TEST(reasons_of_statuses)
{
	ck_assert_span(status_reason(200), SPAN("OK"));
	ck_assert_span(status_reason(599), SPAN("Unknown"));
}
END_TEST

SUITE_RUN("request_refuse", every_row_is_a_whole_answer, no_token_is_no_error,
    says_more_where_asked, long_scopes_and_realms_are_told_whole,
    a_challenge_tells_where_the_metadata_are, without_memory_a_bare_status, reasons_of_statuses)
