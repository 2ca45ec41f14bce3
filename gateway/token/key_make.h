/*
 * New signing keys, in the forms that the store keeps: the public one as a JWK (RFC 7517), the
 * private one as PKCS #8 (RFC 5958), sealed.
 *
 * A key is named by its thumbprint (RFC 7638), so no two keys have one name.
 */
#ifndef GATEWAY_TOKEN_KEY_MAKE_H
#define GATEWAY_TOKEN_KEY_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/conf/config.h"
#include "gateway/token/alg.h"
#include "gateway/token/seal.h"

#define KEY_MAKE_KID	43	/* characters of a kid */
#define KEY_MAKE_JWK	640	/* bytes of the longest JWK */
#define KEY_MAKE_SEALED	2048

/* A key as a row of signing_keys; no part of it is secret. */
struct key_make {
	char	kid[KEY_MAKE_KID + 1];
	char	public_jwk[KEY_MAKE_JWK + 1];	/* with alg, kid and use */
	uint8_t	sealed[KEY_MAKE_SEALED];	/* under its kid */
	size_t	sealed_n;
};

/* The algorithm that the token service is configured to sign with. */
enum alg_id key_make_alg(const struct config_token_service *config);
/*
 * Makes a key for an algorithm of that choice, and seals it (seal_derive, SEAL_SIGNING_KEYS). False
 * if OpenSSL can't. An RSA key takes about 50 ms.
 */
bool key_make(enum alg_id alg, const struct seal_key *seal, struct key_make *key);

#endif
