#include "gateway/token/revocations.h"

#include "gateway/token/doc.h"
#include "gateway/token/lineage.h"
#include "shm/cache.h"
#include "tests/unit/token_support.h"

/* What is put is found by what a token says of itself, and nothing else is. */

static struct shared_control control;
static struct shared shm = { .control = &control };
static _Alignas(8) char room[FACTS_MAX];
static struct facts *facts = (struct facts *)room;

static void
set_up(void)
{
	static const uint8_t key[16] = "sixteen bytes ..";
	size_t size = set_size_for(1000);

	shm.revocations = set_init(shared(size), size, key);
	shm.inactive = set_init(shared(size), size, key);
	shm.token_cache = shared_cache(1 << 20);
	ck_assert_ptr_nonnull(shm.revocations);
	memset(&control, 0, sizeof(control));
}

/* Facts of these claims, issued at a time; what is signed is "h.p". */
static void
learn(const char *claims, int64_t iat_s)
{
	static const struct facts_wish wish = { .consumer_claim = "", .scope_claim = "",
		.lineage = true };
	static char text[1024];
	static struct doc_value values[DOC_VALUES(sizeof(text))];

	strcpy(text, claims);
	ck_assert(doc_parse(values, sizeof(values) / sizeof(values[0]), text, strlen(text)));
	ck_assert_int_eq(facts_make(facts, values, SPAN("k1"), &wish), VERDICT_ACTIVE);
	facts->iat_s = iat_s;
	facts->exp_s = NOW + 300;
	facts_identify(facts, SPAN("h.p"));
}

#define ALICE	"{\"iss\":\"" ISSUER "\",\"sub\":\"alice\",\"client_id\":\"app\",\"jti\":\"j1\"," \
		"\"sid\":\"s1\"}"
#define NAMELESS "{\"iss\":\"" ISSUER "\",\"sub\":\"alice\",\"client_id\":\"app\"}"

static enum set_put_result
revoke(enum identity_kind kind, const char *iss, const char *value, int64_t before_s)
{
	uint8_t identity[IDENTITY_SIZE];
	struct revocation r = { kind, identity, before_s, NOW + 1000 };

	identity_make(kind, span_of(iss), span_of(value), identity);
	return revocations_put(&shm, &r, NOW);
}

#define ck_says(expected) \
	ck_assert_int_eq(revocations_check(&shm, facts, NOW), (expected))

START_TEST(each_kind_finds_its_tokens)
{
	static const struct {
		enum identity_kind	 kind;
		const char		*iss;
		const char		*value;
		enum set_answer		 answer;
	} rows[] = {
		{ IDENTITY_JTI, ISSUER, "j1", SET_YES },
		{ IDENTITY_JTI, ISSUER, "j2", SET_NO },
		{ IDENTITY_JTI, OTHER_ISSUER, "j1", SET_NO },
		{ IDENTITY_SUBJECT, ISSUER, "alice", SET_YES },
		{ IDENTITY_SUBJECT, ISSUER, "app", SET_NO },
		{ IDENTITY_SUBJECT, OTHER_ISSUER, "alice", SET_NO },
		{ IDENTITY_CLIENT, ISSUER, "app", SET_YES },
		{ IDENTITY_CLIENT, ISSUER, "alice", SET_NO },
		{ IDENTITY_KEY, ISSUER, "k1", SET_YES },
		{ IDENTITY_KEY, ISSUER, "k2", SET_NO },
		{ IDENTITY_SESSION, ISSUER, "s1", SET_YES },
		{ IDENTITY_SESSION, ISSUER, "s2", SET_NO },
		{ IDENTITY_SESSION, OTHER_ISSUER, "s1", SET_NO },
		{ IDENTITY_CHANGE, ISSUER, "app", SET_NO },
	};

	learn(ALICE, NOW - 60);
	ck_says(SET_NO);
	ck_assert_int_eq(revoke(rows[_i].kind, rows[_i].iss, rows[_i].value, REVOKED_ALWAYS), SET_OK);
	ck_says(rows[_i].answer);
}
END_TEST

/* A token without a jti is named by what its signature is over. */
START_TEST(a_nameless_token_has_an_identity)
{
	char stand_in[IDENTITY_STAND_IN + 1] = "";

	learn(NAMELESS, NOW - 60);
	identity_stand_in(SPAN("h.q"), stand_in);
	revoke(IDENTITY_JTI, ISSUER, stand_in, REVOKED_ALWAYS);
	ck_says(SET_NO);
	identity_stand_in(SPAN("h.p"), stand_in);
	revoke(IDENTITY_JTI, ISSUER, stand_in, REVOKED_ALWAYS);
	ck_says(SET_YES);
}
END_TEST

/* Issued at NOW by svc-b, out of what svc-a got at NOW - 20 for a token of another issuer. */
#define EXCHANGED "{\"iss\":\"" ISSUER "\",\"sub\":\"alice\",\"client_id\":\"svc-b\",\"jti\":\"j3\"," \
		"\"lineage\":[{\"jti\":\"j1\",\"iss\":\"" OTHER_ISSUER "\",\"sub\":\"al\"," \
		"\"client_id\":\"web\",\"kid\":\"o1\",\"sid\":\"s1\",\"iat\":1799999940}," \
		"{\"jti\":\"j2\",\"client_id\":\"svc-a\",\"kid\":\"k0\",\"iat\":1799999980}]}"

START_TEST(an_ancestor_takes_its_descendants_along)
{
	static const struct {
		enum identity_kind	 kind;
		const char		*iss;
		const char		*value;
		int64_t			 before_s;
		enum set_answer		 answer;
	} rows[] = {
		/* itself */
		{ IDENTITY_JTI, ISSUER, "j3", REVOKED_ALWAYS, SET_YES },
		{ IDENTITY_CLIENT, ISSUER, "svc-b", NOW, SET_YES },
		{ IDENTITY_KEY, ISSUER, "k1", REVOKED_ALWAYS, SET_YES },
		/* its parent */
		{ IDENTITY_JTI, ISSUER, "j2", REVOKED_ALWAYS, SET_YES },
		{ IDENTITY_CLIENT, ISSUER, "svc-a", NOW - 20, SET_YES },
		{ IDENTITY_CLIENT, ISSUER, "svc-a", NOW - 21, SET_NO },
		{ IDENTITY_KEY, ISSUER, "k0", REVOKED_ALWAYS, SET_YES },
		{ IDENTITY_SUBJECT, ISSUER, "alice", NOW - 20, SET_YES },
		{ IDENTITY_SUBJECT, ISSUER, "alice", NOW - 21, SET_NO },
		/* and that one's */
		{ IDENTITY_JTI, OTHER_ISSUER, "j1", REVOKED_ALWAYS, SET_YES },
		{ IDENTITY_CLIENT, OTHER_ISSUER, "web", NOW - 60, SET_YES },
		{ IDENTITY_CLIENT, OTHER_ISSUER, "web", NOW - 61, SET_NO },
		{ IDENTITY_KEY, OTHER_ISSUER, "o1", REVOKED_ALWAYS, SET_YES },
		{ IDENTITY_SUBJECT, OTHER_ISSUER, "al", REVOKED_ALWAYS, SET_YES },
		{ IDENTITY_SESSION, OTHER_ISSUER, "s1", REVOKED_ALWAYS, SET_YES },
		/* nobody of that name is among them */
		{ IDENTITY_JTI, ISSUER, "j1", REVOKED_ALWAYS, SET_NO },
		{ IDENTITY_JTI, OTHER_ISSUER, "j2", REVOKED_ALWAYS, SET_NO },
		{ IDENTITY_SUBJECT, OTHER_ISSUER, "alice", REVOKED_ALWAYS, SET_NO },
		{ IDENTITY_SUBJECT, ISSUER, "al", REVOKED_ALWAYS, SET_NO },
		{ IDENTITY_CLIENT, ISSUER, "web", REVOKED_ALWAYS, SET_NO },
		{ IDENTITY_KEY, ISSUER, "o1", REVOKED_ALWAYS, SET_NO },
		{ IDENTITY_SESSION, ISSUER, "s1", REVOKED_ALWAYS, SET_NO },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up();
		learn(EXCHANGED, NOW);
		ck_says(SET_NO);
		revoke(rows[i].kind, rows[i].iss, rows[i].value, rows[i].before_s);
		enum set_answer answer = revocations_check(&shm, facts, NOW);
		ck_assert_msg(answer == rows[i].answer, "row %zu: %d", i, answer);
	}
}
END_TEST

/* Whoever asks an issuer about its token learns it for what came of that token too. */
START_TEST(so_does_one_that_its_issuer_calls_inactive)
{
	uint8_t identity[IDENTITY_SIZE];

	learn(EXCHANGED, NOW);
	identity_make(IDENTITY_JTI, SPAN(OTHER_ISSUER), SPAN("j1"), identity);
	set_mark_unsure(shm.inactive);
	ck_says(SET_NO);
	ck_assert_int_eq(set_put(shm.inactive, identity, SET_ANY_TIME, NOW + 60, NOW), SET_OK);
	ck_says(SET_YES);
	learn(ALICE, NOW);
	ck_says(SET_NO);
}
END_TEST

START_TEST(doubt_about_an_ancestor_is_doubt)
{
	struct ancestor a;

	learn(EXCHANGED, NOW);
	set_mark_unsure(shm.revocations);
	ck_says(SET_UNSURE);
	revoke(IDENTITY_JTI, ISSUER, "j2", REVOKED_ALWAYS);
	ck_says(SET_YES);
	set_up();
	/* one that can't be read whole may be any */
	struct span rest = facts_get(facts, FACTS_LINEAGE);
	size_t whole = rest.n;
	ck_assert(lineage_next(facts, &rest, &a));
	size_t first = whole - rest.n;
	for (size_t n = 1; n < whole; n++) {
		facts->part[FACTS_LINEAGE].n = (uint16_t)n;
		enum set_answer answer = revocations_check(&shm, facts, NOW);
		bool first_is_whole = n == first;
		ck_assert_msg(answer == (first_is_whole ? SET_NO : SET_UNSURE), "%zu: %d", n, answer);
	}
}
END_TEST

START_TEST(what_was_issued_until_then_is_revoked)
{
	revoke(IDENTITY_CLIENT, ISSUER, "app", NOW - 30);
	learn(ALICE, NOW - 31);
	ck_says(SET_YES);
	learn(ALICE, NOW - 30);		/* in the same second: nobody can tell */
	ck_says(SET_YES);
	learn(ALICE, NOW - 29);
	ck_says(SET_NO);
	learn(ALICE, FACTS_NO_TIME);
	ck_says(SET_YES);
	/* an earlier time takes nothing back */
	revoke(IDENTITY_CLIENT, ISSUER, "app", NOW - 90);
	learn(ALICE, NOW - 30);
	ck_says(SET_YES);
}
END_TEST

START_TEST(doubt_is_never_no)
{
	learn(ALICE, NOW - 60);
	set_mark_unsure(shm.revocations);
	ck_says(SET_UNSURE);
	revoke(IDENTITY_SUBJECT, ISSUER, "alice", REVOKED_ALWAYS);
	ck_says(SET_YES);
	struct revocations_token nobody = { .issued_s = NOW };
	ck_assert_int_eq(revocations_check_token(&shm, &nobody, NOW), SET_UNSURE);
	ck_assert(set_mark_sure(shm.revocations, set_doubt(shm.revocations)));
	ck_assert_int_eq(revocations_check_token(&shm, &nobody, NOW), SET_NO);
}
END_TEST

START_TEST(a_fill_that_began_before_is_not_kept)
{
	uint64_t ticket = cache_ticket(shm.token_cache);
	static const uint8_t digest[32] = "a token";

	revoke(IDENTITY_JTI, ISSUER, "j1", REVOKED_ALWAYS);
	ck_assert(!cache_put_if(shm.token_cache, ticket, digest, "x", 1, NOW + 10, NOW));
	ticket = cache_ticket(shm.token_cache);
	ck_assert(cache_put_if(shm.token_cache, ticket, digest, "x", 1, NOW + 10, NOW));
}
END_TEST

START_TEST(records_of_clients_are_forgotten)
{
	revoke(IDENTITY_JTI, ISSUER, "j1", REVOKED_ALWAYS);
	revoke(IDENTITY_SUBJECT, ISSUER, "alice", REVOKED_ALWAYS);
	ck_assert_uint_eq(control.clients_generation, 0);
	revoke(IDENTITY_CHANGE, ISSUER, "app", REVOKED_ALWAYS);
	ck_assert_uint_eq(control.clients_generation, 1);
	revoke(IDENTITY_CLIENT, ISSUER, "app", REVOKED_ALWAYS);
	ck_assert_uint_eq(control.clients_generation, 2);
}
END_TEST

START_TEST(what_does_not_fit_leaves_doubt)
{
	enum set_put_result result = SET_OK;

	learn(ALICE, NOW - 60);
	for (int i = 0; i < 100000 && result == SET_OK; i++)
		result = revoke(IDENTITY_JTI, ISSUER, str("%d", i), REVOKED_ALWAYS);
	ck_assert_int_eq(result, SET_FULL);
	ck_says(SET_UNSURE);
}
END_TEST

START_TEST(the_first_database_makes_it_unsure_and_takes_nothing_out)
{
	learn(ALICE, NOW - 10);
	revocations_begin(&shm, false);
	ck_says(SET_NO);
	ck_assert_int_eq(revoke(IDENTITY_SESSION, ISSUER, "s1", REVOKED_ALWAYS), SET_OK);
	ck_says(SET_YES);
	revocations_begin(&shm, true);
	ck_assert_uint_ne(set_doubt(shm.revocations), 0);
	ck_says(SET_YES);
	/* the feed has read it */
	atomic_store(&control.feed_source, 7);
	ck_assert(set_mark_sure(shm.revocations, set_doubt(shm.revocations)));
	revocations_begin(&shm, true);
	ck_assert_uint_eq(set_doubt(shm.revocations), 0);
	revocations_alone(&shm);
	revocations_begin(&shm, true);
	ck_assert_uint_ne(set_doubt(shm.revocations), 0);
	ck_says(SET_YES);
}
END_TEST

START_TEST(any_kind_leaves_a_mark)
{
	ck_assert_uint_eq(atomic_load(&control.revoked_kinds), 0);
	revoke(IDENTITY_JTI, ISSUER, "j9", REVOKED_ALWAYS);
	ck_assert_uint_eq(atomic_load(&control.revoked_kinds), IDENTITY_BIT(IDENTITY_JTI));
	revoke(IDENTITY_SESSION, ISSUER, "s9", REVOKED_ALWAYS);
	ck_assert_uint_eq(atomic_load(&control.revoked_kinds),
	    IDENTITY_BIT(IDENTITY_JTI) | IDENTITY_BIT(IDENTITY_SESSION));
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("token_revocations");
	TCase *cases = tcase_create("all");

	tcase_add_checked_fixture(cases, set_up, NULL);
	tcase_add_loop_test(cases, each_kind_finds_its_tokens, 0, 14);
	tcase_add_test(cases, the_first_database_makes_it_unsure_and_takes_nothing_out);
	tcase_add_test(cases, any_kind_leaves_a_mark);
	tcase_add_test(cases, a_nameless_token_has_an_identity);
	tcase_add_test(cases, an_ancestor_takes_its_descendants_along);
	tcase_add_test(cases, so_does_one_that_its_issuer_calls_inactive);
	tcase_add_test(cases, doubt_about_an_ancestor_is_doubt);
	tcase_add_test(cases, what_was_issued_until_then_is_revoked);
	tcase_add_test(cases, doubt_is_never_no);
	tcase_add_test(cases, a_fill_that_began_before_is_not_kept);
	tcase_add_test(cases, records_of_clients_are_forgotten);
	tcase_add_test(cases, what_does_not_fit_leaves_doubt);
	suite_add_tcase(s, cases);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
