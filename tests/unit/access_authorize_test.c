#include "gateway/access/access.h"

#include "tests/unit/access_support.h"

#define CLAIMS	"{\"client_id\":\"app\",\"scope\":\"orders:read orders:write\"," \
	"\"aud\":[\"orders-api\",\"other\"]}"

static struct span scopes[2], audience[2];

/* A good token meets the route's policy. */
static enum step_result
meet(void)
{
	receive("Authorization: Bearer a.b.c\r\n");
	judge_active(CLAIMS);
	return check_policy(&request);
}

START_TEST(a_good_token_passes)
{
	ck_assert_int_eq(meet(), STEP_NEXT);
	ck_assert(request.authenticated);
}
END_TEST

START_TEST(without_a_token_only_where_that_is_allowed)
{
	receive("");
	ck_assert_int_eq(check_policy(&request), STEP_END);
	ck_answer(401, "WWW-Authenticate: Bearer realm=", "no bearer token");
	route_conf.anonymous = true;
	receive("");
	ck_assert_int_eq(check_policy(&request), STEP_NEXT);
	ck_assert(!request.authenticated);
}
END_TEST

/* Also where a request without a token passes: a bad one is never better than none. */
START_TEST(a_bad_token_is_refused_for_its_reason)
{
	route_conf.anonymous = true;
	for (int i = 0; i < VERDICT_COUNT; i++) {
		enum verdict verdict = (enum verdict)i;

		if (verdict == VERDICT_ACTIVE)
			continue;
		receive("Authorization: Bearer a.b.c\r\n");
		request.token = SPAN("a.b.c");
		request.judged = true;
		request.judgement = (struct judgement){ .verdict = verdict };
		ck_assert_int_eq(check_policy(&request), STEP_END);
		ck_assert(!request.authenticated);
		if (verdict == VERDICT_KEYS_UNAVAILABLE || verdict == VERDICT_REVOCATIONS_UNSURE ||
		    verdict == VERDICT_STORE_UNAVAILABLE || verdict == VERDICT_ASK_ISSUER ||
		    verdict == VERDICT_CONSUMERS_UNAVAILABLE ||
		    verdict == VERDICT_INTROSPECTION_FAILED ||
		    verdict == VERDICT_INTROSPECTION_BUSY)
			ck_answer(503, "Retry-After: 1\r\n", "unavailable");
		else if (verdict == VERDICT_NO_MEMORY)
			ck_answer(503, "", "unavailable");
		else
			ck_answer(401, "error=\"invalid_token\"", verdict_sentence(verdict));
	}
}
END_TEST

START_TEST(half_a_judgement_is_none)
{
	receive("");
	judge_active(CLAIMS);
	request.judged = false;
	ck_assert_int_eq(check_policy(&request), STEP_END);
	receive("");
	judge_active(CLAIMS);
	request.judgement.facts = NULL;
	ck_assert_int_eq(check_policy(&request), STEP_END);
	ck_assert_uint_eq(request.answer.status, 401);
	ck_assert(!request.authenticated);
}
END_TEST

START_TEST(a_route_chooses_its_issuers)
{
	issuer.id = ISSUER_ID + 1;
	ck_assert_int_eq(meet(), STEP_END);
	ck_answer(401, "invalid_token", "issuer");
	ck_assert_int_eq(request.judgement.verdict, VERDICT_WRONG_ISSUER);
	issuer.id = ISSUER_ID;
	route_conf.n_issuers = 0;
	ck_assert_int_eq(meet(), STEP_END);
}
END_TEST

START_TEST(an_audience_is_one_whole_member)
{
	route_conf.audience = audience;
	route_conf.n_audience = 1;
	audience[0] = SPAN("other");
	ck_assert_int_eq(meet(), STEP_NEXT);
	audience[0] = SPAN("orders");
	ck_assert_int_eq(meet(), STEP_END);
	ck_answer(401, "invalid_token", "audience");
	audience[0] = SPAN("ORDERS-API");
	ck_assert_int_eq(meet(), STEP_END);
	audience[1] = SPAN("orders-api");
	route_conf.n_audience = 2;
	ck_assert_int_eq(meet(), STEP_NEXT);
}
END_TEST

/* The token service knows its tokens for whomever they are; routes want what is meant for them. */
START_TEST(an_issuer_may_ask_for_an_audience_where_the_route_does_not)
{
	issuer.route_audience = audience;
	issuer.n_route_audience = 1;
	audience[0] = SPAN("billing-api");
	ck_assert_int_eq(meet(), STEP_END);
	ck_answer(401, "invalid_token", "audience");
	ck_assert_int_eq(request.judgement.verdict, VERDICT_WRONG_AUDIENCE);
	audience[0] = SPAN("other");
	ck_assert_int_eq(meet(), STEP_NEXT);
	/* the route's own word counts alone */
	audience[0] = SPAN("billing-api");
	audience[1] = SPAN("orders-api");
	route_conf.audience = &audience[1];
	route_conf.n_audience = 1;
	ck_assert_int_eq(meet(), STEP_NEXT);
}
END_TEST

START_TEST(all_scopes_are_needed_whole)
{
	route_conf.scopes = scopes;
	route_conf.n_scopes = 2;
	scopes[0] = SPAN("orders:write");
	scopes[1] = SPAN("orders:read");
	ck_assert_int_eq(meet(), STEP_NEXT);
	scopes[1] = SPAN("orders:rea");
	ck_assert_int_eq(meet(), STEP_END);
	ck_answer(403, "scope=\"orders:write orders:rea\"\r\n", "insufficient_scope");
	ck_assert(!request.authenticated);
	scopes[1] = SPAN("orders:reads");
	ck_assert_int_eq(meet(), STEP_END);
	scopes[1] = SPAN("Orders:Read");
	ck_assert_int_eq(meet(), STEP_END);
	scopes[1] = SPAN("");
	ck_assert_int_eq(meet(), STEP_END);
}
END_TEST

START_TEST(a_body_has_its_limit)
{
	route_conf.anonymous = true;
	receive("Content-Length: 1000\r\n");
	ck_assert_int_eq(check_policy(&request), STEP_NEXT);
	receive("Content-Length: 1001\r\n");
	ck_assert_int_eq(check_policy(&request), STEP_END);
	ck_answer(413, "", "content_too_large");
	ck_assert(request.must_close);
	/* who may not pass at all learns nothing about bodies */
	route_conf.anonymous = false;
	receive("Content-Length: 1001\r\n");
	ck_assert_int_eq(check_policy(&request), STEP_END);
	ck_assert_uint_eq(request.answer.status, 401);
}
END_TEST

SUITE_RUN("access_authorize", a_good_token_passes, without_a_token_only_where_that_is_allowed,
    a_bad_token_is_refused_for_its_reason, half_a_judgement_is_none, a_route_chooses_its_issuers,
    an_audience_is_one_whole_member, an_issuer_may_ask_for_an_audience_where_the_route_does_not,
    all_scopes_are_needed_whole, a_body_has_its_limit)
