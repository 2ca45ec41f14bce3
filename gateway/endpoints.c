#include "gateway/endpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/access/resource.h"
#include "gateway/base/metric.h"
#include "gateway/conf/address.h"
#include "gateway/flow_table.h"
#include "gateway/http/head.h"

#define READS	(1u << METHOD_GET | 1u << METHOD_HEAD)
#define POSTS	(1u << METHOD_POST)
#define PLACES	3

enum under {
	UNDER_PATH,		/* token_service.path */
	UNDER_ROOT,		/* a well-known place, and that of an issuer with a path */
};

static const struct {
	enum under	 under;
	const char	*name;
	unsigned	 methods;
	enum flow_name	 flow;
} rows[] = {
	{ UNDER_PATH, "/token", POSTS, FLOW_TOKEN },
	{ UNDER_PATH, "/introspect", POSTS, FLOW_INTROSPECT },
	{ UNDER_PATH, "/revoke", POSTS, FLOW_REVOKE },
	{ UNDER_PATH, "/jwks", READS, FLOW_JWKS },
	{ UNDER_ROOT, "/.well-known/oauth-authorization-server", READS, FLOW_METADATA },
	{ UNDER_ROOT, "/.well-known/openid-configuration", READS, FLOW_METADATA },
};

#define ROWS	(sizeof(rows) / sizeof(rows[0]))

/* The path of the issuer, without the slash that may end it; "" for most. */
static struct span
issuer_path(const struct config_token_service *service)
{
	struct address_url url = { .path = SPAN("") };

	address_url(span_of(service->issuer), &url);
	while (url.path.n > 0 && url.path.p[url.path.n - 1] == '/')
		url.path.n--;
	return url.path;
}

/* Adds an endpoint at a + b; NULL without memory. */
static struct endpoint *
add_at(struct endpoints *e, struct span a, struct span b, unsigned methods, enum flow_name flow)
{
	char *path = malloc(a.n + b.n + 1);

	if (path == NULL)
		return NULL;
	snprintf(path, a.n + b.n + 1, "%.*s%.*s", SPAN_ARG(a), SPAN_ARG(b));
	e->list[e->n] = (struct endpoint){
		.path = span_of(path),
		.methods = methods,
		.flow = &flow_table[flow],
		.label = metric_name(span_of(path)),
	};
	return &e->list[e->n++];
}

static bool
add(struct endpoints *e, size_t row, struct span a, struct span b)
{
	return add_at(e, a, b, rows[row].methods, rows[row].flow) != NULL;
}

/*
 * RFC 8414 section 3.1 puts the issuer's path behind the well-known name; OpenID Discovery has it
 * before, and who looks at the root of the host shall find something too.
 */
static bool
add_row(struct endpoints *e, size_t row, const struct config_token_service *service)
{
	struct span name = span_of(rows[row].name), path = issuer_path(service);

	if (rows[row].under == UNDER_PATH)
		return add(e, row, span_of(service->path), name);
	return add(e, row, name, SPAN("")) &&
	    (path.n == 0 || (add(e, row, name, path) && add(e, row, path, name)));
}

static bool
add_service(struct endpoints *e, const struct config_token_service *service)
{
	for (size_t i = 0; service != NULL && i < ROWS; i++)
		if (!add_row(e, i, service))
			return false;
	return true;
}

/* Host of a URL as requests name it, with the brackets of an address. */
static struct span
host_of(const struct address_url *url)
{
	bool bracketed = memchr(url->host.p, ':', url->host.n) != NULL;

	return span_make(url->host.p - bracketed, url->host.n + 2 * (size_t)bracketed);
}

/* True if a route has this resource, or another with its metadata at the same path. */
static bool
is_among(const struct config_route *routes, size_t n, const struct config_route *route,
    bool same)
{
	struct address_url a, b;

	address_url(span_of(route->resource_metadata), &a);
	for (size_t i = 0; i < n; i++)
		if (address_url(span_of(routes[i].resource_metadata), &b) == NULL &&
		    span_eq(a.path, b.path) &&
		    (strcmp(routes[i].resource, route->resource) == 0) == same)
			return true;
	return false;
}

/*
 * The metadata of one resource. Only where another has them at the same path the host matters: a
 * proxy in front may have changed it.
 */
static bool
add_resource(struct endpoints *e, const struct config *config, const struct config_route *route)
{
	struct address_url url;
	struct endpoint *endpoint;

	address_url(span_of(route->resource_metadata), &url);
	if ((endpoint = add_at(e, url.path, SPAN(""), READS, FLOW_RESOURCE)) == NULL)
		return false;
	if (is_among(config->routes, config->n_routes, route, false))
		endpoint->host = host_of(&url);
	endpoint->document = span_of(resource_document(config, route->resource));
	return endpoint->document.p != NULL;
}

/* Where issuers tell of logouts; no two at the same path (conf). */
static bool
add_logouts(struct endpoints *e, const struct config *config)
{
	for (size_t i = 0; i < config->n_issuers; i++) {
		const struct config_issuer *issuer = &config->issuers[i];
		struct endpoint *endpoint;

		if (issuer->backchannel_logout[0] == '\0')
			continue;
		endpoint = add_at(e, span_of(issuer->backchannel_logout), SPAN(""), POSTS,
		    FLOW_LOGOUT);
		if (endpoint == NULL)
			return false;
		endpoint->issuer = issuer;
	}
	return true;
}

bool
endpoints_open(struct endpoints *e, const struct config *config)
{
	size_t most = ROWS * PLACES + config->n_routes + config->n_issuers;

	*e = (struct endpoints){ calloc(most, sizeof(*e->list)), 0 };
	if (e->list == NULL || !add_service(e, config->token_service) || !add_logouts(e, config))
		return false;
	for (size_t i = 0; i < config->n_routes; i++) {
		const struct config_route *route = &config->routes[i];

		if (route->resource[0] != '\0' && !is_among(config->routes, i, route, true) &&
		    !add_resource(e, config, route))
			return false;
	}
	return true;
}

void
endpoints_close(struct endpoints *e)
{
	for (size_t i = 0; i < e->n; i++) {
		free((char *)e->list[i].path.p);
		free((char *)e->list[i].document.p);
	}
	free(e->list);
	*e = (struct endpoints){ NULL, 0 };
}
