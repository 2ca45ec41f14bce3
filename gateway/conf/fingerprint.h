/*
 * A 64-bit fingerprint of a row of texts and numbers: the same row, the same fingerprint, in every
 * process and after every start. It tells one configuration from another; nobody hostile chooses
 * what goes in.
 */
#ifndef GATEWAY_CONF_FINGERPRINT_H
#define GATEWAY_CONF_FINGERPRINT_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "shm/hash.h"

struct fingerprint {
	uint64_t	value;
};

/* Adds one text; the end of each counts, so "ab", "c" and "a", "bc" differ. */
static inline void
fingerprint_add(struct fingerprint *f, struct span s)
{
	uint8_t key[HASH_KEY_SIZE] = "gatehouse rules";
	uint64_t length = s.n;

	memcpy(key + 8, &f->value, sizeof(f->value));
	f->value = hash_bytes(&length, sizeof(length), key);
	memcpy(key + 8, &f->value, sizeof(f->value));
	f->value = hash_bytes(s.n == 0 ? "" : s.p, s.n, key);
}

static inline void
fingerprint_add_number(struct fingerprint *f, uint64_t number)
{
	fingerprint_add(f, span_make(&number, sizeof(number)));
}

/* Adds a list; its length counts. */
static inline void
fingerprint_add_list(struct fingerprint *f, const struct span *list, size_t n)
{
	fingerprint_add_number(f, n);
	for (size_t i = 0; i < n; i++)
		fingerprint_add(f, list[i]);
}

#endif
