#include "gateway/cli/audit_forge_own.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include "gateway/token/seal.h"

/* What the token service can sign with, of the same kind as the good token's. */
static enum alg_id
choose(const struct alg *alg)
{
	switch (alg == NULL ? ALG_RSA : alg->family) {
	case ALG_EC:
		return ALG_ID_ES256;
	case ALG_ED:
		return ALG_ID_EdDSA;
	case ALG_RSA:
	case ALG_PSS:
	case ALG_HMAC:
		break;
	}
	return ALG_ID_RS256;
}

/* Keys are made sealed; this one is opened again at once. */
static bool
make(struct forge_own *own, enum alg_id id, const struct seal_key *seal)
{
	uint8_t pkcs8[KEY_MAKE_SEALED];
	struct key_make *made = &own->made;
	bool good;

	if (!key_make(id, seal, made) ||
	    !seal_open(seal, span_of(made->kid), span_make(made->sealed, made->sealed_n), pkcs8))
		return false;
	good = sign_open(&own->sign, own->tools, alg_row(id),
	    span_make(pkcs8, made->sealed_n - SEAL_EXTRA));
	OPENSSL_cleanse(pkcs8, sizeof(pkcs8));
	return good;
}

bool
forge_own_ready(struct forge_own *own, const struct alg *alg)
{
	uint8_t secret[SEAL_KEY_SIZE];
	struct seal_key seal;

	if (own->tried)
		return own->sign.pkey != NULL;
	own->tried = true;
	own->tools = alg_tools_new();
	if (own->tools == NULL || RAND_bytes(secret, sizeof(secret)) != 1 ||
	    !seal_derive(span_make(secret, sizeof(secret)), SEAL_SIGNING_KEYS, &seal))
		return false;
	bool good = make(own, choose(alg), &seal);
	seal_forget(&seal);
	return good;
}

void
forge_own_fini(struct forge_own *own)
{
	sign_close(&own->sign);
	alg_tools_free(&own->tools);
	*own = (struct forge_own){ 0 };
}

static bool
fill(X509 *certificate, EVP_PKEY *key)
{
	X509_NAME *name = X509_get_subject_name(certificate);

	return X509_set_version(certificate, X509_VERSION_3) == 1 &&
	    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600) != NULL &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)"gatehouse audit", -1, -1, 0) == 1 &&
	    X509_set_issuer_name(certificate, name) == 1 &&
	    X509_set_pubkey(certificate, key) == 1 &&
	    X509_sign(certificate, key,
	    EVP_PKEY_is_a(key, "ED25519") == 1 ? NULL : EVP_sha256()) > 0;
}

char *
forge_own_certificate(const struct forge_own *own)
{
	X509 *certificate = X509_new();
	unsigned char *der = NULL;
	char *text = NULL;
	int n;

	if (certificate != NULL && fill(certificate, own->sign.pkey) &&
	    (n = i2d_X509(certificate, &der)) > 0) {
		text = OPENSSL_malloc((size_t)n / 3 * 4 + 5);
		if (text != NULL)
			EVP_EncodeBlock((unsigned char *)text, der, n);
	}
	OPENSSL_free(der);
	X509_free(certificate);
	return text;
}
