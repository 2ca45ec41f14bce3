#include "shm/lease.h"

#include <stdatomic.h>
#include <string.h>

#include "shm/hash.h"
#include "shm/lock.h"

/*
 * A place is in use while its ticket is not 0. A new lease is written first and given its ticket
 * last; one that changes hands gets its new holder and deadline first. A process that dies in
 * between leaves a free place, or a lease whose holder is dead, which the next taker breaks.
 */

#define LEASE_MAGIC 0x31736145734c4847ULL
#define PAGE ((size_t)4096)
#define PLACES 8

/*
 * Changed and read under the lock only; atomic so that the stores of a dying process keep their
 * order.
 */
struct place {
	uint8_t digest[HASH_DIGEST_SIZE];
	_Atomic uint64_t ticket;
	_Atomic uint64_t deadline_ms;
	_Atomic uint64_t waiters[2];
	_Atomic int64_t pid;
};

struct bucket {
	_Alignas(64) struct lock lock;
	struct place places[PLACES];
};

struct lease {
	uint64_t magic;
	uint64_t size;
	uint64_t buckets_n;
	uint8_t key[HASH_KEY_SIZE];
	_Alignas(64) _Atomic uint64_t tickets; /* the last one given out */
	struct bucket buckets[];
};

static struct bucket *
bucket_of(struct lease *lease, const uint8_t digest[32])
{
	uint64_t hash = hash_digest(digest, lease->key);

	return &lease->buckets[(uint64_t)((unsigned __int128)hash * lease->buckets_n >> 64)];
}

static struct place *
find(struct bucket *bucket, const uint8_t digest[32])
{
	struct place *place;

	for (place = bucket->places; place != bucket->places + PLACES; place++)
		if (atomic_load(&place->ticket) != 0 &&
		    memcmp(place->digest, digest, HASH_DIGEST_SIZE) == 0)
			return place;
	return NULL;
}

/*
 * A place for a new lease: a free one, else one past its deadline, whose waiters then see their
 * own pass.
 */
static struct place *
find_room(struct bucket *bucket, uint64_t now_ms)
{
	struct place *place, *late = NULL;

	for (place = bucket->places; place != bucket->places + PLACES; place++) {
		if (atomic_load(&place->ticket) == 0)
			return place;
		if (atomic_load(&place->deadline_ms) <= now_ms)
			late = place;
	}
	return late;
}

/* Makes the asker the holder of a place, and answers with the ticket. */
static uint64_t
hold(struct lease *lease, struct place *place, const struct lease_asker *asker, uint64_t ttl_ms)
{
	uint64_t ticket = atomic_fetch_add(&lease->tickets, 1) + 1;

	atomic_store(&place->deadline_ms, asker->now_ms + ttl_ms);
	atomic_store(&place->pid, asker->pid);
	lock_point("lease:hold");
	atomic_store(&place->ticket, ticket);
	return ticket;
}

static void
occupy(struct place *place, const uint8_t digest[32])
{
	atomic_store(&place->ticket, 0);
	lock_point("lease:occupy");
	memcpy(place->digest, digest, HASH_DIGEST_SIZE);
	atomic_store(&place->waiters[0], 0);
	atomic_store(&place->waiters[1], 0);
}

static void
wait_at(struct place *place, int worker)
{
	atomic_fetch_or(&place->waiters[worker / 64], 1ULL << worker % 64);
	lock_point("lease:wait");
}

/* Who holds a lease, as seen by one who has to wait for it. */
struct holder {
	pid_t pid;
	uint64_t ticket;
};

static enum lease_result
take(struct lease *lease, struct bucket *bucket, const uint8_t digest[32],
    const struct lease_asker *asker, uint64_t ttl_ms, uint64_t *ticket, struct holder *holder)
{
	struct place *place = find(bucket, digest);

	if (place != NULL && atomic_load(&place->deadline_ms) > asker->now_ms &&
	    atomic_load(&place->ticket) != holder->ticket) {
		wait_at(place, asker->worker);
		holder->pid = (pid_t)atomic_load(&place->pid);
		holder->ticket = atomic_load(&place->ticket);
		return LEASE_WAIT;
	}
	if (place == NULL) {
		place = find_room(bucket, asker->now_ms);
		if (place == NULL)
			return LEASE_FULL;
		occupy(place, digest);
	}
	*ticket = hold(lease, place, asker, ttl_ms);
	return LEASE_YOURS;
}

/*
 * Whether the holder lives is asked without the lock; if not, the lease is asked for once more,
 * over that holder.
 */
enum lease_result
lease_take(struct lease *lease, const uint8_t digest[32], const struct lease_asker *asker,
    uint64_t ttl_ms, uint64_t *ticket)
{
	struct bucket *bucket = bucket_of(lease, digest);
	struct holder holder = { 0 };
	enum lease_result result;
	int tries;

	for (tries = 0; tries < 2; tries++) {
		if (lock_try(&bucket->lock) == LOCK_BUSY)
			return LEASE_FULL;
		result = take(lease, bucket, digest, asker, ttl_ms, ticket, &holder);
		lock_drop(&bucket->lock);
		if (result != LEASE_WAIT || asker->alive(holder.pid))
			return result;
	}
	return result;
}

bool
lease_release(struct lease *lease, const uint8_t digest[32], uint64_t ticket, uint64_t waiters[2])
{
	struct bucket *bucket = bucket_of(lease, digest);
	struct place *place;
	bool held;

	lock_take(&bucket->lock);
	place = find(bucket, digest);
	held = place != NULL && atomic_load(&place->ticket) == ticket;
	if (held) {
		waiters[0] = atomic_load(&place->waiters[0]);
		waiters[1] = atomic_load(&place->waiters[1]);
		lock_point("lease:release");
		atomic_store(&place->ticket, 0);
	}
	lock_drop(&bucket->lock);
	return held;
}

/* Half of the places are spare, since digests fall on buckets by chance. */
size_t
lease_size_for(size_t leases)
{
	return sizeof(struct lease) + (leases * 2 / PLACES + 1) * sizeof(struct bucket);
}

struct lease *
lease_init(void *memory, size_t size, const uint8_t key[16])
{
	struct lease *lease = memory;
	uint64_t i;

	if (size < lease_size_for(0))
		return NULL;
	lease->size = size;
	lease->buckets_n = (size - sizeof(struct lease)) / sizeof(struct bucket);
	memcpy(lease->key, key, sizeof(lease->key));
	for (i = 0; i < lease->buckets_n; i++)
		lock_init(&lease->buckets[i].lock);
	lease->magic = LEASE_MAGIC;
	return lease;
}

struct lease *
lease_attach(void *memory, size_t size)
{
	struct lease *lease = memory;

	if (size < lease_size_for(0) || lease->magic != LEASE_MAGIC || lease->size != size ||
	    lease->buckets_n != (size - sizeof(struct lease)) / sizeof(struct bucket))
		return NULL;
	return lease;
}
