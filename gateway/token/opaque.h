/*
 * Opaque tokens: texts that say nothing and are looked up. "gha_" begins an access token, "ghr_" a
 * refresh token; then come, in base64url, the 16 bytes of the token's id (a UUID of version 7), 32
 * bytes of chance, and 8 bytes of tag. 79 characters, one spelling.
 *
 * The id finds the token's row; the SHA-256 of the whole text, compared in constant time, proves
 * that it is the token. The tag (HMAC-SHA256, RFC 2104, cut to 64 bits, over the kind, the id and
 * the chance, by a key of the token service) proves nothing, but tells made-up tokens from those
 * that were made here, so that a flood of them costs no query.
 */
#ifndef GATEWAY_TOKEN_OPAQUE_H
#define GATEWAY_TOKEN_OPAQUE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/token/uuid.h"

#define OPAQUE_TEXT	79
#define OPAQUE_SECRET	32
#define OPAQUE_TAG	8
#define OPAQUE_DIGEST	32

struct seal_key;

enum opaque_kind {
	OPAQUE_ACCESS,
	OPAQUE_REFRESH,
};

/*
 * Derives the key of an issuer's tags from config_token_service.encryption_key; wipe it with
 * seal_forget when done. It is the issuer's, since a token is revoked by its issuer's name and no
 * row says whose it is: under another name the token would live again. False if OpenSSL can't.
 */
bool opaque_derive_key(struct span issuer, struct span secret, struct seal_key *key);
/* True if the text begins as tokens of this kind do, whatever follows: it is no JWT then. */
bool opaque_begins(enum opaque_kind kind, struct span text);
/*
 * Reads the id out of a well-formed token of this kind, made with this key (opaque_derive_key;
 * NULL: whatever it was made with); false if it is none.
 */
bool opaque_read(enum opaque_kind kind, struct span text, const struct seal_key *key,
    uint8_t id[UUID_SIZE]);
/* Writes the token of an id and a secret: OPAQUE_TEXT characters, no NUL. */
void opaque_write(enum opaque_kind kind, const uint8_t id[UUID_SIZE],
    const uint8_t secret[OPAQUE_SECRET], const struct seal_key *key, char out[OPAQUE_TEXT]);
/* Makes a new token with an id of now; false if OpenSSL has no random numbers. */
bool opaque_new(enum opaque_kind kind, const struct seal_key *key, uint8_t id[UUID_SIZE],
    char out[OPAQUE_TEXT]);
/* True if both digests are the same; takes the same time whether they are or not. */
bool opaque_same(const uint8_t a[OPAQUE_DIGEST], const uint8_t b[OPAQUE_DIGEST]);

#endif
