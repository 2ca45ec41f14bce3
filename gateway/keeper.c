#include "gateway/keeper.h"

#include <stddef.h>
#include <stdlib.h>

#include "gateway/access/respondent.h"
#include "gateway/admin.h"
#include "gateway/base/bell.h"
#include "gateway/base/log.h"
#include "gateway/finder.h"
#include "gateway/loop/loop.h"
#include "gateway/refresh.h"
#include "gateway/store.h"
#include "gateway/token/alg.h"
#include "gateway/token/signer.h"
#include "shm/board.h"
#include "shm/keys.h"
#include "shm/set.h"
#include "upstream/probe.h"

#define LEAVE_MAX_MS	1000	/* for open connections of the admin listener */
#define SWEEP_MS	5000	/* between two rounds through the shared sets */

enum keeper_state {
	KEEPER_STARTING,
	KEEPER_READY,
	KEEPER_LEAVING,
};

struct keeper {
	struct process		*process;
	struct loop		*loop;
	struct alg_tools	*tools;
	struct refresh		**refreshes;	/* one an issuer; NULL where it could not be made */
	size_t			 n_refreshes;
	struct finder		**finders;	/* as refreshes */
	size_t			 n_finders;
	struct probe		**probes;
	size_t			 n_probes;
	struct store		*store;		/* NULL: no database is configured */
	struct admin		*admin;		/* NULL: not asked for */
	enum keeper_state	 state;
	uint64_t		 leave_ms;	/* when leaving has an end */
	struct task		 orders;
	struct watch		 orders_watch;
	struct task		 bell;
	struct watch		 bell_watch;
	struct task		 beat;
	struct task		 sweep;
	struct turn_end		 turn_end;
};

static void
leave(struct keeper *k)
{
	if (k->state == KEEPER_LEAVING)
		return;
	k->state = KEEPER_LEAVING;
	k->leave_ms = loop_now_ms(k->loop) + LEAVE_MAX_MS;
	process_draining(k->process);
	if (k->admin != NULL)
		admin_leave(k->admin);
}

static void
run_orders(struct loop *loop, struct task *task)
{
	struct keeper *k = (struct keeper *)((char *)task - offsetof(struct keeper, orders));

	for (;;)
		switch (process_order(k->process)) {
		case ORDER_NONE:
			return;
		case ORDER_DRAIN:
			leave(k);
			break;
		case ORDER_STOP:
			loop_stop(loop);
			break;
		case ORDER_REOPEN:
			if (!log_reopen())
				log_error("cannot open the error log again: the old one stays");
			break;
		}
}

static void
look_for_wishes(struct keeper *k)
{
	for (size_t i = 0; i < k->n_refreshes; i++)
		if (k->refreshes[i] != NULL)
			refresh_look(k->refreshes[i]);
	if (k->store != NULL)
		store_look(k->store);
}

static void
run_bell(struct loop *loop, struct task *task)
{
	struct keeper *k = (struct keeper *)((char *)task - offsetof(struct keeper, bell));

	(void)loop;
	bell_clear(k->process->bell);
	look_for_wishes(k);
}

/* Shows that it lives; and a wish whose ring was lost with the keeper before is found here. */
static void
run_beat(struct loop *loop, struct task *task)
{
	struct keeper *k = (struct keeper *)((char *)task - offsetof(struct keeper, beat));

	look_for_wishes(k);
	task_deadline(loop, task, loop_now_ms(loop) + PROCESS_BEAT_MS);
}

/* Takes what has expired out of the shared sets. */
static void
run_sweep(struct loop *loop, struct task *task)
{
	struct keeper *k = (struct keeper *)((char *)task - offsetof(struct keeper, sweep));
	const struct shared *shared = k->process->shared;
	uint64_t now_s = (uint64_t)loop_wall_s(loop);

	set_sweep(shared->revocations, now_s);
	set_sweep(shared->replays, now_s);
	set_sweep(shared->inactive, now_s);
	if (set_outlive(shared->inactive, now_s))
		log_notice("every token that shared_memory.inactive had no room for has expired");
	task_deadline(loop, task, loop_now_ms(loop) + SWEEP_MS);
}

static bool
all_tried(const struct keeper *k)
{
	for (size_t i = 0; i < k->n_refreshes; i++)
		if (k->refreshes[i] != NULL && !refresh_tried(k->refreshes[i]))
			return false;
	for (size_t i = 0; i < k->n_finders; i++)
		if (k->finders[i] != NULL && !finder_tried(k->finders[i]))
			return false;
	return k->store == NULL || store_tried(k->store);
}

static void
end_turn(struct loop *loop, void *argument)
{
	struct keeper *k = argument;

	process_beat(k->process, loop_now_ms(loop));
	if (k->state == KEEPER_STARTING && all_tried(k)) {
		k->state = KEEPER_READY;
		process_ready(k->process);
	}
	if (k->state == KEEPER_LEAVING && (k->admin == NULL || admin_connections(k->admin) == 0 ||
	    loop_now_ms(loop) >= k->leave_ms))
		loop_stop(loop);
}

/*
 * Issuers that are gone from the configuration give their slots away, then the others take theirs.
 */
static bool
give_slots(const struct keeper *k)
{
	const struct config *conf = k->process->config;
	uint64_t *ids = calloc(2 * conf->n_issuers + 1, sizeof(*ids));
	size_t n = 0;

	if (ids == NULL)
		return false;
	for (size_t i = 0; i < conf->n_issuers; i++) {
		ids[n++] = conf->issuers[i].id;
		if (finder_is_needed(&conf->issuers[i]))
			ids[n++] = respondent_slot_id(&conf->issuers[i]);
	}
	ids[n++] = signer_slot_id();
	keys_retain(k->process->shared->keys, ids, n);
	free(ids);
	return true;
}

static bool
keep_keys(struct keeper *k)
{
	const struct config *conf = k->process->config;
	const struct shared *shared = k->process->shared;

	k->refreshes = calloc(conf->n_issuers + 1, sizeof(struct refresh *));
	k->finders = calloc(conf->n_issuers + 1, sizeof(struct finder *));
	if (k->refreshes == NULL || k->finders == NULL || !give_slots(k))
		return false;
	for (size_t i = 0; i < conf->n_issuers; i++) {
		const struct config_issuer *issuer = &conf->issuers[i];

		if (!issuer->own && issuer->needs_keys)
			k->refreshes[k->n_refreshes++] = refresh_new(k->loop, issuer, shared,
			    k->tools);
		if (finder_is_needed(issuer))
			k->finders[k->n_finders++] = finder_new(k->loop, issuer, shared);
	}
	return true;
}

/* A server that is not checked any more must not stay down for what was found once. */
static void
forget_probe(struct board *board, const struct config_server *server)
{
	struct board_slot *slot = board_slot(board, server->id);

	if (slot != NULL)
		board_probed(slot, BOARD_UNKNOWN);
}

static bool
check_servers(struct keeper *k, const struct config_upstream *u)
{
	struct board *board = k->process->shared->board;
	struct probe **more = realloc(k->probes, (k->n_probes + u->n_servers + 1) * sizeof(*more));

	if (more == NULL)
		return false;
	k->probes = more;
	for (size_t i = 0; i < u->n_servers; i++) {
		if (u->health_check.path[0] == '\0') {
			forget_probe(board, &u->servers[i]);
			continue;
		}
		k->probes[k->n_probes] = probe_new(k->loop, u, &u->servers[i], board);
		if (k->probes[k->n_probes] == NULL)
			return false;
		k->n_probes++;
	}
	return true;
}

static bool
check_upstreams(struct keeper *k)
{
	const struct config *conf = k->process->config;

	for (size_t i = 0; i < conf->n_upstreams; i++)
		if (!check_servers(k, &conf->upstreams[i]))
			return false;
	return true;
}

static bool
open_store(struct keeper *k)
{
	if (k->process->config->database != NULL)
		k->store = store_new(k->loop, k->process, k->tools);
	return k->process->config->database == NULL || k->store != NULL;
}

static bool
open_admin(struct keeper *k)
{
	const struct listeners *listeners = &k->process->listeners;

	for (size_t i = 0; i < listeners->n && k->admin == NULL; i++)
		if (listeners->items[i].admin && listeners->items[i].fd >= 0) {
			k->admin = admin_new(k->loop, k->process, listeners->items[i].fd);
			return k->admin != NULL;
		}
	return true;
}

static bool
listen_to_others(struct keeper *k)
{
	task_init(&k->orders, run_orders);
	task_init(&k->bell, run_bell);
	task_init(&k->beat, run_beat);
	task_init(&k->sweep, run_sweep);
	loop_at_turn_end(k->loop, &k->turn_end, end_turn, k);
	run_beat(k->loop, &k->beat);
	run_sweep(k->loop, &k->sweep);
	return loop_watch_level(k->loop, &k->orders_watch, k->process->orders, false, &k->orders) &&
	    loop_watch_level(k->loop, &k->bell_watch, k->process->bell, false, &k->bell);
}

static bool
set_up(struct keeper *k)
{
	k->loop = loop_new();
	k->tools = alg_tools_new();
	if (k->loop != NULL && k->tools != NULL && keep_keys(k) && check_upstreams(k) &&
	    open_store(k) && open_admin(k) && listen_to_others(k))
		return true;
	log_error("the keeper cannot begin its work");
	return false;
}

static void
tear_down(struct keeper *k)
{
	admin_free(&k->admin);
	store_free(&k->store);
	for (size_t i = 0; i < k->n_probes; i++)
		probe_free(&k->probes[i]);
	for (size_t i = 0; i < k->n_refreshes; i++)
		refresh_free(&k->refreshes[i]);
	free(k->probes);
	for (size_t i = 0; i < k->n_finders; i++)
		finder_free(&k->finders[i]);
	free(k->refreshes);
	free(k->finders);
	alg_tools_free(&k->tools);
	loop_free(&k->loop);
}

int
keeper_main(struct process *process)
{
	struct keeper k = { .process = process };
	bool good = set_up(&k);

	if (good)
		loop_run(k.loop);
	process_draining(process);
	tear_down(&k);
	return good ? 0 : 1;
}
