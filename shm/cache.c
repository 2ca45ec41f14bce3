#include "shm/cache.h"

#include <stdatomic.h>
#include <string.h>

#include "shm/bucket.h"
#include "shm/hash.h"
#include "shm/lock.h"

/*
 * The memory is a header, an array of guards, and arrays of the heads and the areas of buckets
 * (shm/bucket.h). A guard holds what only writers need, the lock and statistics; it stands apart so
 * that a fresh bucket is all zeros and costs no page until it is used.
 */

#define CACHE_MAGIC 0x31656863614347ULL
#define PAGE ((size_t)4096)

struct cache {
	uint64_t magic;
	uint64_t size;
	uint64_t buckets_n;
	uint64_t heads_offset;
	uint64_t areas_offset;
	uint8_t key[HASH_KEY_SIZE];
	_Alignas(64) _Atomic uint64_t bar;
};

struct guard {
	struct lock lock;
	_Atomic uint32_t entries;
	_Atomic uint32_t used_bytes;
	_Atomic uint64_t evictions;
	uint64_t unused;
};

_Static_assert(sizeof(struct guard) == 64, "a guard is a cache line");
_Static_assert(CACHE_VALUE_MAX + HASH_DIGEST_SIZE <= BUCKET_AREA_SIZE, "any value fits");

struct place {
	struct bucket bucket;
	struct guard *guard;
	struct bucket_key key;
};

/* What a put is asked to do; ticket is NULL when any time will do. */
struct order {
	const uint64_t *ticket;
	const void *value;
	size_t len;
	uint64_t expires_s;
	uint64_t now_s;
};

static struct guard *
guards(const struct cache *cache)
{
	return (struct guard *)((char *)cache + PAGE);
}

static struct place
locate(const struct cache *cache, const uint8_t digest[32])
{
	uint64_t hash = hash_digest(digest, cache->key);
	uint64_t index = (uint64_t)((unsigned __int128)hash * cache->buckets_n >> 64);
	char *head = (char *)cache + cache->heads_offset + index * BUCKET_HEAD_SIZE;
	char *area = (char *)cache + cache->areas_offset + index * BUCKET_AREA_SIZE;
	uint16_t tag = (uint16_t)hash;

	return (struct place){
		.bucket = { (struct bucket_head *)head, (_Atomic uint64_t *)area },
		.guard = guards(cache) + index,
		.key = { .digest = digest, .tag = tag == 0 ? 1 : tag },
	};
}

static void
open_place(struct place *place, enum lock_result result)
{
	if (result == LOCK_RECOVERED)
		bucket_reset(place->bucket);
	bucket_begin(place->bucket);
}

static void
close_place(struct place *place)
{
	struct guard *guard = place->guard;

	bucket_end(place->bucket);
	atomic_store_explicit(
	    &guard->entries, bucket_entries(place->bucket), memory_order_relaxed);
	atomic_store_explicit(
	    &guard->used_bytes, (uint32_t)bucket_used(place->bucket), memory_order_relaxed);
	lock_drop(&guard->lock);
}

static bool
put(struct cache *cache, const uint8_t digest[32], const struct order *order)
{
	struct place place = locate(cache, digest);
	enum lock_result result;
	unsigned int evictions;
	uint32_t expires_s;
	bool fresh;

	if (order->len == 0 || order->len > CACHE_VALUE_MAX || order->expires_s <= order->now_s)
		return false;
	expires_s = order->expires_s > UINT32_MAX ? UINT32_MAX : (uint32_t)order->expires_s;
	result = lock_try(&place.guard->lock);
	if (result == LOCK_BUSY)
		return false;
	open_place(&place, result);
	fresh = order->ticket == NULL || *order->ticket == cache_ticket(cache);
	if (fresh) {
		evictions = bucket_put(
		    place.bucket, place.key, order->value, order->len, expires_s, order->now_s);
		atomic_fetch_add_explicit(
		    &place.guard->evictions, evictions, memory_order_relaxed);
	}
	close_place(&place);
	return fresh;
}

bool
cache_put(struct cache *cache, const uint8_t digest[32], const void *value, size_t len,
    uint64_t expires_s, uint64_t now_s)
{
	struct order order = {
		.value = value, .len = len, .expires_s = expires_s, .now_s = now_s
	};

	return put(cache, digest, &order);
}

bool
cache_put_if(struct cache *cache, uint64_t ticket, const uint8_t digest[32], const void *value,
    size_t len, uint64_t expires_s, uint64_t now_s)
{
	struct order order = { .ticket = &ticket,
		.value = value,
		.len = len,
		.expires_s = expires_s,
		.now_s = now_s };

	return put(cache, digest, &order);
}

uint64_t
cache_ticket(const struct cache *cache)
{
	return atomic_load(&cache->bar);
}

void
cache_bar(struct cache *cache)
{
	atomic_fetch_add(&cache->bar, 1);
}

bool
cache_remove(struct cache *cache, const uint8_t digest[32])
{
	struct place place = locate(cache, digest);
	bool found;

	open_place(&place, lock_take(&place.guard->lock));
	found = bucket_remove(place.bucket, place.key);
	close_place(&place);
	return found;
}

size_t
cache_get(struct cache *cache, const uint8_t digest[32], uint64_t now_s, void *buf, size_t size)
{
	struct place place = locate(cache, digest);

	return bucket_read(place.bucket, place.key, now_s, buf, size);
}

void
cache_stats(const struct cache *cache, struct cache_stats *stats)
{
	const struct guard *guard = guards(cache);
	uint64_t i;

	*stats = (struct cache_stats){ .capacity_bytes = cache->buckets_n * BUCKET_AREA_SIZE };
	for (i = 0; i < cache->buckets_n; i++, guard++) {
		stats->entries += atomic_load_explicit(&guard->entries, memory_order_relaxed);
		stats->evictions += atomic_load_explicit(&guard->evictions, memory_order_relaxed);
		stats->used_bytes += atomic_load_explicit(&guard->used_bytes, memory_order_relaxed);
	}
}

static size_t
page_up(size_t offset)
{
	return (offset + PAGE - 1) & ~(PAGE - 1);
}

static size_t
heads_offset(uint64_t n)
{
	return page_up(PAGE + n * sizeof(struct guard));
}

static size_t
areas_offset(uint64_t n)
{
	return page_up(heads_offset(n) + n * BUCKET_HEAD_SIZE);
}

static size_t
size_of(uint64_t n)
{
	return areas_offset(n) + n * BUCKET_AREA_SIZE;
}

/*
 * Entries fall on buckets by chance, so a quarter is left free: then under one in a hundred finds
 * its bucket full.
 */
size_t
cache_size_for(size_t entries, size_t bytes_each)
{
	size_t each = BUCKET_AREA_SIZE / bucket_entry_size(bytes_each);

	if (each > BUCKET_ENTRIES_MAX)
		each = BUCKET_ENTRIES_MAX;
	if (each == 0)
		each = 1;
	return size_of(entries * 5 / (each * 4) + 1);
}

size_t
cache_size_min(void)
{
	return size_of(1);
}

/* The most buckets that fit. */
static uint64_t
buckets_in(size_t size)
{
	uint64_t n = size / (BUCKET_AREA_SIZE + BUCKET_HEAD_SIZE + sizeof(struct guard));

	while (n > 0 && size_of(n) > size)
		n--;
	return n;
}

struct cache *
cache_init(void *memory, size_t size, const uint8_t key[16])
{
	struct cache *cache = memory;
	uint64_t i, n = buckets_in(size);

	if (n == 0)
		return NULL;
	cache->size = size;
	cache->buckets_n = n;
	cache->heads_offset = heads_offset(n);
	cache->areas_offset = areas_offset(n);
	memcpy(cache->key, key, sizeof(cache->key));
	for (i = 0; i < n; i++)
		lock_init(&guards(cache)[i].lock);
	cache->magic = CACHE_MAGIC;
	return cache;
}

struct cache *
cache_attach(void *memory, size_t size)
{
	struct cache *cache = memory;

	if (size < cache_size_min() || cache->magic != CACHE_MAGIC || cache->size != size ||
	    cache->buckets_n != buckets_in(size))
		return NULL;
	return cache;
}
