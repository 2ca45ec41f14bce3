#include "tests/unit/token_support.h"

#include <openssl/pem.h>

#include "gateway/token/jwt.h"
#include "gateway/token/lineage.h"

/* The rows of attacks on a JWT, each against a checker that accepts its unspoiled neighbor. */

static struct conf *conf;
static struct keys *keys;
static struct alg_tools *tools;
static struct keyring *ring;
static struct jwt_checker *checker;
static struct test_signer rsa, ec, ed, hs, stranger, others_key;
static struct jwt_answer answer;
static struct arena arena;
static _Alignas(16) char memory[65536];

static void
make_keys(void)
{
	rsa = signer_new("r", alg_row(ALG_ID_RS256));
	ec = signer_new("e", alg_row(ALG_ID_ES256));
	ed = signer_new("d", alg_row(ALG_ID_EdDSA));
	hs = signer_new("h", alg_row(ALG_ID_HS256));
	stranger = signer_new("r", alg_row(ALG_ID_RS256));
	others_key = signer_new("o", alg_row(ALG_ID_ES256));
}

static void
open_checker(void)
{
	tools = alg_tools_new();
	ring = keyring_open(&conf->config, keys, tools);
	checker = jwt_checker_new(&conf->config, ring, tools);
	ck_assert_ptr_nonnull(checker);
}

static void
set_up(void)
{
	conf = conf_new();
	keys = shared_keys();
	publish(keys, 11, str("%s,%s,%s,%s", jwk_of(&rsa, ""), jwk_of(&ec, ""), jwk_of(&ed, ""),
	    jwk_of(&hs, "")));
	publish(keys, 12, jwk_of(&others_key, ""));
	arena_init(&arena, memory, sizeof(memory), 0);
	open_checker();
}

static void
tear_down(void)
{
	jwt_checker_free(&checker);
	keyring_close(&ring);
	alg_tools_free(&tools);
}

static enum verdict
check_at(struct span token, int64_t now_s)
{
	arena_reset(&arena);
	enum verdict verdict = jwt_check(checker, token, now_s, &arena, &answer);
	ck_assert((verdict == VERDICT_ACTIVE) == (answer.facts != NULL));
	return verdict;
}

#define ck_verdict(token, expected) do { \
	const char *t_ = (token); \
	enum verdict v_ = check_at(span_of(t_), NOW); \
	ck_assert_msg(v_ == (expected), "%s: %s instead of %s", t_, verdict_name(v_), \
	    verdict_name(expected)); \
} while (0)

#define HEADER		"{\"alg\":\"RS256\",\"typ\":\"at+jwt\",\"kid\":\"r\"}"
#define CLAIMS		claims_but("", NULL)

START_TEST(a_good_token_passes)
{
	ck_verdict(token_of(&rsa, "RS256", HEADER, CLAIMS), VERDICT_ACTIVE);
	ck_assert(span_eq(facts_get(answer.facts, FACTS_SUBJECT), SPAN("alice")));
	ck_assert(span_eq(facts_get(answer.facts, FACTS_KID), SPAN("r")));
	ck_assert_uint_eq(answer.facts->rules, 101);
	ck_assert_uint_eq(answer.facts->issuer, 11);
	ck_assert_int_eq(answer.facts->exp_s, NOW + 300);
	ck_assert_int_eq(answer.facts->iat_s, NOW - 60);
	ck_assert(answer.facts->nbf_s == FACTS_NO_TIME);
	ck_assert(keyring_has(ring, 0, answer.facts->key));
	ck_assert(!keyring_has(ring, 1, answer.facts->key));
	ck_verdict(token_of(&ec, "ES256", "{\"alg\":\"ES256\",\"kid\":\"e\"}", CLAIMS),
	    VERDICT_ACTIVE);
	ck_verdict(token_of(&ed, "Ed25519", "{\"alg\":\"Ed25519\",\"kid\":\"d\"}", CLAIMS),
	    VERDICT_ACTIVE);
	ck_verdict(token_of(&ed, "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"d\"}", CLAIMS),
	    VERDICT_ACTIVE);
	ck_verdict(token_of(&rsa, "PS512", "{\"alg\":\"PS512\",\"kid\":\"r\"}", CLAIMS),
	    VERDICT_ACTIVE);
}
END_TEST

START_TEST(a_fraction_was_issued_in_its_second)
{
	ck_verdict(token_of(&rsa, "RS256", HEADER, claims_but("iat", "1799999940.7")),
	    VERDICT_ACTIVE);
	ck_assert_int_eq(answer.facts->iat_s, NOW - 60);
}
END_TEST

/* Headers that spoil a token; it is signed by the RSA key as the algorithm named. */
static const struct {
	const char	*header;
	const char	*alg;
	enum verdict	 verdict;
} headers[] = {
	{ "{\"alg\":\"none\",\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"alg\":\"None\",\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"alg\":\"nOnE\",\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"alg\":\"\",\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"alg\":[\"RS256\"],\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"alg\":null,\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"alg\":\"rs256\",\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"alg\":\"ES256\",\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"alg\":\"EdDSA\",\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"alg\":\"HS256\",\"kid\":\"r\"}", "RS256", VERDICT_ALGORITHM },
	{ "{\"alg\":\"PBES2-HS256+A128KW\",\"p2c\":2147483647,\"kid\":\"r\"}", "RS256",
	  VERDICT_ALGORITHM },
	{ "{\"alg\":\"PS256\",\"kid\":\"r\"}", "RS256", VERDICT_BAD_SIGNATURE },
	{ "{\"alg\":\"RS384\",\"kid\":\"r\"}", "RS256", VERDICT_BAD_SIGNATURE },
	{ "{\"alg\":\"RS256\",\"kid\":\"R\"}", "RS256", VERDICT_UNKNOWN_KEY },
	{ "{\"alg\":\"RS256\",\"kid\":\"\"}", "RS256", VERDICT_UNKNOWN_KEY },
	{ "{\"alg\":\"RS256\",\"kid\":\"r \"}", "RS256", VERDICT_UNKNOWN_KEY },
	{ "{\"alg\":\"RS256\",\"kid\":\"../../dev/null\"}", "RS256", VERDICT_UNKNOWN_KEY },
	{ "{\"alg\":\"RS256\",\"kid\":\"/proc/self/environ\"}", "RS256", VERDICT_UNKNOWN_KEY },
	{ "{\"alg\":\"RS256\",\"kid\":\"' or 1=1 --\"}", "RS256", VERDICT_UNKNOWN_KEY },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\\u0000\"}", "RS256", VERDICT_MALFORMED },
	{ "{\"alg\":\"RS256\",\"kid\":7}", "RS256", VERDICT_MALFORMED },
	{ "{\"alg\":\"RS256\",\"kid\":null}", "RS256", VERDICT_MALFORMED },
	{ "{\"alg\":\"RS256\",\"kid\":[\"r\"]}", "RS256", VERDICT_MALFORMED },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":[\"exp\"]}", "RS256", VERDICT_EXTENSION },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":[]}", "RS256", VERDICT_EXTENSION },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":[\"b64\"],\"b64\":false}", "RS256",
	  VERDICT_EXTENSION },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"b64\":false}", "RS256", VERDICT_EXTENSION },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"b64\":true}", "RS256", VERDICT_EXTENSION },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"zip\":\"DEF\"}", "RS256", VERDICT_ENCRYPTED },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"enc\":\"A128GCM\"}", "RS256", VERDICT_ENCRYPTED },
	{ "{\"alg\":\"RS256\",\"alg\":\"RS256\",\"kid\":\"r\"}", "RS256", VERDICT_MALFORMED },
	{ "{\"alg\":\"none\",\"\\u0061lg\":\"RS256\",\"kid\":\"r\"}", "RS256", VERDICT_MALFORMED },
	{ "{\"alg\":\"RS256\",\"kid\":\"x\",\"k\\u0069d\":\"r\"}", "RS256", VERDICT_MALFORMED },
	{ "[\"alg\",\"RS256\"]", "RS256", VERDICT_MALFORMED },
	{ "\"RS256\"", "RS256", VERDICT_MALFORMED },
	{ "7", "RS256", VERDICT_MALFORMED },
	{ " ", "RS256", VERDICT_MALFORMED },
	{ HEADER "x", "RS256", VERDICT_MALFORMED },
	{ HEADER HEADER, "RS256", VERDICT_MALFORMED },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"JWT\"}", "RS256", VERDICT_ACTIVE },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"AT+JWT\"}", "RS256", VERDICT_ACTIVE },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"application/at+jwt\"}", "RS256",
	  VERDICT_ACTIVE },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"Application/JWT\"}", "RS256",
	  VERDICT_ACTIVE },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\"}", "RS256", VERDICT_ACTIVE },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"\"}", "RS256", VERDICT_MALFORMED },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":null}", "RS256", VERDICT_MALFORMED },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"application/\"}", "RS256",
	  VERDICT_TOKEN_TYPE },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"logout+jwt\"}", "RS256",
	  VERDICT_TOKEN_TYPE },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"dpop+jwt\"}", "RS256", VERDICT_TOKEN_TYPE },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"rt+jwt\"}", "RS256", VERDICT_TOKEN_TYPE },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"text/at+jwt\"}", "RS256",
	  VERDICT_TOKEN_TYPE },
	{ "{\"alg\":\"RS256\",\"kid\":\"r\",\"jku\":\"http://127.0.0.1:1/\",\"x5u\":\"file:///\","
	  "\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"x5c\":[\"x\"]}", "RS256", VERDICT_ACTIVE },
};

START_TEST(a_header_can_spoil_a_token)
{
	ck_verdict(token_of(&rsa, headers[_i].alg, headers[_i].header, CLAIMS),
	    headers[_i].verdict);
}
END_TEST

/* One claim of another value each. */
static const struct {
	const char	*claim;
	const char	*value;
	enum verdict	 verdict;
} claims[] = {
	{ "exp", NULL, VERDICT_MALFORMED },
	{ "exp", "null", VERDICT_MALFORMED },
	{ "exp", "true", VERDICT_MALFORMED },
	{ "exp", "\"1800000300\"", VERDICT_MALFORMED },
	{ "exp", "[1800000300]", VERDICT_MALFORMED },
	{ "exp", "{}", VERDICT_MALFORMED },
	{ "exp", "1e400", VERDICT_MALFORMED },
	{ "exp", "1e300", VERDICT_MALFORMED },
	{ "exp", "-1e300", VERDICT_MALFORMED },
	{ "exp", "9223372036854775807", VERDICT_MALFORMED },
	{ "exp", "9223372036854775808", VERDICT_MALFORMED },
	{ "exp", "18446744073709551616", VERDICT_MALFORMED },
	{ "exp", "18446744073709551615", VERDICT_MALFORMED },
	{ "exp", "-9223372036854775808", VERDICT_MALFORMED },
	{ "exp", "1800000300000", VERDICT_MALFORMED },
	{ "exp", "NaN", VERDICT_MALFORMED },
	{ "exp", "Infinity", VERDICT_MALFORMED },
	{ "exp", "0x7fffffff", VERDICT_MALFORMED },
	{ "exp", "01800000300", VERDICT_MALFORMED },
	{ "exp", "+1800000300", VERDICT_MALFORMED },
	{ "exp", "253402300799", VERDICT_ACTIVE },
	{ "exp", "1800000300.5", VERDICT_ACTIVE },
	{ "exp", "1.8000003e9", VERDICT_ACTIVE },
	{ "exp", "1800000001", VERDICT_ACTIVE },
	{ "exp", "1800000000", VERDICT_EXPIRED },
	{ "exp", "1800000000.9", VERDICT_EXPIRED },
	{ "exp", "1799999999", VERDICT_EXPIRED },
	{ "exp", "1.5", VERDICT_EXPIRED },
	{ "exp", "0", VERDICT_EXPIRED },
	{ "exp", "-1", VERDICT_EXPIRED },
	{ "exp", "-0.5", VERDICT_EXPIRED },
	{ "nbf", "1799999999", VERDICT_ACTIVE },
	{ "nbf", "1800000005", VERDICT_ACTIVE },
	{ "nbf", "1800000005.1", VERDICT_NOT_YET_VALID },
	{ "nbf", "1800000006", VERDICT_NOT_YET_VALID },
	{ "nbf", "253402300799", VERDICT_NOT_YET_VALID },
	{ "nbf", "9223372036854775807", VERDICT_MALFORMED },
	{ "nbf", "1e400", VERDICT_MALFORMED },
	{ "nbf", "\"0\"", VERDICT_MALFORMED },
	{ "nbf", "null", VERDICT_MALFORMED },
	{ "iat", NULL, VERDICT_ACTIVE },
	{ "iat", "1800000005", VERDICT_ACTIVE },
	{ "iat", "1800000006", VERDICT_NOT_YET_VALID },
	{ "iat", "\"now\"", VERDICT_MALFORMED },
	{ "iat", "-9223372036854775809", VERDICT_MALFORMED },
	{ "iss", NULL, VERDICT_WRONG_ISSUER },
	{ "iss", "null", VERDICT_WRONG_ISSUER },
	{ "iss", "[\"" ISSUER "\"]", VERDICT_WRONG_ISSUER },
	{ "iss", "\"" ISSUER "/\"", VERDICT_WRONG_ISSUER },
	{ "iss", "\"https://id.test/realms/Shop\"", VERDICT_WRONG_ISSUER },
	{ "iss", "\"https://id.test/realms/sho\"", VERDICT_WRONG_ISSUER },
	{ "iss", "\"https://id.test/realms/bank\"", VERDICT_WRONG_ISSUER },
	{ "iss", "\"\"", VERDICT_WRONG_ISSUER },
	{ "iss", "\"" ISSUER "\\u0000\"", VERDICT_MALFORMED },
	{ "iss", "\"https:\\/\\/id.test\\/realms\\/shop\"", VERDICT_ACTIVE },
	{ "iss", "\"" OTHER_ISSUER "\"", VERDICT_UNKNOWN_KEY },
	{ "aud", NULL, VERDICT_WRONG_AUDIENCE },
	{ "aud", "null", VERDICT_WRONG_AUDIENCE },
	{ "aud", "\"\"", VERDICT_WRONG_AUDIENCE },
	{ "aud", "[]", VERDICT_WRONG_AUDIENCE },
	{ "aud", "7", VERDICT_WRONG_AUDIENCE },
	{ "aud", "{\"orders-api\":1}", VERDICT_WRONG_AUDIENCE },
	{ "aud", "\"orders\"", VERDICT_WRONG_AUDIENCE },
	{ "aud", "\"orders-api2\"", VERDICT_WRONG_AUDIENCE },
	{ "aud", "\"Orders-API\"", VERDICT_WRONG_AUDIENCE },
	{ "aud", "\"orders-api billing-api\"", VERDICT_WRONG_AUDIENCE },
	{ "aud", "[[\"orders-api\"]]", VERDICT_WRONG_AUDIENCE },
	{ "aud", "[\"x\",\"*\"]", VERDICT_WRONG_AUDIENCE },
	{ "aud", "[\"x\",\"billing-api\"]", VERDICT_ACTIVE },
	{ "aud", "[\"orders-api\",7]", VERDICT_MALFORMED },
	{ "aud", "\"orders-api\\u0000\"", VERDICT_MALFORMED },
	{ "nonce", "\"n\"", VERDICT_TOKEN_TYPE },
	{ "at_hash", "\"n\"", VERDICT_TOKEN_TYPE },
	{ "c_hash", "null", VERDICT_TOKEN_TYPE },
	{ "s_hash", "\"n\"", VERDICT_TOKEN_TYPE },
	{ "events", "{}", VERDICT_TOKEN_TYPE },
	{ "typ", "\"ID\"", VERDICT_TOKEN_TYPE },
	{ "typ", "\"Refresh\"", VERDICT_TOKEN_TYPE },
	{ "typ", "\"Offline\"", VERDICT_TOKEN_TYPE },
	{ "typ", "\"Bearer\"", VERDICT_ACTIVE },
	{ "token_use", "\"id\"", VERDICT_TOKEN_TYPE },
	{ "token_use", "\"access\"", VERDICT_ACTIVE },
	{ "cnf", "{\"jkt\":\"x\"}", VERDICT_BOUND },
	{ "sub", NULL, VERDICT_ACTIVE },
	{ "sub", "7", VERDICT_MALFORMED },
	{ "sub", "\"a\\u0000b\"", VERDICT_MALFORMED },
	{ "sub", "\"\xff\"", VERDICT_MALFORMED },
	{ "sub", "\"\\ud800\"", VERDICT_MALFORMED },
	{ "sub", "\"a\\r\\nX-Consumer-ID: root\"", VERDICT_MALFORMED },
	{ "client_id", "\"a\\n\"", VERDICT_MALFORMED },
	{ "jti", "[]", VERDICT_MALFORMED },
	{ "scope", "7", VERDICT_MALFORMED },
	{ "\\u0065xp", "1", VERDICT_MALFORMED },
	{ "s\\u0075b", "\"root\"", VERDICT_MALFORMED },
	{ "x", "{\"a\":1,\"a\":2}", VERDICT_MALFORMED },
};

START_TEST(a_claim_can_spoil_a_token)
{
	ck_verdict(token_of(&rsa, "RS256", HEADER, claims_but(claims[_i].claim, claims[_i].value)),
	    claims[_i].verdict);
}
END_TEST

START_TEST(claims_are_one_object)
{
	const char *const bad[] = { "[]", "\"x\"", "7", "null", "", " ", "{", "{}x", "{}{}",
		"\xef\xbb\xbf{}" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_verdict(token_of(&rsa, "RS256", HEADER, bad[i]), VERDICT_MALFORMED);
	ck_verdict(token_of(&rsa, "RS256", HEADER, "{}"), VERDICT_WRONG_ISSUER);
}
END_TEST

/* Spellings of the very same token, and pieces of one. */
START_TEST(a_token_has_one_spelling)
{
	const char *good = token_of(&rsa, "RS256", HEADER, CLAIMS);
	const char *dot = strchr(good, '.'), *last = strrchr(good, '.');
	const char *const bad[] = {
		"", ".", "..", "...", "a", "a.b", "a.b.", ".a.b", "a..b", "!.!.!",
		str("%s.", good), str("%s.x", good), str("%s=", good), str("%s==", good),
		str(" %s", good), str("%s ", good), str("%s\n", good), str("%s?", good),
		str("%.*s", (int)(last - good), good), str("%.*s.", (int)(last - good), good),
		str("%.*s.%s", (int)(dot - good), good, last), str(".%s", good),
		str("%.*s=%s", (int)(dot - good), good, dot), str("%sAAA", good),
		str("%.*s+%s", (int)(last - good + 9), good, last + 10),
		str("%.*s/%s", (int)(last - good + 9), good, last + 10),
	};

	ck_verdict(good, VERDICT_ACTIVE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_verdict(bad[i], VERDICT_MALFORMED);
	ck_verdict(str("%sA", good), VERDICT_BAD_SIGNATURE);
	ck_verdict(str("%s.e30.", b64("{\"alg\":\"none\"}", 14)), VERDICT_ALGORITHM);
	ck_verdict(str("%s.e30", b64("{\"alg\":\"none\"}", 14)), VERDICT_MALFORMED);
	ck_verdict(str("%s.x.y", good), VERDICT_ENCRYPTED);
	ck_verdict("e30..a.b.c", VERDICT_ENCRYPTED);
	ck_verdict(str("%s.x.y.z", good), VERDICT_MALFORMED);
	ck_assert_int_eq(check_at(span_make(good, strlen(good) + 1), NOW), VERDICT_MALFORMED);
}
END_TEST

/* 256 bytes end in a character with four unused bits: sixteen spellings, one of them right. */
START_TEST(unused_bits_are_zero)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *token = strdup(token_of(&rsa, "RS256", HEADER, CLAIMS));
	char *end = token + strlen(token) - 1, good = *end;

	for (const char *c = alphabet; *c != '\0'; c++) {
		size_t unlike = (size_t)(c - alphabet) ^ (size_t)(strchr(alphabet, good) - alphabet);
		*end = *c;
		ck_verdict(token, *c == good ? VERDICT_ACTIVE :
		    (unlike & 15) != 0 ? VERDICT_MALFORMED : VERDICT_BAD_SIGNATURE);
	}
	free(token);
}
END_TEST

START_TEST(an_altered_token_is_forged)
{
	const char *good = token_of(&rsa, "RS256", HEADER, CLAIMS);
	const char *claims_at = strchr(good, '.') + 1, *last = strrchr(good, '.');
	const char *altered = claims_but("sub", "\"root\"");

	ck_verdict(str("%.*s%s%s", (int)(claims_at - good), good, b64(altered, strlen(altered)),
	    last), VERDICT_BAD_SIGNATURE);
	ck_verdict(token_of(&stranger, "RS256", HEADER, CLAIMS), VERDICT_BAD_SIGNATURE);
	ck_verdict(token_of(&ec, "ES256", HEADER, CLAIMS), VERDICT_BAD_SIGNATURE);
	ck_verdict(str("%.*s.%s", (int)(last - good), good, b64("x", 1)), VERDICT_BAD_SIGNATURE);
	ck_verdict(str("%.*s.%s", (int)(last - good), good, last + 2), VERDICT_MALFORMED);
}
END_TEST

/* The public key as an HMAC secret, in every form an attacker can have it. */
START_TEST(a_public_key_is_no_secret)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem;
	unsigned char *der = NULL;
	const char *header = "{\"alg\":\"HS256\",\"kid\":\"r\"}";
	const char *text = str("%s.%s", b64(header, strlen(header)), b64(CLAIMS, strlen(CLAIMS)));
	const char *jwk = jwk_of(&rsa, "");

	ck_assert_int_eq(PEM_write_bio_PUBKEY(bio, rsa.pkey), 1);
	int pem_n = (int)BIO_get_mem_data(bio, &pem);
	int der_n = i2d_PUBKEY(rsa.pkey, &der);
	const struct span secrets[] = { span_make(pem, (size_t)pem_n),
		span_make(pem, (size_t)pem_n - 1), span_make(der, (size_t)der_n), span_of(jwk) };
	for (int all = 0; all < 2; all++) {
		for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
			unsigned char tag[32];
			EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secrets[i].p, secrets[i].n,
			    (const unsigned char *)text, strlen(text), tag, 32, NULL);
			ck_verdict(str("%s.%s", text, b64(tag, 32)), VERDICT_ALGORITHM);
		}
		/* Once more with an issuer that does accept HS256: the key is still no secret. */
		conf->algorithms[conf->issuers[0].n_algorithms++] = "HS256";
		tear_down();
		open_checker();
	}
	ck_verdict(token_of(&hs, "HS256", "{\"alg\":\"HS256\",\"kid\":\"h\"}", CLAIMS),
	    VERDICT_ACTIVE);
	OPENSSL_free(der);
	BIO_free(bio);
}
END_TEST

START_TEST(an_issuer_chooses_its_algorithms)
{
	const char *only[] = { "ES256" };

	conf->issuers[0].algorithms = only;
	conf->issuers[0].n_algorithms = 1;
	tear_down();
	open_checker();
	ck_verdict(token_of(&rsa, "RS256", HEADER, CLAIMS), VERDICT_ALGORITHM);
	ck_verdict(token_of(&ec, "ES256", "{\"alg\":\"ES256\",\"kid\":\"e\"}", CLAIMS),
	    VERDICT_ACTIVE);
}
END_TEST

START_TEST(keys_are_kept_per_issuer)
{
	const char *header = "{\"alg\":\"ES256\",\"kid\":\"o\"}";
	const char *theirs = claims_but("iss", "\"" OTHER_ISSUER "\"");

	ck_verdict(token_of(&others_key, "ES256", header, theirs), VERDICT_ACTIVE);
	ck_assert_uint_eq(answer.issuer, 1);
	ck_verdict(token_of(&others_key, "ES256", header, CLAIMS), VERDICT_UNKNOWN_KEY);
	ck_assert_uint_eq(answer.issuer, 0);
	ck_verdict(token_of(&ec, "ES256", header, theirs), VERDICT_BAD_SIGNATURE);
}
END_TEST

START_TEST(without_a_kid_one_key_must_fit)
{
	struct test_signer second = signer_new("e2", alg_row(ALG_ID_ES256));
	const char *token = token_of(&ec, "ES256", "{\"alg\":\"ES256\"}", CLAIMS);

	ck_verdict(token, VERDICT_ACTIVE);
	publish(keys, 11, str("%s,%s", jwk_of(&ec, ""), jwk_of(&second, "")));
	ck_verdict(token, VERDICT_UNKNOWN_KEY);
	ck_verdict(token_of(&ec, "ES256", "{\"alg\":\"ES256\",\"kid\":\"e\"}", CLAIMS),
	    VERDICT_ACTIVE);
	publish(keys, 11, jwk_of(&rsa, ""));
	ck_verdict(token, VERDICT_UNKNOWN_KEY);
	EVP_PKEY_free(second.pkey);
}
END_TEST

START_TEST(a_key_comes_and_goes)
{
	const char *token = token_of(&rsa, "RS256", HEADER, CLAIMS);

	ck_verdict(token, VERDICT_ACTIVE);
	publish(keys, 11, jwk_of(&ec, ""));
	ck_verdict(token, VERDICT_UNKNOWN_KEY);
	publish(keys, 11, jwk_of(&rsa, ",\"alg\":\"PS256\""));
	ck_verdict(token, VERDICT_ALGORITHM);
	publish(keys, 11, jwk_of(&rsa, ""));
	ck_verdict(token, VERDICT_ACTIVE);
	publish(keys, 11, jwk_of(&stranger, ""));
	ck_verdict(token, VERDICT_BAD_SIGNATURE);
}
END_TEST

START_TEST(keys_that_were_never_had_are_not_unknown)
{
	keys = shared_keys();
	tear_down();
	open_checker();
	ck_verdict(token_of(&rsa, "RS256", HEADER, CLAIMS), VERDICT_KEYS_UNAVAILABLE);
	ck_verdict(token_of(&rsa, "RS256", HEADER, claims_but("exp", "1")), VERDICT_EXPIRED);
	publish(keys, 11, jwk_of(&rsa, ""));
	ck_verdict(token_of(&rsa, "RS256", HEADER, CLAIMS), VERDICT_ACTIVE);
}
END_TEST

START_TEST(size_is_bounded)
{
	char *big = malloc(1 << 20);

	conf->issuers[1].max_token = 20000;
	tear_down();
	open_checker();
	memset(big, 'a', 1 << 20);
	ck_assert_int_eq(check_at(span_make(big, 1 << 20), NOW), VERDICT_TOO_LARGE);
	ck_assert_int_eq(check_at(span_make(big, 20001), NOW), VERDICT_TOO_LARGE);
	ck_assert_int_eq(check_at(span_make(big, 20000), NOW), VERDICT_MALFORMED);
	const char *padding = str("\"%.*s\"", 10000, big);
	const char *claims_here = claims_but("x", padding);
	ck_verdict(token_of(&rsa, "RS256", HEADER, claims_here), VERDICT_TOO_LARGE);
	/* Deep nesting within the bound is jansson's to refuse. */
	memset(big, '[', 5000);
	ck_verdict(token_of(&rsa, "RS256", HEADER, str("{\"x\":%.*s", 5000, big)),
	    VERDICT_MALFORMED);
	ck_verdict(token_of(&rsa, "RS256", str("{\"kid\":\"%.*s\",\"alg\":\"RS256\"}", 257,
	    big + 6000), CLAIMS), VERDICT_MALFORMED);
	free(big);
}
END_TEST

START_TEST(any_audience_is_any)
{
	conf->issuers[0].any_audience = true;
	ck_verdict(token_of(&rsa, "RS256", HEADER, claims_but("aud", "\"x\"")), VERDICT_ACTIVE);
	ck_verdict(token_of(&rsa, "RS256", HEADER, claims_but("aud", NULL)), VERDICT_ACTIVE);
	ck_verdict(token_of(&rsa, "RS256", HEADER, claims_but("aud", "7")), VERDICT_MALFORMED);
}
END_TEST

START_TEST(time_passes)
{
	struct span token = span_of(token_of(&rsa, "RS256", HEADER, claims_but("nbf", "1800000100")));

	ck_assert_int_eq(check_at(token, NOW + 94), VERDICT_NOT_YET_VALID);
	ck_assert_int_eq(answer.until_s, NOW + 95);
	ck_assert_int_eq(check_at(token, NOW + 95), VERDICT_ACTIVE);
	ck_assert_int_eq(check_at(token, NOW + 299), VERDICT_ACTIVE);
	ck_assert_int_eq(check_at(token, NOW + 300), VERDICT_EXPIRED);
	ck_assert_int_eq(answer.from_s, NOW + 300);
	ck_assert_int_eq(check_at(token, INT64_C(200000000000)), VERDICT_EXPIRED);
	ck_assert_int_eq(check_at(token, 0), VERDICT_NOT_YET_VALID);
	ck_assert_int_eq(check_at(token, -5), VERDICT_NOT_YET_VALID);
}
END_TEST

static enum verdict
believe(size_t issuer, const char *text, const char *stand_in)
{
	char *copy = strdup(text);
	const struct jwt_claims said = { issuer, copy, strlen(copy), span_of(stand_in), 0 };

	arena_reset(&arena);
	enum verdict verdict = jwt_believe(checker, &said, NOW, &arena, &answer);
	ck_assert((verdict == VERDICT_ACTIVE) == (answer.facts != NULL));
	free(copy);
	return verdict;
}

#define ck_believed(issuer, text, expected) do { \
	const char *c_ = (text); \
	enum verdict v_ = believe((issuer), c_, "token"); \
	ck_assert_msg(v_ == (expected), "%s: %s instead of %s", c_, verdict_name(v_), \
	    verdict_name(expected)); \
} while (0)

START_TEST(nobody_vouches_for_anothers_claims)
{
	conf->issuers[0].own = true;
	ck_believed(0, CLAIMS, VERDICT_ACTIVE);
	ck_assert_uint_eq(answer.issuer, 0);
	ck_assert_uint_eq(answer.facts->issuer, 11);
	ck_assert_uint_eq(answer.facts->generation, 0);
	ck_assert_int_eq(answer.facts->known_s, NOW);
	ck_believed(1, CLAIMS, VERDICT_WRONG_ISSUER);
	ck_assert_uint_eq(answer.issuer, JWT_NO_ISSUER);
	ck_believed(0, claims_but("iss", "\"" OTHER_ISSUER "\""), VERDICT_WRONG_ISSUER);
	ck_believed(1, claims_but("iss", "\"" OTHER_ISSUER "\""), VERDICT_ACTIVE);
	ck_assert_uint_eq(answer.issuer, 1);
	/* an answer of another's may leave it out, and then it is still theirs */
	ck_believed(0, claims_but("iss", NULL), VERDICT_WRONG_ISSUER);
	ck_believed(1, claims_but("iss", NULL), VERDICT_ACTIVE);
	ck_assert(span_eq(facts_get(answer.facts, FACTS_ISSUER), SPAN(OTHER_ISSUER)));
	ck_believed(1, claims_but("iss", "null"), VERDICT_WRONG_ISSUER);
	ck_believed(1, claims_but("iss", "\"\""), VERDICT_WRONG_ISSUER);
	ck_believed(1, claims_but("iss", "[\"" OTHER_ISSUER "\"]"), VERDICT_WRONG_ISSUER);
}
END_TEST

START_TEST(claims_are_believed_only_if_they_are_good)
{
	ck_believed(0, CLAIMS, VERDICT_ACTIVE);
	for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++)
		if (strcmp(claims[i].claim, "iss") != 0)
			ck_believed(0, claims_but(claims[i].claim, claims[i].value),
			    claims[i].verdict);
	ck_believed(0, "[]", VERDICT_MALFORMED);
	ck_believed(0, "", VERDICT_MALFORMED);
	ck_believed(0, str("%s ,", CLAIMS), VERDICT_MALFORMED);
	conf->issuers[0].max_token = 100;
	ck_believed(0, CLAIMS, VERDICT_TOO_LARGE);
}
END_TEST

/* Two tokens without jti are never one, and what can't be told from others isn't believed. */
START_TEST(what_is_believed_can_be_revoked)
{
	const char *nameless = claims_but("jti", NULL), *empty = claims_but("jti", "\"\"");
	uint8_t identity[IDENTITY_SIZE];

	ck_assert_int_eq(believe(0, nameless, ""), VERDICT_MALFORMED);
	ck_assert_int_eq(believe(0, empty, ""), VERDICT_MALFORMED);
	ck_assert_int_eq(believe(0, CLAIMS, ""), VERDICT_ACTIVE);
	ck_assert_int_eq(believe(0, nameless, "a"), VERDICT_ACTIVE);
	memcpy(identity, answer.facts->identity, sizeof(identity));
	ck_assert_int_eq(believe(0, nameless, "b"), VERDICT_ACTIVE);
	ck_assert_int_ne(memcmp(identity, answer.facts->identity, sizeof(identity)), 0);
	/* as the same token is named when it is verified */
	const char *token = token_of(&rsa, "RS256", HEADER, nameless);
	ck_verdict(token, VERDICT_ACTIVE);
	ck_assert_int_eq(answer.facts->known_s, NOW);
	memcpy(identity, answer.facts->identity, sizeof(identity));
	ck_assert_int_eq(believe(0, nameless, str("%.*s", (int)(strrchr(token, '.') - token),
	    token)), VERDICT_ACTIVE);
	ck_assert_int_eq(memcmp(identity, answer.facts->identity, sizeof(identity)), 0);
}
END_TEST

/* A claim of that name means what ours does in our own tokens only. */
START_TEST(lineage_is_the_own_issuers)
{
	const char *one = claims_but("lineage", "[{\"jti\":\"x\"}]");

	ck_verdict(token_of(&rsa, "RS256", HEADER, one), VERDICT_ACTIVE);
	ck_assert_uint_eq(facts_get(answer.facts, FACTS_LINEAGE).n, 0);
	ck_verdict(token_of(&rsa, "RS256", HEADER, claims_but("lineage", "7")), VERDICT_ACTIVE);
	conf->issuers[0].own = true;
	ck_verdict(token_of(&rsa, "RS256", HEADER, one), VERDICT_ACTIVE);
	ck_assert_uint_eq(lineage_depth(answer.facts), 1);
	ck_verdict(token_of(&rsa, "RS256", HEADER, claims_but("lineage", "7")), VERDICT_MALFORMED);
	ck_believed(0, one, VERDICT_ACTIVE);
	ck_assert_uint_eq(lineage_depth(answer.facts), 1);
	ck_believed(0, claims_but("lineage", "[]"), VERDICT_MALFORMED);
}
END_TEST

/* What random damage a good token can take without passing: none. */
START_TEST(no_damaged_token_passes)
{
	const char *good = token_of(&ed, "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"d\"}", CLAIMS);
	size_t n = strlen(good);
	char *copy = malloc(n + 1);
	uint64_t seed = 1;

	for (int round = 0; round < 4000; round++) {
		memcpy(copy, good, n + 1);
		for (int changes = 0; changes <= round % 3; changes++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			copy[(seed >> 33) % n] = (char)(seed >> 24);
		}
		if (memcmp(copy, good, n) != 0)
			ck_assert_int_ne(check_at(span_make(copy, n), NOW), VERDICT_ACTIVE);
		ck_assert_int_ne(check_at(span_make(good, (seed >> 40) % n), NOW), VERDICT_ACTIVE);
	}
	free(copy);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("token_jwt");
	TCase *tc = tcase_create("jwt");

	suite_add_tcase(suite, tc);
	tcase_add_unchecked_fixture(tc, make_keys, NULL);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_good_token_passes);
	tcase_add_test(tc, a_fraction_was_issued_in_its_second);
	tcase_add_loop_test(tc, a_header_can_spoil_a_token, 0,
	    (int)(sizeof(headers) / sizeof(headers[0])));
	tcase_add_loop_test(tc, a_claim_can_spoil_a_token, 0,
	    (int)(sizeof(claims) / sizeof(claims[0])));
	tcase_add_test(tc, claims_are_one_object);
	tcase_add_test(tc, a_token_has_one_spelling);
	tcase_add_test(tc, unused_bits_are_zero);
	tcase_add_test(tc, an_altered_token_is_forged);
	tcase_add_test(tc, a_public_key_is_no_secret);
	tcase_add_test(tc, an_issuer_chooses_its_algorithms);
	tcase_add_test(tc, keys_are_kept_per_issuer);
	tcase_add_test(tc, without_a_kid_one_key_must_fit);
	tcase_add_test(tc, a_key_comes_and_goes);
	tcase_add_test(tc, keys_that_were_never_had_are_not_unknown);
	tcase_add_test(tc, size_is_bounded);
	tcase_add_test(tc, any_audience_is_any);
	tcase_add_test(tc, time_passes);
	tcase_add_test(tc, nobody_vouches_for_anothers_claims);
	tcase_add_test(tc, claims_are_believed_only_if_they_are_good);
	tcase_add_test(tc, what_is_believed_can_be_revoked);
	tcase_add_test(tc, lineage_is_the_own_issuers);
	tcase_add_test(tc, no_damaged_token_passes);
	return run_suite(suite);
}
