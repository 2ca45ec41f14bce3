#include "gateway/token/seal.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#define FORMAT		1
#define NONCE		12
#define TAG		16

_Static_assert(1 + NONCE + TAG == SEAL_EXTRA, "what is written is as long");

bool
seal_derive_for(struct span whose, struct span secret, struct span purpose, struct seal_key *key)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (char *)secret.p, secret.n),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_INFO, (char *)purpose.p, purpose.n),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_SALT, (char *)whose.p, whose.n),
		OSSL_PARAM_construct_end(),
	};
	bool good = context != NULL &&
	    EVP_KDF_derive(context, key->bytes, sizeof(key->bytes), params) == 1;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return good;
}

bool
seal_derive(struct span secret, struct span purpose, struct seal_key *key)
{
	return seal_derive_for(SPAN(""), secret, purpose, key);
}

void
seal_forget(struct seal_key *key)
{
	OPENSSL_cleanse(key, sizeof(*key));
}

static const uint8_t *
bytes(struct span s)
{
	return (const uint8_t *)(s.n == 0 ? "" : s.p);
}

static bool
encrypt(EVP_CIPHER_CTX *context, const struct seal_key *key, struct span name, struct span plain,
    uint8_t *out)
{
	uint8_t *nonce = out + 1, *text = nonce + NONCE, *tag = text + plain.n;
	int n;

	out[0] = FORMAT;
	return RAND_bytes(nonce, NONCE) == 1 &&
	    EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), key->bytes, nonce, NULL) == 1 &&
	    EVP_EncryptUpdate(context, NULL, &n, bytes(name), (int)name.n) == 1 &&
	    EVP_EncryptUpdate(context, text, &n, bytes(plain), (int)plain.n) == 1 &&
	    EVP_EncryptFinal_ex(context, tag, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1;
}

bool
seal_shut(const struct seal_key *key, struct span name, struct span plain, uint8_t *out)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool good = context != NULL && plain.n < INT_MAX && name.n < INT_MAX &&
	    encrypt(context, key, name, plain, out);

	EVP_CIPHER_CTX_free(context);
	return good;
}

static bool
decrypt(EVP_CIPHER_CTX *context, const struct seal_key *key, struct span name, struct span sealed,
    uint8_t *out)
{
	size_t length = sealed.n - SEAL_EXTRA;
	const uint8_t *nonce = bytes(sealed) + 1, *text = nonce + NONCE;
	uint8_t tag[TAG];
	int n;

	memcpy(tag, text + length, TAG);
	return EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), key->bytes, nonce, NULL) == 1 &&
	    EVP_DecryptUpdate(context, NULL, &n, bytes(name), (int)name.n) == 1 &&
	    EVP_DecryptUpdate(context, out, &n, text, (int)length) == 1 &&
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
	    EVP_DecryptFinal_ex(context, out + length, &n) == 1;
}

bool
seal_open(const struct seal_key *key, struct span name, struct span sealed, uint8_t *out)
{
	if (sealed.n < SEAL_EXTRA || sealed.n > INT_MAX || name.n > INT_MAX ||
	    sealed.p[0] != FORMAT)
		return false;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool good = context != NULL && decrypt(context, key, name, sealed, out);

	if (!good)
		OPENSSL_cleanse(out, sealed.n - SEAL_EXTRA);
	EVP_CIPHER_CTX_free(context);
	return good;
}
