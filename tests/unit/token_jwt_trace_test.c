#include "tests/unit/token_support.h"

#include "gateway/token/doc.h"
#include "gateway/token/jwt.h"

/* A trace tells what each check said, in the order and with the outcome of the check itself. */

static struct conf *conf;
static struct alg_tools *tools;
static struct keyring *ring;
static struct jwt_checker *checker;
static struct test_signer rsa, stranger;
static struct jwt_answer answer;
static struct jwt_trace trace;
static struct arena arena;
static _Alignas(16) char memory[65536];

static void
make_keys(void)
{
	rsa = signer_new("r", alg_row(ALG_ID_RS256));
	stranger = signer_new("r", alg_row(ALG_ID_RS256));
}

static void
set_up(void)
{
	struct keys *keys = shared_keys();

	conf = conf_new();
	publish(keys, 11, jwk_of(&rsa, ""));
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

/* The verdict, after making sure that the check itself says the same. */
static enum verdict
follow(const char *token)
{
	struct jwt_answer plain;

	arena_reset(&arena);
	enum verdict verdict = jwt_check(checker, span_of(token), NOW, &arena, &plain);
	ck_assert_int_eq(jwt_check_trace(checker, span_of(token), NOW, &arena, &answer, &trace),
	    verdict);
	ck_assert_uint_eq(answer.issuer, plain.issuer);
	ck_assert_int_eq(answer.from_s, plain.from_s);
	ck_assert_int_eq(answer.until_s, plain.until_s);
	ck_assert((answer.facts == NULL) == (plain.facts == NULL));
	return verdict;
}

/* What did not pass, and, in brackets, what did not look: "times audience (signature)". */
static const char *
failures(void)
{
	const char *text = "";

	for (int i = 0; i < JWT_CHECKS; i++) {
		const char *name = jwt_check_name((enum jwt_check)i);

		if (!trace.looked[i])
			text = str("%s (%s)", text, name);
		else if (trace.verdict[i] != VERDICT_ACTIVE)
			text = str("%s %s", text, name);
	}
	return text[0] == ' ' ? text + 1 : text;
}

#define HEADER		"{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"r\"}"
#define SIGNED(claims)	token_of(&rsa, "RS256", HEADER, (claims))

START_TEST(a_good_token_passes_every_check)
{
	ck_assert_int_eq(follow(SIGNED(claims_but("", NULL))), VERDICT_ACTIVE);
	ck_assert_str_eq(failures(), "");
	ck_assert(span_eq(facts_get(trace.facts, FACTS_SUBJECT), SPAN("alice")));
	ck_assert(span_eq(trace.kid, SPAN("r")));
	ck_assert(span_eq(doc_string(doc_get(trace.claims, SPAN("iss"))), SPAN(ISSUER)));
	ck_assert(span_eq(doc_string(doc_get(trace.header, SPAN("typ"))), SPAN("at+jwt")));
}
END_TEST

/* One spoiled member of the claims, the verdict, and which checks say no. */
static const struct {
	const char	*name;
	const char	*value;
	enum verdict	 verdict;
	const char	*failures;
} claims[] = {
	{ "exp", "1800000000", VERDICT_EXPIRED, "times" },
	{ "exp", NULL, VERDICT_MALFORMED, "times" },
	{ "nbf", "1800000006", VERDICT_NOT_YET_VALID, "times" },
	{ "aud", "\"other-api\"", VERDICT_WRONG_AUDIENCE, "audience" },
	{ "cnf", "{}", VERDICT_BOUND, "binding" },
	{ "nonce", "\"n\"", VERDICT_TOKEN_TYPE, "purpose" },
	{ "sub", "7", VERDICT_MALFORMED, "consumer" },
	{ "iss", "\"https://stranger.test\"", VERDICT_WRONG_ISSUER,
	  "issuer (issuer's size) (algorithm) (type) (validate) (times) (audience) (key) "
	  "(signature) (consumer)" },
};

START_TEST(each_reason_has_its_check)
{
	ck_assert_int_eq(follow(SIGNED(claims_but(claims[_i].name, claims[_i].value))),
	    claims[_i].verdict);
	ck_assert_str_eq(failures(), claims[_i].failures);
	ck_assert_ptr_null(answer.facts);
}
END_TEST

START_TEST(headers_have_checks_of_their_own)
{
	const char *good = claims_but("", NULL);

	ck_assert_int_eq(follow(token_of(&rsa, "RS256", "{\"alg\":\"RS256\",\"kid\":\"x\"}", good)),
	    VERDICT_UNKNOWN_KEY);
	ck_assert_str_eq(failures(), "key (signature)");
	ck_assert_int_eq(follow(token_of(&stranger, "RS256", HEADER, good)), VERDICT_BAD_SIGNATURE);
	ck_assert_str_eq(failures(), "signature");
	ck_assert_int_eq(follow(token_of(&rsa, "RS256",
	    "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"dpop+jwt\"}", good)), VERDICT_TOKEN_TYPE);
	ck_assert_str_eq(failures(), "type");
	ck_assert_int_eq(follow(token_of(&rsa, "RS256", "{\"alg\":\"none\"}", good)),
	    VERDICT_ALGORITHM);
	ck_assert_str_eq(failures(), "header (algorithm) (key) (signature)");
	ck_assert_int_eq(follow("eyJhbGciOiJSUzI1NiJ9.e30"), VERDICT_MALFORMED);
	ck_assert_ptr_null(trace.claims);
}
END_TEST

START_TEST(a_token_may_be_wrong_twice)
{
	const char *text = claims_but("exp", "1799999999,\"cnf\":{},\"x\":\"y\"");

	ck_assert_int_eq(follow(token_of(&stranger, "RS256", HEADER, text)), VERDICT_BOUND);
	ck_assert_str_eq(failures(), "binding times signature");
	/* what it says is told all the same */
	ck_assert_ptr_nonnull(trace.facts);
	ck_assert_int_eq(trace.facts->exp_s, 1799999999);
}
END_TEST

START_TEST(what_is_for_the_issuer_to_say_is_left_to_it)
{
	const char *token = SIGNED(claims_but("aud", "\"other-api\""));

	conf->issuers[0].validate = VALIDATE_INTROSPECT;
	ck_assert_int_eq(follow(token), VERDICT_ASK_ISSUER);
	ck_assert_str_eq(failures(), "validate (times) (audience) (key) (signature) (consumer)");
}
END_TEST

START_TEST(what_has_no_form_has_little_to_look_at)
{
	char large[10001];

	ck_assert_int_eq(follow("opaque"), VERDICT_MALFORMED);
	ck_assert(trace.looked[JWT_CHECK_FORM] && !trace.looked[JWT_CHECK_ENCODING]);
	ck_assert_int_eq(follow("a.b.c.d.e"), VERDICT_ENCRYPTED);
	ck_assert_int_eq(follow(""), VERDICT_MALFORMED);
	ck_assert_int_eq(follow(".."), VERDICT_MALFORMED);
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	ck_assert_int_eq(follow(large), VERDICT_TOO_LARGE);
	ck_assert(trace.looked[JWT_CHECK_SIZE] && !trace.looked[JWT_CHECK_FORM]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token_jwt_trace");
	TCase *tests = tcase_create("trace");

	tcase_add_unchecked_fixture(tests, make_keys, NULL);
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, a_good_token_passes_every_check);
	tcase_add_loop_test(tests, each_reason_has_its_check, 0,
	    sizeof(claims) / sizeof(claims[0]));
	tcase_add_test(tests, headers_have_checks_of_their_own);
	tcase_add_test(tests, a_token_may_be_wrong_twice);
	tcase_add_test(tests, what_is_for_the_issuer_to_say_is_left_to_it);
	tcase_add_test(tests, what_has_no_form_has_little_to_look_at);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
