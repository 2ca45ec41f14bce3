#ifndef SHM_BOARD_H
#define SHM_BOARD_H

/*
 * The health and load of each upstream server, as all processes see it.
 *
 * A server is named by a 64-bit id that is not 0 (a hash of upstream and server name) and has one
 * of 1,024 slots, for as long as the memory lives. Everything in it is a single number changed by
 * one atomic operation; there is no lock, and a death leaves no half-made state. Requests under
 * way are counted per worker, so that those of a dead worker can be taken back at once
 * (board_forget).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_SLOTS 1024
#define BOARD_WORKERS 128
#define BOARD_VERSION 1

struct board;
struct board_slot;

/* What the active health check last found. */
enum board_probe {
	BOARD_UNKNOWN, /* never probed: counts as up */
	BOARD_UP,
	BOARD_DOWN,
};

/* The bytes to give to board_init; slots that nobody asked for are not touched. */
size_t board_size(void);

/* Formats zeroed, page-aligned memory; NULL if it is too small. */
struct board *board_init(void *memory, size_t size);

/* The board that board_init made in this memory, or NULL. */
struct board *board_attach(void *memory, size_t size);

/* The slot of a server, given to it now if it has none; NULL when all are taken. */
struct board_slot *board_slot(struct board *board, uint64_t id);

/*
 * Notes a failed request. When max_fails follow each other, the server is down until down_ms from
 * now. Returns how many have followed each other; max_fails 0 never takes it down.
 */
uint32_t board_fail(struct board_slot *slot, uint32_t max_fails, uint64_t now_ms, uint64_t down_ms);

/* Notes a request that went well: no failures, and not down. */
void board_ok(struct board_slot *slot);

/* Notes what a probe found; BOARD_UP also ends a time of being down. */
void board_probed(struct board_slot *slot, enum board_probe probe);

/* Whether to spare the server: its probe says down, or it failed too often not long ago. */
bool board_is_down(const struct board_slot *slot, uint64_t now_ms);

/* How many requests have failed in a row. */
uint32_t board_failures(const struct board_slot *slot);

/* What the last probe found. */
enum board_probe board_probe(const struct board_slot *slot);

/* Counts a request of this worker (0 to 127) as under way. */
void board_begin(struct board_slot *slot, int worker);

/* Ends one that board_begin counted. */
void board_end(struct board_slot *slot, int worker);

/* How many requests are under way, over all workers. */
uint32_t board_load(const struct board_slot *slot);

/* Takes back all requests of a worker that died, on all servers. */
void board_forget(struct board *board, int worker);

#endif
