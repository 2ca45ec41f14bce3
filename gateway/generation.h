/*
 * A generation: one configuration with the sockets and the children that serve it.
 *
 * A reload makes a new generation beside the one that serves. It takes over when all its workers
 * are ready, and then the old one drains; if they never get ready it is stopped, and nothing has
 * changed. So at any time one generation serves, at most one starts, and a few older ones drain.
 */
#ifndef GATEWAY_GENERATION_H
#define GATEWAY_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/shared.h"
#include "gateway/conf/config.h"
#include "gateway/listener.h"
#include "gateway/seat.h"

enum generation_state {
	GENERATION_STARTING,	/* its workers accept already, but it may still come to nothing */
	GENERATION_SERVING,
	GENERATION_ENDING,	/* drains or stops; freed when its last child is gone */
};

enum generation_keeper {
	KEEPER_NOW,		/* start it with the workers */
	KEEPER_LATER,		/* start it when the generation takes over */
};

struct generation {
	uint64_t		 number;
	enum generation_state	 state;
	struct config		*config;	/* owned */
	struct listeners	 listeners;	/* owned */
	uint64_t		 began_ms;	/* its state */
	struct seat		 keeper;
	bool			 keeper_last;	/* when ending: until the workers are gone */
	size_t			 n_workers;
	struct seat		*workers;
	struct generation	*next;		/* the one before it */
};

/*
 * A starting generation, without children yet; owns the configuration and the listeners. NULL
 * without memory.
 */
struct generation *generation_new(uint64_t number, struct config *config,
    struct listeners *listeners, enum generation_keeper keeper, uint64_t now_ms);
/* Frees it; the pointer becomes NULL. Its children must be gone. */
void generation_free(struct generation **g);

/* True if the seat is one of its own. */
bool generation_has(const struct generation *g, const struct seat *seat);
/* Does what is due: fills seats, kills what stands still or overstays. */
void generation_step(struct generation *g, struct shared *shared, uint64_t now_ms,
    const struct seat_child *child);
/* When generation_step() is next due by the clock. */
uint64_t generation_due_ms(const struct generation *g);
/* Takes note of the end of a child; false if it was not one of this generation. */
bool generation_reaped(struct generation *g, struct shared *shared, pid_t pid, int status,
    uint64_t now_ms);

/* True when all workers accept. */
bool generation_ready(const struct generation *g, const struct shared *shared);
/*
 * True when a starting generation will come to nothing: workers that die at once, again and again.
 */
bool generation_hopeless(const struct generation *g, uint64_t now_ms);
/* It serves from now on. */
void generation_serve(struct generation *g, uint64_t now_ms);
/*
 * Lets its children finish what they hold, for at most the drain_timeout of its configuration, and
 * closes its listeners here. The keeper ends at once, to make room for the next, or last of all.
 */
void generation_drain(struct generation *g, bool keeper_last, uint64_t now_ms);
/* Stops its children at once. */
void generation_stop(struct generation *g, uint64_t now_ms);
/* True when no child is left. */
bool generation_gone(const struct generation *g);
/* Sends a signal to all its children. */
void generation_signal(const struct generation *g, int signal);

#endif
