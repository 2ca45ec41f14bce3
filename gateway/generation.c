#include "gateway/generation.h"

#include <stdlib.h>

#define START_MAX_MS		10000	/* until all workers accept */
#define FAILED_STARTS_MAX	3	/* of one worker in a row */
#define KEEPER_END_MS		2000	/* until an ending keeper is stopped */
#define OVERTIME_MS		1000	/* beyond drain_timeout: workers keep to it by themselves */

_Static_assert(2 * (CONFIG_WORKERS_MAX + 1) <= SHARED_SLOTS,
    "two generations find slots for their workers and keepers at the same time");

struct generation *
generation_new(uint64_t number, struct config *config, struct listeners *listeners,
    enum generation_keeper keeper, uint64_t now_ms)
{
	struct generation *g = calloc(1, sizeof(*g));
	size_t n = config->workers;

	if (g == NULL || (g->workers = calloc(n, sizeof(*g->workers))) == NULL) {
		free(g);
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		g->workers[i] = (struct seat){ .role = SHARED_WORKER, .state = SEAT_EMPTY };
	g->keeper = (struct seat){ .role = SHARED_KEEPER,
		.state = keeper == KEEPER_NOW ? SEAT_EMPTY : SEAT_CLOSED };
	g->number = number;
	g->config = config;
	g->listeners = *listeners;
	*listeners = (struct listeners){ NULL, 0 };
	g->began_ms = now_ms;
	g->n_workers = n;
	return g;
}

void
generation_free(struct generation **g)
{
	if (*g == NULL)
		return;
	listeners_close(&(*g)->listeners);
	config_free(&(*g)->config);
	free((*g)->workers);
	free(*g);
	*g = NULL;
}

bool
generation_has(const struct generation *g, const struct seat *seat)
{
	for (size_t i = 0; i < g->n_workers; i++)
		if (&g->workers[i] == seat)
			return true;
	return &g->keeper == seat;
}

static bool
workers_gone(const struct generation *g)
{
	for (size_t i = 0; i < g->n_workers; i++)
		if (g->workers[i].pid != 0)
			return false;
	return true;
}

static void
step_seat(struct generation *g, struct seat *s, struct shared *shared, uint64_t now_ms,
    const struct seat_child *child)
{
	if (s->state == SEAT_EMPTY && g->state == GENERATION_ENDING)
		seat_stop(s, now_ms);
	else if (s->state == SEAT_EMPTY && now_ms >= s->due_ms)
		seat_fill(s, shared, g->number, now_ms, child);
	else
		seat_watch(s, shared, now_ms);
}

void
generation_step(struct generation *g, struct shared *shared, uint64_t now_ms,
    const struct seat_child *child)
{
	if (g->state == GENERATION_ENDING && g->keeper_last && workers_gone(g)) {
		g->keeper_last = false;
		seat_drain(&g->keeper, now_ms, KEEPER_END_MS);
	}
	step_seat(g, &g->keeper, shared, now_ms, child);
	for (size_t i = 0; i < g->n_workers; i++)
		step_seat(g, &g->workers[i], shared, now_ms, child);
}

uint64_t
generation_due_ms(const struct generation *g)
{
	uint64_t due_ms = seat_due_ms(&g->keeper);

	if (g->state == GENERATION_STARTING && g->began_ms + START_MAX_MS < due_ms)
		due_ms = g->began_ms + START_MAX_MS;
	for (size_t i = 0; i < g->n_workers; i++)
		if (seat_due_ms(&g->workers[i]) < due_ms)
			due_ms = seat_due_ms(&g->workers[i]);
	return due_ms;
}

bool
generation_reaped(struct generation *g, struct shared *shared, pid_t pid, int status,
    uint64_t now_ms)
{
	if (g->keeper.pid == pid) {
		seat_reaped(&g->keeper, shared, status, now_ms);
		return true;
	}
	for (size_t i = 0; i < g->n_workers; i++)
		if (g->workers[i].pid == pid) {
			seat_reaped(&g->workers[i], shared, status, now_ms);
			return true;
		}
	return false;
}

bool
generation_ready(const struct generation *g, const struct shared *shared)
{
	for (size_t i = 0; i < g->n_workers; i++)
		if (!seat_ready(&g->workers[i], shared))
			return false;
	return true;
}

bool
generation_hopeless(const struct generation *g, uint64_t now_ms)
{
	if (now_ms >= g->began_ms + START_MAX_MS)
		return true;
	for (size_t i = 0; i < g->n_workers; i++)
		if (g->workers[i].failed_starts >= FAILED_STARTS_MAX)
			return true;
	return false;
}

void
generation_serve(struct generation *g, uint64_t now_ms)
{
	g->state = GENERATION_SERVING;
	g->began_ms = now_ms;
	if (g->keeper.state == SEAT_CLOSED)
		g->keeper.state = SEAT_EMPTY;
}

void
generation_drain(struct generation *g, bool keeper_last, uint64_t now_ms)
{
	if (g->state == GENERATION_ENDING)
		return;
	g->state = GENERATION_ENDING;
	g->began_ms = now_ms;
	g->keeper_last = keeper_last;
	listeners_close(&g->listeners);
	for (size_t i = 0; i < g->n_workers; i++)
		seat_drain(&g->workers[i], now_ms, g->config->drain_timeout_ms + OVERTIME_MS);
	if (!keeper_last)
		seat_drain(&g->keeper, now_ms, KEEPER_END_MS);
}

void
generation_stop(struct generation *g, uint64_t now_ms)
{
	g->state = GENERATION_ENDING;
	g->keeper_last = false;
	listeners_close(&g->listeners);
	seat_stop(&g->keeper, now_ms);
	for (size_t i = 0; i < g->n_workers; i++)
		seat_stop(&g->workers[i], now_ms);
}

bool
generation_gone(const struct generation *g)
{
	return g->keeper.pid == 0 && workers_gone(g);
}

void
generation_signal(const struct generation *g, int signal)
{
	seat_signal(&g->keeper, signal);
	for (size_t i = 0; i < g->n_workers; i++)
		seat_signal(&g->workers[i], signal);
}
