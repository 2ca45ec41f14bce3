#include "tests/unit/token_support.h"

#include <sys/wait.h>
#include <unistd.h>

#include "gateway/token/recall.h"

#define HEADER	"{\"alg\":\"EdDSA\",\"kid\":\"d\"}"

static struct conf *conf;
static struct keys *keys;
static struct cache *good, *bad;
static struct recall *recall;
static struct test_signer ed, second;
static struct judgement j;
static struct arena arena;
static _Alignas(16) char memory[65536];
static const char *token;

static void
make_keys(void)
{
	ed = signer_new("d", alg_row(ALG_ID_EdDSA));
	second = signer_new("s", alg_row(ALG_ID_EdDSA));
}

static void
open_recall(void)
{
	recall_close(&recall);
	recall = recall_open(&conf->config, good, bad, keys);
	ck_assert_ptr_nonnull(recall);
}

static void
set_up(void)
{
	conf = conf_new();
	keys = shared_keys();
	good = shared_cache(1 << 20);
	bad = shared_cache(1 << 20);
	publish(keys, 11, str("%s,%s", jwk_of(&ed, ""), jwk_of(&second, "")));
	arena_init(&arena, memory, sizeof(memory), 0);
	open_recall();
	token = token_of(&ed, "EdDSA", HEADER, claims_but("", NULL));
}

static void
tear_down(void)
{
	recall_close(&recall);
}

static bool
find(const char *text, int64_t now_s)
{
	arena_reset(&arena);
	return recall_find(recall, span_of(text), now_s, &arena, &j);
}

/* Judges as a worker does: looks, and verifies if it is not known. */
static enum verdict
judge(const char *text, int64_t now_s)
{
	if (!find(text, now_s))
		recall_verify(recall, span_of(text), now_s, &arena, &j);
	ck_assert((j.verdict == VERDICT_ACTIVE) == (j.facts != NULL));
	return j.verdict;
}

START_TEST(a_good_token_is_verified_once)
{
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
	ck_assert_int_eq(j.source, RECALL_VERIFIED);
	size_t n = j.facts->size;
	char *first = malloc(n);
	memcpy(first, j.facts, n);

	ck_assert(find(token, NOW + 1));
	ck_assert_int_eq(j.verdict, VERDICT_ACTIVE);
	ck_assert_int_eq(j.source, RECALL_CACHE);
	ck_assert_ptr_eq(j.issuer, &conf->issuers[0]);
	ck_assert_uint_eq(j.facts->size, n);
	ck_assert_mem_eq(j.facts, first, n);
	free(first);
}
END_TEST

START_TEST(another_worker_knows_it_too)
{
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
	pid_t other = fork();
	if (other == 0) {
		open_recall();
		_exit(find(token, NOW) && j.verdict == VERDICT_ACTIVE ? 0 : 1);
	}
	ck_assert(find(token, NOW));
	int status;
	ck_assert_int_eq(waitpid(other, &status, 0), other);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(what_was_good_expires_to_the_second)
{
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
	ck_assert_int_eq(judge(token, NOW + 299), VERDICT_ACTIVE);
	ck_assert_int_eq(j.source, RECALL_CACHE);
	ck_assert_int_eq(judge(token, NOW + 300), VERDICT_EXPIRED);
	ck_assert_int_eq(judge(token, NOW + 301), VERDICT_EXPIRED);
	ck_assert_int_eq(j.source, RECALL_CACHE);
}
END_TEST

START_TEST(a_clock_set_back_is_heard)
{
	const char *later = token_of(&ed, "EdDSA", HEADER, claims_but("nbf", "1800000010"));

	ck_assert_int_eq(judge(later, NOW + 10), VERDICT_ACTIVE);
	ck_assert_int_eq(judge(later, NOW), VERDICT_NOT_YET_VALID);
	ck_assert_int_eq(judge(later, NOW + 5), VERDICT_ACTIVE);
	ck_assert_int_eq(judge(token, NOW + 400), VERDICT_EXPIRED);
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
	ck_assert_int_eq(judge(token, -1), VERDICT_NOT_YET_VALID);
}
END_TEST

START_TEST(not_yet_valid_ends_in_time)
{
	const char *later = token_of(&ed, "EdDSA", HEADER, claims_but("nbf", "1800000010"));

	ck_assert_int_eq(judge(later, NOW), VERDICT_NOT_YET_VALID);
	ck_assert(find(later, NOW + 4));
	ck_assert_int_eq(j.verdict, VERDICT_NOT_YET_VALID);
	ck_assert(!find(later, NOW + 5));
	ck_assert_int_eq(judge(later, NOW + 5), VERDICT_ACTIVE);
}
END_TEST

START_TEST(a_removed_key_is_dead_at_once)
{
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
	publish(keys, 11, jwk_of(&second, ""));
	ck_assert(!find(token, NOW));
	ck_assert_int_eq(judge(token, NOW), VERDICT_UNKNOWN_KEY);
	ck_assert_int_eq(judge(token, NOW), VERDICT_UNKNOWN_KEY);
	ck_assert_int_eq(j.source, RECALL_VERIFIED);
	publish(keys, 11, jwk_of(&ed, ""));
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
}
END_TEST

START_TEST(a_changed_key_of_the_same_kid_is_another)
{
	struct test_signer same = { .kid = "d", .pkey = second.pkey };

	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
	publish(keys, 11, jwk_of(&same, ""));
	ck_assert(!find(token, NOW));
	ck_assert_int_eq(judge(token, NOW), VERDICT_BAD_SIGNATURE);
	publish(keys, 11, jwk_of(&ed, ",\"alg\":\"ES256\""));
	ck_assert_int_eq(judge(token, NOW), VERDICT_UNKNOWN_KEY);
}
END_TEST

START_TEST(a_key_that_stays_keeps_its_tokens)
{
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
	publish(keys, 11, jwk_of(&ed, ",\"use\":\"sig\""));
	ck_assert(find(token, NOW));
	ck_assert_int_eq(j.verdict, VERDICT_ACTIVE);
}
END_TEST

START_TEST(other_rules_make_it_unknown)
{
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
	conf->issuers[0].rules++;
	ck_assert(!find(token, NOW));
	conf->issuers[0].rules--;
	ck_assert(find(token, NOW));
	/* A reload that takes the audience away: a new worker over the same shared memory. */
	conf->issuers[0].rules = 7;
	conf->issuers[0].n_audience = 0;
	open_recall();
	ck_assert_int_eq(judge(token, NOW), VERDICT_WRONG_AUDIENCE);
	/* And one that drops the issuer. */
	conf->config.issuers = &conf->issuers[1];
	conf->config.n_issuers = 1;
	open_recall();
	ck_assert_int_eq(judge(token, NOW), VERDICT_WRONG_ISSUER);
}
END_TEST

START_TEST(a_refusal_is_remembered)
{
	const char *header = "{\"alg\":\"EdDSA\",\"kid\":\"s\"}";
	const char *forged = token_of(&ed, "EdDSA", header, claims_but("", NULL));
	const char *astray = token_of(&ed, "EdDSA", HEADER, claims_but("aud", "\"x\""));
	const char *expired = token_of(&ed, "EdDSA", HEADER, claims_but("exp", "1"));
	const char *const refused[] = { forged, astray, expired };

	for (size_t i = 0; i < 3; i++) {
		enum verdict verdict = judge(refused[i], NOW);
		ck_assert_int_ne(verdict, VERDICT_ACTIVE);
		ck_assert_int_eq(j.source, RECALL_VERIFIED);
		ck_assert_int_eq(judge(refused[i], NOW + 1), verdict);
		ck_assert_int_eq(j.source, RECALL_CACHE);
		ck_assert_ptr_eq(j.issuer, &conf->issuers[0]);
		ck_assert(!find(refused[i], NOW + 60));
	}
}
END_TEST

START_TEST(a_refusal_falls_with_its_reasons)
{
	struct test_signer as_second = { .kid = "s", .pkey = ed.pkey };
	const char *forged = token_of(&ed, "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"s\"}",
	    claims_but("", NULL));
	const char *astray = token_of(&ed, "EdDSA", HEADER, claims_but("aud", "\"x\""));

	ck_assert_int_eq(judge(forged, NOW), VERDICT_BAD_SIGNATURE);
	publish(keys, 11, jwk_of(&as_second, ""));
	ck_assert_int_eq(judge(forged, NOW), VERDICT_ACTIVE);

	ck_assert_int_eq(judge(astray, NOW), VERDICT_WRONG_AUDIENCE);
	conf->issuers[0].rules++;
	conf->audience[0] = SPAN("x");
	open_recall();
	publish(keys, 11, jwk_of(&ed, ""));
	ck_assert_int_eq(judge(astray, NOW), VERDICT_ACTIVE);
}
END_TEST

/* Reloads that follow each other fast may leave no room until the keeper has made some. */
START_TEST(a_place_for_keys_is_found_when_there_is_one)
{
	struct keys_slot slot;

	keys = shared_keys();
	for (uint64_t id = 100; id < 100 + KEYS_SLOTS; id++)
		ck_assert(keys_slot(keys, id, true, &slot));
	open_recall();
	ck_assert_int_eq(judge(token, NOW), VERDICT_KEYS_UNAVAILABLE);
	keys_retain(keys, NULL, 0);
	publish(keys, 11, jwk_of(&ed, ""));
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);

	/* the issuer goes, its place is given away, and it comes back in another one */
	keys_retain(keys, NULL, 0);
	for (uint64_t id = 200; id < 200 + KEYS_SLOTS; id++)
		ck_assert(keys_slot(keys, id, true, &slot));
	ck_assert_int_eq(judge(token, NOW), VERDICT_KEYS_UNAVAILABLE);
	keys_retain(keys, (const uint64_t[]){ 200 }, 1);
	ck_assert(keys_slot(keys, 12, true, &slot));
	publish(keys, 11, jwk_of(&ed, ""));
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
}
END_TEST

START_TEST(what_may_change_is_asked_anew)
{
	const char *unknown = token_of(&ed, "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"x\"}",
	    claims_but("", NULL));
	struct test_signer as_x = { .kid = "x", .pkey = ed.pkey };

	ck_assert_int_eq(judge(unknown, NOW), VERDICT_UNKNOWN_KEY);
	ck_assert(!find(unknown, NOW));
	ck_assert_int_eq(judge(unknown, NOW), VERDICT_UNKNOWN_KEY);
	publish(keys, 11, jwk_of(&as_x, ""));
	recall_verify(recall, span_of(unknown), NOW, &arena, &j);
	ck_assert_int_eq(j.verdict, VERDICT_ACTIVE);

	keys = shared_keys();
	open_recall();
	ck_assert_int_eq(judge(token, NOW), VERDICT_KEYS_UNAVAILABLE);
	publish(keys, 11, jwk_of(&ed, ""));
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
}
END_TEST

START_TEST(nothing_good_is_published_after_a_revocation)
{
	ck_assert(!find(token, NOW));
	cache_bar(good);
	recall_verify(recall, span_of(token), NOW, &arena, &j);
	ck_assert_int_eq(j.verdict, VERDICT_ACTIVE);
	ck_assert(!find(token, NOW));
}
END_TEST

START_TEST(two_spellings_are_two_tokens)
{
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
	ck_assert_int_eq(judge(str("%s=", token), NOW), VERDICT_MALFORMED);
	ck_assert_int_eq(judge(str("%s ", token), NOW), VERDICT_MALFORMED);
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
}
END_TEST

START_TEST(a_huge_token_is_not_looked_at)
{
	char *huge = keep(calloc(1, 1 << 20));

	memset(huge, 'x', (1 << 20) - 1);
	ck_assert(find(huge, NOW));
	ck_assert_int_eq(j.verdict, VERDICT_TOO_LARGE);
	ck_assert_int_eq(j.source, RECALL_NONE);
}
END_TEST

START_TEST(facts_too_long_for_the_cache_are_used_all_the_same)
{
	char text[2001] = "";

	memset(text, 'x', sizeof(text) - 1);
	const char *large = token_of(&ed, "EdDSA", HEADER, claims_but("sub", str("\"%s\"", text)));
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(judge(large, NOW), VERDICT_ACTIVE);
		ck_assert_int_eq(j.source, RECALL_VERIFIED);
		ck_assert_uint_gt(j.facts->size, CACHE_VALUE_MAX);
	}
}
END_TEST

START_TEST(a_flood_of_bad_tokens_evicts_no_good_one)
{
	enum { GOOD = 200, FLOOD = 20000 };
	const char *goods[GOOD];
	int kept = 0;

	for (int i = 0; i < GOOD; i++) {
		goods[i] = token_of(&ed, "EdDSA", HEADER, claims_but("jti", str("\"%d\"", i)));
		ck_assert_int_eq(judge(goods[i], NOW), VERDICT_ACTIVE);
	}
	char *flood = strdup(token_of(&ed, "EdDSA", HEADER, claims_but("exp", "1")));
	for (int i = 0; i < FLOOD; i++) {
		char *at = flood + strlen(flood) - 40;
		at[i % 37] = "ABCDEFGHIJKLMNOP"[i / 37 % 16];
		at[i / 592 % 37] = "QRSTUVWXYZ"[i % 10];
		ck_assert_int_eq(judge(flood, NOW), VERDICT_EXPIRED);
	}
	for (int i = 0; i < GOOD; i++)
		kept += find(goods[i], NOW) && j.verdict == VERDICT_ACTIVE;
	ck_assert_int_ge(kept, GOOD * 95 / 100);
	free(flood);
}
END_TEST

START_TEST(no_memory_is_no_verdict)
{
	arena_init(&arena, memory, 16, 0);
	ck_assert_int_eq(judge(token, NOW), VERDICT_NO_MEMORY);
	arena_init(&arena, memory, sizeof(memory), 0);
	ck_assert_int_eq(judge(token, NOW), VERDICT_ACTIVE);
	arena_init(&arena, memory, 16, 0);
	ck_assert(find(token, NOW));
	ck_assert_int_eq(j.verdict, VERDICT_NO_MEMORY);
}
END_TEST

/* Takes in what the store says of an opaque token. */
static enum verdict
learn(const char *text, const char *claims, int64_t now_s)
{
	char *copy = strdup(claims);

	ck_assert(!find(text, now_s));
	recall_learn(recall, copy, strlen(copy), now_s, &arena, &j);
	free(copy);
	ck_assert_int_eq(j.source, RECALL_LOOKED_UP);
	return j.verdict;
}

START_TEST(what_the_store_says_is_remembered)
{
	conf->issuers[0].own = true;
	ck_assert_int_eq(learn("gha_1", claims_but("", NULL), NOW), VERDICT_ACTIVE);
	ck_assert(span_eq(facts_get(j.facts, FACTS_SUBJECT), SPAN("alice")));
	ck_assert_ptr_eq(j.issuer, &conf->issuers[0]);
	ck_assert(find("gha_1", NOW + 299));
	ck_assert_int_eq(j.verdict, VERDICT_ACTIVE);
	ck_assert_int_eq(j.source, RECALL_CACHE);
	/* no key stands behind it, so other keys change nothing */
	publish(keys, 11, jwk_of(&second, ""));
	ck_assert(find("gha_1", NOW));
	ck_assert(find("gha_1", NOW + 300) == false || j.verdict == VERDICT_EXPIRED);
	ck_assert_int_eq(learn("gha_2", claims_but("exp", "1"), NOW), VERDICT_EXPIRED);
	ck_assert_int_eq(learn("gha_3", "{\"iss\":1}", NOW), VERDICT_WRONG_ISSUER);
	conf->issuers[0].rules++;
	open_recall();
	ck_assert(!find("gha_1", NOW));
}
END_TEST

START_TEST(what_the_store_does_not_know_is_remembered_for_a_moment)
{
	ck_assert(!find("gha_1", NOW));
	recall_unknown(recall, NOW, &j);
	ck_assert_int_eq(j.verdict, VERDICT_UNKNOWN_TOKEN);
	ck_assert(find("gha_1", NOW + 4));
	ck_assert_int_eq(j.verdict, VERDICT_UNKNOWN_TOKEN);
	ck_assert_ptr_null(j.facts);
	ck_assert(!find("gha_1", NOW + 5));
}
END_TEST

/* A revocation between the look and the answer: what the store said then is not kept. */
START_TEST(nothing_looked_up_is_published_after_a_revocation)
{
	char *claims = strdup(claims_but("", NULL));

	conf->issuers[0].own = true;
	ck_assert(!find("gha_1", NOW));
	cache_bar(good);
	recall_learn(recall, claims, strlen(claims), NOW, &arena, &j);
	free(claims);
	ck_assert_int_eq(j.verdict, VERDICT_ACTIVE);
	ck_assert(!find("gha_1", NOW));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token_recall");
	TCase *tc = tcase_create("recall");

	suite_add_tcase(suite, tc);
	tcase_add_unchecked_fixture(tc, make_keys, NULL);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_good_token_is_verified_once);
	tcase_add_test(tc, another_worker_knows_it_too);
	tcase_add_test(tc, what_was_good_expires_to_the_second);
	tcase_add_test(tc, a_clock_set_back_is_heard);
	tcase_add_test(tc, not_yet_valid_ends_in_time);
	tcase_add_test(tc, a_removed_key_is_dead_at_once);
	tcase_add_test(tc, a_changed_key_of_the_same_kid_is_another);
	tcase_add_test(tc, a_key_that_stays_keeps_its_tokens);
	tcase_add_test(tc, other_rules_make_it_unknown);
	tcase_add_test(tc, a_refusal_is_remembered);
	tcase_add_test(tc, a_refusal_falls_with_its_reasons);
	tcase_add_test(tc, a_place_for_keys_is_found_when_there_is_one);
	tcase_add_test(tc, what_may_change_is_asked_anew);
	tcase_add_test(tc, nothing_good_is_published_after_a_revocation);
	tcase_add_test(tc, two_spellings_are_two_tokens);
	tcase_add_test(tc, a_huge_token_is_not_looked_at);
	tcase_add_test(tc, facts_too_long_for_the_cache_are_used_all_the_same);
	tcase_add_test(tc, a_flood_of_bad_tokens_evicts_no_good_one);
	tcase_add_test(tc, no_memory_is_no_verdict);
	tcase_add_test(tc, what_the_store_says_is_remembered);
	tcase_add_test(tc, what_the_store_does_not_know_is_remembered_for_a_moment);
	tcase_add_test(tc, nothing_looked_up_is_published_after_a_revocation);
	return run_suite(suite);
}
