/*
 * Who passes where consumers have to be known, without a database; with one:
 * tests/scenario/known_consumers.test.mjs.
 */
#include "gateway/access/consumer.h"

#include <stdio.h>

#include "tests/unit/access_support.h"

/* The verdict on a token of this consumer. */
static enum verdict
meet(const char *client_id)
{
	char claims[600];

	snprintf(claims, sizeof(claims), "{\"client_id\":\"%s\"}", client_id);
	receive("Authorization: Bearer a.b.c\r\n");
	judge_active(claims);
	ck_assert_int_eq(know_consumer(&request), STEP_NEXT);
	ck_assert(request.known == NULL && request.phase == REQUEST_STEPS);
	return request.judgement.verdict;
}

START_TEST(anybody_passes_where_that_is_allowed)
{
	issuer.unknown_consumers = UNKNOWN_CONSUMERS_ALLOW;
	ck_assert_int_eq(meet("anybody"), VERDICT_ACTIVE);
}
END_TEST

START_TEST(only_who_is_listed_passes_without_a_database)
{
	struct span list[] = { SPAN("one"), SPAN("two") };

	issuer.unknown_consumers = UNKNOWN_CONSUMERS_REFUSE;
	ck_assert_int_eq(meet("one"), VERDICT_UNKNOWN_CONSUMER);
	issuer.consumers = list;
	issuer.n_consumers = 2;
	ck_assert_int_eq(meet("one"), VERDICT_ACTIVE);
	ck_assert_int_eq(meet("two"), VERDICT_ACTIVE);
	ck_assert_int_eq(meet("three"), VERDICT_UNKNOWN_CONSUMER);
	ck_assert_int_eq(meet("on"), VERDICT_UNKNOWN_CONSUMER);
	ck_assert_int_eq(meet("One"), VERDICT_UNKNOWN_CONSUMER);
	ck_assert_int_eq(meet("one two"), VERDICT_UNKNOWN_CONSUMER);
}
END_TEST

/* What is wrong with a token stays what it was; and nothing is asked without one. */
START_TEST(only_good_tokens_are_asked_about)
{
	issuer.unknown_consumers = UNKNOWN_CONSUMERS_REFUSE;
	receive("");
	ck_assert_int_eq(know_consumer(&request), STEP_NEXT);
	for (int i = 0; i < VERDICT_COUNT; i++) {
		if (i == VERDICT_ACTIVE)
			continue;
		receive("Authorization: Bearer a.b.c\r\n");
		request.judged = true;
		request.judgement = (struct judgement){ .verdict = (enum verdict)i,
		    .issuer = &issuer };
		ck_assert_int_eq(know_consumer(&request), STEP_NEXT);
		ck_assert_int_eq(request.judgement.verdict, i);
	}
}
END_TEST

START_TEST(a_book_is_needed_where_some_issuer_refuses)
{
	struct config_issuer issuers_of[2] = { { .name = "a" }, { .name = "b" } };
	struct config c = { .issuers = issuers_of, .n_issuers = 2 };

	ck_assert(!consumers_matter(&c));
	issuers_of[1].unknown_consumers = UNKNOWN_CONSUMERS_REFUSE;
	ck_assert(consumers_matter(&c));
}
END_TEST

SUITE_RUN("access_consumer", anybody_passes_where_that_is_allowed,
    only_who_is_listed_passes_without_a_database, only_good_tokens_are_asked_about,
    a_book_is_needed_where_some_issuer_refuses)
