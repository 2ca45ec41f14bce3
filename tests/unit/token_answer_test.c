#include "tests/unit/token_support.h"

#include "gateway/token/jwt.h"
#include "gateway/token/recall.h"

/* What an issuer answers to a question about a token, judged and remembered. */

#define HEADER	"{\"alg\":\"EdDSA\",\"kid\":\"d\"}"
#define BEGAN_US	UINT64_C(77)

static struct conf *conf;
static struct keys *keys;
static struct cache *good, *bad;
static struct recall *recall;
static struct test_signer ed;
static struct judgement j;
static struct arena arena;
static struct facts *facts;
static _Alignas(16) char memory[65536];

static void
make_keys(void)
{
	ed = signer_new("d", alg_row(ALG_ID_EdDSA));
}

static void
set_up(void)
{
	conf = conf_new();
	conf->issuers[1].validate = VALIDATE_INTROSPECT;
	keys = shared_keys();
	good = shared_cache(1 << 20);
	bad = shared_cache(1 << 20);
	publish(keys, 11, jwk_of(&ed, ""));
	arena_init(&arena, memory, sizeof(memory), 0);
	recall = recall_open(&conf->config, good, bad, keys);
	ck_assert_ptr_nonnull(recall);
}

static void
tear_down(void)
{
	recall_close(&recall);
}

static enum verdict
answered(const char *token, const char *text, const struct facts *known)
{
	char *copy = strdup(text);
	const struct recall_answer answer = {
		.issuer = &conf->issuers[1], .token = span_of(token), .text = copy,
		.n = strlen(text), .known = known, .began_s = NOW - 2, .began_us = BEGAN_US,
		.lasts_s = NOW + 60,
	};

	facts = NULL;
	enum verdict verdict = recall_answered(recall, &answer, NOW, &arena, &facts);
	free(copy);
	if (verdict == VERDICT_ACTIVE)
		ck_assert(facts->known_s == NOW - 2 && facts->asked_us == BEGAN_US);
	return verdict;
}

#define ACTIVE_	"{\"active\":true,\"sub\":\"ann\",\"aud\":\"orders-api\""

static const struct {
	const char	*text;
	enum verdict	 verdict;
} rows[] = {
	{ ACTIVE_ "}", VERDICT_ACTIVE },
	{ ACTIVE_ ",\"exp\":1800000300}", VERDICT_ACTIVE },
	{ ACTIVE_ ",\"exp\":1800000000}", VERDICT_EXPIRED },
	{ ACTIVE_ ",\"exp\":null}", VERDICT_MALFORMED },
	{ ACTIVE_ ",\"nbf\":1800000100}", VERDICT_NOT_YET_VALID },
	{ ACTIVE_ ",\"iss\":\"" OTHER_ISSUER "\"}", VERDICT_ACTIVE },
	{ ACTIVE_ ",\"iss\":\"" ISSUER "\"}", VERDICT_WRONG_ISSUER },
	{ ACTIVE_ ",\"token_type\":\"bEARER\"}", VERDICT_ACTIVE },
	{ ACTIVE_ ",\"token_type\":\"dpop\"}", VERDICT_BOUND },
	{ ACTIVE_ ",\"token_type\":\"access_token\"}", VERDICT_TOKEN_TYPE },
	{ ACTIVE_ ",\"token_type\":true}", VERDICT_TOKEN_TYPE },
	{ ACTIVE_ ",\"typ\":\"Bearer\"}", VERDICT_ACTIVE },
	{ ACTIVE_ ",\"typ\":\"Refresh\"}", VERDICT_TOKEN_TYPE },
	{ ACTIVE_ ",\"token_use\":\"refresh_token\"}", VERDICT_TOKEN_TYPE },
	{ ACTIVE_ ",\"cnf\":{}}", VERDICT_BOUND },
	{ "{\"active\":true,\"sub\":\"ann\"}", VERDICT_WRONG_AUDIENCE },
	{ "{\"active\":true,\"aud\":\"orders-api\"}", VERDICT_NO_CONSUMER },
	{ "{\"active\":false}", VERDICT_INACTIVE },
	{ "{\"active\":false,\"sub\":\"ann\",\"aud\":\"orders-api\"}", VERDICT_INACTIVE },
	{ "{\"active\":\"true\"}", VERDICT_INTROSPECTION_FAILED },
	{ "{\"active\":1}", VERDICT_INTROSPECTION_FAILED },
	{ "{\"active\":null}", VERDICT_INTROSPECTION_FAILED },
	{ "{\"sub\":\"ann\"}", VERDICT_INTROSPECTION_FAILED },
	{ "{\"active\":true,\"active\":false}", VERDICT_INTROSPECTION_FAILED },
	{ "{\"active\":false,\"\\u0061ctive\":true}", VERDICT_INTROSPECTION_FAILED },
	{ "[{\"active\":true}]", VERDICT_INTROSPECTION_FAILED },
	{ "true", VERDICT_INTROSPECTION_FAILED },
	{ "", VERDICT_INTROSPECTION_FAILED },
	{ "{\"active\":true", VERDICT_INTROSPECTION_FAILED },
};

START_TEST(an_answer_counts_as_claims_do)
{
	enum verdict verdict = answered("opaque", rows[_i].text, NULL);

	ck_assert_msg(verdict == rows[_i].verdict, "%s: %s", rows[_i].text, verdict_name(verdict));
	ck_assert((verdict == VERDICT_ACTIVE) == (facts != NULL));
	if (facts != NULL)
		ck_assert(facts->issuer == 12 && facts->rules == 102 && facts->key == 0);
}
END_TEST

START_TEST(without_exp_an_answer_lasts_a_while)
{
	ck_assert_int_eq(answered("opaque", ACTIVE_ "}", NULL), VERDICT_ACTIVE);
	ck_assert_int_eq(facts->exp_s, NOW + 60);
	ck_assert_int_eq(answered("opaque", ACTIVE_ ",\"exp\":1800000300}", NULL), VERDICT_ACTIVE);
	ck_assert_int_eq(facts->exp_s, NOW + 300);
}
END_TEST

/* Two tokens without jti are never one; of a JWT the signature is no part of the name. */
START_TEST(what_is_told_can_be_revoked)
{
	static const struct {
		const char	*a, *b;
		bool		 same;
	} pairs[] = {
		{ "opaque", "opaque", true }, { "opaque", "opaqu3", false },
		{ "id.one", "id.two", false }, { "a.b.c", "a.b.d", true },
		{ "a.b.c", "a.c.c", false },
	};
	uint8_t identity[IDENTITY_SIZE];

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		ck_assert_int_eq(answered(pairs[i].a, ACTIVE_ "}", NULL), VERDICT_ACTIVE);
		memcpy(identity, facts->identity, sizeof(identity));
		ck_assert_int_eq(answered(pairs[i].b, ACTIVE_ "}", NULL), VERDICT_ACTIVE);
		ck_assert_msg((memcmp(identity, facts->identity, sizeof(identity)) == 0) ==
		    pairs[i].same, "%s %s", pairs[i].a, pairs[i].b);
	}
}
END_TEST

/* Of a JWT that was verified here the answer says whether it is active, and nothing else. */
START_TEST(what_a_signature_covers_stays)
{
	const char *token = token_of(&ed, "EdDSA", HEADER, claims_but("", NULL));

	ck_assert(!recall_find(recall, span_of(token), NOW, &arena, &j));
	recall_verify(recall, span_of(token), NOW, &arena, &j);
	ck_assert_int_eq(j.verdict, VERDICT_ACTIVE);
	ck_assert_uint_eq(j.facts->asked_us, 0);
	ck_assert_int_eq(answered(token, "{\"active\":true,\"sub\":\"bob\",\"aud\":\"x\"}",
	    j.facts), VERDICT_ACTIVE);
	ck_assert(span_eq(facts_get(facts, FACTS_SUBJECT), SPAN("alice")));
	ck_assert(facts->exp_s == j.facts->exp_s && facts->key == j.facts->key);
	ck_assert_int_eq(answered(token, "{\"active\":false}", j.facts), VERDICT_INACTIVE);
	ck_assert_int_eq(answered(token, "{}", j.facts), VERDICT_INTROSPECTION_FAILED);
}
END_TEST

START_TEST(what_only_the_issuer_can_say_is_left_to_it)
{
	const char *theirs = claims_but("iss", "\"" OTHER_ISSUER "\"");
	const char *token = token_of(&ed, "EdDSA", HEADER, theirs);

	ck_assert(!recall_find(recall, span_of(token), NOW, &arena, &j));
	recall_verify(recall, span_of(token), NOW, &arena, &j);
	ck_assert_int_eq(j.verdict, VERDICT_ASK_ISSUER);
	ck_assert_ptr_eq(j.issuer, &conf->issuers[1]);
	/* that is not remembered; that a token is over by its own account is */
	ck_assert(!recall_find(recall, span_of(token), NOW, &arena, &j));
	ck_assert(!recall_find(recall, span_of(token), NOW + 300, &arena, &j));
	recall_verify(recall, span_of(token), NOW + 300, &arena, &j);
	ck_assert_int_eq(j.verdict, VERDICT_EXPIRED);
	ck_assert(recall_find(recall, span_of(token), NOW + 300, &arena, &j));
	conf->issuers[1].max_token = 100;
	recall_verify(recall, span_of(token), NOW, &arena, &j);
	ck_assert_int_eq(j.verdict, VERDICT_TOO_LARGE);
}
END_TEST

START_TEST(answers_are_remembered_and_recalled)
{
	ck_assert(!recall_find(recall, SPAN("opaque"), NOW, &arena, &j));
	ck_assert_int_eq(answered("opaque", ACTIVE_ ",\"exp\":1800000300}", NULL), VERDICT_ACTIVE);
	ck_assert(recall_keep(recall, j.ticket, j.digest, facts, NOW));
	ck_assert(recall_again(recall, NOW + 299, &arena, &j));
	ck_assert(j.verdict == VERDICT_ACTIVE && j.issuer == &conf->issuers[1]);
	ck_assert_uint_eq(j.facts->asked_us, BEGAN_US);
	ck_assert(!recall_again(recall, NOW + 300, &arena, &j));
	uint64_t ticket = j.ticket;
	cache_bar(good);
	ck_assert(!recall_keep(recall, ticket, j.digest, facts, NOW));

	ck_assert_int_eq(recall_refused(recall, j.digest, NOW), VERDICT_ACTIVE);
	recall_refuse(recall, j.digest, &conf->issuers[1], VERDICT_INACTIVE, NOW + 5, NOW);
	ck_assert_int_eq(recall_refused(recall, j.digest, NOW + 4), VERDICT_INACTIVE);
	ck_assert_int_eq(recall_refused(recall, j.digest, NOW + 5), VERDICT_ACTIVE);
}
END_TEST

/* As much JSON as an answer may be, all of it values. */
START_TEST(a_long_answer_is_read_whole)
{
	char *text = malloc(JWT_ANSWER_MAX + 1);
	size_t n = (size_t)sprintf(text, ACTIVE_ ",\"x\":[");

	while (n < JWT_ANSWER_MAX - 4)
		n += (size_t)sprintf(text + n, "1,");
	strcpy(text + n, "1]}");
	ck_assert_int_eq(answered("opaque", text, NULL), VERDICT_ACTIVE);
	free(text);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token_answer");
	TCase *tc = tcase_create("token_answer");

	tcase_add_unchecked_fixture(tc, make_keys, NULL);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, an_answer_counts_as_claims_do, 0,
	    (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, without_exp_an_answer_lasts_a_while);
	tcase_add_test(tc, what_is_told_can_be_revoked);
	tcase_add_test(tc, what_a_signature_covers_stays);
	tcase_add_test(tc, what_only_the_issuer_can_say_is_left_to_it);
	tcase_add_test(tc, answers_are_remembered_and_recalled);
	tcase_add_test(tc, a_long_answer_is_read_whole);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
