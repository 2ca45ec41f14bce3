#include "gateway/token/alg_family.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

/* A context of OpenSSL that verifies one algorithm of the key, again and again. */
static EVP_PKEY_CTX *
prepare(struct alg_tools *tools, const struct alg *alg, struct alg_key *key)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
	EVP_MD *md = tools->md[alg->digest];
	bool pss = alg->family == ALG_PSS;
	int padding = pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;

	if (context == NULL || EVP_PKEY_verify_init(context) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(context, padding) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(context, md) != 1)
		goto fail;
	/* RFC 7518 section 3.5: the salt is as long as the digest, which is MGF1's too. */
	if (pss && (EVP_PKEY_CTX_set_rsa_mgf1_md(context, md) != 1 ||
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) != 1))
		goto fail;
	return context;
fail:
	EVP_PKEY_CTX_free(context);
	return NULL;
}

enum alg_result
alg_rsa_verify(struct alg_tools *tools, const struct alg *alg, struct alg_key *key,
    struct span input, struct span signature)
{
	EVP_PKEY_CTX **context = &key->verify[alg->id];

	if (signature.n != (size_t)EVP_PKEY_get_size(key->pkey))
		return ALG_BAD;
	if (*context == NULL)
		*context = prepare(tools, alg, key);
	if (*context == NULL)
		return ALG_NO_MEMORY;
	return alg_digest_verify(tools, alg, *context, input, signature);
}

enum alg_result
alg_rsa_key(struct alg_key *key, struct span n, struct span e)
{
	BIGNUM *modulus = BN_bin2bn((const uint8_t *)n.p, (int)n.n, NULL);
	BIGNUM *exponent = BN_bin2bn((const uint8_t *)e.p, (int)e.n, NULL);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	enum alg_result result = ALG_NO_MEMORY;

	if (modulus != NULL && exponent != NULL && builder != NULL &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
		params = OSSL_PARAM_BLD_to_param(builder);
	if (params != NULL)
		result = alg_public_key(key, "RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	BN_free(exponent);
	BN_free(modulus);
	return result;
}

/* True if x is a power of 65537 modulo a small prime. */
static bool
in_roca_group(unsigned x, unsigned prime)
{
	unsigned power = 1;

	do {
		if (power == x)
			return true;
		power = power * (65537 % prime) % prime;
	} while (power != 1);
	return false;
}

bool
alg_rsa_is_roca(struct span n)
{
	/*
	 * Primes of the broken library have the form k * M + (65537^a mod M), M being a product of
	 * small primes, so the modulus is a power of 65537 modulo each of them. Of sound
	 * moduli one in about 2^28 is.
	 */
	static const uint8_t primes[] = { 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53,
		59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
		149, 151, 157, 163, 167 };

	for (size_t i = 0; i < sizeof(primes); i++) {
		unsigned rest = 0;
		for (size_t j = 0; j < n.n; j++)
			rest = (rest << 8 | (uint8_t)n.p[j]) % primes[i];
		if (!in_roca_group(rest, primes[i]))
			return false;
	}
	return true;
}
