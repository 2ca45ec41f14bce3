#include "tests/unit/token_support.h"

#include "gateway/token/jwt.h"
#include "gateway/token/key_make.h"
#include "gateway/token/mint.h"

/* Tokens are made as the gateway makes them, and read as it reads those of any issuer. */

#define SECRET	SPAN("a secret of tests, long enough")

static struct conf *conf;
static struct keys *keys;
static struct alg_tools *tools;
static struct keyring *ring;
static struct jwt_checker *checker;
static struct signer *signer;
static struct arena arena;
static _Alignas(16) char memory[1 << 18];
static struct key_make made[4];
static struct jwt_answer answer;

static struct span audience[] = { { "orders-api", 10 }, { "billing-api", 11 } };
static const struct mint_claims usual = {
	.issuer = { ISSUER, sizeof(ISSUER) - 1 }, .subject = { "app", 3 }, .client_id = { "app", 3 },
	.jti = { "0192-x", 6 }, .scope = { "orders:read orders:write", 24 },
	.consumer = { "shop", 4 }, .custom_id = { "4711", 4 },
	.audience = audience, .n_audience = 1, .issued_s = NOW - 5, .expires_s = NOW + 300,
};

static void
make(unsigned i, enum alg_id alg)
{
	struct seal_key seal;

	ck_assert(seal_derive(SECRET, SEAL_SIGNING_KEYS, &seal));
	ck_assert(key_make(alg, &seal, &made[i]));
}

/* Publishes keys from 0 to n - 1 as the keeper does; from[i] is when key i begins to sign. */
static void
publish_made(unsigned n, const enum alg_id *alg, const int64_t *from)
{
	static char room[65536];
	struct text t = TEXT_OVER(room);
	struct keys_slot slot;
	const char *set = "";

	for (unsigned i = 0; i < n; i++) {
		struct signer_row row = { span_of(made[i].kid), alg_row(alg[i])->name, from[i],
			span_make(made[i].sealed, made[i].sealed_n) };

		signer_put(&t, &row);
		set = str("%s%s%s", set, i == 0 ? "" : ",", made[i].public_jwk);
	}
	ck_assert(!t.cut);
	publish(keys, 11, set);
	ck_assert(keys_slot(keys, signer_slot_id(), true, &slot));
	ck_assert(keys_publish(&slot, t.p, t.n, NOW));
}

static void
open_signer(enum alg_id alg)
{
	signer_close(&signer);
	signer = signer_open(SECRET, alg_row(alg), keys);
	ck_assert_ptr_nonnull(signer);
}

static void
set_up(void)
{
	conf = conf_new();
	keys = shared_keys();
	arena_init(&arena, memory, sizeof(memory), 0);
	tools = alg_tools_new();
	ring = keyring_open(&conf->config, keys, tools);
	checker = jwt_checker_new(&conf->config, ring, tools);
	ck_assert_ptr_nonnull(checker);
}

static void
tear_down(void)
{
	signer_close(&signer);
	jwt_checker_free(&checker);
	keyring_close(&ring);
	alg_tools_free(&tools);
}

static enum verdict
mint_and_check(const struct mint_claims *claims, struct span *token)
{
	ck_assert_int_eq(mint_jwt(signer, claims, NOW, &arena, token), MINT_DONE);
	return jwt_check(checker, *token, NOW, &arena, &answer);
}

#define ck_part(name, expected) \
	ck_assert(span_eq(facts_get(answer.facts, (name)), SPAN(expected)))

START_TEST(what_is_minted_is_what_is_read)
{
	static const enum alg_id algs[] = { ALG_ID_ES256, ALG_ID_RS256, ALG_ID_EdDSA };
	static const int64_t from[] = { NOW - 10 };
	struct span token;

	make(0, algs[_i]);
	publish_made(1, &algs[_i], from);
	open_signer(algs[_i]);
	/* now and then r or s has zeros in front */
	for (int i = 0; i < 300; i++) {
		arena_reset(&arena);
		ck_assert_int_eq(mint_and_check(&usual, &token), VERDICT_ACTIVE);
	}
	ck_assert_int_eq(mint_and_check(&usual, &token), VERDICT_ACTIVE);
	ck_part(FACTS_ISSUER, ISSUER);
	ck_part(FACTS_SUBJECT, "app");
	ck_part(FACTS_CLIENT, "app");
	ck_part(FACTS_JTI, "0192-x");
	ck_part(FACTS_SCOPE, "orders:read orders:write");
	ck_assert(span_eq(facts_get(answer.facts, FACTS_KID), span_of(made[0].kid)));
	ck_assert(memmem(answer.facts, answer.facts->size, "4711", 4) == NULL);
	ck_assert_int_eq(answer.facts->iat_s, NOW - 5);
	ck_assert_int_eq(answer.facts->exp_s, NOW + 300);
	ck_assert(facts_has_audience(answer.facts, SPAN("orders-api")));
	ck_assert(!facts_has_audience(answer.facts, SPAN("billing-api")));
}
END_TEST

START_TEST(texts_are_escaped)
{
	static const enum alg_id alg = ALG_ID_EdDSA;
	static const int64_t from = NOW;
	struct mint_claims claims = usual;
	struct span token;

	make(0, alg);
	publish_made(1, &alg, &from);
	open_signer(alg);
	claims.subject = SPAN("a\"b\\c\",\"sub\":\"root");
	claims.client_id = SPAN("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""
	    "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""
	    "\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\");
	claims.n_audience = 2;
	claims.scope = SPAN("");
	claims.consumer = claims.custom_id = claims.client_id;
	claims.more = SPAN(",\"email\":\"x@y\"");
	ck_assert_int_eq(mint_and_check(&claims, &token), VERDICT_ACTIVE);
	ck_part(FACTS_SUBJECT, "a\"b\\c\",\"sub\":\"root");
	ck_assert(span_eq(facts_get(answer.facts, FACTS_CLIENT), claims.client_id));
	ck_assert_uint_eq(facts_get(answer.facts, FACTS_SCOPE).n, 0);
	ck_assert(facts_has_audience(answer.facts, SPAN("billing-api")));
}
END_TEST

/* The kid of the key that signs at a time; "" if there is none. */
static const char *
signs_at(int64_t now_s)
{
	struct span token;

	arena_reset(&arena);
	if (mint_jwt(signer, &usual, now_s, &arena, &token) != MINT_DONE)
		return "";
	ck_assert_int_eq(jwt_check(checker, token, NOW, &arena, &answer), VERDICT_ACTIVE);
	return str("%.*s", SPAN_ARG(facts_get(answer.facts, FACTS_KID)));
}

START_TEST(the_key_that_began_last_signs)
{
	static const enum alg_id algs[] = { ALG_ID_EdDSA, ALG_ID_EdDSA, ALG_ID_ES256, ALG_ID_ES256 };
	static const int64_t from[] = { NOW - 100, NOW + 50, NOW - 50, NOW + 200 };

	for (unsigned i = 0; i < 4; i++)
		make(i, algs[i]);
	open_signer(ALG_ID_EdDSA);
	ck_assert_str_eq(signs_at(NOW), "");
	publish_made(1, algs, from + 3);
	ck_assert_str_eq(signs_at(NOW), made[0].kid);	/* not begun, and still better than none */
	publish_made(4, algs, from);
	ck_assert_str_eq(signs_at(NOW), made[0].kid);
	ck_assert_str_eq(signs_at(NOW + 49), made[0].kid);
	ck_assert_str_eq(signs_at(NOW + 50), made[1].kid);
	open_signer(ALG_ID_ES256);
	ck_assert_str_eq(signs_at(NOW + 100), made[2].kid);
	ck_assert_str_eq(signs_at(NOW + 200), made[3].kid);
	/* none of the configured algorithm yet: any that has begun */
	open_signer(ALG_ID_RS256);
	ck_assert_str_eq(signs_at(NOW), made[2].kid);
}
END_TEST

START_TEST(what_was_sealed_otherwise_signs_nothing)
{
	static const enum alg_id algs[] = { ALG_ID_EdDSA, ALG_ID_EdDSA };
	static const int64_t from[] = { NOW, NOW };
	struct span token;

	make(0, algs[0]);
	make(1, algs[1]);
	publish_made(1, algs, from);
	signer = signer_open(SPAN("another secret, as long"), alg_row(algs[0]), keys);
	ck_assert_int_eq(mint_jwt(signer, &usual, NOW, &arena, &token), MINT_NO_KEY);
	/* a key under the name of another */
	memcpy(made[1].kid, made[0].kid, sizeof(made[0].kid));
	memcpy(made[0].sealed, made[1].sealed, sizeof(made[1].sealed));
	publish_made(1, algs, from);
	open_signer(algs[0]);
	ck_assert_int_eq(mint_jwt(signer, &usual, NOW, &arena, &token), MINT_NO_KEY);
}
END_TEST

START_TEST(rows_are_read_as_they_were_put)
{
	struct signer_row row = { SPAN("k"), SPAN("ES256"), -7, SPAN("sealed") }, read;
	char room[256];
	struct text t = TEXT_OVER(room);

	signer_put(&t, &row);
	signer_put(&t, &row);
	struct span rest = text_span(&t);
	for (int i = 0; i < 2; i++) {
		ck_assert(signer_next(&rest, &read));
		ck_assert(span_eq(read.kid, row.kid) && span_eq(read.alg, row.alg));
		ck_assert(span_eq(read.sealed, row.sealed) && read.active_from_s == -7);
	}
	ck_assert(!signer_next(&rest, &read));
	for (size_t n = 0; n < t.n / 2; n++) {
		rest = span_make(room, n);
		ck_assert(!signer_next(&rest, &read));
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("token_mint");
	TCase *cases = tcase_create("all");

	tcase_add_checked_fixture(cases, set_up, tear_down);
	tcase_add_loop_test(cases, what_is_minted_is_what_is_read, 0, 3);
	tcase_add_test(cases, texts_are_escaped);
	tcase_add_test(cases, the_key_that_began_last_signs);
	tcase_add_test(cases, what_was_sealed_otherwise_signs_nothing);
	tcase_add_test(cases, rows_are_read_as_they_were_put);
	suite_add_tcase(s, cases);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
