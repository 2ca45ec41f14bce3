#include "gateway/request/errand.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "gateway/request/request.h"
#include "shm/lease.h"

/*
 * Requests that wait stand in a list of their worker. Who ends an errand wakes those of its own
 * worker that wait for it, and rings the workers that the lease names; there all that wait look
 * again, since a ring doesn't say for what.
 */

static bool
is_alive(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

static void
leave_list(struct errand *e)
{
	if (e->link == NULL)
		return;
	*e->link = e->next;
	if (e->next != NULL)
		e->next->link = e->link;
	e->link = NULL;
	e->next = NULL;
	e->request->gate->n_errands--;
}

static void
enter_list(struct errand *e)
{
	struct gate *g = e->request->gate;

	e->next = g->errands;
	if (e->next != NULL)
		e->next->link = &e->next;
	e->link = &g->errands;
	g->errands = e;
	g->n_errands++;
}

static void
clean_up(void *errand)
{
	errand_end(errand);
}

static enum errand_answer
wait_for_it(struct errand *e)
{
	struct request *r = e->request;
	uint64_t look_ms = loop_now_ms(r->gate->loop) + ERRAND_POLL_MS;

	if (e->link == NULL) {
		if (r->gate->n_errands >= ERRANDS_WAITING_MAX)
			return ERRAND_CROWDED;
		enter_list(e);
	}
	e->state = ERRAND_WAITING;
	if (r->deadline_ms == 0 || r->deadline_ms > look_ms)
		r->deadline_ms = look_ms;
	return ERRAND_WAIT;
}

enum errand_answer
errand_ask(struct request *r, struct errand *e, const uint8_t digest[32], uint64_t ttl_ms)
{
	struct lease_asker asker = { getpid(), (int)r->gate->slot, loop_now_ms(r->gate->loop),
		is_alive };

	if (e->request == NULL) {
		e->request = r;
		memcpy(e->digest, digest, sizeof(e->digest));
		arena_defer(&r->arena, &e->cleanup, clean_up, e);
	}
	if (e->state == ERRAND_HELD || e->state == ERRAND_ALONE)
		return ERRAND_YOURS;
	switch (lease_take(r->gate->shared->leases, e->digest, &asker, ttl_ms, &e->ticket)) {
	case LEASE_WAIT:
		return wait_for_it(e);
	case LEASE_YOURS:
		e->state = ERRAND_HELD;
		break;
	case LEASE_FULL:
		e->state = ERRAND_ALONE;
		break;
	}
	leave_list(e);
	return ERRAND_YOURS;
}

/* Requests of this worker that wait for the same go on. */
static void
wake_own(struct gate *g, const struct errand *done)
{
	for (struct errand *e = g->errands; e != NULL; e = e->next)
		if (memcmp(e->digest, done->digest, sizeof(e->digest)) == 0)
			task_wake(g->loop, e->request->task);
}

static void
ring_others(const struct gate *g, const uint64_t waiters[2])
{
	for (unsigned w = 0; w < LEASE_WORKERS; w++)
		if (w != g->slot && (waiters[w / 64] >> w % 64 & 1) != 0)
			shared_ring(g->shared, w);
}

void
errand_end(struct errand *e)
{
	enum errand_state was = e->state;
	uint64_t waiters[2];

	if (e->request == NULL)
		return;
	struct gate *g = e->request->gate;
	leave_list(e);
	e->state = ERRAND_IDLE;
	if (was != ERRAND_HELD || !lease_release(g->shared->leases, e->digest, e->ticket, waiters))
		return;
	wake_own(g, e);
	ring_others(g, waiters);
}

void
errand_heard(struct gate *g)
{
	for (struct errand *e = g->errands; e != NULL; e = e->next)
		task_wake(g->loop, e->request->task);
}
