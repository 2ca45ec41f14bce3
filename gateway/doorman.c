/*
 * Accepting is one task over all doors. It runs when a door has connections, and when a pause is
 * over: the short one of stepping back, or the long one for want of room. During a pause no door
 * is watched.
 *
 * Descriptors: a connection may need one for its client and one for its upstream server, so the
 * limit is half of what the kernel grants beyond what the process itself uses. One descriptor is
 * kept in reserve, to be given up for a moment when there are none left and somebody must be told
 * so.
 */
#include "gateway/doorman.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/request/request.h"

#define ACCEPTS_PER_TURN	8	/* more would let one worker take a whole burst */
#define LEAD			4	/* clients more than the least busy worker, and */
#define LEAD_PART		2	/* one more for each so many of his, to step back */
#define STEP_BACK_US		250
#define OWN_DESCRIPTORS		(24 + 2 * CONDUITS_MAX)	/* of a worker without clients */
#define LEAST_CLIENTS		4
#define PAUSE_US		100000
#define SHED_PER_PAUSE		32
#define WARN_EVERY_MS		10000
#define LAST_ACCEPTS		1024	/* most taken from the queues when leaving */

#define BUSY_BODY	"{\"error\":\"temporarily_unavailable\"," \
			"\"error_description\":\"too many connections are open\"}"

struct door {
	int		fd;
	struct watch	watch;
};

enum doorman_state {
	DOORMAN_WAITING,	/* at every door */
	DOORMAN_STEPPED_BACK,	/* the others first */
	DOORMAN_CROWDED,	/* for want of room */
};

struct doorman {
	struct task		 task;
	enum doorman_state	 state;
	struct loop		*loop;
	const struct process	*process;
	struct gate		*gate;
	struct door		*doors;
	size_t			 n_doors;
	size_t			 limit;		/* of open clients */
	int			 reserve;	/* -1: used up */
	int			 timer;		/* of a pause; the loop's own are too coarse */
	struct watch		 timer_watch;
	uint64_t		 warned_ms;	/* when the log was told of a crowd */
};

enum taken {
	TAKEN_CLIENT,
	TAKEN_NOBODY,		/* the queue is empty */
	TAKEN_NO_ROOM,
};

static void
keep_reserve(struct doorman *d)
{
	if (d->reserve < 0)
		d->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* What one connection can be the matter with; accepting goes on with the next. */
static bool
is_passing(int error)
{
	static const int passing[] = { EINTR, ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENETUNREACH,
		EHOSTDOWN, EHOSTUNREACH, ENONET, ENOPROTOOPT, EOPNOTSUPP };

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		if (error == passing[i])
			return true;
	return false;
}

/* One connection, to `fd`; those that broke in the queue are passed over. */
static enum taken
take(const struct door *door, int *fd, struct sockaddr_storage *address)
{
	do {
		socklen_t n = sizeof(*address);

		*fd = accept4(door->fd, (struct sockaddr *)address, &n,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (*fd >= 0)
			return TAKEN_CLIENT;
	} while (is_passing(errno));
	return errno == EAGAIN ? TAKEN_NOBODY : TAKEN_NO_ROOM;
}

static bool
has_room(const struct doorman *d)
{
	return gate_clients(d->gate) < d->limit;
}

/* What other workers see of us. */
static void
show(const struct doorman *d)
{
	struct shared_slot *own = &d->process->shared->control->slots[d->process->slot];

	atomic_store_explicit(&own->clients, (uint32_t)gate_clients(d->gate), memory_order_relaxed);
	atomic_store_explicit(&own->crowded, d->state == DOORMAN_CROWDED, memory_order_relaxed);
}

/* Leaves all doors for a while. */
static void
pause_for(struct doorman *d, enum doorman_state state, long us)
{
	const struct itimerspec once = { .it_value = { us / 1000000, us % 1000000 * 1000 } };

	d->state = state;
	for (size_t i = 0; i < d->n_doors; i++)
		loop_unwatch(d->loop, &d->doors[i].watch);
	timerfd_settime(d->timer, 0, &once, NULL);
}

static void
warn_of_crowd(struct doorman *d)
{
	uint64_t now_ms = loop_now_ms(d->loop);

	if (now_ms < d->warned_ms + WARN_EVERY_MS)
		return;
	d->warned_ms = now_ms;
	log_warn("no room for more clients: %zu are connected", gate_clients(d->gate));
}

static void
tell_busy(struct doorman *d, int fd)
{
	char id[REQUEST_ID_LEN], answer[512], unread[4096];
	struct text t = TEXT_OVER(answer);

	request_make_id(d->gate, id);
	text_fmt(&t, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
	    "Content-Length: %zu\r\nRetry-After: 1\r\nX-Request-ID: %.*s\r\n"
	    "Connection: close\r\n\r\n" BUSY_BODY, sizeof(BUSY_BODY) - 1, REQUEST_ID_LEN, id);
	if (send(fd, t.p, t.n, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		shutdown(fd, SHUT_WR);
	/* closing with unread bytes would reset the connection, and the answer with it */
	while (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0)
		continue;
	close(fd);
}

/* Answers a few of those that wait, unless another worker has room for them. */
static void
shed(struct doorman *d)
{
	struct sockaddr_storage address;
	size_t least;
	int fd;

	if (shared_has_room(d->process->shared, d->process->slot, loop_now_ms(d->loop), &least))
		return;
	if (d->reserve >= 0)
		close(d->reserve);
	d->reserve = -1;
	for (size_t i = 0; i < d->n_doors; i++)
		for (int n = 0; n < SHED_PER_PAUSE; n++) {
			if (take(&d->doors[i], &fd, &address) != TAKEN_CLIENT)
				break;
			tell_busy(d, fd);
		}
	keep_reserve(d);
}

/* Clients from which on others come first. */
static size_t
fair_share(const struct doorman *d)
{
	size_t least;

	if (!shared_has_room(d->process->shared, d->process->slot, loop_now_ms(d->loop), &least))
		return SIZE_MAX;
	return least + LEAD + least / LEAD_PART;
}

/* Lets in what waits at one door, at least one; says how the doorman goes on. */
static enum doorman_state
let_in(struct doorman *d, struct door *door)
{
	bool patient = d->state == DOORMAN_WAITING;	/* else nobody else took them */
	size_t share = fair_share(d);
	struct sockaddr_storage address;
	int fd;

	for (int n = 0; n < ACCEPTS_PER_TURN; n++) {
		if (!has_room(d))
			return DOORMAN_CROWDED;
		switch (take(door, &fd, &address)) {
		case TAKEN_CLIENT:
			break;
		case TAKEN_NOBODY:
			return DOORMAN_WAITING;
		case TAKEN_NO_ROOM:
			return DOORMAN_CROWDED;
		}
		gate_accept(d->gate, fd, &address);
		if (patient && gate_clients(d->gate) >= share)
			return DOORMAN_STEPPED_BACK;
	}
	return gate_clients(d->gate) >= share ? DOORMAN_STEPPED_BACK : DOORMAN_WAITING;
}

/* Stands at all doors where we don't yet. */
static bool
watch_doors(struct doorman *d)
{
	for (size_t i = 0; i < d->n_doors; i++) {
		struct door *door = &d->doors[i];

		if (door->watch.fd < 0 &&
		    !loop_watch_level(d->loop, &door->watch, door->fd, true, &d->task))
			return false;
	}
	return true;
}

/*
 * Goes round the doors that have connections, after a pause round all; the worst of what they say.
 */
static enum doorman_state
go_round(struct doorman *d)
{
	enum doorman_state worst = DOORMAN_WAITING, one;

	for (size_t i = 0; i < d->n_doors && worst != DOORMAN_CROWDED; i++) {
		struct door *door = &d->doors[i];

		if (d->state == DOORMAN_WAITING && (door->watch.ready & READY_READ) == 0)
			continue;
		door->watch.ready = 0;
		one = let_in(d, door);
		if (one > worst)
			worst = one;
	}
	return worst;
}

static void
run(struct loop *loop, struct task *task)
{
	struct doorman *d = (struct doorman *)task;
	enum doorman_state next;
	uint64_t expired;

	(void)loop;
	d->timer_watch.ready = 0;
	if (d->state != DOORMAN_WAITING &&
	    read(d->timer, &expired, sizeof(expired)) != (ssize_t)sizeof(expired))
		return;
	next = go_round(d);
	if (next == DOORMAN_WAITING && !watch_doors(d))
		next = DOORMAN_CROWDED;
	if (next == DOORMAN_CROWDED) {
		warn_of_crowd(d);
		if (d->state == DOORMAN_CROWDED)
			shed(d);
		pause_for(d, next, PAUSE_US);
	} else if (next == DOORMAN_STEPPED_BACK)
		pause_for(d, next, STEP_BACK_US);
	else {
		keep_reserve(d);
		d->state = next;
	}
	show(d);
}

static size_t
clients_limit(const struct config *config, size_t n_doors)
{
	struct rlimit files;
	size_t limit = config->max_connections, room;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
		return limit;
	room = (size_t)files.rlim_cur;
	room = room > OWN_DESCRIPTORS + n_doors ? (room - OWN_DESCRIPTORS - n_doors) / 2 : 0;
	if (room < LEAST_CLIENTS)
		room = LEAST_CLIENTS;
	if (room >= limit)
		return limit;
	log_warn("the limit of open files (%zu) leaves room for %zu clients, not max_connections"
	    " = %zu", (size_t)files.rlim_cur, room, limit);
	return room;
}

static bool
open_doors(struct doorman *d)
{
	const struct listeners *l = &d->process->listeners;

	d->doors = calloc(l->n + 1, sizeof(*d->doors));
	if (d->doors == NULL)
		return false;
	for (size_t i = 0; i < l->n; i++) {
		struct door *door = &d->doors[d->n_doors];

		if (l->items[i].fd < 0)
			continue;
		door->fd = l->items[i].fd;
		door->watch.fd = -1;
		d->n_doors++;
	}
	d->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return d->timer >= 0 && watch_doors(d) &&
	    loop_watch_level(d->loop, &d->timer_watch, d->timer, false, &d->task);
}

struct doorman *
doorman_new(struct loop *loop, const struct process *process, struct gate *gate)
{
	struct doorman *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	task_init(&d->task, run);
	d->loop = loop;
	d->process = process;
	d->gate = gate;
	d->reserve = d->timer = d->timer_watch.fd = -1;
	keep_reserve(d);
	if (!open_doors(d)) {
		log_error("cannot watch the listening sockets: %s", strerror(errno));
		doorman_free(&d);
		return NULL;
	}
	d->limit = clients_limit(process->config, d->n_doors);
	return d;
}

void
doorman_leave(struct doorman *d)
{
	struct sockaddr_storage address;
	int fd;

	task_end(d->loop, &d->task);
	loop_unwatch(d->loop, &d->timer_watch);
	for (size_t i = 0; i < d->n_doors; i++) {
		struct door *door = &d->doors[i];

		loop_unwatch(d->loop, &door->watch);
		for (int n = 0; n < LAST_ACCEPTS && has_room(d); n++) {
			if (take(door, &fd, &address) != TAKEN_CLIENT)
				break;
			gate_accept(d->gate, fd, &address);
		}
		close(door->fd);
	}
	d->n_doors = 0;
}

void
doorman_free(struct doorman **d)
{
	if (*d == NULL)
		return;
	task_end((*d)->loop, &(*d)->task);
	for (size_t i = 0; i < (*d)->n_doors; i++)
		loop_unwatch((*d)->loop, &(*d)->doors[i].watch);
	loop_unwatch((*d)->loop, &(*d)->timer_watch);
	if ((*d)->timer >= 0)
		close((*d)->timer);
	if ((*d)->reserve >= 0)
		close((*d)->reserve);
	free((*d)->doors);
	free(*d);
	*d = NULL;
}
