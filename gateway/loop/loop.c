/*
 * Timers hang in a wheel of 1,024 slots of 16 ms. A deadline that moves later only changes the
 * task; the wheel meets it at the old slot and hangs it where it now belongs. As deadlines of
 * busy connections nearly always move later, a request costs no list work. Deadlines beyond the
 * wheel's 16 s go round.
 */
#include "gateway/loop/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/must.h"

#define EVENTS_PER_TURN	128
#define GATHER_MAX	32	/* tasks that wait to send; then they do */
#define WHEEL_SLOTS	1024
#define WHEEL_SLOT_MS	16

/* Tasks in the order in which they came. */
struct queue {
	struct task	 *head;
	struct task	**tail;
};

struct loop {
	int		 epoll;
	bool		 stopping;
	bool		 gathering;		/* what is to be sent may wait */
	uint64_t	 now_ms;
	int64_t		 wall_s;
	struct queue	 queue;
	struct queue	 gathered;		/* tasks that have something to send */
	unsigned	 n_gathered;		/* at least as many as are there */
	struct task	 turn_end;		/* on the queue behind the last task of a turn */
	struct grave	*graves;
	struct turn_end	*turn_ends;
	struct outbox	*outbox;		/* of the writers; only carried */
	uint64_t	 wheel_ms;		/* slots before this time have been looked at */
	unsigned	 timers;		/* tasks in the wheel */
	struct task	*wheel[WHEEL_SLOTS];
};

static void
push(struct queue *q, struct task *t, enum task_state state)
{
	t->state = state;
	t->next = NULL;
	*q->tail = t;
	q->tail = &t->next;
}

static struct task *
pop(struct queue *q)
{
	struct task *t = q->head;

	q->head = t->next;
	if (q->head == NULL)
		q->tail = &q->head;
	t->state = TASK_IDLE;
	return t;
}

static void
take_out(struct queue *q, struct task *t)
{
	struct task **link = &q->head;

	while (*link != NULL && *link != t)
		link = &(*link)->next;
	if (*link == NULL)
		return;
	*link = t->next;
	if (q->tail == &t->next)
		q->tail = link;
}

static void
read_clocks(struct loop *loop)
{
	loop->now_ms = clock_ms();
	loop->wall_s = clock_wall_s();
}

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		free(loop);
		return NULL;
	}
	loop->queue.tail = &loop->queue.head;
	loop->gathered.tail = &loop->gathered.head;
	read_clocks(loop);
	loop->wheel_ms = loop->now_ms / WHEEL_SLOT_MS * WHEEL_SLOT_MS;
	return loop;
}

static void
dig_graves(struct loop *loop)
{
	while (loop->graves != NULL) {
		struct grave *g = loop->graves;

		loop->graves = g->next;
		g->dig(g->thing);
	}
}

void
loop_free(struct loop **loop)
{
	if (*loop == NULL)
		return;
	dig_graves(*loop);
	close((*loop)->epoll);
	free(*loop);
	*loop = NULL;
}

uint64_t
loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}

int64_t
loop_wall_s(const struct loop *loop)
{
	return loop->wall_s;
}

bool
loop_has_more(const struct loop *loop)
{
	return loop->turn_end.state == TASK_QUEUED && loop->queue.head != &loop->turn_end;
}

static bool
control(struct loop *loop, struct watch *w, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = w };
	int operation = w->fd < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (epoll_ctl(loop->epoll, operation, fd, &event) != 0 && (operation == EPOLL_CTL_ADD ||
	    errno != ENOENT || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0))
		return false;
	w->fd = fd;
	return true;
}

bool
loop_watch(struct loop *loop, struct watch *w, int fd, struct task *task)
{
	*w = (struct watch){ .fd = -1, .edge = true, .task = task };
	return control(loop, w, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

bool
loop_watch_level(struct loop *loop, struct watch *w, int fd, bool exclusive, struct task *task)
{
	*w = (struct watch){ .fd = -1, .task = task };
	return control(loop, w, fd, EPOLLIN | (exclusive ? EPOLLEXCLUSIVE : 0));
}

bool
loop_want(struct loop *loop, struct watch *w, const struct want *want, struct task *task)
{
	uint32_t events = (want->events & POLLIN ? EPOLLIN : 0) |
	    (want->events & POLLOUT ? EPOLLOUT : 0);

	task_deadline(loop, task, want->deadline_ms);
	w->task = task;
	w->ready = 0;
	if (w->fd >= 0 && w->fd != want->fd)
		loop_unwatch(loop, w);
	if (want->fd < 0)
		return true;
	/* always told to the kernel: the number may be another descriptor's by now */
	return control(loop, w, want->fd, events);
}

void
loop_unwatch(struct loop *loop, struct watch *w)
{
	if (w->fd < 0)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
	w->ready = 0;
}

void
loop_close(struct watch *w)
{
	close(w->fd);
	w->fd = -1;
	w->ready = 0;
}

void
task_init(struct task *t, void (*run)(struct loop *, struct task *))
{
	*t = (struct task){ .run = run };
}

void
task_wake(struct loop *loop, struct task *t)
{
	if (t->state == TASK_IDLE)
		push(&loop->queue, t, TASK_QUEUED);
}

bool
task_gather(struct loop *loop, struct task *t)
{
	if (!loop->gathering || t->state == TASK_QUEUED || t->state == TASK_BURIED)
		return false;
	if (t->state == TASK_IDLE) {
		push(&loop->gathered, t, TASK_GATHERED);
		loop->n_gathered++;
	}
	return true;
}

static void
wheel_take(struct loop *loop, struct task *t)
{
	if (t->timer_link == NULL)
		return;
	*t->timer_link = t->timer_next;
	if (t->timer_next != NULL)
		t->timer_next->timer_link = t->timer_link;
	t->timer_link = NULL;
	loop->timers--;
}

static void
wheel_hang(struct loop *loop, struct task *t)
{
	uint64_t at = t->deadline_ms < loop->wheel_ms ? loop->wheel_ms : t->deadline_ms;
	struct task **slot = &loop->wheel[at / WHEEL_SLOT_MS % WHEEL_SLOTS];

	t->slot_ms = at;
	t->timer_next = *slot;
	if (*slot != NULL)
		(*slot)->timer_link = &t->timer_next;
	*slot = t;
	t->timer_link = slot;
	loop->timers++;
}

void
task_deadline(struct loop *loop, struct task *t, uint64_t deadline_ms)
{
	t->deadline_ms = deadline_ms;
	if (deadline_ms == 0 || t->state == TASK_BURIED ||
	    (t->timer_link != NULL && t->slot_ms <= deadline_ms))
		return;		/* the wheel will meet it early enough, and see */
	wheel_take(loop, t);
	wheel_hang(loop, t);
}

void
task_end(struct loop *loop, struct task *t)
{
	wheel_take(loop, t);
	t->deadline_ms = 0;
	if (t->state == TASK_QUEUED)
		take_out(&loop->queue, t);
	else if (t->state == TASK_GATHERED)
		take_out(&loop->gathered, t);
	t->state = TASK_BURIED;
}

/* Wakes what is due in one slot, and hangs on what is not. */
static void
turn_slot(struct loop *loop, unsigned slot)
{
	struct task *t = loop->wheel[slot];

	loop->wheel[slot] = NULL;
	while (t != NULL) {
		struct task *next = t->timer_next;

		t->timer_link = NULL;
		loop->timers--;
		if (t->deadline_ms != 0 && t->deadline_ms <= loop->now_ms)
			task_wake(loop, t);
		else if (t->deadline_ms != 0)
			wheel_hang(loop, t);
		t = next;
	}
}

static void
turn_wheel(struct loop *loop)
{
	uint64_t end_ms = loop->now_ms / WHEEL_SLOT_MS * WHEEL_SLOT_MS;

	if (end_ms > loop->wheel_ms + (uint64_t)WHEEL_SLOTS * WHEEL_SLOT_MS)
		loop->wheel_ms = end_ms - (uint64_t)WHEEL_SLOTS * WHEEL_SLOT_MS;
	while (loop->wheel_ms < end_ms) {
		unsigned slot = (unsigned)(loop->wheel_ms / WHEEL_SLOT_MS % WHEEL_SLOTS);

		loop->wheel_ms += WHEEL_SLOT_MS;	/* what is hung on now goes ahead of us */
		turn_slot(loop, slot);
	}
}

/* Milliseconds epoll may sleep: until the first slot with a task in it has passed. */
static int
sleep_ms(const struct loop *loop)
{
	if (loop->queue.head != NULL)
		return 0;
	if (loop->timers == 0)
		return -1;
	for (unsigned i = 0; i < WHEEL_SLOTS; i++) {
		uint64_t at = loop->wheel_ms + (uint64_t)i * WHEEL_SLOT_MS;

		if (loop->wheel[at / WHEEL_SLOT_MS % WHEEL_SLOTS] != NULL) {
			uint64_t end = at + WHEEL_SLOT_MS;

			return end <= loop->now_ms ? 0 : (int)(end - loop->now_ms);
		}
	}
	return -1;
}

static void
take_events(struct loop *loop)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(loop->epoll, events, EVENTS_PER_TURN, sleep_ms(loop));

	must(n >= 0 || errno == EINTR);
	read_clocks(loop);
	for (int i = 0; i < n; i++) {
		struct watch *w = events[i].data.ptr;
		uint32_t got = events[i].events;

		if (w->fd < 0)
			continue;
		if (got & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			w->ready |= READY_READ;
		if (got & (EPOLLOUT | EPOLLHUP | EPOLLERR))
			w->ready |= READY_WRITE;
		if (got & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			w->ready |= READY_HANGUP;
		if (w->task != NULL)
			task_wake(loop, w->task);
	}
}

/* Runs again what has something to send; meanwhile nothing more is put off. */
static void
send_gathered(struct loop *loop)
{
	loop->gathering = false;
	while (loop->gathered.head != NULL) {
		struct task *t = pop(&loop->gathered);

		t->run(loop, t);
	}
	loop->n_gathered = 0;
}

/*
 * Runs what is on the queue now; what these tasks wake runs in the next turn, after new events. The
 * end of the turn is a task of its own on the queue, because any other may be ended meanwhile.
 */
static void
run_queue(struct loop *loop)
{
	if (loop->queue.head == NULL)
		return;
	task_wake(loop, &loop->turn_end);
	for (;;) {
		struct task *t = pop(&loop->queue);

		if (t == &loop->turn_end)
			break;
		loop->gathering = true;
		t->run(loop, t);
		if (loop->n_gathered >= GATHER_MAX)
			send_gathered(loop);
	}
	send_gathered(loop);
}

void
loop_run(struct loop *loop)
{
	while (!loop->stopping) {
		take_events(loop);
		turn_wheel(loop);
		run_queue(loop);
		for (struct turn_end *e = loop->turn_ends; e != NULL; e = e->next)
			e->run(loop, e->argument);
		dig_graves(loop);
	}
	loop->stopping = false;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

void
loop_bury(struct loop *loop, struct grave *g, void (*dig)(void *), void *thing)
{
	*g = (struct grave){ dig, thing, loop->graves };
	loop->graves = g;
}

void
loop_at_turn_end(struct loop *loop, struct turn_end *e, void (*run)(struct loop *, void *),
    void *argument)
{
	*e = (struct turn_end){ run, argument, loop->turn_ends };
	loop->turn_ends = e;
}

struct outbox *
loop_outbox(const struct loop *loop)
{
	return loop->outbox;
}

void
loop_set_outbox(struct loop *loop, struct outbox *outbox)
{
	loop->outbox = outbox;
}
