/*
 * What the tests of gateway/token share: keys made by OpenSSL, JWKs and tokens of them, a
 * configuration with two issuers, and the shared parts that a worker has. A helper asserts by itself
 * whatever must not fail.
 */
#ifndef TESTS_UNIT_TOKEN_SUPPORT_H
#define TESTS_UNIT_TOKEN_SUPPORT_H

#include <check.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "gateway/base/encode.h"
#include "gateway/conf/config.h"
#include "gateway/token/alg.h"
#include "gateway/token/jwks.h"
#include "shm/cache.h"
#include "shm/keys.h"

#define NOW		INT64_C(1800000000)
#define ISSUER		"https://id.test/realms/shop"
#define OTHER_ISSUER	"https://other.test"

/* Who signs: an asymmetric key, or a secret. */
struct test_signer {
	const char	*kid;		/* NULL: none */
	EVP_PKEY	*pkey;
	uint8_t		 secret[64];
};

/*
 * What helpers allocate lives until the program ends; it stays reachable, so that a leak checker
 * sees only the leaks of the code under test.
 */
__attribute__((unused)) static void *
keep(void *memory)
{
	static void *kept[1 << 20];
	static size_t n;

	ck_assert_ptr_nonnull(memory);
	ck_assert_uint_lt(n, sizeof(kept) / sizeof(kept[0]));
	return kept[n++] = memory;
}

/* A string made like printf's. */
__attribute__((format(printf, 1, 2), unused)) static const char *
str(const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	ck_assert_int_ge(vasprintf(&text, format, arguments), 0);
	va_end(arguments);
	return keep(text);
}

/* base64url of bytes, as a string. */
__attribute__((unused)) static const char *
b64(const void *bytes, size_t n)
{
	char *text = keep(calloc(1, BASE64URL_ENCODED(n) + 1));

	base64url_encode(bytes, n, text);
	return text;
}

/* The bytes of a base64url string. */
__attribute__((unused)) static struct span
unb64(const char *text)
{
	uint8_t *out = keep(malloc(BASE64URL_DECODED(strlen(text))));
	size_t n;

	ck_assert(base64url_decode(span_of(text), out, &n));
	return span_make(out, n);
}

/* A new key for an algorithm. */
__attribute__((unused)) static struct test_signer
signer_new(const char *kid, const struct alg *alg)
{
	struct test_signer s = { .kid = kid };
	char curve[8] = "";

	memcpy(curve, alg->crv.p, alg->crv.n);
	switch (alg->family) {
	case ALG_RSA:
	case ALG_PSS:
		s.pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
		break;
	case ALG_EC:
		s.pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", curve);
		break;
	case ALG_ED:
		s.pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	case ALG_HMAC:
		for (size_t i = 0; i < sizeof(s.secret); i++)
			s.secret[i] = (uint8_t)(i * 7 + (size_t)(kid == NULL ? 0 : kid[0]));
		return s;
	}
	ck_assert_ptr_nonnull(s.pkey);
	return s;
}

/* A number of the public key as base64url, `n` bytes long (0: as short as it is). */
__attribute__((unused)) static const char *
number_of(EVP_PKEY *key, const char *name, size_t n)
{
	BIGNUM *number = NULL;
	uint8_t bytes[2048];

	ck_assert_int_eq(EVP_PKEY_get_bn_param(key, name, &number), 1);
	if (n == 0)
		n = (size_t)BN_num_bytes(number);
	ck_assert_int_eq(BN_bn2binpad(number, bytes, (int)n), (int)n);
	BN_free(number);
	return b64(bytes, n);
}

/* The members of the signer's public JWK without kid and braces. */
__attribute__((unused)) static const char *
members_of(const struct test_signer *s)
{
	uint8_t raw[32];
	size_t n = sizeof(raw);
	char curve[16] = "";

	if (s->pkey == NULL)
		return str("\"kty\":\"oct\",\"k\":\"%s\"", b64(s->secret, sizeof(s->secret)));
	if (EVP_PKEY_is_a(s->pkey, "RSA"))
		return str("\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"",
		    number_of(s->pkey, OSSL_PKEY_PARAM_RSA_N, 0),
		    number_of(s->pkey, OSSL_PKEY_PARAM_RSA_E, 0));
	if (EVP_PKEY_is_a(s->pkey, "ED25519")) {
		ck_assert_int_eq(EVP_PKEY_get_raw_public_key(s->pkey, raw, &n), 1);
		return str("\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"", b64(raw, n));
	}
	size_t field = ((size_t)EVP_PKEY_get_bits(s->pkey) + 7) / 8;
	ck_assert_int_eq(EVP_PKEY_get_group_name(s->pkey, curve, sizeof(curve), &n), 1);
	return str("\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"",
	    field == 32 ? "P-256" : field == 48 ? "P-384" : "P-521",
	    number_of(s->pkey, OSSL_PKEY_PARAM_EC_PUB_X, field),
	    number_of(s->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, field));
}

/* The signer's JWK; `more` is appended to its members, ",\"use\":\"sig\"". */
__attribute__((unused)) static const char *
jwk_of(const struct test_signer *s, const char *more)
{
	if (s->kid == NULL)
		return str("{%s%s}", members_of(s), more);
	return str("{\"kid\":\"%s\",%s%s}", s->kid, members_of(s), more);
}

/* Turns OpenSSL's DER signature into r and s side by side. */
__attribute__((unused)) static struct span
raw_of(const uint8_t *der, size_t n, size_t size)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
	uint8_t *raw = keep(malloc(size));

	ck_assert_ptr_nonnull(sig);
	ck_assert_int_gt(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)size / 2), 0);
	ck_assert_int_gt(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + size / 2, (int)size / 2), 0);
	ECDSA_SIG_free(sig);
	return span_make(raw, size);
}

/* Signs the input as JWS wants it; salt is PSS's, -1: as long as the digest. */
__attribute__((unused)) static struct span
sign_salted(const struct test_signer *s, const struct alg *alg, struct span input, int salt)
{
	static const char *const names[] = { "SHA256", "SHA384", "SHA512", NULL };
	uint8_t *out = keep(malloc(2048));
	size_t n = 2048;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *options;

	if (alg->family == ALG_HMAC) {
		ck_assert_ptr_nonnull(EVP_Q_mac(NULL, "HMAC", NULL, names[alg->digest], NULL,
		    s->secret, sizeof(s->secret), (const uint8_t *)input.p, input.n, out, n, &n));
		EVP_MD_CTX_free(context);
		return span_make(out, n);
	}
	ck_assert_int_eq(EVP_DigestSignInit_ex(context, &options, names[alg->digest], NULL, NULL,
	    s->pkey, NULL), 1);
	if (alg->family == ALG_PSS) {
		EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(options, salt);
	}
	ck_assert_int_eq(EVP_DigestSign(context, out, &n, (const uint8_t *)input.p, input.n), 1);
	EVP_MD_CTX_free(context);
	return alg->family == ALG_EC ? raw_of(out, n, alg->size) : span_make(out, n);
}

__attribute__((unused)) static struct span
sign(const struct test_signer *s, const struct alg *alg, struct span input)
{
	return sign_salted(s, alg, input, RSA_PSS_SALTLEN_DIGEST);
}

/* A token of exactly this header and these claims, signed by an algorithm whatever they say. */
__attribute__((unused)) static const char *
token_of(const struct test_signer *s, const char *alg, const char *header, const char *claims)
{
	const char *text = str("%s.%s", b64(header, strlen(header)), b64(claims, strlen(claims)));
	struct span signature = sign(s, alg_find(span_of(alg)), span_of(text));

	return str("%s.%s", text, b64(signature.p, signature.n));
}

/* A JSON object of these members, with one of them of another value (JSON; NULL: without it). */
__attribute__((unused)) static const char *
object_but(const char *const (*members)[2], size_t n, const char *name, const char *value)
{
	const char *text = "";
	bool replaced = false;

	for (size_t i = 0; i < n; i++) {
		bool other = strcmp(members[i][0], name) == 0;
		const char *said = other ? value : members[i][1];

		replaced = replaced || other;
		if (said != NULL)
			text = str("%s%s\"%s\":%s", text, text[0] == '\0' ? "" : ",",
			    members[i][0], said);
	}
	if (!replaced && value != NULL)
		text = str("%s,\"%s\":%s", text, name, value);
	return str("{%s}", text);
}

/* The claims of a good token, with one of them of another value (JSON; NULL: without it). */
__attribute__((unused)) static const char *
claims_but(const char *name, const char *value)
{
	const char *const claims[][2] = {
		{ "iss", "\"" ISSUER "\"" }, { "aud", "\"orders-api\"" }, { "sub", "\"alice\"" },
		{ "client_id", "\"app\"" }, { "scope", "\"orders:read orders:write\"" },
		{ "jti", "\"j1\"" }, { "iat", str("%lld", (long long)NOW - 60) },
		{ "exp", str("%lld", (long long)NOW + 300) },
	};

	return object_but(claims, sizeof(claims) / sizeof(claims[0]), name, value);
}

/* Zeroed, shared memory as a region gives it. */
__attribute__((unused)) static void *
shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	return memory;
}

__attribute__((unused)) static struct keys *
shared_keys(void)
{
	return keys_init(shared(keys_size()), keys_size());
}

__attribute__((unused)) static struct cache *
shared_cache(size_t size)
{
	static const uint8_t key[16] = "sixteen bytes ..";

	return cache_init(shared(size), size, key);
}

/* Makes a set of JWKs, comma-separated, an issuer's current one. */
__attribute__((unused)) static void
publish(struct keys *keys, uint64_t issuer, const char *jwks)
{
	const char *set = str("{\"keys\":[%s]}", jwks);
	struct keys_slot slot;

	ck_assert(keys_slot(keys, issuer, true, &slot));
	ck_assert(keys_publish(&slot, set, strlen(set), NOW));
}

/* Two issuers that accept all algorithms but those with secrets; tests change what they need. */
struct conf {
	struct config		 config;
	struct config_issuer	 issuers[2];
	struct config_route	 route;
	struct config_claim_header headers[4];
	struct span		 audience[2];
	struct span		 types[3];
	const char		*algorithms[ALG_COUNT];
};

__attribute__((unused)) static struct conf *
conf_new(void)
{
	struct conf *c = keep(calloc(1, sizeof(*c)));
	size_t n = 0;

	for (size_t i = 0; i < ALG_COUNT; i++)
		if (alg_row(i)->family != ALG_HMAC)
			c->algorithms[n++] = str("%.*s", SPAN_ARG(alg_row(i)->name));
	c->audience[0] = SPAN("orders-api");
	c->audience[1] = SPAN("billing-api");
	c->types[0] = SPAN("at+jwt");
	c->types[1] = SPAN("jwt");
	c->types[2] = SPAN("");
	c->issuers[0] = (struct config_issuer){
		.name = "main", .issuer = ISSUER,
		.audience = c->audience, .n_audience = 2,
		.algorithms = c->algorithms, .n_algorithms = n,
		.token_types = c->types, .n_token_types = 3,
		.consumer_claim = "", .scope_claim = "", .leeway_s = 5, .max_token = 8192,
		.id = 11, .rules = 101,
	};
	c->issuers[1] = c->issuers[0];
	c->issuers[1].name = "other";
	c->issuers[1].issuer = OTHER_ISSUER;
	c->issuers[1].id = 12;
	c->issuers[1].rules = 102;
	c->route = (struct config_route){ .name = "all", .claim_headers = c->headers };
	c->config = (struct config){
		.issuers = c->issuers, .n_issuers = 2, .routes = &c->route, .n_routes = 1,
	};
	return c;
}

/* Runs a suite; the exit status of its program. */
__attribute__((unused)) static int
run_suite(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
