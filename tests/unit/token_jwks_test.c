#include "tests/unit/token_support.h"

static struct alg_tools *tools;
static struct test_signer rsa, ec, ed, oct;

static void
set_up(void)
{
	tools = alg_tools_new();
	rsa = signer_new("r", alg_row(ALG_ID_RS256));
	ec = signer_new("e", alg_row(ALG_ID_ES256));
	ed = signer_new("d", alg_row(ALG_ID_EdDSA));
	oct = signer_new("o", alg_row(ALG_ID_HS256));
}

/* Parses a set of JWKs; how many of them are usable, -1 if the set is refused. */
static int
usable(const char *jwks, uint32_t *algorithms, uint64_t *fingerprint)
{
	const char *text = str("{\"keys\":[%s]}", jwks), *reason;
	struct jwks *set = jwks_parse(tools, span_of(text), NULL, &reason);
	int n = set == NULL ? -1 : (int)set->n;

	ck_assert((set == NULL) == (reason != NULL));
	if (n > 0 && algorithms != NULL)
		*algorithms = set->keys[0].algorithms;
	if (n > 0 && fingerprint != NULL)
		*fingerprint = set->keys[0].fingerprint;
	jwks_free(&set);
	return n;
}

static void
check_algorithms(const char *jwk, uint32_t expected)
{
	uint32_t algorithms = 0;

	ck_assert_int_eq(usable(jwk, &algorithms, NULL), expected == 0 ? 0 : 1);
	ck_assert_uint_eq(algorithms, expected);
}

START_TEST(a_key_serves_the_algorithms_of_its_type)
{
	uint32_t all_rsa = ALG_BIT(ALG_ID_PS512 + 1) - 1;
	uint32_t both_ed = ALG_BIT(ALG_ID_EdDSA) | ALG_BIT(ALG_ID_Ed25519);

	check_algorithms(jwk_of(&rsa, ""), all_rsa);
	check_algorithms(jwk_of(&rsa, ",\"alg\":\"PS384\""), ALG_BIT(ALG_ID_PS384));
	check_algorithms(jwk_of(&ec, ""), ALG_BIT(ALG_ID_ES256));
	check_algorithms(jwk_of(&ed, ",\"alg\":\"EdDSA\""), both_ed);
	check_algorithms(jwk_of(&ed, ",\"alg\":\"Ed25519\""), both_ed);
	check_algorithms(jwk_of(&ed, ""), both_ed);
	check_algorithms(jwk_of(&oct, ""), ALG_BIT(ALG_ID_HS256) | ALG_BIT(ALG_ID_HS384) |
	    ALG_BIT(ALG_ID_HS512));
	check_algorithms(jwk_of(&rsa, ",\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"]"),
	    all_rsa);
	check_algorithms(jwk_of(&rsa, ",\"d\":\"AAAA\",\"x5c\":[\"x\"],\"x5t\":7"), all_rsa);
}
END_TEST

START_TEST(a_key_for_another_purpose_is_skipped)
{
	check_algorithms(jwk_of(&rsa, ",\"use\":\"enc\""), 0);
	check_algorithms(jwk_of(&rsa, ",\"use\":7"), 0);
	check_algorithms(jwk_of(&rsa, ",\"use\":\"sig\\u0020\""), 0);
	check_algorithms(jwk_of(&rsa, ",\"key_ops\":[\"sign\"]"), 0);
	check_algorithms(jwk_of(&rsa, ",\"key_ops\":[]"), 0);
	check_algorithms(jwk_of(&rsa, ",\"key_ops\":\"verify\""), 0);
	check_algorithms(jwk_of(&rsa, ",\"alg\":\"RSA-OAEP\""), 0);
	check_algorithms(jwk_of(&rsa, ",\"alg\":\"ES256\""), 0);
	check_algorithms(jwk_of(&rsa, ",\"alg\":\"HS256\""), 0);
	check_algorithms(jwk_of(&rsa, ",\"alg\":\"none\""), 0);
	check_algorithms(jwk_of(&rsa, ",\"alg\":null"), 0);
	check_algorithms(jwk_of(&ec, ",\"alg\":\"ES384\""), 0);
	check_algorithms(jwk_of(&oct, ",\"alg\":\"RS256\""), 0);
	check_algorithms("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}", 0);
	check_algorithms("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AAAA\",\"y\":\"AAAA\"}", 0);
	check_algorithms("{\"kty\":7},{},[],\"key\",null", 0);
}
END_TEST

/* Members of an RSA key with a modulus of so many bits that is all ones, and an exponent. */
static const char *
rsa_jwk(size_t bits, const char *e)
{
	uint8_t n[4096];

	memset(n, 0xff, sizeof(n));
	n[0] = (uint8_t)(0xff >> (7 - (bits - 1) % 8));
	return str("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", b64(n, (bits + 7) / 8), e);
}

START_TEST(a_weak_rsa_key_is_skipped)
{
	ck_assert_int_eq(usable(rsa_jwk(2048, "AQAB"), NULL, NULL), 1);
	ck_assert_int_eq(usable(rsa_jwk(2047, "AQAB"), NULL, NULL), 0);
	ck_assert_int_eq(usable(rsa_jwk(1024, "AQAB"), NULL, NULL), 0);
	ck_assert_int_eq(usable(rsa_jwk(16384, "AQAB"), NULL, NULL), 1);
	ck_assert_int_eq(usable(rsa_jwk(16392, "AQAB"), NULL, NULL), 0);
	ck_assert_int_eq(usable(rsa_jwk(32768, "AQAB"), NULL, NULL), 0);
	ck_assert_int_eq(usable(rsa_jwk(2048, "Aw"), NULL, NULL), 1);
	ck_assert_int_eq(usable(rsa_jwk(2048, "AQ"), NULL, NULL), 0);
	ck_assert_int_eq(usable(rsa_jwk(2048, "AA"), NULL, NULL), 0);
	ck_assert_int_eq(usable(rsa_jwk(2048, "AQAA"), NULL, NULL), 0);
	ck_assert_int_eq(usable(rsa_jwk(2048, ""), NULL, NULL), 0);
	ck_assert_int_eq(usable(rsa_jwk(2048, "AQAB=="), NULL, NULL), 0);
	ck_assert_int_eq(usable(rsa_jwk(2048, "____________"), NULL, NULL), 0);
	ck_assert_int_eq(usable("{\"kty\":\"RSA\",\"e\":\"AQAB\"}", NULL, NULL), 0);
}
END_TEST

/* A modulus that leaves the same remainders as a power of 65537 has the structure of the flaw. */
START_TEST(a_roca_modulus_is_known)
{
	BIGNUM *power = BN_new(), *base = BN_new(), *modulus = NULL;
	uint8_t bytes[256];
	BN_CTX *context = BN_CTX_new();

	BN_set_word(base, 65537);
	BN_set_word(power, 120);
	BN_exp(base, base, power, context);
	int n = BN_bn2bin(base, bytes);
	ck_assert(alg_rsa_is_roca(span_make(bytes, (size_t)n)));
	bytes[n - 1] ^= 2;
	ck_assert(!alg_rsa_is_roca(span_make(bytes, (size_t)n)));
	EVP_PKEY_get_bn_param(rsa.pkey, OSSL_PKEY_PARAM_RSA_N, &modulus);
	n = BN_bn2bin(modulus, bytes);
	ck_assert(!alg_rsa_is_roca(span_make(bytes, (size_t)n)));
	BN_free(power);
	BN_free(base);
	BN_free(modulus);
	BN_CTX_free(context);
}
END_TEST

static int
usable_ec(const char *crv, const char *x, const char *y)
{
	return usable(str("{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}", crv, x, y),
	    NULL, NULL);
}

START_TEST(a_wrong_point_is_skipped)
{
	const char *x = number_of(ec.pkey, OSSL_PKEY_PARAM_EC_PUB_X, 32);
	const char *y = number_of(ec.pkey, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
	uint8_t zero[66] = { 0 };

	ck_assert_int_eq(usable_ec("P-256", x, y), 1);
	ck_assert_int_eq(usable_ec("P-256", y, x), 0);
	ck_assert_int_eq(usable_ec("P-384", x, y), 0);
	ck_assert_int_eq(usable_ec("P-256", b64(zero, 32), b64(zero, 32)), 0);
	ck_assert_int_eq(usable_ec("P-256", b64(zero, 66), b64(zero, 66)), 0);
	ck_assert_int_eq(usable_ec("P-256", x, ""), 0);
	ck_assert_int_eq(usable_ec("P-256", str("%s=", x), y), 0);
}
END_TEST

START_TEST(a_wrong_edwards_point_is_skipped)
{
	uint8_t point[32] = { 1 };

	ck_assert_int_eq(usable(str("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}",
	    b64(point, 32)), NULL, NULL), 0);
	ck_assert_int_eq(usable(str("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}",
	    b64(point, 31)), NULL, NULL), 0);
}
END_TEST

static void
check_secret(size_t n, uint32_t expected)
{
	uint8_t secret[2048];

	memset(secret, 's', sizeof(secret));
	check_algorithms(str("{\"kty\":\"oct\",\"k\":\"%s\"}", b64(secret, n)), expected);
}

START_TEST(a_secret_is_as_long_as_the_digest)
{
	check_secret(1, 0);
	check_secret(31, 0);
	check_secret(32, ALG_BIT(ALG_ID_HS256));
	check_secret(48, ALG_BIT(ALG_ID_HS256) | ALG_BIT(ALG_ID_HS384));
	check_secret(64, ALG_BIT(ALG_ID_HS256) | ALG_BIT(ALG_ID_HS384) | ALG_BIT(ALG_ID_HS512));
	check_secret(2000, 0);
}
END_TEST

START_TEST(what_is_no_set_is_refused)
{
	const char *const bad[] = { "", " ", "<html><body>502</body></html>", "null", "[]", "\"x\"",
		"{}", "{\"keys\":{}}", "{\"keys\":null}", "{\"Keys\":[]}", "{\"keys\":[]",
		"{\"keys\":[]}}", "{\"keys\":[]} x", "{\"keys\":[],\"keys\":[]}",
		"{\"keys\":[],\"\\u006beys\":[]}", "{\"keys\":[\"\xff\"]}" };
	const char *reason;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct jwks *set = jwks_parse(tools, span_of(bad[i]), "test", &reason);
		ck_assert_msg(set == NULL && reason != NULL, "%s", bad[i]);
	}
	struct jwks *empty = jwks_parse(tools, SPAN("{\"keys\":[],\"x\":1}"), "test", &reason);
	ck_assert(empty != NULL && empty->n == 0);
	jwks_free(&empty);
}
END_TEST

START_TEST(a_set_has_bounds)
{
	char *many = calloc(1, JWKS_MAX + 100);
	const char *reason, *key = jwk_of(&(struct test_signer){ .pkey = ed.pkey }, "");

	memset(many, ' ', JWKS_MAX + 1);
	memcpy(many, "{\"keys\":[]}", 11);
	struct jwks *set = jwks_parse(tools, span_make(many, JWKS_MAX), NULL, &reason);
	ck_assert_ptr_nonnull(set);
	jwks_free(&set);
	ck_assert_ptr_null(jwks_parse(tools, span_make(many, JWKS_MAX + 1), NULL, &reason));

	many[0] = '\0';
	for (int i = 0; i < 64; i++)
		strcat(strcat(many, i > 0 ? "," : ""), key);
	ck_assert_int_eq(usable(many, NULL, NULL), 64);
	ck_assert_int_eq(usable(strcat(strcat(many, ","), key), NULL, NULL), -1);
	free(many);
}
END_TEST

START_TEST(a_kid_names_one_key)
{
	struct test_signer other = signer_new("e", alg_row(ALG_ID_ES256));
	struct test_signer third = { .kid = "e", .pkey = ed.pkey };
	char kid[258];

	ck_assert_int_eq(usable(str("%s,%s", jwk_of(&ec, ""), jwk_of(&other, "")), NULL, NULL), -1);
	ck_assert_int_eq(usable(str("%s,%s", jwk_of(&ec, ""), jwk_of(&third, "")), NULL, NULL), 2);
	ck_assert_int_eq(usable(str("%s,%s", jwk_of(&ec, ""), jwk_of(&other, ",\"use\":\"enc\"")),
	    NULL, NULL), 1);
	memset(kid, 'k', sizeof(kid));
	kid[256] = '\0';
	third.kid = kid;
	ck_assert_int_eq(usable(jwk_of(&third, ""), NULL, NULL), 1);
	kid[256] = 'k';
	kid[257] = '\0';
	ck_assert_int_eq(usable(jwk_of(&third, ""), NULL, NULL), 0);
	ck_assert_int_eq(usable(str("{\"kid\":7,%s}", members_of(&ec)), NULL, NULL), 0);
	ck_assert_int_eq(usable(str("{\"kid\":\"a\",\"kid\":\"b\",%s}", members_of(&ec)), NULL,
	    NULL), -1);
	EVP_PKEY_free(other.pkey);
}
END_TEST

START_TEST(a_fingerprint_is_of_material_kid_and_algorithms)
{
	struct test_signer again = { .kid = "r2", .pkey = rsa.pkey };
	uint64_t a = 0, b = 0, c = 0, d = 0;

	ck_assert_int_eq(usable(jwk_of(&rsa, ""), NULL, &a), 1);
	ck_assert_int_eq(usable(jwk_of(&rsa, ",\"use\":\"sig\",\"x5t\":\"x\""), NULL, &b), 1);
	ck_assert_uint_eq(a, b);
	ck_assert_int_eq(usable(jwk_of(&rsa, ",\"alg\":\"RS256\""), NULL, &c), 1);
	ck_assert_int_eq(usable(jwk_of(&again, ""), NULL, &d), 1);
	ck_assert(a != c && a != d && c != d);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token_jwks");
	TCase *tc = tcase_create("jwks");

	suite_add_tcase(suite, tc);
	tcase_add_unchecked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, a_key_serves_the_algorithms_of_its_type);
	tcase_add_test(tc, a_key_for_another_purpose_is_skipped);
	tcase_add_test(tc, a_weak_rsa_key_is_skipped);
	tcase_add_test(tc, a_roca_modulus_is_known);
	tcase_add_test(tc, a_wrong_point_is_skipped);
	tcase_add_test(tc, a_wrong_edwards_point_is_skipped);
	tcase_add_test(tc, a_secret_is_as_long_as_the_digest);
	tcase_add_test(tc, what_is_no_set_is_refused);
	tcase_add_test(tc, a_set_has_bounds);
	tcase_add_test(tc, a_kid_names_one_key);
	tcase_add_test(tc, a_fingerprint_is_of_material_kid_and_algorithms);
	return run_suite(suite);
}
