#include "gateway/token/alg_family.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

static EVP_MAC_CTX *
prepare(struct alg_tools *tools, const struct alg *alg, struct alg_key *key)
{
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(tools->hmac);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		    (char *)(uintptr_t)EVP_MD_get0_name(tools->md[alg->digest]), 0),
		OSSL_PARAM_construct_end(),
	};

	if (context == NULL || EVP_MAC_init(context, key->secret, key->secret_n, params) != 1) {
		EVP_MAC_CTX_free(context);
		return NULL;
	}
	return context;
}

enum alg_result
alg_hmac_verify(struct alg_tools *tools, const struct alg *alg, struct alg_key *key,
    struct span input, struct span signature)
{
	EVP_MAC_CTX **context = &key->mac[alg->id];
	uint8_t tag[EVP_MAX_MD_SIZE];
	size_t n;

	/* Only the whole tag counts: a shorter one is easier to guess (RFC 7518 section 3.2). */
	if (signature.n != alg->size)
		return ALG_BAD;
	if (*context == NULL)
		*context = prepare(tools, alg, key);
	if (*context == NULL || EVP_MAC_init(*context, NULL, 0, NULL) != 1 ||
	    EVP_MAC_update(*context, (const uint8_t *)input.p, input.n) != 1 ||
	    EVP_MAC_final(*context, tag, &n, sizeof(tag)) != 1 || n != alg->size)
		return ALG_NO_MEMORY;
	int differs = CRYPTO_memcmp(tag, signature.p, n);
	OPENSSL_cleanse(tag, sizeof(tag));
	return differs == 0 ? ALG_GOOD : ALG_BAD;
}

enum alg_result
alg_hmac_key(struct alg_key *key, struct span k)
{
	key->secret = OPENSSL_memdup(k.p, k.n);
	key->secret_n = k.n;
	return key->secret != NULL ? ALG_GOOD : ALG_NO_MEMORY;
}
