/*
 * What a worker or the keeper is: a child of the master with its part of the work.
 *
 * process_begin() makes one out of a fresh fork: signals, title, privileges, a bell, its own slab
 * of counters. From then on it hears orders of the master through a descriptor that it watches in
 * its loop, and shows a heartbeat in its slot of shared memory. A process whose heartbeat stands
 * still for half a minute is killed and replaced. When the master dies, the kernel sends the order
 * to drain.
 *
 *	struct watch w;
 *	loop_watch_level(loop, &w, p->orders, false, &task);
 *	...in the task:
 *	while ((order = process_order(p)) != ORDER_NONE)
 *		switch (order) ...
 */
#ifndef GATEWAY_PROCESS_H
#define GATEWAY_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gateway/base/shared.h"
#include "gateway/conf/config.h"
#include "gateway/listener.h"

/* Least time between two signs of life, in ms: a process must turn its loop at least this often. */
#define PROCESS_BEAT_MS	500

struct privilege;

struct process {
	enum shared_role	 role;
	const struct config	*config;
	struct shared		*shared;
	unsigned		 slot;		/* its own, in shared->control->slots */
	uint64_t		 generation;	/* of the configuration */
	struct listeners	 listeners;	/* only those of its role */
	int			 orders;	/* readable when the master wants something */
	int			 bell;		/* readable when another process rang; see bell.h */
	pid_t			 master;
	int			 master_bell;	/* eventfd the master waits on */
};

enum process_order {
	ORDER_NONE,
	ORDER_DRAIN,		/* finish what is held, then end (a keeper: end) */
	ORDER_STOP,		/* end now, in good order */
	ORDER_REOPEN,		/* reopen log files */
};

/*
 * Turns a fresh fork into a process of its role. False when privileges can't be dropped or the
 * master is gone already; the reason is in the log, and the process must end.
 */
bool process_begin(struct process *p, const struct privilege *privilege);
/*
 * Waits until no other keeper works on this shared memory, and is the keeper from then on: an old
 * one may still be ending. False when told to end meanwhile.
 */
bool process_await_office(const struct process *p);
/* The next order, ORDER_NONE when there is no more. */
enum process_order process_order(const struct process *p);
/* Tells the master that this process does its work from now on. */
void process_ready(const struct process *p);
/* Tells everybody that it takes nothing new any more. */
void process_draining(const struct process *p);
/* A sign of life, with the clock of this turn; call it at least every PROCESS_BEAT_MS. */
void process_beat(const struct process *p, uint64_t now_ms);

#endif
