#ifndef SHM_CACHE_H
#define SHM_CACHE_H

/*
 * A cache of small values by 32-byte digest, shared by all processes and read without a lock.
 *
 * It promises: what a read returns was put whole under exactly this digest and has not expired;
 * it may forget anything at any time. A hit sets one bit and moves nothing. Memory is bounded:
 * when a bucket is full, the expired go first, then what was not read since the hand last passed
 * (CLOCK). Instances share nothing, so a flood of one kind gets a cache of its own.
 *
 * When a process dies inside a bucket's lock, the next writer empties that bucket (some 30
 * entries); until then it only misses. A process stopped inside a lock costs others a few
 * milliseconds, then their puts are refused; reads never wait.
 *
 * No fill after a revocation. Who looks something up takes a ticket before, and publishes with
 * cache_put_if; who revokes records the revocation, then calls cache_bar, then cache_remove for
 * each digest it knows. Suppose the look-up read its source before the revocation was recorded,
 * so that its ticket is older than the bar. cache_put_if compares ticket and bar inside the
 * bucket's lock. If it takes that lock after cache_remove dropped it, the bar is visible to it
 * and it refuses; if before, what it wrote is removed. Either way nothing is left once
 * cache_remove has returned. Where the digest is not known (a subject or a client is revoked), an
 * entry whose check just preceded the bar may still appear just after it: such revocations must
 * be kept where each hit is checked against them (shm/set.h, or a generation kept in the value),
 * and every check begun after the bar will find them there, since they were recorded before it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_VALUE_MAX 4096
#define CACHE_VERSION 1

struct cache;

struct cache_stats {
	uint64_t entries;	 /* the expired but not yet overwritten included */
	uint64_t evictions;	 /* unexpired entries forgotten for want of room */
	uint64_t used_bytes;	 /* of values and their digests */
	uint64_t capacity_bytes; /* the most that used_bytes can become */
};

/*
 * The bytes to give to a cache that shall hold so many entries of so many bytes each, nearly all
 * of them at once.
 */
size_t cache_size_for(size_t entries, size_t bytes_each);

/* The least size cache_init takes. */
size_t cache_size_min(void);

/*
 * Formats zeroed, page-aligned memory; key is 16 random bytes. Touches 64 of each 17,152 bytes.
 * NULL if size is too small.
 */
struct cache *cache_init(void *memory, size_t size, const uint8_t key[16]);

/*
 * The cache that cache_init made in this memory, or NULL if there is none of this layout and
 * size.
 */
struct cache *cache_attach(void *memory, size_t size);

/*
 * Copies the value to buf and returns its length in bytes, or 0: unknown, expired (now_s >=
 * expires_s), or larger than size.
 */
size_t cache_get(struct cache *cache, const uint8_t digest[32], uint64_t now_s, void *buf,
    size_t size);

/*
 * Keeps len (1 to CACHE_VALUE_MAX) bytes until expires_s, instead of what was kept under the
 * digest. False when nothing was kept: expired already, a wrong length, or a bucket whose
 * lock-holder is stopped.
 */
bool cache_put(struct cache *cache, const uint8_t digest[32], const void *value, size_t len,
    uint64_t expires_s, uint64_t now_s);

/* Taken before a look-up whose result is to be published with cache_put_if. */
uint64_t cache_ticket(const struct cache *cache);

/* As cache_put, and false also when cache_bar was called since the ticket was taken. */
bool cache_put_if(struct cache *cache, uint64_t ticket, const uint8_t digest[32],
    const void *value, size_t len, uint64_t expires_s, uint64_t now_s);

/* Makes all tickets taken so far worthless. */
void cache_bar(struct cache *cache);

/*
 * Forgets one digest; when it returns, no reader finds what was kept. False if nothing was. Waits
 * for the bucket's lock.
 */
bool cache_remove(struct cache *cache, const uint8_t digest[32]);

/*
 * Adds up the buckets' counters; they are read while others go on, so the sums are close, not
 * exact.
 */
void cache_stats(const struct cache *cache, struct cache_stats *stats);

#endif
