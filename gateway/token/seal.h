/*
 * Seals: secrets at rest under the operator's encryption key.
 *
 * For each purpose a key of its own is derived from what the configuration holds (HKDF-SHA256,
 * RFC 5869, the purpose as info). A sealed text is AES-256-GCM (NIST SP 800-38D) under a random
 * nonce: a byte 1 for this format, 12 bytes of nonce, the ciphertext, 16 bytes of tag. What it
 * belongs to, the row's name, is bound to it and not inside: a seal moved to another row stays
 * shut.
 */
#ifndef GATEWAY_TOKEN_SEAL_H
#define GATEWAY_TOKEN_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"

#define SEAL_KEY_SIZE	32
/* Bytes that a sealed text is longer. */
#define SEAL_EXTRA	29

/* The purposes there are. */
#define SEAL_SIGNING_KEYS	SPAN("signing keys")
#define SEAL_REFRESH_TOKENS	SPAN("refresh tokens")

struct seal_key {
	uint8_t	bytes[SEAL_KEY_SIZE];
};

/*
 * Derives the key of a purpose from config_token_service.encryption_key; wipe it with seal_forget
 * when done. False if OpenSSL can't.
 */
bool seal_derive(struct span secret, struct span purpose, struct seal_key *key);
/* The same for somebody's use only (RFC 5869's salt): others get another key. */
bool seal_derive_for(struct span whose, struct span secret, struct span purpose,
    struct seal_key *key);
/* Wipes a key. */
void seal_forget(struct seal_key *key);

/* Seals; writes plain.n + SEAL_EXTRA bytes. False if OpenSSL can't. */
bool seal_shut(const struct seal_key *key, struct span name, struct span plain, uint8_t *out);
/*
 * Opens; writes sealed.n - SEAL_EXTRA bytes. False if it was not sealed with this key under this
 * name, or has been changed; then nothing of it is left in `out`.
 */
bool seal_open(const struct seal_key *key, struct span name, struct span sealed, uint8_t *out);

#endif
