#include "shm/counter.h"

#include <stdatomic.h>

#include "shm/hash.h"

#define COUNTER_MAGIC 0x31746e6f43474847ULL
#define PAGE ((size_t)4096)

struct cell {
	_Atomic uint64_t key; /* 0: free */
	_Atomic uint64_t value;
};

/* The last cell is for what finds no room. */
struct counter_slab {
	_Atomic int64_t owner; /* a pid; 0: nobody's */
	_Atomic uint64_t series;
	_Alignas(64) struct cell cells[COUNTER_CELLS];
	struct cell overflow;
};

struct counter {
	uint64_t magic;
	_Atomic uint64_t slabs; /* how many were ever claimed; those above were never touched */
};

static size_t
slab_size(void)
{
	return (sizeof(struct counter_slab) + PAGE - 1) & ~(PAGE - 1);
}

size_t
counter_size(void)
{
	return PAGE + COUNTER_SLABS * slab_size();
}

struct counter *
counter_init(void *memory, size_t size)
{
	struct counter *counter = memory;

	if (size < counter_size())
		return NULL;
	counter->magic = COUNTER_MAGIC;
	return counter;
}

struct counter *
counter_attach(void *memory, size_t size)
{
	struct counter *counter = memory;

	return size >= counter_size() && counter->magic == COUNTER_MAGIC ? counter : NULL;
}

struct counter_slab *
counter_slab(struct counter *counter, int slab)
{
	return (struct counter_slab *)((char *)counter + PAGE + (size_t)slab * slab_size());
}

static const struct counter_slab *
slab_at(const struct counter *counter, uint64_t slab)
{
	return (const struct counter_slab *)((const char *)counter + PAGE + slab * slab_size());
}

static void
raise_to(_Atomic uint64_t *highest, uint64_t n)
{
	uint64_t old = atomic_load(highest);

	while (old < n && !atomic_compare_exchange_weak(highest, &old, n))
		;
}

int
counter_claim(struct counter *counter, pid_t pid, bool (*alive)(pid_t pid))
{
	struct counter_slab *slab;
	int64_t owner;
	int i;

	for (i = 0; i < COUNTER_SLABS; i++) {
		slab = counter_slab(counter, i);
		owner = atomic_load(&slab->owner);
		if (owner != 0 && owner != pid && alive((pid_t)owner))
			continue;
		raise_to(&counter->slabs, (uint64_t)i + 1);
		if (atomic_compare_exchange_strong(&slab->owner, &owner, pid))
			return i;
	}
	return -1;
}

void
counter_release(struct counter *counter, int slab)
{
	atomic_store(&counter_slab(counter, slab)->owner, 0);
}

/*
 * The cell of a series, or the free one where it belongs. There always is one: a slab is never
 * full.
 */
static const struct cell *
find(const struct counter_slab *slab, uint64_t key)
{
	size_t at = hash_mix64(key) % COUNTER_CELLS;
	uint64_t found;

	for (;; at = (at + 1) % COUNTER_CELLS) {
		found = atomic_load_explicit(&slab->cells[at].key, memory_order_acquire);
		if (found == key || found == 0)
			return &slab->cells[at];
	}
}

/* With a single writer a load and a store are enough. */
static void
add(struct cell *cell, uint64_t n)
{
	uint64_t old = atomic_load_explicit(&cell->value, memory_order_relaxed);

	atomic_store_explicit(&cell->value, old + n, memory_order_relaxed);
}

/*
 * The series is counted first, so that no death in between lets the slab fill up; the value may
 * come after the key.
 */
static struct cell *
open_series(struct counter_slab *slab, struct cell *cell, uint64_t key)
{
	uint64_t series = atomic_load_explicit(&slab->series, memory_order_relaxed);

	if (series >= COUNTER_SERIES_MAX || key == COUNTER_OVERFLOW)
		return &slab->overflow;
	atomic_store_explicit(&slab->series, series + 1, memory_order_relaxed);
	atomic_store_explicit(&cell->key, key, memory_order_release);
	return cell;
}

void
counter_add(struct counter_slab *slab, uint64_t key, uint64_t n)
{
	struct cell *cell = (struct cell *)find(slab, key);

	if (atomic_load_explicit(&cell->key, memory_order_relaxed) == 0)
		cell = open_series(slab, cell, key);
	add(cell, n);
}

static uint64_t
value_in(const struct counter_slab *slab, uint64_t key)
{
	const struct cell *cell = key == COUNTER_OVERFLOW ? &slab->overflow : find(slab, key);

	return atomic_load_explicit(&cell->value, memory_order_relaxed);
}

static uint64_t
total_from(const struct counter *counter, uint64_t first, uint64_t key)
{
	uint64_t i, n = atomic_load(&counter->slabs), total = 0;

	for (i = first; i < n; i++)
		total += value_in(slab_at(counter, i), key);
	return total;
}

uint64_t
counter_total(const struct counter *counter, uint64_t key)
{
	return total_from(counter, 0, key);
}

static bool
seen_before(const struct counter *counter, uint64_t slab, uint64_t key)
{
	uint64_t i;

	for (i = 0; i < slab; i++)
		if (atomic_load(&find(slab_at(counter, i), key)->key) == key)
			return true;
	return false;
}

/*
 * Without memory of its own, it visits a series when it stands at the first slab that has it, and
 * looks it up in those behind.
 */
void
counter_sum(const struct counter *counter, counter_visit *visit, void *arg)
{
	uint64_t slab, key, n = atomic_load(&counter->slabs);
	size_t i;

	for (slab = 0; slab < n; slab++) {
		for (i = 0; i < COUNTER_CELLS; i++) {
			key = atomic_load_explicit(
			    &slab_at(counter, slab)->cells[i].key, memory_order_acquire);
			if (key != 0 && !seen_before(counter, slab, key))
				visit(arg, key, total_from(counter, slab, key));
		}
	}
	if (counter_total(counter, COUNTER_OVERFLOW) != 0)
		visit(arg, COUNTER_OVERFLOW, counter_total(counter, COUNTER_OVERFLOW));
}
