#ifndef SHM_HASH_H
#define SHM_HASH_H

/*
 * Hashes that choose places, never ones that prove anything.
 *
 * hash_bytes is SipHash-1-3 (Aumasson and Bernstein, 2012): keyed, so that clients who choose the
 * bytes cannot choose the bucket. hash_digest is for what is already uniform (a SHA-256), and
 * mixes a boot key into it. hash_mix64 spreads numbers that nobody chooses.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_KEY_SIZE 16
#define HASH_DIGEST_SIZE 32

static inline uint64_t
hash_word(const void *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/*
 * A bijection of 64-bit numbers in which every bit of the input moves every bit of the output
 * (David Stafford's mix 13).
 */
static inline uint64_t
hash_mix64(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/*
 * A place for a 32-byte digest that is uniform already, under a key of HASH_KEY_SIZE random
 * bytes.
 */
static inline uint64_t
hash_digest(const uint8_t digest[HASH_DIGEST_SIZE], const uint8_t key[HASH_KEY_SIZE])
{
	uint64_t a = hash_word(digest) ^ hash_word(key);
	uint64_t b = hash_word(digest + 8) ^ hash_word(key + 8);

	return hash_mix64(a ^ hash_mix64(b));
}

static inline uint64_t
hash_rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void
hash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = hash_rotate(v[1], 13) ^ v[0];
	v[0] = hash_rotate(v[0], 32);
	v[2] += v[3];
	v[3] = hash_rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = hash_rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = hash_rotate(v[1], 17) ^ v[2];
	v[2] = hash_rotate(v[2], 32);
}

static inline void
hash_absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	hash_round(v);
	v[0] ^= word;
}

/* SipHash-1-3 of len bytes under a key of HASH_KEY_SIZE bytes. */
static inline uint64_t
hash_bytes(const void *bytes, size_t len, const uint8_t key[HASH_KEY_SIZE])
{
	const uint8_t *p = bytes, *end = p + len - len % 8;
	uint64_t k0 = hash_word(key), k1 = hash_word(key + 8), last = 0;
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL, k1 ^ 0x7465646279746573ULL };
	int i;

	for (; p != end; p += 8)
		hash_absorb(v, hash_word(p));
	memcpy(&last, p, len % 8);
	hash_absorb(v, last | (uint64_t)len << 56);
	v[2] ^= 0xff;
	for (i = 0; i < 3; i++)
		hash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
