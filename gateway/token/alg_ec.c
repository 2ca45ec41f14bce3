#include "gateway/token/alg_family.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>

#include "gateway/base/must.h"

#define FIELD_MAX	66			/* bytes of a P-521 coordinate */
#define DER_MAX		(2 * (FIELD_MAX + 3) + 3)

static EVP_PKEY_CTX *
prepare(struct alg_tools *tools, const struct alg *alg, struct alg_key *key)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);

	if (context == NULL || EVP_PKEY_verify_init(context) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(context, tools->md[alg->digest]) != 1) {
		EVP_PKEY_CTX_free(context);
		return NULL;
	}
	return context;
}

/* Writes a DER INTEGER of an unsigned big-endian number of at most FIELD_MAX bytes. */
static uint8_t *
put_integer(uint8_t *out, const uint8_t *number, size_t n)
{
	while (n > 1 && number[0] == 0) {
		number++;
		n--;
	}
	size_t sign = number[0] >> 7;
	*out++ = 0x02;
	*out++ = (uint8_t)(n + sign);
	if (sign == 1)
		*out++ = 0;
	memcpy(out, number, n);
	return out + n;
}

/* JWS has r and s side by side (RFC 7518 section 3.4), OpenSSL wants a DER SEQUENCE of them. */
static size_t
to_der(uint8_t out[DER_MAX], struct span raw)
{
	const uint8_t *r = (const uint8_t *)raw.p;
	size_t field = raw.n / 2;
	uint8_t body[DER_MAX];
	uint8_t *end = put_integer(put_integer(body, r, field), r + field, field);
	size_t n = (size_t)(end - body);
	size_t at = 0;

	out[at++] = 0x30;
	if (n >= 0x80)
		out[at++] = 0x81;
	out[at++] = (uint8_t)n;
	memcpy(out + at, body, n);
	return at + n;
}

enum alg_result
alg_ec_verify(struct alg_tools *tools, const struct alg *alg, struct alg_key *key,
    struct span input, struct span signature)
{
	EVP_PKEY_CTX **context = &key->verify[alg->id];
	uint8_t der[DER_MAX];

	if (signature.n != alg->size)
		return ALG_BAD;
	if (*context == NULL)
		*context = prepare(tools, alg, key);
	if (*context == NULL)
		return ALG_NO_MEMORY;
	/* OpenSSL refuses r or s that are zero or not below the order (CVE-2022-21449). */
	size_t n = to_der(der, signature);
	return alg_digest_verify(tools, alg, *context, input, span_make(der, n));
}

enum alg_result
alg_ec_key(struct alg_key *key, struct span crv, struct span x, struct span y)
{
	uint8_t point[1 + 2 * FIELD_MAX];
	char group[16] = "";

	must(x.n <= FIELD_MAX && y.n == x.n && crv.n < sizeof(group));
	memcpy(group, crv.p, crv.n);
	point[0] = POINT_CONVERSION_UNCOMPRESSED;
	memcpy(point + 1, x.p, x.n);
	memcpy(point + 1 + x.n, y.p, y.n);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, crv.n),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * x.n),
		OSSL_PARAM_construct_end(),
	};
	return alg_public_key(key, "EC", params);
}
