#include "gateway/request/route.h"

#include <stdlib.h>

#include "gateway/base/metric.h"
#include "gateway/http/target.h"
#include "shm/hash.h"

/* One host, path and set of methods of a route; the table is sorted, the first match wins. */
struct rule {
	struct span	host;		/* empty: any; "*.example.com": below it */
	struct span	path;
	unsigned	methods;	/* bits; 0: any */
	struct route	*route;
};

struct router {
	struct route	*routes;
	struct rule	*rules;
	size_t		 n_rules;
};

/* Names of routes are the operator's: nobody chooses them to collide. */
static const uint8_t no_key[HASH_KEY_SIZE];

static unsigned
host_rank(struct span host)
{
	return host.n == 0 ? 0 : host.p[0] == '*' ? 1 : 2;
}

/* qsort(3): more specific rules first; the file's order decides what is left. */
static int
compare_rules(const void *left, const void *right)
{
	const struct rule *a = left, *b = right;

	if (host_rank(a->host) != host_rank(b->host))
		return host_rank(a->host) > host_rank(b->host) ? -1 : 1;
	if (host_rank(a->host) == 1 && a->host.n != b->host.n)
		return a->host.n > b->host.n ? -1 : 1;
	if (a->path.n != b->path.n)
		return a->path.n > b->path.n ? -1 : 1;
	if ((a->methods != 0) != (b->methods != 0))
		return a->methods != 0 ? -1 : 1;
	return a->route < b->route ? -1 : a->route > b->route;
}

static unsigned
method_bits(const struct config_route *c)
{
	unsigned bits = 0;
	enum method m;

	for (size_t i = 0; i < c->n_methods; i++)
		if (method_find(c->methods[i], &m))
			bits |= 1u << m;
	return bits;
}

static size_t
rules_of(const struct config_route *c)
{
	return (c->n_hosts == 0 ? 1 : c->n_hosts) * (c->n_paths == 0 ? 1 : c->n_paths);
}

static void
add_rules(struct router *router, struct route *route)
{
	const struct config_route *c = route->config;

	for (size_t h = 0; h < (c->n_hosts == 0 ? 1 : c->n_hosts); h++)
		for (size_t p = 0; p < (c->n_paths == 0 ? 1 : c->n_paths); p++)
			router->rules[router->n_rules++] = (struct rule){
				.host = c->n_hosts == 0 ? SPAN("") : c->hosts[h],
				.path = c->n_paths == 0 ? SPAN("/") : c->paths[p],
				.methods = method_bits(c), .route = route };
}

struct router *
router_new(const struct config *config,
    struct upstream *(*find)(const void *, const struct config_upstream *), const void *argument)
{
	struct router *router = calloc(1, sizeof(*router));
	size_t rules = 0;

	if (router == NULL)
		return NULL;
	for (size_t i = 0; i < config->n_routes; i++)
		rules += rules_of(&config->routes[i]);
	router->routes = calloc(config->n_routes + 1, sizeof(*router->routes));
	router->rules = calloc(rules + 1, sizeof(*router->rules));
	if (router->routes == NULL || router->rules == NULL) {
		router_free(&router);
		return NULL;
	}
	for (size_t i = 0; i < config->n_routes; i++) {
		struct route *route = &router->routes[i];
		struct span name = span_of(config->routes[i].name);

		*route = (struct route){ .config = &config->routes[i],
			.upstream = find(argument, config->routes[i].upstream),
			.label = metric_name(name), .id = hash_bytes(name.p, name.n, no_key) };
		add_rules(router, route);
	}
	qsort(router->rules, router->n_rules, sizeof(*router->rules), compare_rules);
	return router;
}

void
router_free(struct router **router)
{
	if (*router == NULL)
		return;
	free((*router)->routes);
	free((*router)->rules);
	free(*router);
	*router = NULL;
}

static bool
host_matches(struct span rule, struct span host)
{
	if (rule.n == 0)
		return true;
	if (rule.p[0] != '*')
		return span_eq_nocase(rule, host);
	struct span below = span_skip(rule, 1);		/* ".example.com" */
	return host.n > below.n && span_eq_nocase(below, span_skip(host, host.n - below.n));
}

struct route_match
router_find(const struct router *router, struct span host, struct span path, enum method method)
{
	const struct rule *refused = NULL;
	unsigned allowed = 0;

	for (size_t i = 0; i < router->n_rules; i++) {
		const struct rule *rule = &router->rules[i];

		/*
		 * once a path is claimed, only rules of the same host and path may take other
		 * methods
		 */
		if (refused != NULL && (!span_eq_nocase(rule->path, refused->path) ||
		    !span_eq(rule->host, refused->host)))
			continue;
		if (!target_covers(rule->path, path) || !host_matches(rule->host, host))
			continue;
		if (rule->methods == 0 || (rule->methods >> method & 1))
			return (struct route_match){ rule->route, rule->path, 0 };
		refused = rule;
		allowed |= rule->methods;
	}
	return (struct route_match){ NULL, SPAN(""), allowed };
}
