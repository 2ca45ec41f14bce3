#include "gateway/request/gate.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/request/access_log.h"
#include "gateway/request/client.h"
#include "gateway/request/route.h"
#include "gateway/token/recall.h"
#include "upstream/upstream.h"

#define ARENA_FIRST	((size_t)8 * 1024)	/* memory of a request that needs no heap */
#define BODY_ROOM	((size_t)48 * 1024)	/* of an inbox, behind the largest head */
#define SPARE_BLOCKS	16
#define SPARE_REQUESTS	16
#define TRIM_EVERY_MS	1000

struct upstream *
gate_upstream(const struct gate *g, const struct config_upstream *config)
{
	return g->upstreams[config - g->config->upstreams];
}

static struct upstream *
find_upstream(const void *gate, const struct config_upstream *config)
{
	return gate_upstream(gate, config);
}

static bool
make_upstreams(struct gate *g)
{
	g->upstreams = calloc(g->config->n_upstreams + 1, sizeof(*g->upstreams));
	if (g->upstreams == NULL)
		return false;
	for (size_t i = 0; i < g->config->n_upstreams; i++)
		if ((g->upstreams[i] = upstream_new(g->loop, &g->config->upstreams[i],
		    &g->blocks, g->shared->board, g->slot)) == NULL)
			return false;
	return true;
}

static bool
make_labels(struct gate *g)
{
	g->verdict_labels = calloc(VERDICT_COUNT, sizeof(*g->verdict_labels));
	if (g->verdict_labels == NULL)
		return false;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		g->verdict_labels[i] = metric_name(span_of(verdict_name((enum verdict)i)));
	return true;
}

static void
add_claim_headers(struct gate *g, const struct config_claim_header *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		g->claim_headers[g->n_claim_headers++] = span_of(list[i].header);
}

static bool
gather_claim_headers(struct gate *g)
{
	const struct config *c = g->config;
	size_t n = 0;

	for (size_t i = 0; i < c->n_routes; i++)
		n += c->routes[i].n_claim_headers;
	for (size_t i = 0; i < c->n_issuers; i++)
		n += c->issuers[i].n_claim_headers;
	g->claim_headers = calloc(n + 1, sizeof(*g->claim_headers));
	if (g->claim_headers == NULL)
		return false;
	for (size_t i = 0; i < c->n_routes; i++)
		add_claim_headers(g, c->routes[i].claim_headers, c->routes[i].n_claim_headers);
	for (size_t i = 0; i < c->n_issuers; i++)
		add_claim_headers(g, c->issuers[i].claim_headers, c->issuers[i].n_claim_headers);
	return true;
}

static bool
make_parts(struct gate *g)
{
	const struct shared *s = g->shared;

	if (!make_upstreams(g) || !make_labels(g) || !gather_claim_headers(g)) {
		log_error("out of memory");
		return false;
	}
	g->router = router_new(g->config, find_upstream, g);
	g->recall = recall_open(g->config, s->token_cache, s->negative_cache, s->keys);
	if (g->router == NULL || g->recall == NULL) {
		log_error("out of memory, or OpenSSL can't be used");
		return false;
	}
	g->access_log = access_log_open(g->loop, g->config->access_log, g->slot);
	if (g->access_log == NULL)
		log_error("access log %s can't be opened: %m", g->config->access_log);
	return g->access_log != NULL;
}

static void
end_turn(struct loop *loop, void *argument)
{
	struct gate *g = argument;

	g->verifications = 0;
	if (loop_now_ms(loop) < g->trimmed_ms + TRIM_EVERY_MS)
		return;
	g->trimmed_ms = loop_now_ms(loop);
	pool_trim(&g->blocks);
	pool_trim(&g->requests);
	conduits_trim(&g->conduits);
}

struct gate *
gate_new(struct loop *loop, const struct config *config, const struct shared *shared, unsigned slot,
    const struct flow *flow)
{
	struct gate *g = calloc(1, sizeof(*g));
	size_t fields = sizeof(struct field) * config->client.max_headers;

	if (g == NULL)
		return NULL;
	g->loop = loop;
	g->config = config;
	g->shared = shared;
	g->slot = slot;
	g->flow = flow;
	g->limits = (struct head_limits){ config->client.max_head, config->client.max_target,
		config->client.max_headers };
	pool_init(&g->blocks, config->client.max_head + BODY_ROOM, SPARE_BLOCKS);
	pool_init(&g->requests, sizeof(struct request) + 2 * fields + ARENA_FIRST, SPARE_REQUESTS);
	if (RAND_bytes((unsigned char *)&g->id_prefix, sizeof(g->id_prefix)) != 1 ||
	    !make_parts(g)) {
		gate_free(&g);
		return NULL;
	}
	loop_at_turn_end(loop, &g->turn_end, end_turn, g);
	return g;
}

void
gate_free(struct gate **gate)
{
	struct gate *g = *gate;

	if (g == NULL)
		return;
	while (g->clients != NULL)
		client_close(g->clients);
	for (size_t i = 0; g->upstreams != NULL && i < g->config->n_upstreams; i++)
		upstream_free(&g->upstreams[i]);
	free(g->upstreams);
	router_free(&g->router);
	recall_close(&g->recall);
	access_log_close(&g->access_log);
	free(g->claim_headers);
	free(g->verdict_labels);
	pool_fini(&g->requests);
	pool_fini(&g->blocks);
	conduits_fini(&g->conduits);
	free(g);
	*gate = NULL;
}

void
gate_accept(struct gate *g, int fd, const struct sockaddr_storage *address)
{
	client_open(g, fd, address);
}

size_t
gate_clients(const struct gate *g)
{
	return g->n_clients;
}

void
gate_drain(struct gate *g)
{
	struct client *next;

	if (g->draining)
		return;
	g->draining = true;
	for (size_t i = 0; i < g->config->n_upstreams; i++)
		upstream_retire(g->upstreams[i]);
	for (struct client *c = g->clients; c != NULL; c = next) {
		next = client_next(c);
		client_drain(c);
	}
}

void
gate_reopen_logs(struct gate *g)
{
	access_log_reopen(g->access_log);
}

void
gate_flush_logs(struct gate *g)
{
	access_log_flush(g->access_log);
}
