#include "tests/torture/torture.h"

#include <string.h>

#include "shm/cache.h"

/*
 * What is read must be whole, belong to its key, and not be older than the last revocation of the
 * key that was acknowledged: each key has an epoch, a value carries the one it was made in, and
 * who revokes counts the epoch up, bars and removes, and then acknowledges.
 */

#define KEYS 300
#define CACHE_SIZE ((size_t)5 * 17200 + 16384)

struct value {
	uint64_t n;
	uint64_t epoch;
	uint64_t len;
	uint8_t rest[];
};

struct proof {
	_Atomic uint64_t epoch[KEYS];
	_Atomic uint64_t acknowledged[KEYS];
};

static struct cache *cache;
static struct proof *proof;

static size_t
size(void)
{
	return CACHE_SIZE + sizeof(struct proof);
}

static void
init(void *memory, size_t memory_size)
{
	cache = cache_init(memory, memory_size - sizeof(struct proof), torture_key);
	proof = (struct proof *)((char *)memory + CACHE_SIZE);
}

static void
read_one(uint64_t n)
{
	uint64_t buf[CACHE_VALUE_MAX / 8], acknowledged = atomic_load(&proof->acknowledged[n]);
	struct value *value = (struct value *)buf;
	uint8_t digest[32];
	size_t len;

	torture_digest(digest, n);
	len = cache_get(cache, digest, 10, buf, sizeof(buf));
	if (len == 0)
		return;
	if (len < sizeof(*value) || value->n != n || value->len != len ||
	    !torture_filled(value->rest, len - sizeof(*value), n * 1000000 + value->epoch))
		torture_wrong(&torture_cache, "a value that is not whole or not of its key");
	else if (value->epoch < acknowledged)
		torture_wrong(&torture_cache, "a value from before a revocation");
}

static void
fill(struct torture_worker *worker, uint64_t n)
{
	uint64_t buf[CACHE_VALUE_MAX / 8], ticket = cache_ticket(cache);
	struct value *value = (struct value *)buf;
	size_t rest = torture_random(worker, 900);
	uint8_t digest[32];

	value->n = n;
	value->epoch = atomic_load(&proof->epoch[n]);
	value->len = sizeof(*value) + rest;
	torture_fill(value->rest, rest, n * 1000000 + value->epoch);
	torture_digest(digest, n);
	torture_dawdle(worker);
	cache_put_if(cache, ticket, digest, value, value->len, 100, 10);
}

static void
revoke(uint64_t n)
{
	uint64_t epoch = atomic_fetch_add(&proof->epoch[n], 1) + 1, old;
	uint8_t digest[32];

	torture_digest(digest, n);
	cache_bar(cache);
	cache_remove(cache, digest);
	old = atomic_load(&proof->acknowledged[n]);
	while (old < epoch &&
	    !atomic_compare_exchange_weak(&proof->acknowledged[n], &old, epoch))
		;
}

static void
step(struct torture_worker *worker)
{
	uint64_t n = torture_random(worker, KEYS), what = torture_random(worker, 20);

	/* a few keys get half of all, so that processes meet there; the rest makes for eviction */
	if (torture_random(worker, 2) == 0)
		n %= 8;
	if (what < 12)
		read_one(n);
	else if (what < 19)
		fill(worker, n);
	else
		revoke(n);
}

const struct torture_subject torture_cache = {
	.name = "cache",
	.size = size,
	.init = init,
	.step = step,
};
