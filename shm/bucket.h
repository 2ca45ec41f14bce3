#ifndef SHM_BUCKET_H
#define SHM_BUCKET_H

/*
 * One bucket of the cache (shm/cache.h): up to 64 entries of different lengths in 16 KiB.
 *
 * A bucket is a head and an area, which lie apart: the heads of all buckets stand close together,
 * so that finding an entry seldom leaves the caches of processor and page tables. All zeros is an
 * empty bucket. Any number of readers may read at any time; of all other functions only one may
 * run at once, which the caller sees to with a lock, and between bucket_begin and bucket_end,
 * while which readers miss. If a process dies there, bucket_reset makes the bucket good.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKET_HEAD_SIZE 704
#define BUCKET_AREA_SIZE 16384
#define BUCKET_ENTRIES_MAX 64

struct bucket_head;

struct bucket {
	struct bucket_head *head; /* BUCKET_HEAD_SIZE bytes */
	_Atomic uint64_t *area;	  /* BUCKET_AREA_SIZE bytes */
};

/* What names an entry: its digest, and a tag (1 to 65535) drawn from it. */
struct bucket_key {
	const uint8_t *digest;
	uint16_t tag;
};

/* The bytes an entry with a value of len bytes takes of BUCKET_AREA_SIZE. */
size_t bucket_entry_size(size_t len);

/* Copies a value out and returns its length; 0 if unknown, expired or longer than size. */
size_t bucket_read(struct bucket bucket, struct bucket_key key, uint64_t now_s, void *buf,
    size_t size);

/* Opens the bucket for changes. */
void bucket_begin(struct bucket bucket);

/* Shows readers what was changed. */
void bucket_end(struct bucket bucket);

/* Empties a bucket that was left open by a process that died; it is closed afterwards. */
void bucket_reset(struct bucket bucket);

/*
 * Puts a value of 1 to 4096 bytes, in place of the one under this key, until expires_s (seconds).
 * Returns how many unexpired other entries had to go for it.
 */
unsigned int bucket_put(struct bucket bucket, struct bucket_key key, const void *value, size_t len,
    uint32_t expires_s, uint64_t now_s);

/* Takes an entry out, and answers whether there was one. */
bool bucket_remove(struct bucket bucket, struct bucket_key key);

/* How many entries it holds. */
unsigned int bucket_entries(struct bucket bucket);

/* How many bytes of the area they take. */
size_t bucket_used(struct bucket bucket);

#endif
