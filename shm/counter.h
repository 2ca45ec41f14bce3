#ifndef SHM_COUNTER_H
#define SHM_COUNTER_H

/*
 * Counters that cost one plain add. Each worker writes to a slab of its own; whoever wants a
 * total adds the slabs up.
 *
 * A slab is claimed by a process and, once that has died or released it, by another, which goes
 * on from the values it finds: totals never go backwards. Its number serves as the worker's
 * number elsewhere too (shm/lease.h, shm/board.h). There is no lock, so nothing to recover: a
 * process that dies loses at most the add it was doing.
 *
 * A series is a 64-bit id that is not 0. When a slab has no room for another series, it is
 * counted under COUNTER_OVERFLOW, so that nothing is lost without a trace.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define COUNTER_SLABS 128
#define COUNTER_CELLS 4096
#define COUNTER_SERIES_MAX (COUNTER_CELLS / 8 * 7)
#define COUNTER_OVERFLOW UINT64_MAX
#define COUNTER_VERSION 1

struct counter;
struct counter_slab;

/* The bytes to give to counter_init; a slab that nobody claimed is never touched. */
size_t counter_size(void);

/* Formats zeroed memory; NULL if it is too small. */
struct counter *counter_init(void *memory, size_t size);

/* The counters that counter_init made in this memory, or NULL. */
struct counter *counter_attach(void *memory, size_t size);

/*
 * Gives the process a slab and returns its number, 0 to 127, or -1 when all belong to living
 * processes. alive says whether a process lives; it is asked about the owners of slabs.
 */
int counter_claim(struct counter *counter, pid_t pid, bool (*alive)(pid_t pid));

/* Lets go of a slab; what it counted stays. */
void counter_release(struct counter *counter, int slab);

/* The slab of this number. Only its owner may add to it. */
struct counter_slab *counter_slab(struct counter *counter, int slab);

/* Adds n to a series. */
void counter_add(struct counter_slab *slab, uint64_t key, uint64_t n);

/* The total of one series. */
uint64_t counter_total(const struct counter *counter, uint64_t key);

/* What counter_sum calls for each series. */
typedef void counter_visit(void *arg, uint64_t key, uint64_t total);

/* Calls visit once for every series that was ever counted, with its total. */
void counter_sum(const struct counter *counter, counter_visit *visit, void *arg);

#endif
