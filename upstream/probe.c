#include "upstream/probe.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/http/fetch.h"
#include "gateway/http/url.h"
#include "shm/board.h"

#define FALL	2	/* bad checks in a row that put a server down */

struct probe {
	struct task			 task;
	struct watch			 watch;
	struct loop			*loop;
	const struct config_upstream	*upstream;
	const struct config_server	*server;
	struct board_slot		*slot;
	struct fetch			*fetch;		/* NULL: at rest */
	uint64_t			 next_ms;
	unsigned			 failures;	/* in a row */
	uint16_t			 label;
};

static void
begin(struct probe *p)
{
	char url[URL_TARGET_MAX + URL_HOST_MAX + 16];
	struct fetch_request request = {
		.url = url,
		.max_bytes = 64 * 1024,
		.timeout_ms = p->upstream->health_check.timeout_ms,
		.address = (const struct sockaddr *)&p->server->address,
		.address_len = p->server->address_len,
	};

	snprintf(url, sizeof(url), "http://%s%s", p->server->authority,
	    p->upstream->health_check.path);
	p->next_ms = loop_now_ms(p->loop) + p->upstream->health_check.interval_ms;
	p->fetch = fetch_begin(&request, loop_now_ms(p->loop));
}

static void
mark(struct probe *p, enum board_probe now, const char *why)
{
	if (board_probe(p->slot) == now)
		return;
	if (now == BOARD_DOWN)
		log_warn("upstream \"%s\": %s is down: %s", p->upstream->name, p->server->url, why);
	else if (board_probe(p->slot) == BOARD_DOWN)
		log_notice("upstream \"%s\": %s is up again", p->upstream->name, p->server->url);
	board_probed(p->slot, now);
}

static void
judge(struct probe *p, enum run run)
{
	const struct fetch_result *result = fetch_result(p->fetch);
	bool good = run == RUN_DONE && result->status < 400;
	char status[32];

	metric_count(METRIC_HEALTH_CHECKS, p->label, metric_name(good ? SPAN("up") : SPAN("down")));
	p->failures = good ? 0 : p->failures + 1;
	snprintf(status, sizeof(status), "status %u", result->status);
	if (good)
		mark(p, BOARD_UP, "");
	else if (p->failures >= FALL)
		mark(p, BOARD_DOWN, result->reason == NULL ? status : result->reason);
	loop_unwatch(p->loop, &p->watch);
	fetch_end(&p->fetch);
}

static void
run(struct loop *loop, struct task *task)
{
	struct probe *p = (struct probe *)task;
	enum run run;

	if (p->fetch == NULL && loop_now_ms(loop) >= p->next_ms)
		begin(p);
	if (p->fetch != NULL) {
		run = fetch_run(p->fetch, loop_now_ms(loop));
		if (run == RUN_WAIT && loop_want(loop, &p->watch, fetch_want(p->fetch), task))
			return;
		judge(p, run);
	}
	task_deadline(loop, task, p->next_ms);
}

struct probe *
probe_new(struct loop *loop, const struct config_upstream *upstream,
    const struct config_server *server, struct board *board)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->loop = loop;
	p->watch.fd = -1;
	p->upstream = upstream;
	p->server = server;
	p->slot = board_slot(board, server->id);
	p->label = metric_name(span_of(upstream->name));
	task_init(&p->task, run);
	if (p->slot == NULL) {
		free(p);
		return NULL;
	}
	task_wake(loop, &p->task);
	return p;
}

void
probe_free(struct probe **p)
{
	if (*p == NULL)
		return;
	loop_unwatch((*p)->loop, &(*p)->watch);
	task_end((*p)->loop, &(*p)->task);
	fetch_end(&(*p)->fetch);
	free(*p);
	*p = NULL;
}
