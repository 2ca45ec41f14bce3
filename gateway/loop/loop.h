/*
 * The event loop of a worker or the keeper: epoll, deadlines, and a run queue of tasks.
 *
 * A task is something that goes on when an event comes; its run function does all it can and
 * returns. Nobody calls up: an event only puts the task on the run queue, and so does
 * task_wake(). A task runs at most once per turn however many events it has, and looks for itself
 * what has changed.
 *
 * A turn has two parts: first tasks read and work, then those that have something to send
 * run a second time and send it (task_gather).
 *
 * A watch is a descriptor in the loop. Edge-triggered watches are registered once, for both
 * directions, and remember readiness in `ready` until an operation meets EAGAIN and clears it; so
 * a kept connection costs no epoll_ctl per request. Level-triggered ones follow a struct want.
 *
 * Nothing is freed while the loop dispatches: loop_bury() frees at the end of the turn. Only this
 * module knows epoll.
 */
#ifndef GATEWAY_LOOP_LOOP_H
#define GATEWAY_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/want.h"

struct loop;
struct outbox;
struct task;

/* Bits of watch.ready. */
enum {
	READY_READ = 1,
	READY_WRITE = 2,
	READY_HANGUP = 4,	/* the peer has sent its last byte, or the connection is broken */
};

struct watch {
	int		 fd;		/* -1: not in the loop */
	uint8_t		 ready;
	bool		 edge;
	/* run when something happens; NULL: events are only remembered */
	struct task	*task;
};

enum task_state {
	TASK_IDLE,
	TASK_QUEUED,
	TASK_GATHERED,
	TASK_BURIED,
};

struct task {
	void		(*run)(struct loop *, struct task *);
	struct task	 *next;			/* run queue */
	struct task	 *timer_next;		/* slot of the timer wheel */
	struct task	**timer_link;		/* what points to this one there; NULL: no timer */
	uint64_t	  deadline_ms;		/* when it wants to run by itself; 0: never */
	/* when the wheel looks at it; never later than deadline_ms */
	uint64_t	  slot_ms;
	enum task_state	  state;
};

/* What is freed at the end of the turn; embedded in the thing itself. */
struct grave {
	void		(*dig)(void *);
	void		 *thing;
	struct grave	 *next;
};

/* Called once after every turn, for work that is better done for many requests at once. */
struct turn_end {
	void		(*run)(struct loop *, void *);
	void		 *argument;
	struct turn_end	 *next;
};

/* A new loop; NULL (errno set) if the kernel refuses. */
struct loop *loop_new(void);
void loop_free(struct loop **loop);
/* Turns until loop_stop(), which lets the turn under way end; can be called again. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* The monotonic clock of this turn, in ms. */
uint64_t loop_now_ms(const struct loop *loop);
/* The wall clock of this turn, in s. */
int64_t loop_wall_s(const struct loop *loop);
/* To be asked by a task that runs: true if others are still to run in this turn. */
bool loop_has_more(const struct loop *loop);

/* Registers fd edge-triggered for both directions. False (errno set) if the kernel refuses. */
bool loop_watch(struct loop *loop, struct watch *w, int fd, struct task *task);
/*
 * Registers fd level-triggered for reading; `exclusive` wakes one of many waiting processes
 * (listeners).
 */
bool loop_watch_level(struct loop *loop, struct watch *w, int fd, bool exclusive,
    struct task *task);
/*
 * Follows what an operation wants: registers or changes the watch (level-triggered), and sets the
 * deadline.
 */
bool loop_want(struct loop *loop, struct watch *w, const struct want *want, struct task *task);
/* Takes the descriptor out of the loop; does not close it. Safe on one that is not in. */
void loop_unwatch(struct loop *loop, struct watch *w);

/* Closes the descriptor, which takes it out of the loop: it must not be shared with anybody. */
void loop_close(struct watch *w);

void task_init(struct task *t, void (*run)(struct loop *, struct task *));
/* Puts the task on the run queue. */
void task_wake(struct loop *loop, struct task *t);
/*
 * Asked by a running task that could send something: true if it had better wait for others of this
 * turn, so that many are sent in a row and the peers are woken once. The task then runs again
 * before the turn ends, and is told false, as is whoever asks outside of a turn.
 */
bool task_gather(struct loop *loop, struct task *t);
/* The task also runs at this time; 0: never. Cheap: most changes are a plain store. */
void task_deadline(struct loop *loop, struct task *t, uint64_t deadline_ms);
/* Ends the task: it never runs again. */
void task_end(struct loop *loop, struct task *t);

/* Calls dig(thing) at the end of this turn. */
void loop_bury(struct loop *loop, struct grave *g, void (*dig)(void *), void *thing);
/* Of several, the one that was registered last is called first. */
void loop_at_turn_end(struct loop *loop, struct turn_end *e, void (*run)(struct loop *, void *),
    void *argument);

/* Where what is written in a turn gathers, for those who write; NULL: nowhere (task_gather). */
struct outbox *loop_outbox(const struct loop *loop);
void loop_set_outbox(struct loop *loop, struct outbox *outbox);

#endif
