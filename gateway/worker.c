#include "gateway/worker.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "gateway/access/consumer.h"
#include "gateway/access/introspector.h"
#include "gateway/base/bell.h"
#include "gateway/base/log.h"
#include "gateway/db/batch.h"
#include "gateway/db/db.h"
#include "gateway/doorman.h"
#include "gateway/endpoints.h"
#include "gateway/flow_table.h"
#include "gateway/http/outbox.h"
#include "gateway/loop/loop.h"
#include "gateway/oauth/revoking.h"
#include "gateway/oauth/service.h"
#include "gateway/request/errand.h"
#include "gateway/request/gate.h"
#include "gateway/title.h"
#include "gateway/token/key_make.h"
#include "gateway/token/signer.h"

enum worker_state {
	WORKER_SERVING,
	WORKER_DRAINING,
	WORKER_ENDING,
};

struct worker {
	struct process		*process;
	struct loop		*loop;
	struct outbox		*outbox;	/* NULL: each send is a system call */
	struct gate		*gate;
	struct db		*db;		/* NULL: no database is configured */
	struct batch		*revocations;	/* the same */
	struct book		*consumers;	/* NULL: they don't matter, or the same */
	struct endpoints	 endpoints;
	struct signer		*signer;	/* NULL: no token service is configured */
	struct service		*service;	/* the same */
	struct doorman		*doorman;
	enum worker_state	 state;
	struct task		 orders;
	struct watch		 orders_watch;
	struct task		 bell;
	struct watch		 bell_watch;
	struct task		 beat;
	uint64_t		 drained_ms;	/* when draining must have come to its end */
	struct turn_end		 turn_end;
};

static void
end(struct worker *w)
{
	w->state = WORKER_ENDING;
	loop_stop(w->loop);
}

static void
drain(struct worker *w)
{
	if (w->state != WORKER_SERVING)
		return;
	w->state = WORKER_DRAINING;
	w->drained_ms = loop_now_ms(w->loop) + w->process->config->drain_timeout_ms;
	process_draining(w->process);
	title_set("gatehouse: worker (draining)");
	doorman_leave(w->doorman);
	gate_drain(w->gate);
}

static void
reopen_logs(struct worker *w)
{
	if (!log_reopen())
		log_error("cannot open the error log again: going on with the old one");
	gate_reopen_logs(w->gate);
}

static void
run_orders(struct loop *loop, struct task *task)
{
	struct worker *w = (struct worker *)((char *)task - offsetof(struct worker, orders));

	(void)loop;
	w->orders_watch.ready = 0;
	for (;;)
		switch (process_order(w->process)) {
		case ORDER_NONE:
			return;
		case ORDER_DRAIN:
			drain(w);
			break;
		case ORDER_STOP:
			end(w);
			break;
		case ORDER_REOPEN:
			reopen_logs(w);
			break;
		}
}

/* Another worker has done what requests here may be waiting for. */
static void
run_bell(struct loop *loop, struct task *task)
{
	struct worker *w = (struct worker *)((char *)task - offsetof(struct worker, bell));

	(void)loop;
	bell_clear(w->process->bell);
	errand_heard(w->gate);
	db_heard(w->db);
}

/* Only makes the loop turn, so that even an idle worker shows that it lives. */
static void
run_beat(struct loop *loop, struct task *task)
{
	task_deadline(loop, task, loop_now_ms(loop) + PROCESS_BEAT_MS);
}

static void
end_turn(struct loop *loop, void *argument)
{
	struct worker *w = argument;
	struct shared_slot *own = &w->process->shared->control->slots[w->process->slot];
	size_t clients = gate_clients(w->gate);

	process_beat(w->process, loop_now_ms(loop));
	atomic_store_explicit(&own->clients, (uint32_t)clients, memory_order_relaxed);
	if (w->state != WORKER_DRAINING)
		return;
	if (clients > 0 && loop_now_ms(loop) < w->drained_ms)
		return;
	if (clients > 0)
		log_warn("%zu clients are cut off: they have not ended in time", clients);
	end(w);
}

static bool
reach_database(struct worker *w)
{
	struct process *p = w->process;

	if (p->config->database == NULL)
		return true;
	w->db = db_open(w->loop, p->config->database, p->shared, p->slot);
	w->gate->db = w->db;
	if (w->db != NULL)
		w->revocations = revoking_batch(w->loop, w->db);
	w->gate->revocations = w->revocations;
	if (w->revocations != NULL && consumers_matter(p->config))
		w->consumers = book_new(w->loop, w->db, p->shared, &consumer_book);
	w->gate->consumers = w->consumers;
	if (w->revocations != NULL && (w->consumers != NULL || !consumers_matter(p->config)))
		return true;
	log_error("out of memory");
	return false;
}

/* What the gate needs where some issuer is asked about its tokens. */
static bool
ask_issuers(struct worker *w)
{
	const struct config *c = w->process->config;

	for (size_t i = 0; i < c->n_issuers; i++)
		if (c->issuers[i].validate != VALIDATE_LOCAL) {
			w->gate->introspector = introspector_open(w->gate);
			return w->gate->introspector != NULL;
		}
	return true;
}

/* What the gate needs where this gateway issues tokens. */
static bool
serve_tokens(struct worker *w)
{
	const struct config_token_service *service = w->process->config->token_service;
	struct gate *g = w->gate;

	if (service == NULL)
		return true;
	w->signer = signer_open(service->encryption_key, alg_row(key_make_alg(service)),
	    w->process->shared->keys);
	g->signer = w->signer;
	if (w->signer != NULL)
		w->service = service_open(g);
	g->service = w->service;
	if (w->service == NULL)
		log_error("out of memory, or OpenSSL can't be used");
	return w->service != NULL;
}

static bool
open_endpoints(struct worker *w)
{
	bool good = endpoints_open(&w->endpoints, w->process->config);

	w->gate->endpoints = w->endpoints.list;
	w->gate->n_endpoints = w->endpoints.n;
	if (!good)
		log_error("out of memory");
	return good;
}

static bool
listen_to_others(struct worker *w)
{
	task_init(&w->orders, run_orders);
	task_init(&w->bell, run_bell);
	task_init(&w->beat, run_beat);
	if (loop_watch_level(w->loop, &w->orders_watch, w->process->orders, false, &w->orders) &&
	    loop_watch_level(w->loop, &w->bell_watch, w->process->bell, false, &w->bell))
		return true;
	log_error("cannot watch for orders");
	return false;
}

/* What is written in a turn leaves in one system call, where that is wanted and can be had. */
static void
post_together(struct worker *w)
{
	static const char each[] = "a system call for each send";

	if (!w->process->config->io_uring)
		log_notice("io_uring is off: %s", each);
	else if ((w->outbox = outbox_new(w->loop)) != NULL)
		log_notice("sends through io_uring, many in one system call");
	else
		log_notice("no io_uring (%s): %s", strerror(errno), each);
}

static bool
set_up(struct worker *w)
{
	w->loop = loop_new();
	if (w->loop == NULL) {
		log_error("cannot make an event loop");
		return false;
	}
	post_together(w);
	w->gate = gate_new(w->loop, w->process->config, w->process->shared, w->process->slot,
	    &flow_table[FLOW_PROXY]);
	if (w->gate == NULL || !reach_database(w) || !ask_issuers(w) || !serve_tokens(w) ||
	    !open_endpoints(w) || !listen_to_others(w))
		return false;
	run_beat(w->loop, &w->beat);
	loop_at_turn_end(w->loop, &w->turn_end, end_turn, w);
	w->doorman = doorman_new(w->loop, w->process, w->gate);
	return w->doorman != NULL;
}

int
worker_main(struct process *process)
{
	struct worker w = { .process = process };
	bool good = set_up(&w);

	if (good) {
		process_ready(process);
		loop_run(w.loop);
		process_draining(process);
	}
	doorman_free(&w.doorman);
	if (w.gate != NULL)
		introspector_close(&w.gate->introspector);
	gate_free(&w.gate);
	book_free(&w.consumers);
	if (w.revocations != NULL)
		batch_free(&w.revocations);
	service_close(&w.service);
	endpoints_close(&w.endpoints);
	signer_close(&w.signer);
	db_close(&w.db);
	outbox_free(&w.outbox);
	loop_free(&w.loop);
	return good ? 0 : 1;
}
