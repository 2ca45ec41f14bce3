/*
 * Opaque tokens: texts that say nothing and are looked up. "gha_" begins an access token, "ghr_" a
 * refresh token; then come, in base64url, the 16 bytes of the token's id (a UUID of version 7) and
 * 32 bytes of chance. 68 characters, one spelling.
 *
 * The id finds the token's row; the SHA-256 of the whole text, compared in constant time, proves
 * that it is the token.
 */
#ifndef GATEWAY_TOKEN_OPAQUE_H
#define GATEWAY_TOKEN_OPAQUE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/token/uuid.h"

#define OPAQUE_TEXT	68
#define OPAQUE_SECRET	32
#define OPAQUE_DIGEST	32

enum opaque_kind {
	OPAQUE_ACCESS,
	OPAQUE_REFRESH,
};

/* True if the text begins as tokens of this kind do, whatever follows: it is no JWT then. */
bool opaque_begins(enum opaque_kind kind, struct span text);
/* Reads the id out of a well-formed token of this kind; false if it is none. */
bool opaque_read(enum opaque_kind kind, struct span text, uint8_t id[UUID_SIZE]);
/* Writes the token of an id and a secret: OPAQUE_TEXT characters, no NUL. */
void opaque_write(enum opaque_kind kind, const uint8_t id[UUID_SIZE],
    const uint8_t secret[OPAQUE_SECRET], char out[OPAQUE_TEXT]);
/* Makes a new token with an id of now; false if OpenSSL has no random numbers. */
bool opaque_new(enum opaque_kind kind, uint8_t id[UUID_SIZE], char out[OPAQUE_TEXT]);
/* True if both digests are the same; takes the same time whether they are or not. */
bool opaque_same(const uint8_t a[OPAQUE_DIGEST], const uint8_t b[OPAQUE_DIGEST]);

#endif
