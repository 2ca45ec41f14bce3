#include "shm/names.h"

#include <stdatomic.h>
#include <string.h>

#include "shm/hash.h"
#include "shm/lock.h"

/*
 * Cells hold the strings in the order of their numbers; the index is a hash table of numbers. A
 * string is written, then counted, then indexed. Whoever takes over the lock from the dead
 * indexes the last counted one, in case just that is missing.
 */

#define NAMES_MAGIC 0x31656d614e4847ULL
#define PAGE ((size_t)4096)
#define INDEX_SIZE 131072

struct cell {
	uint8_t len;
	char bytes[NAMES_LEN_MAX];
};

struct names {
	uint64_t magic;
	uint8_t key[HASH_KEY_SIZE];
	struct lock lock;
	_Atomic uint32_t count;
	_Alignas(4096) _Atomic uint16_t index[INDEX_SIZE];
	struct cell cells[NAMES_MAX];
};

size_t
names_size(void)
{
	return sizeof(struct names);
}

struct names *
names_init(void *memory, size_t size, const uint8_t key[16])
{
	struct names *names = memory;

	if (size < names_size())
		return NULL;
	memcpy(names->key, key, sizeof(names->key));
	lock_init(&names->lock);
	names->magic = NAMES_MAGIC;
	return names;
}

struct names *
names_attach(void *memory, size_t size)
{
	struct names *names = memory;

	return size >= names_size() && names->magic == NAMES_MAGIC ? names : NULL;
}

/*
 * The index entry of a string, or the free one where it belongs. The index is never more than
 * half full.
 */
static _Atomic uint16_t *
find(struct names *names, const void *bytes, size_t len)
{
	size_t at = hash_bytes(bytes, len, names->key) % INDEX_SIZE;
	const struct cell *cell;
	uint16_t id;

	for (;; at = (at + 1) % INDEX_SIZE) {
		id = atomic_load_explicit(&names->index[at], memory_order_acquire);
		if (id == 0)
			return &names->index[at];
		cell = &names->cells[id - 1];
		if (cell->len == len && memcmp(cell->bytes, bytes, len) == 0)
			return &names->index[at];
	}
}

static void
finish_last(struct names *names)
{
	uint32_t count = atomic_load(&names->count);
	const struct cell *cell;

	if (count == 0)
		return;
	cell = &names->cells[count - 1];
	atomic_store(find(names, cell->bytes, cell->len), (uint16_t)count);
}

static uint16_t
append(struct names *names, const void *bytes, size_t len)
{
	uint32_t count = atomic_load(&names->count);
	struct cell *cell = &names->cells[count];

	if (count == NAMES_MAX)
		return 0;
	cell->len = (uint8_t)len;
	memcpy(cell->bytes, bytes, len);
	lock_point("names:written");
	atomic_store(&names->count, count + 1);
	lock_point("names:counted");
	atomic_store(find(names, bytes, len), (uint16_t)(count + 1));
	return (uint16_t)(count + 1);
}

uint16_t
names_intern(struct names *names, const void *bytes, size_t len)
{
	uint16_t id;

	if (len > NAMES_LEN_MAX)
		return 0;
	id = atomic_load(find(names, bytes, len));
	if (id != 0)
		return id;
	if (lock_take(&names->lock) == LOCK_RECOVERED)
		finish_last(names);
	id = atomic_load(find(names, bytes, len));
	if (id == 0)
		id = append(names, bytes, len);
	lock_drop(&names->lock);
	return id;
}

const char *
names_get(const struct names *names, uint16_t id, size_t *len)
{
	if (id == 0 || id > atomic_load(&names->count))
		return NULL;
	*len = names->cells[id - 1].len;
	return names->cells[id - 1].bytes;
}
