/*
 * Routing: which route's rules hold for a request?
 *
 * The most specific wins, whatever the order in the file: an exact host before a wildcard before
 * none, then the longest path prefix, then one that names methods. A path compares in any case
 * (target_covers()), so a backend that doesn't care about case can't be reached around a rule.
 */
#ifndef GATEWAY_REQUEST_ROUTE_H
#define GATEWAY_REQUEST_ROUTE_H

#include "gateway/conf/config.h"
#include "gateway/http/head.h"

struct upstream;

struct route {
	const struct config_route	*config;
	struct upstream			*upstream;
	uint16_t			 label;		/* for metrics */
	uint64_t			 id;		/* hash of the name, for limits */
};

struct router;

/* Compiles the routes. NULL when there is no memory. `find` gives the upstream of a row. */
struct router *router_new(const struct config *config,
    struct upstream *(*find)(const void *, const struct config_upstream *), const void *argument);
void router_free(struct router **router);

struct route_match {
	const struct route	*route;		/* NULL: none */
	struct span		 prefix;	/* the part of the path that matched */
	/* bits of methods that other routes of this path take; for 405 */
	unsigned		 allowed;
};

/* The route of a request; `host` without port, in any case. */
struct route_match router_find(const struct router *router, struct span host, struct span path,
    enum method method);

#endif
