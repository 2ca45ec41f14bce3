/*
 * One issuer's key set as the keeper holds it: judges what was fetched, and publishes what is good.
 *
 * Only a set that parses and has a usable key replaces the last good one; anything else (an error
 * page, an empty set, two keys of one name) leaves it in place. Publishing the same bytes again
 * confirms them. What came and what went is told in the log by kid.
 */
#ifndef GATEWAY_ISSUER_KEYS_H
#define GATEWAY_ISSUER_KEYS_H

#include <stdbool.h>

#include "gateway/base/span.h"
#include "gateway/conf/config.h"
#include "gateway/token/jwks.h"
#include "shm/keys.h"

struct issuer_keys {
	const struct config_issuer	*issuer;
	struct alg_tools		*tools;
	struct keys_slot		 slot;		/* claimed */
	char				*bytes;		/* the set in force, NULL: none yet */
	size_t				 n;
	struct jwks			*set;		/* the same, parsed */
};

enum issuer_keys_result {
	ISSUER_KEYS_CHANGED,
	ISSUER_KEYS_SAME,
	ISSUER_KEYS_REFUSED,
};

/*
 * Claims the issuer's slot and takes up the set an earlier keeper left there. False when no slot
 * is free or there is no memory.
 */
bool issuer_keys_open(struct issuer_keys *k, const struct config_issuer *issuer, struct keys *keys,
    struct alg_tools *tools);
/* True if the set in force is exactly these bytes. */
bool issuer_keys_hold(const struct issuer_keys *k, const char *bytes, size_t n);
/* Judges a set; REFUSED gives *reason, a sentence. */
enum issuer_keys_result issuer_keys_take(struct issuer_keys *k, struct span bytes, uint64_t now_s,
    const char **reason);
/* Frees what this process holds; the slot stays as it is. Safe on a zeroed one. */
void issuer_keys_close(struct issuer_keys *k);

#endif
