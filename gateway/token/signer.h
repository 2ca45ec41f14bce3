/*
 * The signer: one worker's private keys, and which of them signs now.
 *
 * The keeper publishes the private keys of the token service in a slot of shared memory, each as
 * the database has it, sealed, with its kid, algorithm and the time from which it signs. So a
 * worker needs no database to sign. At each use one atomic load tells whether the keys are still
 * the same; if not, they are read and unsealed anew. Of the keys of the configured algorithm the
 * one signs that began last; while none of them has begun, of all keys the one that did.
 */
#ifndef GATEWAY_TOKEN_SIGNER_H
#define GATEWAY_TOKEN_SIGNER_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/base/text.h"
#include "gateway/token/jwks.h"
#include "gateway/token/sign.h"
#include "shm/keys.h"

struct signer;

/* A signing key as it travels from the keeper to the workers. */
struct signer_row {
	struct span	kid;
	struct span	alg;		/* "ES256" */
	int64_t		active_from_s;
	struct span	sealed;		/* PKCS #8, sealed under its kid */
};

/* Appends a row to what is to be published in the slot. */
void signer_put(struct text *t, const struct signer_row *row);
/* Takes the next row off what was published; false at its end, or when it is malformed. */
bool signer_next(struct span *rest, struct signer_row *row);
/* Id of the slot. */
uint64_t signer_slot_id(void);

/*
 * Opens a worker's signer. `encryption_key` is what the operator gave (see seal_derive), `alg` the
 * configured algorithm. NULL: OpenSSL or memory.
 */
struct signer *signer_open(struct span encryption_key, const struct alg *alg, struct keys *keys);
/* Wipes and closes it; NULL is fine; the pointer becomes NULL. */
void signer_close(struct signer **signer);

/*
 * Chooses the key that signs at this time. *header is base64url of {"alg", "typ":"at+jwt", "kid"}
 * and stays until the next call. False: there is no key, and no token can be signed.
 */
bool signer_choose(struct signer *signer, int64_t now_wall_s, struct span *header);
/* The kid of the key that was chosen last; it stays until the next choice. */
struct span signer_kid(const struct signer *signer);
/* Signs with the key chosen; writes the signature, and returns its length; 0 if OpenSSL can't. */
size_t signer_sign(struct signer *signer, struct span input, uint8_t out[SIGN_MAX]);

#endif
