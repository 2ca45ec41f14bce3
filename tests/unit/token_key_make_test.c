/* What is made is read by what verifies and by what signs. */
#include "gateway/token/key_make.h"

#include <jansson.h>

#include "gateway/base/encode.h"
#include "gateway/token/digest.h"
#include "gateway/token/jwks.h"
#include "gateway/token/sign.h"
#include "tests/unit/suite.h"

static const enum alg_id choices[] = { ALG_ID_ES256, ALG_ID_RS256, ALG_ID_EdDSA };

#define N_CHOICES	(sizeof(choices) / sizeof(choices[0]))

static struct alg_tools *tools;
static struct seal_key seal;

static void
make(enum alg_id alg, struct key_make *key)
{
	if (tools == NULL)
		tools = alg_tools_new();
	ck_assert(tools != NULL);
	ck_assert(seal_derive(SPAN("0123456789abcdef"), SEAL_SIGNING_KEYS, &seal));
	ck_assert(key_make(alg, &seal, key));
}

/* The set with this key alone. */
static struct jwks *
publish(const struct key_make *key)
{
	char set[KEY_MAKE_JWK + 32];
	const char *reason = "";
	int n = snprintf(set, sizeof(set), "{\"keys\":[%s]}", key->public_jwk);
	struct jwks *jwks = jwks_parse(tools, span_make(set, (size_t)n), NULL, &reason);

	ck_assert_msg(jwks != NULL && jwks->n == 1, "%s", reason);
	return jwks;
}

START_TEST(signs_what_its_jwk_verifies)
{
	struct key_make key;
	struct sign_key sign;
	uint8_t pkcs8[KEY_MAKE_SEALED], signature[SIGN_MAX];

	for (size_t i = 0; i < N_CHOICES; i++) {
		const struct alg *alg = alg_row(choices[i]);

		make(choices[i], &key);
		struct jwks *set = publish(&key);
		/* Ed25519 is EdDSA by another name (RFC 9864) */
		uint32_t others = choices[i] == ALG_ID_EdDSA ? ALG_BIT(ALG_ID_Ed25519) : 0;
		ck_assert_uint_eq(set->keys[0].algorithms, ALG_BIT(choices[i]) | others);
		ck_assert_span(span_make(set->keys[0].kid, set->keys[0].kid_n), span_of(key.kid));
		ck_assert(seal_open(&seal, span_of(key.kid), span_make(key.sealed, key.sealed_n),
		    pkcs8));
		ck_assert(sign_open(&sign, tools, alg, span_make(pkcs8, key.sealed_n -
		    SEAL_EXTRA)));
		size_t n = sign_make(&sign, tools, SPAN("a.b"), signature);
		ck_assert_int_eq(alg_verify(tools, alg, &set->keys[0].key, SPAN("a.b"),
		    span_make(signature, n)), ALG_GOOD);
		ck_assert_int_eq(alg_verify(tools, alg, &set->keys[0].key, SPAN("a.c"),
		    span_make(signature, n)), ALG_BAD);
		sign_close(&sign);
		jwks_free(&set);
	}
}
END_TEST

/* RFC 7638: the SHA-256 over the needed members in the order of their names. */
START_TEST(the_kid_is_the_thumbprint)
{
	static const char *const members[N_CHOICES] = { "crv kty x y", "e kty n", "crv kty x" };
	struct key_make key;

	for (size_t i = 0; i < N_CHOICES; i++) {
		struct span rest = span_of(members[i]), name;
		json_t *plain = json_object();
		uint8_t digest[32];
		char kid[KEY_MAKE_KID];

		make(choices[i], &key);
		json_t *jwk = json_loads(key.public_jwk, 0, NULL);
		ck_assert_ptr_nonnull(jwk);
		while (span_next(&rest, ' ', &name)) {
			char text[8] = "";

			memcpy(text, name.p, name.n);
			json_object_set(plain, text, json_object_get(jwk, text));
		}
		char *canonical = json_dumps(plain, JSON_COMPACT | JSON_SORT_KEYS);
		digest_sha256(span_of(canonical), digest);
		base64url_encode(digest, sizeof(digest), kid);
		ck_assert_span(span_make(kid, sizeof(kid)), span_of(key.kid));
		ck_assert_str_eq(json_string_value(json_object_get(jwk, "use")), "sig");
		ck_assert(json_object_get(jwk, "d") == NULL);
		free(canonical);
		json_decref(plain);
		json_decref(jwk);
	}
}
END_TEST

START_TEST(no_two_are_the_same)
{
	struct key_make a, b;

	make(ALG_ID_ES256, &a);
	make(ALG_ID_ES256, &b);
	ck_assert_str_ne(a.kid, b.kid);
	ck_assert_str_ne(a.public_jwk, b.public_jwk);
}
END_TEST

START_TEST(the_configuration_chooses)
{
	struct config_token_service config = { .signing = SIGNING_ES256 };

	ck_assert_int_eq(key_make_alg(&config), ALG_ID_ES256);
	config.signing = SIGNING_RS256;
	ck_assert_int_eq(key_make_alg(&config), ALG_ID_RS256);
	config.signing = SIGNING_EDDSA;
	ck_assert_int_eq(key_make_alg(&config), ALG_ID_EdDSA);
}
END_TEST

SUITE_RUN("token_key_make", signs_what_its_jwk_verifies, the_kid_is_the_thumbprint,
    no_two_are_the_same, the_configuration_chooses)
