#include "gateway/token/logout.h"

#include "gateway/token/digest.h"
#include "tests/unit/token_support.h"

/* Each rule about logout tokens, against a token that is good but for that one. */

#define HEADER	"{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"logout+jwt\"}"
#define EVENT	"http://schemas.openid.net/event/backchannel-logout"

static struct conf *conf;
static struct keys *keys;
static struct alg_tools *tools;
static struct keyring *ring;
static struct jwt_checker *checker;
static struct test_signer rsa, ec, others_key;
static struct logout logout;
static struct arena arena;
static _Alignas(16) char memory[65536];
static struct span audience[] = { { "gate", 4 }, { "old-gate", 8 } };
static const char *only_es256[] = { "ES256" };

static void
make_keys(void)
{
	rsa = signer_new("r", alg_row(ALG_ID_RS256));
	ec = signer_new("e", alg_row(ALG_ID_ES256));
	others_key = signer_new("o", alg_row(ALG_ID_ES256));
}

static void
set_up(void)
{
	conf = conf_new();
	for (size_t i = 0; i < 2; i++) {
		conf->issuers[i].logout_audience = audience;
		conf->issuers[i].n_logout_audience = 2;
	}
	keys = shared_keys();
	publish(keys, 11, str("%s,%s", jwk_of(&rsa, ""), jwk_of(&ec, "")));
	publish(keys, 12, jwk_of(&others_key, ""));
	arena_init(&arena, memory, sizeof(memory), 0);
	tools = alg_tools_new();
	ring = keyring_open(&conf->config, keys, tools);
	checker = jwt_checker_new(&conf->config, ring, tools);
	ck_assert_ptr_nonnull(checker);
}

static void
tear_down(void)
{
	jwt_checker_free(&checker);
	keyring_close(&ring);
	alg_tools_free(&tools);
}

/* The claims of a good logout token, with one of another value (NULL: without it). */
static const char *
said_but(const char *name, const char *value)
{
	const char *const said[][2] = {
		{ "iss", "\"" ISSUER "\"" }, { "aud", "\"gate\"" }, { "sub", "\"alice\"" },
		{ "sid", "\"s1\"" }, { "jti", "\"l1\"" }, { "iat", "1799999990" },
		{ "exp", "1800000110" }, { "events", "{\"" EVENT "\":{}}" },
	};

	return object_but(said, sizeof(said) / sizeof(said[0]), name, value);
}

static enum verdict
check_of(const char *token)
{
	arena_reset(&arena);
	enum verdict verdict = logout_check(checker, 0, span_of(token), NOW, &arena, &logout);
	ck_assert((verdict == VERDICT_ACTIVE) == (logout.why == NULL));
	ck_assert(verdict == VERDICT_ACTIVE || logout.kind == IDENTITY_KINDS);
	ck_assert(logout.why == NULL || strpbrk(logout.why, "\"\\\n") == NULL);
	return verdict;
}

#define ck_verdict(token, expected) do { \
	enum verdict v_ = check_of(token); \
	ck_assert_msg(v_ == (expected), "%s instead of %s", verdict_name(v_), \
	    verdict_name(expected)); \
} while (0)

#define SIGNED(claims)	token_of(&ec, "ES256", HEADER, (claims))

static void
ck_names(enum identity_kind kind, const char *value)
{
	uint8_t identity[IDENTITY_SIZE];

	identity_make(kind, SPAN(ISSUER), span_of(value), identity);
	ck_assert_int_eq(logout.kind, kind);
	ck_assert(span_eq(logout.value, span_of(value)));
	ck_assert_mem_eq(logout.identity, identity, sizeof(identity));
}

START_TEST(a_session_has_ended)
{
	ck_verdict(SIGNED(said_but("", NULL)), VERDICT_ACTIVE);
	ck_names(IDENTITY_SESSION, "s1");
	ck_assert_int_eq(logout.issued_s, NOW - 10);
	ck_assert_int_eq(logout.stale_s, NOW - 10 + LOGOUT_AGE_MAX_S + 5);
	ck_verdict(SIGNED(said_but("sub", NULL)), VERDICT_ACTIVE);
	ck_names(IDENTITY_SESSION, "s1");
}
END_TEST

START_TEST(all_of_a_subject_have)
{
	ck_verdict(SIGNED(said_but("sid", NULL)), VERDICT_ACTIVE);
	ck_names(IDENTITY_SUBJECT, "alice");
}
END_TEST

START_TEST(the_same_one_is_known_by_its_jti)
{
	uint8_t first[IDENTITY_SIZE];

	ck_verdict(SIGNED(said_but("", NULL)), VERDICT_ACTIVE);
	memcpy(first, logout.once, sizeof(first));
	ck_verdict(SIGNED(said_but("sid", "\"s2\"")), VERDICT_ACTIVE);
	ck_assert_mem_eq(logout.once, first, sizeof(first));
	ck_verdict(SIGNED(said_but("jti", "\"l2\"")), VERDICT_ACTIVE);
	ck_assert_mem_ne(logout.once, first, sizeof(first));
}
END_TEST

static const struct {
	const char	*claim;
	const char	*value;
	enum verdict	 verdict;
} claims[] = {
	{ "iss", NULL, VERDICT_WRONG_ISSUER },
	{ "iss", "null", VERDICT_WRONG_ISSUER },
	{ "iss", "\"" ISSUER "/\"", VERDICT_WRONG_ISSUER },
	{ "iss", "[\"" ISSUER "\"]", VERDICT_WRONG_ISSUER },
	{ "iss", "\"" OTHER_ISSUER "\"", VERDICT_WRONG_ISSUER },
	{ "aud", NULL, VERDICT_WRONG_AUDIENCE },
	{ "aud", "\"\"", VERDICT_WRONG_AUDIENCE },
	{ "aud", "\"gat\"", VERDICT_WRONG_AUDIENCE },
	{ "aud", "\"Gate\"", VERDICT_WRONG_AUDIENCE },
	{ "aud", "\"orders-api\"", VERDICT_WRONG_AUDIENCE },
	{ "aud", "[]", VERDICT_WRONG_AUDIENCE },
	{ "aud", "[\"shop\",7,[\"gate\"]]", VERDICT_WRONG_AUDIENCE },
	{ "aud", "{\"gate\":\"gate\"}", VERDICT_WRONG_AUDIENCE },
	{ "aud", "[\"shop\",\"gate\"]", VERDICT_ACTIVE },
	{ "aud", "\"old-gate\"", VERDICT_ACTIVE },
	{ "iat", NULL, VERDICT_MALFORMED },
	{ "iat", "null", VERDICT_MALFORMED },
	{ "iat", "\"1799999990\"", VERDICT_MALFORMED },
	{ "iat", "1e400", VERDICT_MALFORMED },
	{ "iat", "9223372036854775807", VERDICT_MALFORMED },
	{ "iat", "1800000005", VERDICT_ACTIVE },
	{ "iat", "1800000005.1", VERDICT_NOT_YET_VALID },
	{ "iat", "1800000006", VERDICT_NOT_YET_VALID },
	{ "iat", "1799999396", VERDICT_ACTIVE },
	{ "iat", "1799999395.9", VERDICT_EXPIRED },
	{ "iat", "1799999395", VERDICT_EXPIRED },
	{ "iat", "0", VERDICT_EXPIRED },
	{ "iat", "-253402300799", VERDICT_EXPIRED },
	{ "exp", NULL, VERDICT_ACTIVE },
	{ "exp", "null", VERDICT_MALFORMED },
	{ "exp", "\"1800000110\"", VERDICT_MALFORMED },
	{ "exp", "1800000001", VERDICT_ACTIVE },
	{ "exp", "1800000000.9", VERDICT_EXPIRED },
	{ "exp", "1800000000", VERDICT_EXPIRED },
	{ "nbf", "1800000005", VERDICT_ACTIVE },
	{ "nbf", "1800000006", VERDICT_NOT_YET_VALID },
	{ "nbf", "\"now\"", VERDICT_MALFORMED },
	{ "jti", NULL, VERDICT_MALFORMED },
	{ "jti", "\"\"", VERDICT_MALFORMED },
	{ "jti", "7", VERDICT_MALFORMED },
	{ "sid", "\"\"", VERDICT_MALFORMED },
	{ "sid", "null", VERDICT_MALFORMED },
	{ "sid", "7", VERDICT_MALFORMED },
	{ "sid", "[\"s1\"]", VERDICT_MALFORMED },
	{ "sid", "\"s1\\u0000\"", VERDICT_MALFORMED },
	{ "sub", "\"\"", VERDICT_MALFORMED },
	{ "sub", "7", VERDICT_MALFORMED },
	{ "nonce", "\"n\"", VERDICT_TOKEN_TYPE },
	{ "nonce", "null", VERDICT_TOKEN_TYPE },
	{ "events", NULL, VERDICT_TOKEN_TYPE },
	{ "events", "null", VERDICT_TOKEN_TYPE },
	{ "events", "{}", VERDICT_TOKEN_TYPE },
	{ "events", "\"" EVENT "\"", VERDICT_TOKEN_TYPE },
	{ "events", "[\"" EVENT "\"]", VERDICT_TOKEN_TYPE },
	{ "events", "[{\"" EVENT "\":{}}]", VERDICT_TOKEN_TYPE },
	{ "events", "{\"" EVENT "\":null}", VERDICT_TOKEN_TYPE },
	{ "events", "{\"" EVENT "\":true}", VERDICT_TOKEN_TYPE },
	{ "events", "{\"" EVENT "\":\"{}\"}", VERDICT_TOKEN_TYPE },
	{ "events", "{\"" EVENT "\":[]}", VERDICT_TOKEN_TYPE },
	{ "events", "{\"" EVENT "/\":{}}", VERDICT_TOKEN_TYPE },
	{ "events", "{\"x\":{\"" EVENT "\":{}}}", VERDICT_TOKEN_TYPE },
	{ "events", "{\"" EVENT "\":{},\"" EVENT "\":{}}", VERDICT_MALFORMED },
	{ "events", "{\"x\":{},\"" EVENT "\":{\"more\":1}}", VERDICT_ACTIVE },
	{ "typ", "\"Logout\"", VERDICT_ACTIVE },
};

START_TEST(a_claim_can_spoil_it)
{
	ck_verdict(SIGNED(said_but(claims[_i].claim, claims[_i].value)), claims[_i].verdict);
}
END_TEST

START_TEST(it_names_a_session_or_a_subject)
{
	ck_verdict(SIGNED("{\"iss\":\"" ISSUER "\",\"aud\":\"gate\",\"jti\":\"l\","
	    "\"iat\":1799999990,\"events\":{\"" EVENT "\":{}}}"), VERDICT_MALFORMED);
	ck_assert_str_eq(logout.why, "it names neither a session nor a subject");
}
END_TEST

static const struct {
	const char	*header;
	enum verdict	 verdict;
} headers[] = {
	{ "{\"alg\":\"ES256\",\"kid\":\"e\"}", VERDICT_ACTIVE },
	{ "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"JWT\"}", VERDICT_ACTIVE },
	{ "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"application/Logout+JWT\"}", VERDICT_ACTIVE },
	{ "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"at+jwt\"}", VERDICT_TOKEN_TYPE },
	{ "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"dpop+jwt\"}", VERDICT_TOKEN_TYPE },
	{ "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"\"}", VERDICT_MALFORMED },
	{ "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":null}", VERDICT_MALFORMED },
	{ "{\"alg\":\"none\",\"kid\":\"e\"}", VERDICT_ALGORITHM },
	{ "{\"alg\":\"HS256\",\"kid\":\"e\"}", VERDICT_ALGORITHM },
	{ "{\"alg\":\"RS256\",\"kid\":\"e\"}", VERDICT_ALGORITHM },
	{ "{\"alg\":\"ES256\",\"kid\":\"r\"}", VERDICT_ALGORITHM },
	{ "{\"alg\":\"ES256\",\"kid\":\"o\"}", VERDICT_UNKNOWN_KEY },
	{ "{\"alg\":\"ES256\",\"kid\":\"e\",\"crit\":[\"exp\"]}", VERDICT_EXTENSION },
	{ "{\"alg\":\"ES256\",\"kid\":\"e\",\"zip\":\"DEF\"}", VERDICT_ENCRYPTED },
};

START_TEST(a_header_can_spoil_it)
{
	ck_verdict(token_of(&ec, "ES256", headers[_i].header, said_but("", NULL)),
	    headers[_i].verdict);
}
END_TEST

START_TEST(only_its_issuer_can_sign_it)
{
	const char *good = SIGNED(said_but("", NULL));
	char *bad = keep(strdup(good));
	size_t n = strlen(bad);

	ck_verdict(good, VERDICT_ACTIVE);
	bad[n - 10] = bad[n - 10] == 'A' ? 'B' : 'A';
	ck_verdict(bad, VERDICT_BAD_SIGNATURE);
	ck_verdict(token_of(&others_key, "ES256", HEADER, said_but("", NULL)),
	    VERDICT_BAD_SIGNATURE);
	/* the other issuer's own, at its own endpoint and at this one */
	const char *others = token_of(&others_key, "ES256", "{\"alg\":\"ES256\",\"kid\":\"o\"}",
	    said_but("iss", "\"" OTHER_ISSUER "\""));
	ck_verdict(others, VERDICT_WRONG_ISSUER);
	ck_assert_int_eq(logout_check(checker, 1, span_of(others), NOW, &arena, &logout),
	    VERDICT_ACTIVE);
	ck_verdict(str("%.*s.", (int)(strrchr(good, '.') - good), good), VERDICT_MALFORMED);
	ck_verdict("", VERDICT_MALFORMED);
	ck_verdict("a.b.c.d.e", VERDICT_ENCRYPTED);
}
END_TEST

/* An issuer that is asked about its tokens signs these all the same, by an algorithm of its list. */
START_TEST(an_issuer_that_is_asked_signs_too)
{
	conf->issuers[0].algorithms = only_es256;
	conf->issuers[0].n_algorithms = 1;
	conf->issuers[0].validate = VALIDATE_INTROSPECT;
	jwt_checker_free(&checker);
	checker = jwt_checker_new(&conf->config, ring, tools);
	ck_verdict(SIGNED(said_but("", NULL)), VERDICT_ACTIVE);
	ck_verdict(token_of(&rsa, "RS256", "{\"alg\":\"RS256\",\"kid\":\"r\"}", said_but("", NULL)),
	    VERDICT_ALGORITHM);
	ck_verdict(token_of(&others_key, "ES256", HEADER, said_but("", NULL)),
	    VERDICT_BAD_SIGNATURE);
}
END_TEST

START_TEST(neither_kind_is_the_other)
{
	struct jwt_answer answer;
	/* what would be good as both but for its event */
	const char *both = said_but("aud", "[\"gate\",\"orders-api\"]");

	ck_verdict(token_of(&ec, "ES256", "{\"alg\":\"ES256\",\"kid\":\"e\"}", both), VERDICT_ACTIVE);
	ck_assert_int_eq(jwt_check(checker, span_of(token_of(&ec, "ES256",
	    "{\"alg\":\"ES256\",\"kid\":\"e\"}", both)), NOW, &arena, &answer), VERDICT_TOKEN_TYPE);
	ck_verdict(token_of(&ec, "ES256", "{\"alg\":\"ES256\",\"kid\":\"e\"}",
	    claims_but("aud", "[\"gate\",\"orders-api\"]")), VERDICT_TOKEN_TYPE);
}
END_TEST

START_TEST(it_is_no_longer_than_tokens_are)
{
	conf->issuers[0].max_token = 300;
	ck_verdict(SIGNED(said_but("", NULL)), VERDICT_TOO_LARGE);
}
END_TEST

START_TEST(without_keys_nothing_is_said)
{
	keys = shared_keys();
	keyring_close(&ring);
	ring = keyring_open(&conf->config, keys, tools);
	jwt_checker_free(&checker);
	checker = jwt_checker_new(&conf->config, ring, tools);
	ck_verdict(SIGNED(said_but("", NULL)), VERDICT_KEYS_UNAVAILABLE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token_logout");
	TCase *tcase = tcase_create("token_logout");

	tcase_add_unchecked_fixture(tcase, make_keys, NULL);
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, a_session_has_ended);
	tcase_add_test(tcase, all_of_a_subject_have);
	tcase_add_test(tcase, the_same_one_is_known_by_its_jti);
	tcase_add_loop_test(tcase, a_claim_can_spoil_it, 0,
	    (int)(sizeof(claims) / sizeof(claims[0])));
	tcase_add_test(tcase, it_names_a_session_or_a_subject);
	tcase_add_loop_test(tcase, a_header_can_spoil_it, 0,
	    (int)(sizeof(headers) / sizeof(headers[0])));
	tcase_add_test(tcase, only_its_issuer_can_sign_it);
	tcase_add_test(tcase, an_issuer_that_is_asked_signs_too);
	tcase_add_test(tcase, neither_kind_is_the_other);
	tcase_add_test(tcase, it_is_no_longer_than_tokens_are);
	tcase_add_test(tcase, without_keys_nothing_is_said);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
