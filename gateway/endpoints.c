#include "gateway/endpoints.h"

#include <stdio.h>
#include <stdlib.h>

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

/* Adds an endpoint at a + b. */
static bool
add(struct endpoints *e, size_t row, struct span a, struct span b)
{
	char *path = malloc(a.n + b.n + 1);

	if (path == NULL)
		return false;
	snprintf(path, a.n + b.n + 1, "%.*s%.*s", SPAN_ARG(a), SPAN_ARG(b));
	e->list[e->n++] = (struct endpoint){
		.path = span_of(path),
		.methods = rows[row].methods,
		.flow = &flow_table[rows[row].flow],
		.label = metric_name(span_of(path)),
	};
	return true;
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

bool
endpoints_open(struct endpoints *e, const struct config *config)
{
	*e = (struct endpoints){ NULL, 0 };
	if (config->token_service == NULL)
		return true;
	e->list = calloc(ROWS * PLACES, sizeof(*e->list));
	if (e->list == NULL)
		return false;
	for (size_t i = 0; i < ROWS; i++)
		if (!add_row(e, i, config->token_service))
			return false;
	return true;
}

void
endpoints_close(struct endpoints *e)
{
	for (size_t i = 0; i < e->n; i++)
		free((char *)e->list[i].path.p);
	free(e->list);
	*e = (struct endpoints){ NULL, 0 };
}
