#include "gateway/oauth/answer.h"

#include <jansson.h>

#include "gateway/request/status.h"
#include "tests/unit/access_support.h"

/* Printable ASCII without quotes and backslashes (RFC 6749 section 5.2). */
static void
ck_plain(const char *text)
{
	for (; *text != '\0'; text++)
		ck_assert(*text >= 0x20 && *text < 0x7f && *text != '"' && *text != '\\');
}

START_TEST(every_row_is_a_whole_answer)
{
	for (int i = 0; i < FAULT_COUNT; i++) {
		receive("");
		ck_assert_int_eq(fault(&request, (enum fault)i), STEP_END);
		unsigned status = request.answer.status;
		ck_answer(status, "Cache-Control: no-store\r\nPragma: no-cache\r\n", "\"error\":\"");
		ck_assert(!span_eq(status_reason(status), SPAN("Unknown")));
		ck_assert(span_holds(request.answer.fields, "WWW-Authenticate: Basic ") ==
		    (status == 401));
		ck_assert(span_holds(request.answer.fields, "Retry-After: ") ==
		    (status == 429 || status == 503));
		ck_assert_ptr_nonnull(request.outcome);
		json_t *json = json_loadb(request.answer_body.p, request.answer_body.n, 0, NULL);
		ck_assert_ptr_nonnull(json);
		ck_plain(json_string_value(json_object_get(json, "error_description")));
		json_decref(json);
	}
}
END_TEST

START_TEST(says_how_long_to_wait_and_what_is_left)
{
	receive("");
	request.limit_fields = SPAN("RateLimit-Reset: 7\r\n");
	fault_because(&request, FAULT_TOKEN_RATE, (struct fault_more){ .retry_after_s = 7 });
	ck_answer(429, "Retry-After: 7\r\nRateLimit-Reset: 7\r\n", "\"slow_down\"");
	receive("");
	fault_because(&request, FAULT_SCOPE, (struct fault_more){ .sentence = "a sentence" });
	ck_answer(400, "no-store", "\"error_description\":\"a sentence\"");
}
END_TEST

START_TEST(a_good_answer_tells_it_too)
{
	receive("");
	ck_assert_int_eq(answer_json(&request, OUTCOME_ISSUED, SPAN("{}")), STEP_END);
	ck_answer(200, "Cache-Control: no-store\r\nPragma: no-cache\r\n", "{}");
	ck_assert_str_eq(request.outcome, "issued");
	receive("");
	request.limit_fields = SPAN("RateLimit-Reset: 7\r\n");
	answer_json(&request, OUTCOME_REUSED, SPAN("{}"));
	ck_answer(200, "Pragma: no-cache\r\nRateLimit-Reset: 7\r\n", "{}");
}
END_TEST

START_TEST(without_memory_a_bare_status)
{
	receive("");
	arena_init(&request.arena, NULL, 0, 0);
	ck_assert_int_eq(fault(&request, FAULT_SCOPE), STEP_END);
	ck_assert_uint_eq(request.answer.status, 503);
	ck_assert(request.must_close && span_holds(request.answer.fields, "no-store"));
}
END_TEST

START_TEST(a_verdict_for_want_of_something_is_no_refusal)
{
	for (int i = 0; i < VERDICT_COUNT; i++) {
		enum fault wrong = fault_of_verdict((enum verdict)i);

		if (wrong == FAULT_COUNT)
			continue;
		receive("");
		fault(&request, wrong);
		ck_answer(503, "Retry-After: ", "temporarily_unavailable");
	}
	ck_assert_int_eq(fault_of_verdict(VERDICT_KEYS_UNAVAILABLE), FAULT_NO_KEYS);
	ck_assert_int_eq(fault_of_verdict(VERDICT_REVOCATIONS_UNSURE), FAULT_UNSURE);
	ck_assert_int_eq(fault_of_verdict(VERDICT_REVOKED), FAULT_COUNT);
	ck_assert_int_eq(fault_of_verdict(VERDICT_ACTIVE), FAULT_COUNT);
}
END_TEST

SUITE_RUN("oauth_answer", every_row_is_a_whole_answer, says_how_long_to_wait_and_what_is_left,
    a_good_answer_tells_it_too, without_memory_a_bare_status,
    a_verdict_for_want_of_something_is_no_refusal)
