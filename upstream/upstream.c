#include "upstream/upstream.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"

typedef size_t choose_function(struct upstream *, upstream_set, uint64_t);

static choose_function *const policies[] = {
#define POLICY(balance, function) [balance] = function,
#include "upstream/policy.def"
#undef POLICY
};

struct upstream *
upstream_new(struct loop *loop, const struct config_upstream *config, struct pool *blocks,
    struct board *board, unsigned worker)
{
	struct upstream *u = calloc(1, sizeof(*u));

	if (u == NULL || (u->servers = calloc(config->n_servers, sizeof(*u->servers))) == NULL) {
		free(u);
		return NULL;
	}
	must(config->n_servers <= UPSTREAM_SERVERS_MAX);
	u->config = config;
	u->loop = loop;
	u->n_servers = config->n_servers;
	for (size_t i = 0; i < u->n_servers; i++)
		u->servers[i] = (struct server){ .config = &config->servers[i], .upstream = config,
			.loop = loop, .blocks = blocks, .worker = (int)worker,
			.board = board_slot(board, config->servers[i].id) };
	return u;
}

void
upstream_free(struct upstream **upstream)
{
	struct upstream *u = *upstream;

	if (u == NULL)
		return;
	for (size_t i = 0; i < u->n_servers; i++) {
		must(u->servers[i].n_leased == 0);
		conn_close_idle(&u->servers[i]);
	}
	free(u->servers);
	free(u);
	*upstream = NULL;
}

upstream_set
upstream_bit(const struct upstream *u, const struct server *s)
{
	return (upstream_set)1 << (s - u->servers);
}

/* A server the board had no slot for (more than it holds) counts as up. */
static bool
is_up(const struct server *s, uint64_t now_ms)
{
	return s->board == NULL || !board_is_down(s->board, now_ms);
}

struct server *
upstream_choose(struct upstream *u, upstream_set tried, uint64_t key)
{
	uint64_t now_ms = loop_now_ms(u->loop);
	upstream_set candidates = 0;

	for (size_t i = 0; i < u->n_servers; i++)
		if (!(tried >> i & 1) && is_up(&u->servers[i], now_ms))
			candidates |= (upstream_set)1 << i;
	if (candidates == 0)
		return NULL;
	return &u->servers[policies[u->config->balance](u, candidates, key)];
}

void
upstream_report(struct server *s, bool answered)
{
	const struct config_upstream *u = s->upstream;

	if (s->board == NULL)
		return;
	if (answered) {
		if (board_failures(s->board) > 0)
			board_ok(s->board);
		return;
	}
	if (board_fail(s->board, u->max_fails, loop_now_ms(s->loop), u->fail_timeout_ms) ==
	    u->max_fails)
		log_warn("upstream %s: server %s failed %u times in a row and rests for %.1f s",
		    u->name, s->config->url, u->max_fails, (double)u->fail_timeout_ms / 1000);
}

void
upstream_enter(struct server *s)
{
	if (s->board != NULL)
		board_begin(s->board, s->worker);
}

void
upstream_leave(struct server *s)
{
	if (s->board != NULL)
		board_end(s->board, s->worker);
}

void
upstream_retire(struct upstream *u)
{
	for (size_t i = 0; i < u->n_servers; i++) {
		u->servers[i].retired = true;
		conn_close_idle(&u->servers[i]);
	}
}
