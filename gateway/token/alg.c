#include "gateway/token/alg.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evperr.h>
#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/token/alg_family.h"

static const struct alg alg_table[ALG_COUNT] = {
#define ALG(name, family, kty, crv, digest, size) \
	{ ALG_ID_##name, ALG_##family, SPAN_INIT(#name), SPAN_INIT(kty), SPAN_INIT(crv), \
	  ALG_##digest, size },
#define SPAN_INIT(literal)	{ "" literal, sizeof(literal) - 1 }
#include "gateway/token/alg.def"
#undef SPAN_INIT
#undef ALG
};

static const char *const digest_names[ALG_DIGESTS] = { "SHA256", "SHA384", "SHA512" };

const struct alg *
alg_find(struct span name)
{
	for (size_t i = 0; i < ALG_COUNT; i++)
		if (span_eq(alg_table[i].name, name))
			return &alg_table[i];
	return NULL;
}

const struct alg *
alg_row(enum alg_id id)
{
	must((size_t)id < ALG_COUNT);
	return &alg_table[id];
}

/*
 * OpenSSL looks for the methods of an operation once, at their first use, and what it does not
 * find then for want of memory it never finds again: so all are used before there is a request.
 */
static bool
find_methods(void)
{
	static const char *const names[][2] = {
		{ "RSA", "RSA" }, { "EC", "ECDSA" }, { "ED25519", "ED25519" },
	};
	bool good = true;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		EVP_KEYMGMT *keys = EVP_KEYMGMT_fetch(NULL, names[i][0], NULL);
		EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(NULL, names[i][1], NULL);

		good = good && keys != NULL && signature != NULL;
		EVP_KEYMGMT_free(keys);
		EVP_SIGNATURE_free(signature);
	}
	return good;
}

struct alg_tools *
alg_tools_new(void)
{
	struct alg_tools *tools = calloc(1, sizeof(*tools));
	if (tools == NULL)
		return NULL;

	bool good = find_methods();
	for (size_t i = 0; i < ALG_DIGESTS; i++) {
		tools->md[i] = EVP_MD_fetch(NULL, digest_names[i], NULL);
		tools->md_context[i] = EVP_MD_CTX_new();
		good = good && tools->md[i] != NULL && tools->md_context[i] != NULL;
	}
	tools->ed_context = EVP_MD_CTX_new();
	tools->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	if (!good || tools->ed_context == NULL || tools->hmac == NULL)
		alg_tools_free(&tools);
	return tools;
}

void
alg_tools_free(struct alg_tools **tools)
{
	struct alg_tools *t = *tools;
	*tools = NULL;
	if (t == NULL)
		return;
	for (size_t i = 0; i < ALG_DIGESTS; i++) {
		EVP_MD_CTX_free(t->md_context[i]);
		EVP_MD_free(t->md[i]);
	}
	EVP_MD_CTX_free(t->ed_context);
	EVP_MAC_free(t->hmac);
	free(t);
}

static bool
digest(struct alg_tools *tools, enum alg_digest which, struct span in, uint8_t *out, unsigned *n)
{
	EVP_MD_CTX *context = tools->md_context[which];

	return EVP_DigestInit_ex2(context, tools->md[which], NULL) == 1 &&
	    EVP_DigestUpdate(context, in.p, in.n) == 1 &&
	    EVP_DigestFinal_ex(context, out, n) == 1;
}

/*
 * OpenSSL says "no" without a word where some allocations fail, so malloc(3) itself is asked: it
 * leaves ENOMEM in errno, which nothing clears.
 */
void
alg_begin(void)
{
	errno = 0;
}

enum alg_result
alg_refusal(void)
{
	enum alg_result result = errno == ENOMEM ? ALG_NO_MEMORY : ALG_BAD;

	for (unsigned long e; (e = ERR_get_error()) != 0; )
		if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE ||
		    (ERR_GET_LIB(e) == ERR_LIB_EVP &&
		    ERR_GET_REASON(e) == EVP_R_INITIALIZATION_ERROR))
			result = ALG_NO_MEMORY;
	return result;
}

enum alg_result
alg_digest_verify(struct alg_tools *tools, const struct alg *alg, EVP_PKEY_CTX *context,
    struct span input, struct span signature)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!digest(tools, alg->digest, input, hash, &n))
		return ALG_NO_MEMORY;
	/* 0 and negative numbers both mean "not verified"; only 1 is a good signature. */
	if (EVP_PKEY_verify(context, (const uint8_t *)signature.p, signature.n, hash, n) == 1)
		return ALG_GOOD;
	return ALG_BAD;
}

static enum alg_result
verify(struct alg_tools *tools, const struct alg *alg, struct alg_key *key, struct span input,
    struct span signature)
{
	switch (alg->family) {
	case ALG_RSA:
	case ALG_PSS:
		return alg_rsa_verify(tools, alg, key, input, signature);
	case ALG_EC:
		return alg_ec_verify(tools, alg, key, input, signature);
	case ALG_ED:
		return alg_ed_verify(tools, key, input, signature);
	case ALG_HMAC:
		return alg_hmac_verify(tools, alg, key, input, signature);
	}
	return ALG_BAD;
}

enum alg_result
alg_verify(struct alg_tools *tools, const struct alg *alg, struct alg_key *key, struct span input,
    struct span signature)
{
	/* A key of another type can't get here; if it does, that is a bug and not a bad token. */
	must((alg->family == ALG_HMAC) == (key->secret != NULL));
	must((alg->family == ALG_HMAC) == (key->pkey == NULL));

	alg_begin();
	enum alg_result result = verify(tools, alg, key, input, signature);
	if (result == ALG_GOOD)
		return ALG_GOOD;
	enum alg_result refusal = alg_refusal();
	return result == ALG_NO_MEMORY ? ALG_NO_MEMORY : refusal;
}

enum alg_result
alg_public_key(struct alg_key *key, const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

	alg_begin();
	if (context == NULL || EVP_PKEY_fromdata_init(context) != 1) {
		EVP_PKEY_CTX_free(context);
		alg_refusal();
		return ALG_NO_MEMORY;
	}
	bool good = EVP_PKEY_fromdata(context, &key->pkey, EVP_PKEY_PUBLIC_KEY, params) == 1;
	EVP_PKEY_CTX_free(context);
	return good ? ALG_GOOD : alg_refusal();
}

void
alg_key_fini(struct alg_key *key)
{
	for (size_t i = 0; i < ALG_COUNT; i++) {
		EVP_PKEY_CTX_free(key->verify[i]);
		EVP_MAC_CTX_free(key->mac[i]);
	}
	EVP_PKEY_free(key->pkey);
	OPENSSL_clear_free(key->secret, key->secret_n);
	*key = (struct alg_key){ 0 };
}
