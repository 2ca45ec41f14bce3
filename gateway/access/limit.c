/*
 * Rates are held by GCRA in shared memory, decided and counted in one step, so all workers
 * together never let more pass. What is left is told in the headers that `ratelimit_headers` asks
 * for: Kong's, and draft-ietf-httpapi-ratelimit-headers.
 */
#include "gateway/access/limit.h"

#include "gateway/access/access.h"
#include "gateway/base/clock.h"
#include "gateway/base/metric.h"
#include "gateway/base/text.h"
#include "gateway/request/refuse.h"
#include "shm/hash.h"
#include "shm/rate.h"

#define FIELDS_ROOM	256

/* Who shares a cell: the consumer, the address, or all of the route. */
static uint64_t
cell_key(const struct request *r)
{
	const uint8_t *key = r->gate->shared->control->boot_key;
	struct span who = SPAN("");

	switch (r->route->config->rate_by) {
	case RATE_BY_CONSUMER:
		who = r->authenticated ? request_consumer(r) : r->client;
		break;
	case RATE_BY_IP:
		who = r->client;
		break;
	case RATE_BY_ROUTE:
		break;
	}
	uint64_t issuer = r->authenticated && r->route->config->rate_by == RATE_BY_CONSUMER
	    ? r->judgement.facts->issuer : 0;
	return hash_mix64(hash_bytes(who.p, who.n, key) ^ hash_mix64(r->route->id ^ issuer));
}

/* The name of Kong's window for this period; NULL where it has none. */
static const char *
window_name(uint64_t period_us)
{
	switch (period_us / 1000000) {
	case 1:
		return "Second";
	case 60:
		return "Minute";
	case 3600:
		return "Hour";
	case 86400:
		return "Day";
	default:
		return NULL;
	}
}

static void
put_kong(struct text *t, const struct limit *limit, const struct rate_verdict *v)
{
	const char *window = window_name(limit->period_us);

	if (window != NULL)
		text_fmt(t, "X-RateLimit-Limit-%s: %lu\r\nX-RateLimit-Remaining-%s: %lu\r\n",
		    window, (unsigned long)limit->count, window, (unsigned long)v->remaining);
	text_fmt(t, "RateLimit-Limit: %lu\r\nRateLimit-Remaining: %lu\r\nRateLimit-Reset: %lu\r\n",
	    (unsigned long)limit->count, (unsigned long)v->remaining,
	    (unsigned long)(v->reset_s > 0 ? v->reset_s : 1));
}

static void
put_ietf(struct text *t, const struct limit *limit, const struct rate_verdict *v)
{
	text_fmt(t, "RateLimit-Policy: \"%s\";q=%lu;w=%lu\r\n", limit->name,
	    (unsigned long)limit->count,
	    (unsigned long)((limit->period_us + 999999) / 1000000));
	text_fmt(t, "RateLimit: \"%s\";r=%lu;t=%lu\r\n", limit->name, (unsigned long)v->remaining,
	    (unsigned long)v->reset_s);
}

void
limit_tell(struct request *r, const struct limit *limit, const struct rate_verdict *v)
{
	enum config_ratelimit_headers which = r->gate->config->ratelimit_headers;
	size_t room = FIELDS_ROOM + 2 * strlen(limit->name);
	char *memory = which == RATELIMIT_HEADERS_OFF ? NULL : arena_alloc(&r->arena, room);
	struct text t = { memory, 0, room, false };

	if (memory == NULL)
		return;
	if (which == RATELIMIT_HEADERS_KONG || which == RATELIMIT_HEADERS_BOTH)
		put_kong(&t, limit, v);
	if (which == RATELIMIT_HEADERS_IETF || which == RATELIMIT_HEADERS_BOTH)
		put_ietf(&t, limit, v);
	if (!t.cut)
		r->limit_fields = text_span(&t);
}

struct rate_limit
limit_rule(const struct limit *limit)
{
	uint64_t period_us = limit->period_us / limit->count;

	return (struct rate_limit){ .period_us = period_us > 0 ? period_us : 1,
		.burst = limit->burst > 0 ? limit->burst : limit->count };
}

enum step_result
limit_rate(struct request *r)
{
	const struct config_route *route = r->route->config;
	const struct limit limit = { route->name, route->rate_count, route->rate_period_us,
		route->rate_burst };
	struct rate_verdict verdict;

	if (limit.count == 0)
		return STEP_NEXT;
	struct rate_limit rule = limit_rule(&limit);
	bool passes = rate_take(r->gate->shared->rates, cell_key(r), &rule, clock_us(), &verdict);
	limit_tell(r, &limit, &verdict);
	if (passes)
		return STEP_NEXT;
	metric_count(METRIC_RATE_LIMITED, r->route->label);
	uint64_t wait_s = verdict.retry_after_s > 0 ? verdict.retry_after_s : 1;
	return refuse_because(r, REFUSE_RATE,
	    (struct refuse_more){ .retry_after_s = (unsigned)wait_s });
}
