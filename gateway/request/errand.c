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

static enum lease_result
take_lease(const struct gate *g, const uint8_t digest[32], uint64_t ttl_ms, uint64_t *ticket)
{
	const struct lease_asker asker = { getpid(), (int)g->slot, loop_now_ms(g->loop),
		is_alive };

	return lease_take(g->shared->leases, digest, &asker, ttl_ms, ticket);
}

static void
prepare(struct request *r, struct errand *e)
{
	if (e->request != NULL)
		return;
	e->request = r;
	arena_defer(&r->arena, &e->cleanup, clean_up, e);
}

enum errand_answer
errand_ask(struct request *r, struct errand *e, const uint8_t digest[32], uint64_t ttl_ms)
{
	prepare(r, e);
	if (e->state == ERRAND_HELD || e->state == ERRAND_ALONE)
		return ERRAND_YOURS;
	memcpy(e->digest, digest, sizeof(e->digest));
	switch (take_lease(r->gate, digest, ttl_ms, &e->ticket)) {
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

bool
errand_take(struct gate *g, struct errand_hold *h, const uint8_t digest[32], uint64_t ttl_ms)
{
	memcpy(h->digest, digest, sizeof(h->digest));
	switch (take_lease(g, digest, ttl_ms, &h->ticket)) {
	case LEASE_WAIT:
		return false;
	case LEASE_YOURS:
		h->state = ERRAND_HELD;
		return true;
	case LEASE_FULL:
		break;
	}
	h->state = ERRAND_ALONE;
	return true;
}

enum errand_answer
errand_wait(struct request *r, struct errand *e, const uint8_t digest[32])
{
	prepare(r, e);
	memcpy(e->digest, digest, sizeof(e->digest));
	return wait_for_it(e);
}

/* Requests of this worker that wait for the same go on. */
static void
wake_own(struct gate *g, const uint8_t digest[32])
{
	for (struct errand *e = g->errands; e != NULL; e = e->next)
		if (memcmp(e->digest, digest, sizeof(e->digest)) == 0)
			task_wake(g->loop, e->request->task);
}

static void
ring_others(const struct gate *g, const uint64_t waiters[2])
{
	for (unsigned w = 0; w < LEASE_WORKERS; w++)
		if (w != g->slot && (waiters[w / 64] >> w % 64 & 1) != 0)
			shared_ring(g->shared, w);
}

static void
give_back(struct gate *g, enum errand_state was, const uint8_t digest[32], uint64_t ticket)
{
	uint64_t waiters[2];

	if (was != ERRAND_HELD || !lease_release(g->shared->leases, digest, ticket, waiters))
		return;
	wake_own(g, digest);
	ring_others(g, waiters);
}

void
errand_end(struct errand *e)
{
	enum errand_state was = e->state;

	if (e->request == NULL)
		return;
	leave_list(e);
	e->state = ERRAND_IDLE;
	give_back(e->request->gate, was, e->digest, e->ticket);
}

void
errand_release(struct gate *g, struct errand_hold *h)
{
	enum errand_state was = h->state;

	h->state = ERRAND_IDLE;
	give_back(g, was, h->digest, h->ticket);
}

void
errand_heard(struct gate *g)
{
	for (struct errand *e = g->errands; e != NULL; e = e->next)
		task_wake(g->loop, e->request->task);
}
