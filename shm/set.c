#include "shm/set.h"

#include <stdatomic.h>
#include <string.h>

#include "shm/hash.h"
#include "shm/lock.h"
#include "shm/words.h"

/*
 * A hash table of buckets with 20 slots each. An entry stands in its home bucket or, if that is
 * full, in one of the next 64; the home's `spill` says how far readers have to look. Entries
 * never move.
 *
 * Writers hold one lock for the whole table: revocations are rare beside questions about them.
 * Readers rely on the order of stores. To fill a slot, `fills` is counted up, the slot is
 * written, and its bit in `used` is set; to free it, the bit is cleared. So a reader that found
 * its digest, and sees `fills` unchanged afterwards, has read the times that belong to it. An
 * entry that is there and not expired is found whatever happens around it. The two times of an
 * entry only grow, each by one store.
 */

#define SET_MAGIC 0x317465534847ULL
#define PAGE ((size_t)4096)
#define SLOTS 20
#define SPILL_MAX 64
#define SWEEP_BUCKETS 16

struct slot {
	_Atomic uint64_t digest[4];
	_Atomic uint64_t before_s; /* UINT64_MAX for SET_ANY_TIME: the larger is the stronger */
	_Atomic uint64_t expires_s;
};

struct bucket {
	_Atomic uint64_t fills;
	_Atomic uint32_t used; /* bit i: slot i holds an entry */
	_Atomic uint32_t spill;
	_Atomic uint64_t tags[SLOTS / 4];
	uint64_t unused;
	struct slot slots[SLOTS];
};

_Static_assert(sizeof(struct bucket) == 1024, "four buckets to a page");

struct set {
	uint64_t magic;
	uint64_t size;
	uint64_t buckets_n;
	uint8_t key[HASH_KEY_SIZE];
	struct lock lock;
	_Atomic uint32_t putting; /* set while a put holds the lock */
	_Alignas(64) _Atomic uint64_t entries;
	_Atomic uint64_t doubts;  /* how often the set became unsure */
	_Atomic uint64_t settled; /* which of these is settled, and those before it */
	_Atomic uint64_t latest_s; /* the latest expiry of all that was ever put */
	_Atomic uint64_t outlived; /* the doubt to be outlived, and until when that takes */
	_Atomic uint64_t outlived_s;
};

struct home {
	uint64_t index;
	uint16_t tag;
};

/* Where an entry was found. */
struct found {
	struct bucket *bucket;
	int at;
};

static struct bucket *
bucket_at(const struct set *set, uint64_t index)
{
	return (struct bucket *)((char *)set + PAGE) + index % set->buckets_n;
}

static struct home
home_of(const struct set *set, const uint8_t digest[32])
{
	uint64_t hash = hash_digest(digest, set->key);

	return (struct home){
		.index = (uint64_t)((unsigned __int128)hash * set->buckets_n >> 64),
		.tag = (uint16_t)hash,
	};
}

static bool
is_used(const struct bucket *bucket, int at)
{
	return (atomic_load_explicit(&bucket->used, memory_order_acquire) >> at & 1) != 0;
}

/*
 * The slot with this digest, or -1. Tag 0 also matches slots that are free, which `used` then
 * tells.
 */
static int
find_in(const struct bucket *bucket, uint16_t tag, const uint8_t digest[32])
{
	uint64_t hits;
	int i, at;

	if (atomic_load_explicit(&bucket->used, memory_order_acquire) == 0)
		return -1;
	for (i = 0; i < SLOTS / 4; i++) {
		hits = words_tag_hits(
		    atomic_load_explicit(&bucket->tags[i], memory_order_acquire), tag);
		for (; hits != 0; hits &= hits - 1) {
			at = i * 4 + __builtin_ctzll(hits) / 16;
			if (is_used(bucket, at) &&
			    words_equal_digest(bucket->slots[at].digest, digest))
				return at;
		}
	}
	return -1;
}

static bool
find(const struct set *set, struct home home, const uint8_t digest[32], struct found *found)
{
	uint32_t i, spill = atomic_load(&bucket_at(set, home.index)->spill);

	for (i = 0; i <= spill; i++) {
		found->bucket = bucket_at(set, home.index + i);
		found->at = find_in(found->bucket, home.tag, digest);
		if (found->at >= 0)
			return true;
	}
	return false;
}

static void
free_slot(struct set *set, struct bucket *bucket, int at)
{
	atomic_fetch_and(&bucket->used, ~(1U << at));
	lock_point("set:free");
	atomic_fetch_sub(&set->entries, 1);
}

static void
free_expired(struct set *set, struct bucket *bucket, uint64_t now_s)
{
	uint32_t left;
	int at;

	for (left = atomic_load(&bucket->used); left != 0; left &= left - 1) {
		at = __builtin_ctz(left);
		if (atomic_load(&bucket->slots[at].expires_s) <= now_s)
			free_slot(set, bucket, at);
	}
}

static uint32_t
spill_max(const struct set *set)
{
	return set->buckets_n > SPILL_MAX ? SPILL_MAX : (uint32_t)set->buckets_n - 1;
}

/* The same as raise_to, whoever else raises it. */
static void
raise_shared(_Atomic uint64_t *number, uint64_t other)
{
	uint64_t seen = atomic_load(number);

	while (seen < other && !atomic_compare_exchange_weak(number, &seen, other))
		;
}

/* Under the lock. */
static void
raise_to(_Atomic uint64_t *time_s, uint64_t other_s)
{
	if (atomic_load(time_s) < other_s)
		atomic_store(time_s, other_s);
}

/* An entry as it is to be written. */
struct entry {
	const uint8_t *digest;
	uint64_t before_s;
	uint64_t expires_s;
};

/*
 * The spill is raised and the entry counted before the entry can be seen, so that it is never
 * overlooked.
 */
static void
fill(struct set *set, struct home home, uint32_t distance, const struct entry *entry)
{
	struct bucket *bucket = bucket_at(set, home.index + distance);
	_Atomic uint32_t *spill = &bucket_at(set, home.index)->spill;
	int at = __builtin_ctz(~atomic_load(&bucket->used));
	struct slot *slot = &bucket->slots[at];

	if (atomic_load(spill) < distance)
		atomic_store(spill, distance);
	atomic_fetch_add(&bucket->fills, 1);
	words_store(slot->digest, entry->digest, HASH_DIGEST_SIZE);
	atomic_store(&slot->before_s, entry->before_s);
	atomic_store(&slot->expires_s, entry->expires_s);
	words_tag_store(bucket->tags, at, home.tag);
	atomic_fetch_add(&set->entries, 1);
	lock_point("set:fill");
	atomic_fetch_or(&bucket->used, 1U << at);
}

static bool
insert(struct set *set, struct home home, const struct entry *entry, uint64_t now_s)
{
	const uint32_t full = (1U << SLOTS) - 1;
	struct bucket *bucket;
	uint32_t i;

	for (i = 0; i <= spill_max(set); i++) {
		bucket = bucket_at(set, home.index + i);
		if (atomic_load(&bucket->used) == full)
			free_expired(set, bucket, now_s);
		if (atomic_load(&bucket->used) == full)
			continue;
		fill(set, home, i, entry);
		return true;
	}
	return false;
}

static bool
put(struct set *set, const struct entry *entry, uint64_t now_s)
{
	struct home home = home_of(set, entry->digest);
	struct found found;
	struct slot *slot;

	if (find(set, home, entry->digest, &found)) {
		slot = &found.bucket->slots[found.at];
		if (atomic_load(&slot->expires_s) > now_s) {
			raise_to(&slot->before_s, entry->before_s);
			lock_point("set:raise");
			raise_to(&slot->expires_s, entry->expires_s);
			return true;
		}
		free_slot(set, found.bucket, found.at);
	}
	return insert(set, home, entry, now_s);
}

/* Only a death in a put leaves a doubt: what sweeping was about is gone by its own expiry. */
static void
take_lock(struct set *set)
{
	if (lock_take(&set->lock) == LOCK_RECOVERED && atomic_load(&set->putting) != 0)
		set_mark_unsure(set);
	atomic_store(&set->putting, 0);
}

enum set_put_result
set_put(struct set *set, const uint8_t digest[32], uint64_t before_s, uint64_t expires_s,
    uint64_t now_s)
{
	struct entry entry = { .digest = digest,
		.before_s = before_s == SET_ANY_TIME ? UINT64_MAX : before_s,
		.expires_s = expires_s };
	bool kept;

	if (expires_s <= now_s)
		return SET_OK;
	/* before any doubt that may come of this put: set_outlive */
	raise_shared(&set->latest_s, expires_s);
	take_lock(set);
	atomic_store(&set->putting, 1);
	lock_point("set:put");
	kept = put(set, &entry, now_s);
	if (!kept)
		set_mark_unsure(set);
	lock_point("set:done");
	atomic_store(&set->putting, 0);
	lock_drop(&set->lock);
	return kept ? SET_OK : SET_FULL;
}

/* Expired ones are there no more, though nobody may have swept them yet. */
static bool
is_there(struct set *set, struct home home, const uint8_t digest[32], uint64_t now_s)
{
	struct found found;

	if (!find(set, home, digest, &found))
		return false;
	if (atomic_load(&found.bucket->slots[found.at].expires_s) > now_s)
		return true;
	free_slot(set, found.bucket, found.at);
	return false;
}

enum set_add_result
set_add(struct set *set, const uint8_t digest[32], uint64_t expires_s, uint64_t now_s)
{
	struct entry entry = { .digest = digest, .before_s = UINT64_MAX, .expires_s = expires_s };
	struct home home = home_of(set, digest);
	enum set_add_result result = SET_THERE;

	take_lock(set);
	if (!is_there(set, home, digest, now_s)) {
		lock_point("set:add");
		result = insert(set, home, &entry, now_s) ? SET_ADDED : SET_NO_ROOM;
	}
	lock_drop(&set->lock);
	return result;
}

enum reading { READ_NOTHING, READ_ENTRY, READ_AGAIN };

static enum reading
read_in(const struct bucket *bucket, uint16_t tag, const uint8_t digest[32], struct entry *entry)
{
	uint64_t fills = atomic_load_explicit(&bucket->fills, memory_order_acquire);
	int at = find_in(bucket, tag, digest);
	const struct slot *slot = &bucket->slots[at < 0 ? 0 : at];

	if (at < 0)
		return READ_NOTHING;
	lock_point("set:found");
	entry->before_s = atomic_load_explicit(&slot->before_s, memory_order_acquire);
	entry->expires_s = atomic_load_explicit(&slot->expires_s, memory_order_acquire);
	if (atomic_load_explicit(&bucket->fills, memory_order_acquire) != fills)
		return READ_AGAIN;
	return READ_ENTRY;
}

static bool
read_entry(const struct set *set, const uint8_t digest[32], struct entry *entry)
{
	struct home home = home_of(set, digest);
	enum reading reading;
	uint32_t i, spill;

	spill = atomic_load_explicit(
	    &bucket_at(set, home.index)->spill, memory_order_acquire);
	for (i = 0; i <= spill; i++) {
		do {
			reading = read_in(bucket_at(set, home.index + i), home.tag, digest, entry);
		} while (reading == READ_AGAIN);
		if (reading == READ_ENTRY)
			return true;
	}
	return false;
}

enum set_answer
set_has(const struct set *set, const uint8_t digest[32], uint64_t now_s, uint64_t *before_s)
{
	struct entry entry;

	if (atomic_load_explicit(&set->entries, memory_order_acquire) != 0 &&
	    read_entry(set, digest, &entry) && entry.expires_s > now_s) {
		*before_s = entry.before_s == UINT64_MAX ? SET_ANY_TIME : entry.before_s;
		return SET_YES;
	}
	return set_doubt(set) == 0 ? SET_NO : SET_UNSURE;
}

/* Takes back a spill that no entry needs any more. */
static void
lower_spill(struct set *set, uint64_t index)
{
	_Atomic uint32_t *spill = &bucket_at(set, index)->spill;
	uint32_t distance, left;
	uint8_t digest[32];

	for (distance = atomic_load(spill); distance > 0; distance--) {
		struct bucket *bucket = bucket_at(set, index + distance);

		for (left = atomic_load(&bucket->used); left != 0; left &= left - 1) {
			words_load(digest, bucket->slots[__builtin_ctz(left)].digest, 32);
			if (home_of(set, digest).index == index)
				break;
		}
		if (left != 0)
			break;
	}
	atomic_store(spill, distance);
}

void
set_sweep(struct set *set, uint64_t now_s)
{
	uint64_t index = 0, end;

	while (index < set->buckets_n && atomic_load(&set->entries) != 0) {
		take_lock(set);
		for (end = index + SWEEP_BUCKETS; index < end && index < set->buckets_n; index++) {
			free_expired(set, bucket_at(set, index), now_s);
			lock_point("set:sweep");
			if (atomic_load(&bucket_at(set, index)->spill) != 0)
				lower_spill(set, index);
		}
		lock_drop(&set->lock);
	}
}

void
set_mark_unsure(struct set *set)
{
	atomic_fetch_add(&set->doubts, 1);
}

uint64_t
set_doubt(const struct set *set)
{
	uint64_t doubts = atomic_load_explicit(&set->doubts, memory_order_acquire);

	return doubts == atomic_load_explicit(&set->settled, memory_order_acquire) ? 0 : doubts;
}

bool
set_mark_sure(struct set *set, uint64_t doubt)
{
	raise_shared(&set->settled, doubt);
	return set_doubt(set) == 0;
}

bool
set_outlive(struct set *set, uint64_t now_s)
{
	uint64_t doubt = set_doubt(set);

	if (doubt == 0)
		return false;
	if (atomic_load(&set->outlived) != doubt) {
		raise_shared(&set->outlived_s, atomic_load(&set->latest_s));
		atomic_store(&set->outlived, doubt);
	}
	return atomic_load(&set->outlived_s) <= now_s && set_mark_sure(set, doubt);
}

void
set_stats(const struct set *set, struct set_stats *stats)
{
	*stats = (struct set_stats){
		.entries = atomic_load(&set->entries),
		.capacity = set->buckets_n * SLOTS,
		.unsure = set_doubt(set) != 0,
	};
}

/* A tenth is left free, so that chance fills no neighborhood before the rest. */
size_t
set_size_for(size_t entries)
{
	return PAGE + (entries * 10 / (SLOTS * 9) + 1) * sizeof(struct bucket);
}

struct set *
set_init(void *memory, size_t size, const uint8_t key[16])
{
	struct set *set = memory;

	if (size < set_size_for(0))
		return NULL;
	set->size = size;
	set->buckets_n = (size - PAGE) / sizeof(struct bucket);
	memcpy(set->key, key, sizeof(set->key));
	lock_init(&set->lock);
	set->magic = SET_MAGIC;
	return set;
}

struct set *
set_attach(void *memory, size_t size)
{
	struct set *set = memory;

	if (size < set_size_for(0) || set->magic != SET_MAGIC || set->size != size ||
	    set->buckets_n != (size - PAGE) / sizeof(struct bucket))
		return NULL;
	return set;
}
