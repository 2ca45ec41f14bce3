#include "shm/board.h"

#include <stdatomic.h>

#include "shm/hash.h"

#define BOARD_MAGIC 0x3164726f42484eULL
#define PAGE ((size_t)4096)
#define LANES 4 /* workers' counts in one word */

/* The workers' counts are 16 bits wide, and each is written by its own worker only. */
struct board_slot {
	_Atomic uint64_t id;
	_Atomic uint64_t down_until_ms;
	_Atomic uint32_t failures;
	_Atomic uint32_t probe;
	_Alignas(64) union {
		_Atomic uint16_t by_worker[BOARD_WORKERS];
		_Atomic uint64_t words[BOARD_WORKERS / LANES];
	} load;
};

struct board {
	uint64_t magic;
	_Alignas(64) struct board_slot slots[BOARD_SLOTS];
};

size_t
board_size(void)
{
	return (sizeof(struct board) + PAGE - 1) & ~(PAGE - 1);
}

struct board *
board_init(void *memory, size_t size)
{
	struct board *board = memory;

	if (size < board_size())
		return NULL;
	board->magic = BOARD_MAGIC;
	return board;
}

struct board *
board_attach(void *memory, size_t size)
{
	struct board *board = memory;

	return size >= board_size() && board->magic == BOARD_MAGIC ? board : NULL;
}

struct board_slot *
board_slot(struct board *board, uint64_t id)
{
	size_t at = hash_mix64(id), i;
	struct board_slot *slot;
	uint64_t found;

	for (i = 0; i < BOARD_SLOTS; i++) {
		slot = &board->slots[(at + i) % BOARD_SLOTS];
		found = 0;
		if (atomic_compare_exchange_strong(&slot->id, &found, id) || found == id)
			return slot;
	}
	return NULL;
}

uint32_t
board_fail(struct board_slot *slot, uint32_t max_fails, uint64_t now_ms, uint64_t down_ms)
{
	uint32_t failures = atomic_fetch_add(&slot->failures, 1) + 1;

	if (max_fails != 0 && failures >= max_fails)
		atomic_store(&slot->down_until_ms, now_ms + down_ms);
	return failures;
}

/* The common case only reads, so that servers in good health stay in every core's cache. */
void
board_ok(struct board_slot *slot)
{
	if (atomic_load_explicit(&slot->failures, memory_order_relaxed) != 0)
		atomic_store(&slot->failures, 0);
	if (atomic_load_explicit(&slot->down_until_ms, memory_order_relaxed) != 0)
		atomic_store(&slot->down_until_ms, 0);
}

void
board_probed(struct board_slot *slot, enum board_probe probe)
{
	atomic_store(&slot->probe, probe);
	if (probe == BOARD_UP)
		board_ok(slot);
}

bool
board_is_down(const struct board_slot *slot, uint64_t now_ms)
{
	return board_probe(slot) == BOARD_DOWN ||
	    now_ms < atomic_load_explicit(&slot->down_until_ms, memory_order_relaxed);
}

uint32_t
board_failures(const struct board_slot *slot)
{
	return atomic_load_explicit(&slot->failures, memory_order_relaxed);
}

enum board_probe
board_probe(const struct board_slot *slot)
{
	return (enum board_probe)atomic_load_explicit(&slot->probe, memory_order_relaxed);
}

/* With a single writer a load and a store are enough. */
static void
change(struct board_slot *slot, int worker, int by)
{
	_Atomic uint16_t *load = &slot->load.by_worker[worker];
	int value = atomic_load_explicit(load, memory_order_relaxed) + by;

	if (value >= 0 && value <= UINT16_MAX)
		atomic_store_explicit(load, (uint16_t)value, memory_order_relaxed);
}

void
board_begin(struct board_slot *slot, int worker)
{
	change(slot, worker, 1);
}

void
board_end(struct board_slot *slot, int worker)
{
	change(slot, worker, -1);
}

/*
 * Adds four workers at a time, in two lanes of 32 bits, which 128 counts of 16 bits can't
 * overflow.
 */
uint32_t
board_load(const struct board_slot *slot)
{
	const uint64_t even = 0x0000ffff0000ffffULL;
	uint64_t word, sum = 0;
	int i;

	for (i = 0; i < BOARD_WORKERS / LANES; i++) {
		word = atomic_load_explicit(&slot->load.words[i], memory_order_relaxed);
		sum += (word & even) + (word >> 16 & even);
	}
	return (uint32_t)sum + (uint32_t)(sum >> 32);
}

void
board_forget(struct board *board, int worker)
{
	int i;

	for (i = 0; i < BOARD_SLOTS; i++)
		if (atomic_load(&board->slots[i].id) != 0)
			atomic_store(&board->slots[i].load.by_worker[worker], 0);
}
