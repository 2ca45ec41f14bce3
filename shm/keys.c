#include "shm/keys.h"

#include <stdatomic.h>
#include <string.h>

#include "shm/lock.h"
#include "shm/words.h"

/*
 * A slot's `current` is one word, generation * 2 + number of the buffer in use, so that both
 * change in one store. While it stands, nobody writes to that buffer: a writer fills the other
 * one, and turns to this one only after `current` has moved on. A reader that finds `current`
 * unchanged after copying has therefore copied whole.
 *
 * Writers (keepers, of which there are two for a moment during a binary upgrade) exclude each
 * other by one lock. A death inside needs no repair, since each change takes effect by its last
 * store.
 */

#define KEYS_MAGIC 0x317379654b4847ULL
#define PAGE ((size_t)4096)
#define READ_TRIES 64

struct head {
	_Atomic uint64_t id; /* 0: never given to anyone */
	_Atomic uint64_t current;
	_Atomic uint64_t fetched_at_s;
	_Atomic uint64_t tried_at_s;
	_Atomic uint32_t wanted;
	_Atomic uint32_t served; /* the value of `wanted` when the last attempt began */
	_Atomic uint32_t len[2];
	_Atomic uint32_t status;
	_Atomic uint32_t attempts; /* odd: one is under way */
	_Atomic uint64_t dropped; /* 0: in use; else the order in which slots were dropped */
};

struct keys {
	uint64_t magic;
	struct lock lock;
	_Atomic uint64_t generations; /* the last one given out */
	_Atomic uint64_t drops;
	_Alignas(64) struct head heads[KEYS_SLOTS];
};

_Static_assert(sizeof(struct head) == 64, "a head is a cache line");

static size_t
buffers_offset(void)
{
	return (sizeof(struct keys) + PAGE - 1) & ~(PAGE - 1);
}

static _Atomic uint64_t *
buffer(const struct keys_slot *slot, uint64_t current)
{
	size_t n = slot->index * (size_t)2 + (current & 1);

	return (_Atomic uint64_t *)((char *)slot->keys + buffers_offset() + n * KEYS_BYTES_MAX);
}

static struct head *
head(const struct keys_slot *slot)
{
	return &slot->keys->heads[slot->index];
}

static bool
ours(const struct keys_slot *slot)
{
	return atomic_load(&head(slot)->id) == slot->id;
}

size_t
keys_size(void)
{
	return buffers_offset() + KEYS_SLOTS * 2 * KEYS_BYTES_MAX;
}

struct keys *
keys_init(void *memory, size_t size)
{
	struct keys *keys = memory;

	if (size < keys_size())
		return NULL;
	lock_init(&keys->lock);
	keys->magic = KEYS_MAGIC;
	return keys;
}

struct keys *
keys_attach(void *memory, size_t size)
{
	struct keys *keys = memory;

	return size >= keys_size() && keys->magic == KEYS_MAGIC ? keys : NULL;
}

/* Which slot has this id, or -1. */
static int
find(const struct keys *keys, uint64_t id)
{
	int i;

	for (i = 0; i < KEYS_SLOTS; i++)
		if (atomic_load(&keys->heads[i].id) == id)
			return i;
	return -1;
}

/* A slot to give away: one never used, else the one dropped longest ago. */
static int
find_spare(const struct keys *keys)
{
	uint64_t dropped, oldest = UINT64_MAX;
	int i, best = -1;

	for (i = 0; i < KEYS_SLOTS; i++) {
		if (atomic_load(&keys->heads[i].id) == 0)
			return i;
		dropped = atomic_load(&keys->heads[i].dropped);
		if (dropped != 0 && dropped < oldest) {
			oldest = dropped;
			best = i;
		}
	}
	return best;
}

/*
 * The id goes first to nobody and last to its new owner, so that no one ever sees it beside
 * another's keys.
 */
static void
give(struct head *to, uint64_t id)
{
	atomic_store(&to->id, 0);
	atomic_store(&to->current, 0);
	lock_point("keys:give");
	atomic_store(&to->fetched_at_s, 0);
	atomic_store(&to->tried_at_s, 0);
	atomic_store(&to->wanted, 0);
	atomic_store(&to->served, 0);
	atomic_store(&to->status, KEYS_NEVER);
	atomic_store(&to->dropped, 0);
	atomic_store(&to->id, id);
}

bool
keys_slot(struct keys *keys, uint64_t id, bool claim, struct keys_slot *slot)
{
	int at = find(keys, id);

	if (claim) {
		lock_take(&keys->lock);
		at = find(keys, id);
		if (at >= 0) {
			atomic_store(&keys->heads[at].dropped, 0);
		} else {
			at = find_spare(keys);
			if (at >= 0)
				give(&keys->heads[at], id);
		}
		lock_drop(&keys->lock);
	}
	if (at < 0)
		return false;
	*slot = (struct keys_slot){ .keys = keys, .id = id, .index = (uint32_t)at };
	return true;
}

static bool
contains(const uint64_t *ids, size_t n, uint64_t id)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

void
keys_retain(struct keys *keys, const uint64_t *ids, size_t n)
{
	struct head *h;
	int i;

	lock_take(&keys->lock);
	for (i = 0; i < KEYS_SLOTS; i++) {
		h = &keys->heads[i];
		if (contains(ids, n, atomic_load(&h->id)))
			atomic_store(&h->dropped, 0);
		else if (atomic_load(&h->id) != 0 && atomic_load(&h->dropped) == 0)
			atomic_store(&h->dropped, atomic_fetch_add(&keys->drops, 1) + 1);
		lock_point("keys:retain");
	}
	lock_drop(&keys->lock);
}

void
keys_try(const struct keys_slot *slot, uint64_t now_s)
{
	struct head *h = head(slot);

	lock_take(&slot->keys->lock);
	if (ours(slot)) {
		atomic_store(&h->served, atomic_load(&h->wanted));
		atomic_store(&h->tried_at_s, now_s);
		atomic_store(&h->attempts, (atomic_load(&h->attempts) + 1) | 1);
	}
	lock_drop(&slot->keys->lock);
}

static void
attempt_ended(struct head *h)
{
	uint32_t attempts = atomic_load(&h->attempts);

	atomic_store(&h->attempts, attempts + (attempts & 1));
}

static bool
same(const struct keys_slot *slot, uint64_t current, const void *bytes, size_t len)
{
	/* under the lock nobody writes, so that plain reads will do */
	return current != 0 && atomic_load(&head(slot)->len[current & 1]) == len &&
	    memcmp((const void *)buffer(slot, current), bytes, len) == 0;
}

static void
publish(const struct keys_slot *slot, const void *bytes, size_t len, uint64_t now_s)
{
	struct head *h = head(slot);
	uint64_t current = atomic_load(&h->current), next, generation;

	if (!same(slot, current, bytes, len)) {
		generation = atomic_fetch_add(&slot->keys->generations, 1) + 1;
		next = generation * 2 + (~current & 1);
		words_store(buffer(slot, next), bytes, len);
		lock_point("keys:filled");
		atomic_store(&h->len[next & 1], (uint32_t)len);
		atomic_store(&h->current, next);
		lock_point("keys:current");
	}
	atomic_store(&h->fetched_at_s, now_s);
	atomic_store(&h->tried_at_s, now_s);
	atomic_store(&h->status, KEYS_GOOD);
}

bool
keys_publish(const struct keys_slot *slot, const void *bytes, size_t len, uint64_t now_s)
{
	bool mine;

	if (len == 0 || len > KEYS_BYTES_MAX)
		return false;
	lock_take(&slot->keys->lock);
	mine = ours(slot);
	if (mine) {
		publish(slot, bytes, len, now_s);
		attempt_ended(head(slot));
	}
	lock_drop(&slot->keys->lock);
	return mine;
}

void
keys_fail(const struct keys_slot *slot, uint64_t now_s)
{
	struct head *h = head(slot);

	lock_take(&slot->keys->lock);
	if (ours(slot)) {
		atomic_store(&h->tried_at_s, now_s);
		atomic_store(&h->status, KEYS_FAILED);
		attempt_ended(h);
	}
	lock_drop(&slot->keys->lock);
}

void
keys_withdraw(const struct keys_slot *slot)
{
	lock_take(&slot->keys->lock);
	if (ours(slot))
		atomic_store(&head(slot)->current, 0);
	lock_drop(&slot->keys->lock);
}

void
keys_want(const struct keys_slot *slot)
{
	if (ours(slot))
		atomic_fetch_add(&head(slot)->wanted, 1);
}

size_t
keys_read(const struct keys_slot *slot, void *buf, size_t size, uint64_t *generation)
{
	struct head *h = head(slot);
	uint64_t current;
	size_t len;
	int tries;

	for (tries = 0; tries < READ_TRIES; tries++) {
		current = atomic_load(&h->current);
		if (current == 0 || !ours(slot))
			return 0;
		len = atomic_load(&h->len[current & 1]);
		lock_point("keys:found");
		if (len <= size)
			words_load(buf, buffer(slot, current), len);
		lock_point("keys:read");
		if (atomic_load(&h->current) != current)
			continue;
		*generation = current / 2;
		return len <= size ? len : 0;
	}
	return 0;
}

uint64_t
keys_generation(const struct keys_slot *slot)
{
	return atomic_load_explicit(&head(slot)->current, memory_order_acquire) / 2;
}

bool
keys_info(const struct keys_slot *slot, struct keys_info *info)
{
	struct head *h = head(slot);

	*info = (struct keys_info){
		.status = (enum keys_status)atomic_load(&h->status),
		.generation = atomic_load(&h->current) / 2,
		.fetched_at_s = atomic_load(&h->fetched_at_s),
		.tried_at_s = atomic_load(&h->tried_at_s),
		.wanted = atomic_load(&h->wanted) != atomic_load(&h->served),
		.attempts = atomic_load(&h->attempts),
	};
	return ours(slot);
}
