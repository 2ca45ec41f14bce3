/*
 * The signature algorithms: one row of alg.def each, one file per family.
 *
 * A key is bound to its family when it is read from a key set, so a token can choose among the
 * algorithms of its key, never the kind of key (RFC 8725 section 3.1). Digests are fetched from
 * OpenSSL once per process and contexts are prepared once per key and algorithm: a verification
 * allocates nothing but what OpenSSL itself does inside its arithmetic.
 */
#ifndef GATEWAY_TOKEN_ALG_H
#define GATEWAY_TOKEN_ALG_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"

enum alg_id {
#define ALG(name, family, kty, crv, digest, size)	ALG_ID_##name,
#include "gateway/token/alg.def"
#undef ALG
	ALG_COUNT
};

enum alg_family {
	ALG_RSA,	/* RSASSA-PKCS1-v1_5 */
	ALG_PSS,	/* RSASSA-PSS, salt as long as the digest */
	ALG_EC,		/* ECDSA, raw r and s */
	ALG_ED,		/* Ed25519 */
	ALG_HMAC,
};

enum alg_digest {
	ALG_SHA256,
	ALG_SHA384,
	ALG_SHA512,
	ALG_NONE,	/* the family hashes by itself */
};

#define ALG_DIGESTS	3

struct alg {
	enum alg_id	id;
	enum alg_family	family;
	struct span	name;		/* "RS256" */
	struct span	kty;		/* type of key it needs */
	struct span	crv;		/* its curve; "": none */
	enum alg_digest	digest;
	size_t		size;		/* bytes of a signature; 0: as long as the modulus */
};

/* The bit of one algorithm in a set of them. */
#define ALG_BIT(id)	(UINT32_C(1) << (id))

/* What a process fetches from OpenSSL once; owned by whoever opened it, used by one thread. */
struct alg_tools {
	EVP_MD		*md[ALG_DIGESTS];
	EVP_MD_CTX	*md_context[ALG_DIGESTS];
	EVP_MD_CTX	*ed_context;
	EVP_MAC		*hmac;
};

/* A key in OpenSSL's form, with the contexts prepared so far; what does not apply is NULL. */
struct alg_key {
	EVP_PKEY	*pkey;			/* RSA, EC, OKP */
	EVP_PKEY_CTX	*verify[ALG_COUNT];	/* RSA, EC: ready for EVP_PKEY_verify */
	uint8_t		*secret;		/* oct */
	size_t		 secret_n;
	EVP_MAC_CTX	*mac[ALG_COUNT];	/* oct: keyed */
};

enum alg_result {
	ALG_GOOD,		/* the signature is the key's over exactly this input; or a key */
	ALG_BAD,
	ALG_NO_MEMORY,		/* nothing is known: OpenSSL could not look */
};

/* The algorithm of exactly this name (case matters); NULL: none such, "none" among them. */
const struct alg *alg_find(struct span name);
/* The row of an id. */
const struct alg *alg_row(enum alg_id id);

/* Fetches all digests; NULL if OpenSSL can't. */
struct alg_tools *alg_tools_new(void);
/* Frees them; NULL is fine; the pointer becomes NULL. */
void alg_tools_free(struct alg_tools **tools);

/*
 * Checks a signature over the input (RFC 7515 section 5.2). The key must be of the algorithm's
 * type; a signature of another length than the algorithm's or the key's is bad, never an error.
 */
enum alg_result alg_verify(struct alg_tools *tools, const struct alg *alg, struct alg_key *key,
    struct span input, struct span signature);

/*
 * Make a key from the members of a JWK, decoded. ALG_BAD if OpenSSL refuses them: a point that is
 * not on its curve. Bounds on sizes are the caller's.
 */
enum alg_result alg_rsa_key(struct alg_key *key, struct span n, struct span e);
enum alg_result alg_ec_key(struct alg_key *key, struct span crv, struct span x, struct span y);
enum alg_result alg_ed_key(struct alg_key *key, struct span x);
enum alg_result alg_hmac_key(struct alg_key *key, struct span k);
/* Lets go of a key and wipes a secret; safe on a zeroed key. */
void alg_key_fini(struct alg_key *key);

/* True for encodings of Ed25519 points of small order, canonical or not (RFC 8032 section 5.1). */
bool alg_ed_small_order(struct span point);
/* True for a modulus with the structure of CVE-2017-15361 (ROCA), whose factors can be found. */
bool alg_rsa_is_roca(struct span n);

#endif
