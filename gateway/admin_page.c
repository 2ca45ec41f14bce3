#include "gateway/admin_page.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/admin_explain.h"
#include "gateway/base/clock.h"
#include "gateway/base/metric_page.h"
#include "shm/board.h"
#include "shm/cache.h"
#include "shm/counter.h"
#include "shm/keys.h"
#include "shm/permits.h"
#include "shm/set.h"
#include "shm/names.h"

#define TYPE_TEXT	"text/plain; charset=utf-8"
#define TYPE_JSON	"application/json"
#define TYPE_METRICS	"text/plain; version=0.0.4; charset=utf-8"

/*
 * A row: what is served where. A page's function fills in status and body; the type is the row's.
 */
struct row {
	struct span	 path;
	const char	*type;
	bool		(*make)(const struct process *p, struct admin_page *page);
	const char	*sentence;
};

static bool
take_string(struct admin_page *page, unsigned status, char *body)
{
	if (body == NULL)
		return false;
	page->status = status;
	page->body = body;
	page->n = strlen(body);
	return true;
}

/* Takes over the JSON value. */
static bool
take_json(struct admin_page *page, unsigned status, json_t *value)
{
	char *body = value == NULL ? NULL : json_dumps(value, JSON_INDENT(2));

	json_decref(value);
	return take_string(page, status, body);
}

/* True, and *age_s set, if the issuer has keys. */
static bool
keys_age(const struct process *p, const struct config_issuer *issuer, struct keys_info *info,
    int64_t *age_s)
{
	struct keys_slot slot;

	*info = (struct keys_info){ .status = KEYS_NEVER };
	if (!keys_slot(p->shared->keys, issuer->id, false, &slot) || !keys_info(&slot, info) ||
	    info->generation == 0)
		return false;
	*age_s = clock_wall_s() - (int64_t)info->fetched_at_s;
	if (*age_s < 0)
		*age_s = 0;
	return true;
}

static bool
is_up(const struct process *p, const struct config_server *server)
{
	const struct board_slot *slot = board_slot(p->shared->board, server->id);

	return slot == NULL || !board_is_down(slot, clock_ms());
}

static bool
make_health(const struct process *p, struct admin_page *page)
{
	(void)p;
	return take_string(page, 200, strdup("ok\n"));
}

/* Ready means that somebody serves; issuers without keys are told, but other routes work. */
static bool
make_readiness(const struct process *p, struct admin_page *page)
{
	unsigned workers = shared_workers(p->shared, SHARED_READY);
	json_t *without = json_array();
	struct keys_info info;
	int64_t age_s;

	for (size_t i = 0; i < p->config->n_issuers; i++)
		if (p->config->issuers[i].needs_keys &&
		    !keys_age(p, &p->config->issuers[i], &info, &age_s))
			json_array_append_new(without, json_string(p->config->issuers[i].name));
	return take_json(page, workers > 0 ? 200 : 503, json_pack("{s:b, s:i, s:o}",
	    "ready", workers > 0, "workers", (int)workers, "issuers_without_keys", without));
}

static uint64_t
sum_clients(const struct process *p)
{
	const struct shared_slot *slots = p->shared->control->slots;
	uint64_t sum = 0;

	for (unsigned i = 0; i < SHARED_SLOTS; i++)
		if (atomic_load(&slots[i].pid) != 0 && atomic_load(&slots[i].role) == SHARED_WORKER)
			sum += atomic_load(&slots[i].clients);
	return sum;
}

static void
measure_upstreams(const struct process *p, struct metric_page *page)
{
	for (size_t i = 0; i < p->config->n_upstreams; i++) {
		const struct config_upstream *u = &p->config->upstreams[i];
		uint16_t upstream = metric_name(span_of(u->name));

		for (size_t k = 0; k < u->n_servers; k++)
			metric_page_set(page, METRIC_UPSTREAM_UP, is_up(p, &u->servers[k]) ? 1 : 0,
			    upstream, metric_name(span_of(u->servers[k].url)));
	}
}

static void
measure_issuers(const struct process *p, struct metric_page *page)
{
	struct keys_info info;
	int64_t age_s;

	for (size_t i = 0; i < p->config->n_issuers; i++)
		if (keys_age(p, &p->config->issuers[i], &info, &age_s))
			metric_page_set(page, METRIC_JWKS_AGE, (double)age_s,
			    metric_name(span_of(p->config->issuers[i].name)));
}

static void
measure_shared(const struct process *p, struct metric_page *page)
{
	struct shared_control *control = p->shared->control;
	struct cache_stats stats;

	cache_stats(p->shared->token_cache, &stats);
	metric_page_set(page, METRIC_CACHE_ENTRIES, (double)stats.entries, 0);
	metric_page_set(page, METRIC_CACHE_EVICTIONS, (double)stats.evictions, 0);
	metric_page_set(page, METRIC_WORKERS, shared_workers(p->shared, SHARED_READY), 0);
	metric_page_set(page, METRIC_CLIENT_CONNECTIONS, (double)sum_clients(p), 0);
	metric_page_set(page, METRIC_RESTARTS, (double)atomic_load(&control->restarts), 0);
	metric_page_set(page, METRIC_RELOADS, (double)atomic_load(&control->reloads_good),
	    metric_name(SPAN("done")));
	metric_page_set(page, METRIC_RELOADS, (double)atomic_load(&control->reloads_bad),
	    metric_name(SPAN("failed")));
	metric_page_set(page, METRIC_START_TIME, (double)control->started_wall_s, 0);
	metric_page_set(page, METRIC_BUILD_INFO, 1, metric_name(SPAN(GATEHOUSE_VERSION)));
}

/* Where nothing can be revoked, there is nothing to tell. */
static bool
can_revoke(const struct config *c)
{
	bool can = c->database != NULL;

	for (size_t i = 0; i < c->n_issuers; i++)
		can = can || c->issuers[i].backchannel_logout[0] != '\0';
	return can;
}

static void
measure_revocations(const struct process *p, struct metric_page *page)
{
	uint64_t known_ms = atomic_load(&p->shared->control->feed_known_ms);
	struct set_stats stats;

	if (!can_revoke(p->config))
		return;
	set_stats(p->shared->revocations, &stats);
	metric_page_set(page, METRIC_REVOCATIONS, (double)stats.entries, 0);
	/* these are about what the database has */
	if (p->config->database == NULL)
		return;
	metric_page_set(page, METRIC_REVOCATIONS_UNSURE, stats.unsure ? 1 : 0, 0);
	if (known_ms != 0)
		metric_page_set(page, METRIC_REVOCATION_LAG,
		    (double)(clock_ms() - known_ms) / 1000, 0);
}

static void
measure_database(const struct process *p, struct metric_page *page)
{
	unsigned up = permits_count(p->shared->permits, PERMITS_UP);
	unsigned coming_up = permits_count(p->shared->permits, PERMITS_COMING_UP);

	if (p->config->database == NULL)
		return;
	unsigned most = p->config->database->connections;
	metric_page_set(page, METRIC_DATABASE_CONNECTIONS, up, metric_name(SPAN("up")));
	metric_page_set(page, METRIC_DATABASE_CONNECTIONS, coming_up,
	    metric_name(SPAN("coming_up")));
	metric_page_set(page, METRIC_DATABASE_CONNECTIONS,
	    up + coming_up < most ? most - up - coming_up : 0, metric_name(SPAN("free")));
}

static bool
make_metrics(const struct process *p, struct admin_page *page)
{
	struct metric_page *metrics = metric_page_new(p->shared->counters, p->shared->names);
	bool fine;

	if (metrics == NULL)
		return false;
	measure_shared(p, metrics);
	measure_revocations(p, metrics);
	measure_database(p, metrics);
	measure_issuers(p, metrics);
	measure_upstreams(p, metrics);
	page->status = 200;
	fine = metric_page_write(metrics, &page->body, &page->n);
	metric_page_free(&metrics);
	return fine;
}

static json_t *
tell_processes(const struct process *p)
{
	static const char *const state_name[] = {
		[SHARED_STARTING] = "starting",
		[SHARED_READY] = "ready",
		[SHARED_DRAINING] = "draining",
	};
	json_t *list = json_array();

	for (unsigned i = 0; i < SHARED_SLOTS; i++) {
		struct shared_slot *slot = &p->shared->control->slots[i];
		int pid = atomic_load(&slot->pid);
		uint32_t state = atomic_load(&slot->state);

		if (pid == 0 || atomic_load(&slot->role) != SHARED_WORKER ||
		    state > SHARED_DRAINING)
			continue;
		json_array_append_new(list, json_pack("{s:i, s:i, s:s, s:I, s:I}", "slot", (int)i,
		    "pid", pid, "state", state_name[state],
		    "generation", (json_int_t)atomic_load(&slot->generation),
		    "clients", (json_int_t)atomic_load(&slot->clients)));
	}
	return list;
}

static json_t *
tell_issuers(const struct process *p)
{
	static const char *const status_name[] = {
		[KEYS_NEVER] = "never",
		[KEYS_GOOD] = "good",
		[KEYS_FAILED] = "failed",
	};
	json_t *list = json_array();
	struct keys_info info;
	int64_t age_s;

	for (size_t i = 0; i < p->config->n_issuers; i++) {
		const struct config_issuer *issuer = &p->config->issuers[i];
		bool have = keys_age(p, issuer, &info, &age_s);

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I, s:o}",
		    "name", issuer->name, "issuer", issuer->issuer,
		    "status", status_name[info.status], "generation", (json_int_t)info.generation,
		    "keys_age_s", have ? json_integer(age_s) : json_null()));
	}
	return list;
}

static json_t *
tell_servers(const struct process *p, const struct config_upstream *u)
{
	json_t *list = json_array();

	for (size_t i = 0; i < u->n_servers; i++) {
		struct board_slot *slot = board_slot(p->shared->board, u->servers[i].id);

		json_array_append_new(list, json_pack("{s:s, s:b, s:i, s:i}",
		    "url", u->servers[i].url, "up", is_up(p, &u->servers[i]),
		    "failures", slot == NULL ? 0 : (int)board_failures(slot),
		    "requests", slot == NULL ? 0 : (int)board_load(slot)));
	}
	return list;
}

static json_t *
tell_upstreams(const struct process *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->config->n_upstreams; i++)
		json_array_append_new(list, json_pack("{s:s, s:o}",
		    "name", p->config->upstreams[i].name,
		    "servers", tell_servers(p, &p->config->upstreams[i])));
	return list;
}

static json_t *
tell_cache(const struct process *p)
{
	struct cache_stats stats;

	cache_stats(p->shared->token_cache, &stats);
	return json_pack("{s:I, s:I, s:I, s:I}", "entries", (json_int_t)stats.entries,
	    "evictions", (json_int_t)stats.evictions, "used_bytes", (json_int_t)stats.used_bytes,
	    "capacity_bytes", (json_int_t)stats.capacity_bytes);
}

static bool
make_status(const struct process *p, struct admin_page *page)
{
	struct shared_control *control = p->shared->control;

	return take_json(page, 200, json_pack(
	    "{s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}",
	    "version", GATEHOUSE_VERSION, "master", (int)p->master,
	    "uptime_s", (json_int_t)(clock_wall_s() - control->started_wall_s),
	    "generation", (json_int_t)p->generation,
	    "reloads", (json_int_t)atomic_load(&control->reloads_good),
	    "reloads_failed", (json_int_t)atomic_load(&control->reloads_bad),
	    "restarts", (json_int_t)atomic_load(&control->restarts),
	    "workers", tell_processes(p), "issuers", tell_issuers(p),
	    "upstreams", tell_upstreams(p), "token_cache", tell_cache(p)));
}

static bool
make_explanation(const struct process *p, struct admin_page *page)
{
	const char *wrong;
	json_t *explanation = admin_explain(p, page->query, &wrong);

	if (wrong == NULL)
		return take_json(page, 200, explanation);
	page->type = TYPE_TEXT;
	return take_string(page, 400, strdup(wrong));
}

static bool make_index(const struct process *p, struct admin_page *page);

static const struct row rows[] = {
	{ SPAN("/"), TYPE_TEXT, make_index, "this list" },
	{ SPAN("/healthz"), TYPE_TEXT, make_health, "200 while the keeper lives" },
	{ SPAN("/readyz"), TYPE_JSON, make_readiness, "200 while a worker serves, else 503" },
	{ SPAN("/metrics"), TYPE_METRICS, make_metrics, "metrics for Prometheus" },
	{ SPAN("/api/status"), TYPE_JSON, make_status, "processes, issuers, upstream servers" },
	{ SPAN("/api/explain"), TYPE_JSON, make_explanation,
	    "what is known of one token, by its digest; see gatehouse explain" },
};

#define ROWS	(sizeof(rows) / sizeof(rows[0]))

static bool
make_index(const struct process *p, struct admin_page *page)
{
	FILE *out = open_memstream(&page->body, &page->n);

	(void)p;
	if (out == NULL)
		return false;
	fprintf(out, "Gatehouse %s\n\n", GATEHOUSE_VERSION);
	for (size_t i = 0; i < ROWS; i++)
		fprintf(out, "%-12.*s  %s\n", SPAN_ARG(rows[i].path), rows[i].sentence);
	page->status = 200;
	if (fclose(out) == 0)
		return true;
	free(page->body);
	return false;
}

bool
admin_page_make(const struct process *process, struct span target, struct admin_page *page)
{
	const char *query = memchr(target.p, '?', target.n);

	*page = (struct admin_page){ .type = TYPE_TEXT };
	if (query != NULL) {
		page->query = span_skip(target, (size_t)(query - target.p) + 1);
		target.n = (size_t)(query - target.p);
	}
	for (size_t i = 0; i < ROWS; i++)
		if (span_eq(target, rows[i].path)) {
			page->type = rows[i].type;
			return rows[i].make(process, page);
		}
	return take_string(page, 404, strdup("nothing is served at this path; see /\n"));
}
