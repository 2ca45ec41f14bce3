/*
 * Signing: one private key, ready to make JWS signatures of one algorithm, again and again.
 *
 * Contexts are prepared once per key, so a signature costs what its arithmetic costs. Signatures
 * are as JWS wants them (RFC 7518 section 3.4): of ECDSA raw r and s, not DER.
 */
#ifndef GATEWAY_TOKEN_SIGN_H
#define GATEWAY_TOKEN_SIGN_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/token/alg.h"

#define SIGN_MAX	2048		/* bytes of the longest signature: RSA of 16384 bits */

struct sign_key {
	const struct alg	*alg;
	EVP_PKEY		*pkey;
	EVP_PKEY_CTX		*context;	/* RSA, EC */
};

/*
 * Makes a key ready from its PKCS #8 form (DER). False if it is none, not of the algorithm's type
 * or curve, or OpenSSL can't; the key is then zeroed. `tools` must outlive it.
 */
bool sign_open(struct sign_key *key, struct alg_tools *tools, const struct alg *alg,
    struct span pkcs8);
/* Lets go of it; safe on a zeroed one. */
void sign_close(struct sign_key *key);

/* Signs; writes at most SIGN_MAX bytes and returns how many, 0 if OpenSSL can't. */
size_t sign_make(struct sign_key *key, struct alg_tools *tools, struct span input,
    uint8_t out[SIGN_MAX]);

#endif
