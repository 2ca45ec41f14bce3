#include "shm/bucket.h"

#include "shm/lock.h"
#include "shm/words.h"

/*
 * A slot's parts stand in different arrays of the head so that a look-up touches few cache lines:
 * 16-bit tags (0: none), four to a word and searched so; one descriptor word (expiry, offset and
 * length); one bit each in `used` and `touched`. The entries themselves, digest and value, stand
 * one after the other in the area and are pushed together when one is removed. A slot's number
 * does not change while its entry lives.
 *
 * seq is odd while a writer is at work; readers copy, and then see whether it stayed what it was.
 * A writer that dies leaves it odd, so nobody reads a half-made bucket.
 */

#define SLOTS BUCKET_ENTRIES_MAX
#define DIGEST_WORDS 4
#define DIGEST_SIZE (DIGEST_WORDS * 8)
#define AREA_WORDS (BUCKET_AREA_SIZE / 8)
#define READ_TRIES 64

struct bucket_head {
	_Atomic uint64_t seq;
	_Atomic uint64_t used;
	_Atomic uint64_t touched;
	uint32_t filled; /* words of the area in use; writers only, as is hand */
	uint32_t hand;
	_Atomic uint64_t tags[SLOTS / 4];
	_Atomic uint64_t slots[SLOTS];
	uint64_t unused[4];
};

_Static_assert(sizeof(struct bucket_head) == BUCKET_HEAD_SIZE, "heads stand side by side");

/*
 * A slot's descriptor: expiry in seconds, offset of its entry in words, length of its value in
 * bytes.
 */
struct slot {
	uint32_t expires_s;
	uint16_t offset;
	uint16_t len;
};

static uint64_t
get(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_acquire);
}

static void
set(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_release);
}

static struct slot
slot_unpack(uint64_t word)
{
	return (struct slot){ .expires_s = (uint32_t)(word >> 32),
		.offset = (uint16_t)(word >> 16),
		.len = (uint16_t)word };
}

static uint64_t
slot_pack(struct slot slot)
{
	return (uint64_t)slot.expires_s << 32 | (uint64_t)slot.offset << 16 | slot.len;
}

static size_t
slot_words(struct slot slot)
{
	return DIGEST_WORDS + words_for(slot.len);
}

/* An entry is several cache lines in cold memory; asked for at once, they arrive together. */
static void
fetch_ahead(const _Atomic uint64_t *words, size_t n)
{
	size_t i;

	for (i = 0; i < n; i += 8)
		__builtin_prefetch((const void *)&words[i]);
}

/*
 * The slot that holds the key, or -1. For readers everything may change meanwhile: bounds are
 * checked here, the rest by seq.
 */
static int
find_slot(struct bucket bucket, struct bucket_key key)
{
	uint64_t used = get(&bucket.head->used), hits;
	struct slot slot;
	int i, at, n;

	n = used == 0 ? 0 : (67 - __builtin_clzll(used)) / 4;
	for (i = 0; i < n; i++) {
		hits = words_tag_hits(get(&bucket.head->tags[i]), key.tag);
		for (; hits != 0; hits &= hits - 1) {
			at = i * 4 + __builtin_ctzll(hits) / 16;
			slot = slot_unpack(get(&bucket.head->slots[at]));
			if ((used >> at & 1) == 0 || slot.offset + slot_words(slot) > AREA_WORDS)
				continue;
			fetch_ahead(&bucket.area[slot.offset], slot_words(slot));
			if (words_equal_digest(&bucket.area[slot.offset], key.digest))
				return at;
		}
	}
	return -1;
}

/* Takes a slot's entry out and closes the gap it leaves in the area. */
static void
drop_slot(struct bucket bucket, int at)
{
	struct slot gone = slot_unpack(get(&bucket.head->slots[at])), slot;
	uint32_t words = (uint32_t)slot_words(gone), behind = gone.offset + words;
	uint64_t left;

	words_tag_store(bucket.head->tags, at, 0);
	set(&bucket.head->used, get(&bucket.head->used) & ~(1ULL << at));
	words_move_down(bucket.area + gone.offset, bucket.area + behind,
	    bucket.head->filled - behind);
	lock_point("cache:move");
	for (left = get(&bucket.head->used); left != 0; left &= left - 1) {
		int other = __builtin_ctzll(left);

		slot = slot_unpack(get(&bucket.head->slots[other]));
		if (slot.offset < behind)
			continue;
		slot.offset = (uint16_t)(slot.offset - words);
		set(&bucket.head->slots[other], slot_pack(slot));
	}
	bucket.head->filled -= words;
}

static int
find_expired(struct bucket bucket, uint64_t now_s)
{
	uint64_t left;

	for (left = get(&bucket.head->used); left != 0; left &= left - 1) {
		int at = __builtin_ctzll(left);

		if (slot_unpack(get(&bucket.head->slots[at])).expires_s <= now_s)
			return at;
	}
	return -1;
}

/*
 * CLOCK: the hand spares what was read since it last passed, once. Readers may go on touching,
 * hence two rounds at most.
 */
static int
find_cold(struct bucket bucket)
{
	uint64_t used = get(&bucket.head->used), bit;
	int i, at = 0;

	for (i = 0; i <= 2 * SLOTS; i++) {
		at = (int)(bucket.head->hand++ % SLOTS);
		bit = 1ULL << at;
		if ((used & bit) == 0)
			continue;
		if ((atomic_fetch_and(&bucket.head->touched, ~bit) & bit) == 0)
			return at;
	}
	return __builtin_ctzll(used);
}

static unsigned int
make_room(struct bucket bucket, size_t words, uint64_t now_s)
{
	unsigned int evictions = 0;
	int at;

	while (bucket.head->filled + words > AREA_WORDS || get(&bucket.head->used) == UINT64_MAX) {
		at = find_expired(bucket, now_s);
		if (at < 0) {
			at = find_cold(bucket);
			evictions++;
		}
		drop_slot(bucket, at);
	}
	return evictions;
}

static void
fill_slot(struct bucket bucket, struct bucket_key key, const void *value, struct slot slot)
{
	uint64_t used = get(&bucket.head->used);
	int at = __builtin_ctzll(~used);

	slot.offset = (uint16_t)bucket.head->filled;
	words_store(&bucket.area[slot.offset], key.digest, DIGEST_SIZE);
	words_store(&bucket.area[slot.offset + DIGEST_WORDS], value, slot.len);
	set(&bucket.head->slots[at], slot_pack(slot));
	words_tag_store(bucket.head->tags, at, key.tag);
	lock_point("cache:fill");
	bucket.head->filled += (uint32_t)slot_words(slot);
	atomic_fetch_and(&bucket.head->touched, ~(1ULL << at));
	set(&bucket.head->used, used | 1ULL << at);
}

static size_t
read_slot(struct bucket bucket, int at, uint64_t now_s, void *buf, size_t size)
{
	struct slot slot = slot_unpack(get(&bucket.head->slots[at]));

	if (slot.expires_s <= now_s || slot.len > size)
		return 0;
	if (slot.offset + slot_words(slot) > AREA_WORDS)
		return 0;
	words_load(buf, &bucket.area[slot.offset + DIGEST_WORDS], slot.len);
	return slot.len;
}

/* The only thing a hit writes, and only the first after the hand has passed. */
static void
touch(struct bucket bucket, int at)
{
	uint64_t bit = 1ULL << at;

	if ((get(&bucket.head->touched) & bit) == 0)
		atomic_fetch_or_explicit(&bucket.head->touched, bit, memory_order_relaxed);
}

size_t
bucket_entry_size(size_t len)
{
	return DIGEST_SIZE + words_for(len) * 8;
}

size_t
bucket_read(struct bucket bucket, struct bucket_key key, uint64_t now_s, void *buf, size_t size)
{
	uint64_t seq;
	size_t len;
	int at, tries;

	for (tries = 0; tries < READ_TRIES; tries++) {
		seq = get(&bucket.head->seq);
		if ((seq & 1) != 0)
			continue;
		at = find_slot(bucket, key);
		lock_point("cache:found");
		len = at < 0 ? 0 : read_slot(bucket, at, now_s, buf, size);
		lock_point("cache:read");
		if (get(&bucket.head->seq) != seq)
			continue;
		if (len > 0)
			touch(bucket, at);
		return len;
	}
	return 0;
}

void
bucket_begin(struct bucket bucket)
{
	lock_point("cache:begin");
	set(&bucket.head->seq, get(&bucket.head->seq) + 1);
	lock_point("cache:odd");
}

void
bucket_end(struct bucket bucket)
{
	set(&bucket.head->seq, get(&bucket.head->seq) + 1);
	lock_point("cache:even");
}

/* What a dead writer left is not worth understanding: the bucket starts anew. */
void
bucket_reset(struct bucket bucket)
{
	int i;

	set(&bucket.head->seq, get(&bucket.head->seq) | 1);
	set(&bucket.head->used, 0);
	set(&bucket.head->touched, 0);
	for (i = 0; i < SLOTS / 4; i++)
		set(&bucket.head->tags[i], 0);
	bucket.head->filled = 0;
	bucket.head->hand = 0;
	lock_point("cache:reset");
	set(&bucket.head->seq, get(&bucket.head->seq) + 1);
}

unsigned int
bucket_put(struct bucket bucket, struct bucket_key key, const void *value, size_t len,
    uint32_t expires_s, uint64_t now_s)
{
	struct slot slot = { .expires_s = expires_s, .len = (uint16_t)len };
	unsigned int evictions;

	bucket_remove(bucket, key);
	evictions = make_room(bucket, slot_words(slot), now_s);
	fill_slot(bucket, key, value, slot);
	return evictions;
}

bool
bucket_remove(struct bucket bucket, struct bucket_key key)
{
	int at = find_slot(bucket, key);

	if (at >= 0)
		drop_slot(bucket, at);
	return at >= 0;
}

unsigned int
bucket_entries(struct bucket bucket)
{
	return (unsigned int)__builtin_popcountll(get(&bucket.head->used));
}

size_t
bucket_used(struct bucket bucket)
{
	return bucket.head->filled * (size_t)8;
}
