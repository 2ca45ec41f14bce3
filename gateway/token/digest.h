/*
 * SHA-256, the name of a token in the caches.
 *
 * It is made for every request that carries a token, so it goes past OpenSSL's EVP layer, which
 * allocates for each digest: the same code underneath, and nothing from the heap.
 */
#ifndef GATEWAY_TOKEN_DIGEST_H
#define GATEWAY_TOKEN_DIGEST_H

#include <stdint.h>

#include "gateway/base/span.h"

/* SHA-256 of the bytes (FIPS 180-4). */
void digest_sha256(struct span in, uint8_t out[32]);
/* The same of several pieces, one after the other. */
void digest_sha256_parts(const struct span *parts, size_t n, uint8_t out[32]);

#endif
