/*
 * A seat is a place for one child, filled again whenever its child dies.
 *
 * A child that dies within a second of its start is a bad sign: the seat then waits longer and
 * longer (0, 100 ms, 200 ms ... 5 s) before it is filled again. Children are only signalled
 * between their fork and their reaping, so a signal never meets a stranger who got the same
 * process id.
 */
#ifndef GATEWAY_SEAT_H
#define GATEWAY_SEAT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gateway/base/shared.h"

enum seat_state {
	SEAT_EMPTY,		/* to be filled at due_ms */
	SEAT_TAKEN,		/* its child works, or is about to */
	SEAT_LEAVING,		/* told to drain: stopped at due_ms */
	SEAT_STOPPING,		/* told to stop: killed at due_ms */
	SEAT_STUCK,		/* killed because it stood still; the seat will be filled again */
	SEAT_KILLED,		/* killed because it overstayed; the seat will be closed */
	SEAT_CLOSED,		/* empty for good */
};

struct seat {
	enum shared_role	role;
	enum seat_state		state;
	pid_t			pid;		/* 0: nobody */
	unsigned		slot;
	uint64_t		due_ms;
	uint64_t		started_ms;
	unsigned		quick_deaths;	/* in a row */
	unsigned		failed_starts;	/* in a row: ended before it was ready */
};

/* The child's whole life; what it returns is its exit status. */
struct seat_child {
	int	(*run)(void *argument, const struct seat *seat);
	void	*argument;
};

/*
 * Forks a child into an empty seat. False when there is no slot or no process; the seat then waits
 * before it is due again.
 */
bool seat_fill(struct seat *s, struct shared *shared, uint64_t generation, uint64_t now_ms,
    const struct seat_child *child);
/*
 * Takes note that the child ended with this wait status; the seat is due again, or closed if it
 * was to leave.
 */
void seat_reaped(struct seat *s, struct shared *shared, int status, uint64_t now_ms);
/* Tells the child to drain, for at most so long; an empty seat is closed. */
void seat_drain(struct seat *s, uint64_t now_ms, uint64_t limit_ms);
/* Tells the child to stop at once, and closes an empty seat. */
void seat_stop(struct seat *s, uint64_t now_ms);
/* Kills a child that has stood still for too long, or overstayed what it was told. */
void seat_watch(struct seat *s, const struct shared *shared, uint64_t now_ms);
/* When seat_fill() or seat_watch() has something to do by the clock; UINT64_MAX: never. */
uint64_t seat_due_ms(const struct seat *s);
/* True if the child says it works. */
bool seat_ready(const struct seat *s, const struct shared *shared);
/* Sends a signal to the child, if there is one. */
void seat_signal(const struct seat *s, int signal);

#endif
