/*
 * What an asynchronous operation says of itself, in the shape of libpq's own calls.
 *
 * x_run(op) starts or goes on, never blocks, and says WAIT, DONE or FAIL; on WAIT, `want` tells
 * which descriptor, which direction and until when. x_end(op) is safe in any state.
 */
#ifndef GATEWAY_BASE_WANT_H
#define GATEWAY_BASE_WANT_H

#include <stdint.h>

enum run {
	RUN_WAIT,	/* not yet: run again when what it wants has come, or at its deadline */
	RUN_DONE,
	RUN_FAIL,
};

struct want {
	int		fd;		/* -1: only the deadline */
	short		events;		/* POLLIN, POLLOUT */
	uint64_t	deadline_ms;	/* on the clock of clock_ms(); 0: none */
};

#endif
