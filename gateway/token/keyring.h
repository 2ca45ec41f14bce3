/*
 * The keyring: one process's parsed keys of all configured issuers.
 *
 * The keeper publishes each issuer's key set as bytes in shared memory. The keyring compares the
 * shared generation with its own at every use (one atomic load) and reads the set anew when it
 * changed, so a removed key is dead at the next request. Keys are kept apart per issuer: a key of
 * one never checks a token of another (RFC 8725 section 3.8).
 */
#ifndef GATEWAY_TOKEN_KEYRING_H
#define GATEWAY_TOKEN_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/conf/config.h"
#include "gateway/token/alg.h"
#include "gateway/token/jwks.h"
#include "shm/keys.h"

struct keyring;

enum keyring_answer {
	KEYRING_FOUND,
	KEYRING_UNKNOWN,	/* no key of that kid; or no kid, and not exactly one key fits */
	KEYRING_UNFIT,		/* the key is there but not for this algorithm */
	KEYRING_UNAVAILABLE,	/* the issuer's keys were never had */
};

/* Opens a ring for the issuers of `conf`; all three must outlive it; NULL without memory. */
struct keyring *keyring_open(const struct config *conf, struct keys *keys,
    struct alg_tools *tools);
/* Closes it; NULL is fine; the pointer becomes NULL. */
void keyring_close(struct keyring **ring);

/*
 * Finds the key of conf->issuers[issuer] for an algorithm. `kid` is compared whole; p == NULL means
 * that the token names none, and then exactly one key must fit. *key lives until the next call.
 */
enum keyring_answer keyring_find(struct keyring *ring, size_t issuer, struct span kid,
    const struct alg *alg, struct jwk **key);
/* True if a key with this fingerprint is in the issuer's current set. */
bool keyring_has(struct keyring *ring, size_t issuer, uint64_t fingerprint);
/* Generation of the issuer's set in shared memory; 0: never had. */
uint64_t keyring_generation(const struct keyring *ring, size_t issuer);
/* Generation of the set that keyring_find() looked at last. */
uint64_t keyring_parsed(const struct keyring *ring, size_t issuer);

#endif
