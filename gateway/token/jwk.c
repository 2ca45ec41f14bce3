#include "gateway/token/jwk.h"

#include <jansson.h>
#include <openssl/crypto.h>

#include "gateway/base/encode.h"

/*
 * A key is read in three steps: what it may be used for (use, key_ops, alg), what it is made of (by
 * kty), and its fingerprint. Each bound of RFC 7518 and each known weakness of a key is
 * checked here, once, so that nothing has to be checked when a token comes.
 */

#define RSA_BITS_MIN	2048
#define RSA_BITS_MAX	16384
#define RSA_E_BYTES_MAX	8
#define SECRET_MAX	1024
#define MEMBER_MAX	(RSA_BITS_MAX / 8 + 8)	/* bytes of the longest member */
#define MEMBERS_MAX	2

const char jwk_no_memory[] = "there is no memory";

/* The decoded members that make the key. */
struct material {
	size_t		n;
	struct span	member[MEMBERS_MAX];
	uint8_t		bytes[MEMBERS_MAX][MEMBER_MAX];
};

/* The reason that a result stands for; NULL: it is a good key. */
static const char *
reason_of(enum alg_result result, const char *refusal)
{
	if (result == ALG_GOOD)
		return NULL;
	return result == ALG_NO_MEMORY ? jwk_no_memory : refusal;
}

static struct span
text_of(const json_t *value)
{
	if (!json_is_string(value))
		return span_make(NULL, 0);
	return span_make(json_string_value(value), json_string_length(value));
}

/* Decodes a base64url member; false if it is missing, malformed or too long. */
static bool
take(struct material *m, const json_t *members, const char *name, size_t max)
{
	struct span text = text_of(json_object_get(members, name));
	uint8_t *out = m->bytes[m->n];
	size_t n;

	if (text.n == 0 || text.n > BASE64URL_ENCODED(max) || !base64url_decode(text, out, &n))
		return false;
	m->member[m->n++] = span_make(out, n);
	return n <= max;
}

/* Numbers may come with leading zeros from careless writers; they do not count. */
static struct span
without_zeros(struct span number)
{
	while (number.n > 0 && number.p[0] == 0)
		number = span_skip(number, 1);
	return number;
}

static size_t
bits_of(struct span number)
{
	size_t bits = number.n * 8;

	for (unsigned top = 0x80; number.n > 0 && ((uint8_t)number.p[0] & top) == 0; top >>= 1)
		bits--;
	return bits;
}

static bool
is_odd(struct span number)
{
	return number.n > 0 && ((uint8_t)number.p[number.n - 1] & 1) != 0;
}

static const char *
read_rsa(const json_t *members, struct material *m, struct jwk *key)
{
	if (!take(m, members, "n", MEMBER_MAX - 8) || !take(m, members, "e", RSA_E_BYTES_MAX))
		return "its n or e is missing, malformed or too long";
	struct span n = m->member[0] = without_zeros(m->member[0]);
	struct span e = m->member[1] = without_zeros(m->member[1]);

	if (bits_of(n) < RSA_BITS_MIN)
		return "its modulus has fewer than 2048 bits";
	if (bits_of(n) > RSA_BITS_MAX || !is_odd(n))
		return "its modulus is no modulus";
	if (!is_odd(e) || bits_of(e) < 2)
		return "its exponent is even or 1";
	if (alg_rsa_is_roca(n))
		return "its modulus can be factored (CVE-2017-15361)";
	return reason_of(alg_rsa_key(&key->key, n, e), "OpenSSL refuses it");
}

static const char *
read_ec(const json_t *members, const struct alg *alg, struct material *m, struct jwk *key)
{
	/* A raw signature is two numbers as long as a coordinate. */
	size_t field = alg->size / 2;

	if (!take(m, members, "x", field) || !take(m, members, "y", field) ||
	    m->member[0].n != field || m->member[1].n != field)
		return "its x or y is missing, malformed or not of the curve's length";
	return reason_of(alg_ec_key(&key->key, alg->crv, m->member[0], m->member[1]),
	    "its point is not on the curve");
}

static const char *
read_okp(const json_t *members, struct material *m, struct jwk *key)
{
	if (!take(m, members, "x", 32))
		return "its x is missing, malformed or too long";
	return reason_of(alg_ed_key(&key->key, m->member[0]), "its point is of small order");
}

static const char *
read_oct(const json_t *members, struct material *m, struct jwk *key)
{
	if (!take(m, members, "k", SECRET_MAX))
		return "its k is missing, malformed or too long";
	size_t n = m->member[0].n;
	for (size_t i = 0; i < ALG_COUNT; i++)
		if (alg_row(i)->family == ALG_HMAC && n < alg_row(i)->size)
			key->algorithms &= ~ALG_BIT(i);
	if (key->algorithms == 0)
		return "its secret is shorter than the digest (RFC 7518 section 3.2)";
	return reason_of(alg_hmac_key(&key->key, m->member[0]), "OpenSSL refuses it");
}

/* The bit of an algorithm; EdDSA and Ed25519 are two names of one (RFC 9864 section 2.2). */
static uint32_t
names_of(const struct alg *alg)
{
	return alg->family == ALG_ED ? ALG_BIT(ALG_ID_EdDSA) | ALG_BIT(ALG_ID_Ed25519) :
	    ALG_BIT(alg->id);
}

/* The algorithms of this type and curve, narrowed to the one that the key names, if it does. */
static const char *
read_algorithms(const json_t *members, struct jwk *key)
{
	struct span kty = text_of(json_object_get(members, "kty"));
	struct span crv = text_of(json_object_get(members, "crv"));
	const json_t *alg = json_object_get(members, "alg");

	for (size_t i = 0; i < ALG_COUNT; i++)
		if (span_eq(alg_row(i)->kty, kty) &&
		    (alg_row(i)->crv.n == 0 || span_eq(alg_row(i)->crv, crv)))
			key->algorithms |= ALG_BIT(i);
	if (key->algorithms == 0)
		return "its type or curve is not supported";
	if (alg == NULL)
		return NULL;
	const struct alg *named = alg_find(text_of(alg));
	key->algorithms &= named == NULL ? 0 : names_of(named);
	return key->algorithms != 0 ? NULL : "its alg is for another purpose or type of key";
}

static bool
lists_verify(const json_t *operations)
{
	size_t i;
	json_t *operation;

	json_array_foreach(operations, i, operation)
		if (span_eq(text_of(operation), SPAN("verify")))
			return true;
	return false;
}

static const char *
read_purpose(const json_t *members)
{
	const json_t *use = json_object_get(members, "use");
	const json_t *operations = json_object_get(members, "key_ops");

	if (use != NULL && !span_eq(text_of(use), SPAN("sig")))
		return "its use is not sig";
	if (operations != NULL && !lists_verify(operations))
		return "its key_ops do not list verify";
	return NULL;
}

static const char *
read_kid(const json_t *members, struct jwk *key)
{
	const json_t *value = json_object_get(members, "kid");
	struct span kid = text_of(value);

	if (value == NULL)
		return NULL;
	if (!json_is_string(value) || kid.n > JWKS_KID_MAX)
		return "its kid is no string of at most 256 bytes";
	key->has_kid = true;
	key->kid_n = kid.n;
	memcpy(key->kid, kid.p, kid.n);
	return NULL;
}

static const char *
read_material(const json_t *members, struct material *m, struct jwk *key)
{
	const struct alg *alg = alg_row((enum alg_id)__builtin_ctz(key->algorithms));

	switch (alg->family) {
	case ALG_RSA:
	case ALG_PSS:
		return read_rsa(members, m, key);
	case ALG_EC:
		return read_ec(members, alg, m, key);
	case ALG_ED:
		return read_okp(members, m, key);
	case ALG_HMAC:
		return read_oct(members, m, key);
	}
	return "its type is not supported";
}

/* Hashes a length and the bytes, so that no two lists of members give one fingerprint. */
static bool
update(EVP_MD_CTX *context, struct span s)
{
	uint64_t n = s.n;

	return EVP_DigestUpdate(context, &n, sizeof(n)) == 1 &&
	    EVP_DigestUpdate(context, s.p, s.n) == 1;
}

static const char *
take_fingerprint(struct alg_tools *tools, const struct material *m, struct jwk *key)
{
	EVP_MD_CTX *context = tools->md_context[ALG_SHA256];
	uint8_t digest[32];
	bool good = EVP_DigestInit_ex2(context, tools->md[ALG_SHA256], NULL) == 1 &&
	    update(context, span_make(&key->algorithms, sizeof(key->algorithms))) &&
	    update(context, span_make(&key->has_kid, sizeof(key->has_kid))) &&
	    update(context, span_make(key->kid, key->kid_n));

	for (size_t i = 0; good && i < m->n; i++)
		good = update(context, m->member[i]);
	if (!good || EVP_DigestFinal_ex(context, digest, NULL) != 1)
		return jwk_no_memory;
	memcpy(&key->fingerprint, digest, sizeof(key->fingerprint));
	return NULL;
}

const char *
jwk_parse(struct alg_tools *tools, const json_t *members, struct jwk *key)
{
	struct material m = { .n = 0 };
	const char *why = NULL;

	if (!json_is_object(members))
		return "it is no object";
	if ((why = read_purpose(members)) == NULL && (why = read_kid(members, key)) == NULL &&
	    (why = read_algorithms(members, key)) == NULL &&
	    (why = read_material(members, &m, key)) == NULL)
		why = take_fingerprint(tools, &m, key);
	OPENSSL_cleanse(&m, sizeof(m));
	return why;
}

void
jwk_fini(struct jwk *key)
{
	alg_key_fini(&key->key);
	*key = (struct jwk){ 0 };
}
