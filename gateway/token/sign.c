#include "gateway/token/sign.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "gateway/base/must.h"
#include "gateway/token/digest.h"

#define DER_MAX		256		/* more than an ECDSA signature of any curve here */
#define GROUP_MAX	64

/* True if the key is of the type and, with EC, of the curve that the algorithm signs with. */
static bool
is_fit(const EVP_PKEY *pkey, const struct alg *alg)
{
	char group[GROUP_MAX];
	size_t n;

	switch (alg->id) {
	case ALG_ID_RS256:
		return EVP_PKEY_is_a(pkey, "RSA") == 1 && EVP_PKEY_get_bits(pkey) >= 2048 &&
		    EVP_PKEY_get_size(pkey) <= SIGN_MAX;
	case ALG_ID_ES256:
		return EVP_PKEY_is_a(pkey, "EC") == 1 &&
		    EVP_PKEY_get_group_name(pkey, group, sizeof(group), &n) == 1 &&
		    span_eq(span_make(group, n), SPAN("prime256v1"));
	case ALG_ID_EdDSA:
		return EVP_PKEY_is_a(pkey, "ED25519") == 1;
	case ALG_ID_RS384:
	case ALG_ID_RS512:
	case ALG_ID_PS256:
	case ALG_ID_PS384:
	case ALG_ID_PS512:
	case ALG_ID_ES384:
	case ALG_ID_ES512:
	case ALG_ID_Ed25519:
	case ALG_ID_HS256:
	case ALG_ID_HS384:
	case ALG_ID_HS512:
	case ALG_COUNT:
		break;
	}
	return false;
}

/* A context that signs with the key again and again; Ed25519 has none of that kind. */
static bool
prepare(struct sign_key *key, struct alg_tools *tools)
{
	if (key->alg->family == ALG_ED)
		return true;
	key->context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	if (key->context == NULL || EVP_PKEY_sign_init(key->context) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(key->context, tools->md[ALG_SHA256]) != 1)
		return false;
	return key->alg->family != ALG_RSA ||
	    EVP_PKEY_CTX_set_rsa_padding(key->context, RSA_PKCS1_PADDING) == 1;
}

bool
sign_open(struct sign_key *key, struct alg_tools *tools, const struct alg *alg, struct span pkcs8)
{
	const unsigned char *at = (const unsigned char *)pkcs8.p;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)pkcs8.n);

	*key = (struct sign_key){ .alg = alg };
	if (info != NULL)
		key->pkey = EVP_PKCS82PKEY_ex(info, NULL, NULL);
	PKCS8_PRIV_KEY_INFO_free(info);
	bool good = key->pkey != NULL && is_fit(key->pkey, alg) && prepare(key, tools);
	if (!good)
		sign_close(key);
	ERR_clear_error();
	return good;
}

void
sign_close(struct sign_key *key)
{
	EVP_PKEY_CTX_free(key->context);
	EVP_PKEY_free(key->pkey);
	*key = (struct sign_key){ 0 };
}

/*
 * Takes a DER INTEGER of an unsigned number off the text and writes it as `field` bytes. OpenSSL
 * wrote it, so what doesn't fit is a bug of ours.
 */
static const uint8_t *
take_integer(const uint8_t *der, const uint8_t *end, uint8_t *out, size_t field)
{
	must(end - der > 2 && der[0] == 0x02 && der[1] < 0x80 && der[1] <= end - der - 2);
	size_t n = der[1];
	const uint8_t *number = der + 2;

	der = number + n;
	for (; n > field; n--, number++)
		must(*number == 0);
	memset(out, 0, field - n);
	memcpy(out + field - n, number, n);
	return der;
}

/* Of OpenSSL's DER SEQUENCE makes r and s side by side (RFC 7518 section 3.4). */
static size_t
from_der(const uint8_t *der, size_t n, uint8_t *out, size_t size)
{
	must(n > 2 && der[0] == 0x30 && der[1] == n - 2);
	const uint8_t *end = der + n;
	const uint8_t *s = take_integer(der + 2, end, out, size / 2);

	take_integer(s, end, out + size / 2, size / 2);
	return size;
}

static size_t
sign_digest(struct sign_key *key, struct span input, uint8_t *out, size_t n)
{
	uint8_t digest[32];

	digest_sha256(input, digest);
	return EVP_PKEY_sign(key->context, out, &n, digest, sizeof(digest)) == 1 ? n : 0;
}

static size_t
sign_ed(struct sign_key *key, struct alg_tools *tools, struct span input, uint8_t *out)
{
	EVP_MD_CTX *context = tools->ed_context;
	size_t n = key->alg->size;

	if (EVP_MD_CTX_reset(context) != 1 ||
	    EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, key->pkey, NULL) != 1)
		return 0;
	return EVP_DigestSign(context, out, &n, (const uint8_t *)input.p, input.n) == 1 ? n : 0;
}

size_t
sign_make(struct sign_key *key, struct alg_tools *tools, struct span input, uint8_t out[SIGN_MAX])
{
	uint8_t der[DER_MAX];
	size_t n = 0;

	switch (key->alg->family) {
	case ALG_EC:
		n = sign_digest(key, input, der, sizeof(der));
		n = n > 0 ? from_der(der, n, out, key->alg->size) : 0;
		break;
	case ALG_RSA:
		n = sign_digest(key, input, out, SIGN_MAX);
		break;
	case ALG_ED:
		n = sign_ed(key, tools, input, out);
		break;
	case ALG_PSS:
	case ALG_HMAC:
		break;
	}
	if (n == 0)
		ERR_clear_error();
	return n;
}
