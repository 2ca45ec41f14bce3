#ifndef SHM_PERMITS_H
#define SHM_PERMITS_H

/*
 * Permits for what a node may have only so many of, whatever the number of its processes
 * (connections to the database): numbered places, each held by one living process.
 *
 * There is no lock. A place is taken and given back by one compare-and-swap of its holder, so at
 * no time do two living processes hold it; one whose holder is dead is free to the next who asks.
 * A process that dies leaves nothing to repair.
 *
 * Who finds no place may note that it waits. Holders see that somebody does, and are expected to
 * give way; whoever gives a place back is told whom to wake. These notes are hints: one that was
 * left by the dead costs a holder one needless turn, and who waits asks again by itself after a
 * while.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PERMITS_VERSION 1
#define PERMITS_MAX 1024    /* places */
#define PERMITS_WAITERS 128 /* processes that can be told apart, as numbers from 0 on */

struct permits;

/* What a holder does with its place; told for metrics alone. */
enum permits_use {
	PERMITS_FREE, /* nobody holds it */
	PERMITS_COMING_UP,
	PERMITS_UP,
	PERMITS_USES,
};

/* Who asks. */
struct permits_asker {
	pid_t pid;
	unsigned number; /* below PERMITS_WAITERS */
	bool (*alive)(pid_t pid);
};

/* The bytes to give to permits_init. */
size_t permits_size(void);

/* Formats zeroed, page-aligned memory. NULL if it is too small. */
struct permits *permits_init(void *memory, size_t size);

/* The permits that permits_init made in this memory, or NULL. */
struct permits *permits_attach(void *memory, size_t size);

/*
 * Takes one of the places from `first` up to, not including, `end`, and with it the note that the
 * asker waits. -1 if all are held; then, if it is to wait, that is noted.
 */
int permits_take(struct permits *permits, unsigned first, unsigned end,
    const struct permits_asker *asker, bool wait);

/* Gives a place back, if it is still that process's. */
void permits_give(struct permits *permits, int place, pid_t pid);

/* Tells what the holder does with its place. */
void permits_note(struct permits *permits, int place, enum permits_use use);

/* Gives back all that a process which has ended held, and takes its note away. */
void permits_forget(struct permits *permits, pid_t pid, unsigned number);

/* The asker waits no more. */
void permits_stop_waiting(struct permits *permits, unsigned number);

/* Whether another than this one waits. */
bool permits_wanted(const struct permits *permits, unsigned number);

/* One who waits, each in turn, and whose note is taken away by that; -1: nobody. */
int permits_next(struct permits *permits, unsigned number);

/* How many places are held and used like this. */
unsigned permits_count(const struct permits *permits, enum permits_use use);

#endif
