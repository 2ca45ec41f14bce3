#include "gateway/token/key_make.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "gateway/base/encode.h"
#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/token/digest.h"

#define RSA_BITS	2048
#define NUMBER_MAX	512	/* bytes of the longest member */

enum alg_id
key_make_alg(const struct config_token_service *config)
{
	switch (config->signing) {
	case SIGNING_ES256:
		return ALG_ID_ES256;
	case SIGNING_RS256:
		return ALG_ID_RS256;
	case SIGNING_EDDSA:
		return ALG_ID_EdDSA;
	}
	must(false);
	return ALG_ID_ES256;
}

static EVP_PKEY *
generate(const struct alg *alg)
{
	switch (alg->family) {
	case ALG_RSA:
	case ALG_PSS:
		return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS);
	case ALG_EC:
		return EVP_PKEY_Q_keygen(NULL, NULL, "EC", alg->crv.p);
	case ALG_ED:
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	case ALG_HMAC:
		break;
	}
	return NULL;
}

/* Appends `"name":"base64url"`. */
static void
put_member(struct text *t, const char *name, const uint8_t *bytes, size_t n)
{
	char encoded[BASE64URL_ENCODED(NUMBER_MAX)];

	text_fmt(t, "\"%s\":\"", name);
	text_put(t, span_make(encoded, base64url_encode(bytes, n, encoded)));
	text_char(t, '"');
}

/* The same of a number, in `size` bytes; 0: as few as it has. */
static bool
put_number(struct text *t, const EVP_PKEY *pkey, const char *param, const char *name, size_t size)
{
	uint8_t bytes[NUMBER_MAX];
	BIGNUM *number = NULL;
	bool good = EVP_PKEY_get_bn_param(pkey, param, &number) == 1;

	if (good) {
		int n = size == 0 ? BN_num_bytes(number) : (int)size;

		good = n <= NUMBER_MAX && BN_bn2binpad(number, bytes, n) == n;
		if (good)
			put_member(t, name, bytes, (size_t)n);
	}
	BN_free(number);
	return good;
}

/* The members that make the key, in the order of their names, without the closing brace. */
static bool
put_key(struct text *t, const EVP_PKEY *pkey, const struct alg *alg)
{
	uint8_t point[32];
	size_t n = sizeof(point), field = alg->size / 2;

	text_char(t, '{');
	if (alg->family == ALG_RSA || alg->family == ALG_PSS) {
		if (!put_number(t, pkey, OSSL_PKEY_PARAM_RSA_E, "e", 0))
			return false;
		text_str(t, ",\"kty\":\"RSA\",");
		return put_number(t, pkey, OSSL_PKEY_PARAM_RSA_N, "n", 0);
	}
	text_fmt(t, "\"crv\":\"%.*s\",\"kty\":\"%.*s\",", SPAN_ARG(alg->crv), SPAN_ARG(alg->kty));
	if (alg->family == ALG_ED) {
		if (EVP_PKEY_get_raw_public_key(pkey, point, &n) != 1)
			return false;
		put_member(t, "x", point, n);
		return true;
	}
	if (!put_number(t, pkey, OSSL_PKEY_PARAM_EC_PUB_X, "x", field))
		return false;
	text_char(t, ',');
	return put_number(t, pkey, OSSL_PKEY_PARAM_EC_PUB_Y, "y", field);
}

/* Writes kid and public_jwk: the thumbprint is over the members alone. */
static bool
put_public(struct key_make *key, const EVP_PKEY *pkey, const struct alg *alg)
{
	struct text t = { key->public_jwk, 0, KEY_MAKE_JWK, false };
	uint8_t digest[32];

	if (!put_key(&t, pkey, alg))
		return false;
	const struct span parts[] = { text_span(&t), SPAN("}") };
	digest_sha256_parts(parts, 2, digest);
	must(base64url_encode(digest, sizeof(digest), key->kid) == KEY_MAKE_KID);
	key->kid[KEY_MAKE_KID] = '\0';
	text_fmt(&t, ",\"alg\":\"%.*s\",\"use\":\"sig\",\"kid\":\"%s\"}", SPAN_ARG(alg->name),
	    key->kid);
	key->public_jwk[t.n] = '\0';
	return !t.cut;
}

static bool
put_private(struct key_make *key, const EVP_PKEY *pkey, const struct seal_key *seal)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
	unsigned char *der = NULL;
	int n = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	bool good = n > 0 && (size_t)n + SEAL_EXTRA <= sizeof(key->sealed) &&
	    seal_shut(seal, span_of(key->kid), span_make(der, (size_t)n), key->sealed);

	key->sealed_n = good ? (size_t)n + SEAL_EXTRA : 0;
	if (n > 0)
		OPENSSL_clear_free(der, (size_t)n);
	PKCS8_PRIV_KEY_INFO_free(info);
	return good;
}

bool
key_make(enum alg_id alg, const struct seal_key *seal, struct key_make *key)
{
	EVP_PKEY *pkey = NULL;
	bool good;

	/* a kid that begins with a hyphen would look like an option to gatehouse keys kill */
	do {
		EVP_PKEY_free(pkey);
		pkey = generate(alg_row(alg));
		good = pkey != NULL && put_public(key, pkey, alg_row(alg));
	} while (good && key->kid[0] == '-');
	good = good && put_private(key, pkey, seal);
	EVP_PKEY_free(pkey);
	return good;
}
