#include "gateway/conf/build.h"

/*
 * Routing takes the most specific host, then the longest path, then a route that names the method.
 * Two routes that agree in all three leave the answer to chance, so they are refused.
 */

static bool
same_member(const struct span *a, size_t n_a, const struct span *b, size_t n_b, struct span *which)
{
	for (size_t i = 0; i < n_a; i++)
		for (size_t j = 0; j < n_b; j++)
			if (span_eq_nocase(a[i], b[j])) {
				*which = a[i];
				return true;
			}
	*which = SPAN("");
	return n_a == 0 && n_b == 0;
}

static bool
clash(const struct config_route *a, const struct config_route *b, struct span *host,
    struct span *path)
{
	struct span method;

	return same_member(a->hosts, a->n_hosts, b->hosts, b->n_hosts, host) &&
	    same_member(a->paths, a->n_paths, b->paths, b->n_paths, path) &&
	    same_member(a->methods, a->n_methods, b->methods, b->n_methods, &method);
}

void
build_check_routes(struct build *b, const struct section *root)
{
	const struct config *c = b->config;
	struct span host, path;

	for (size_t i = 0; i < c->n_routes; i++)
		for (size_t j = 0; j < i; j++) {
			struct section s = section_inner(root, "route", i);

			if (clash(&c->routes[j], &c->routes[i], &host, &path))
				build_error(b, &s, "paths",
				    "route \"%s\" (line %d) has %.*s%.*s and "
				    "its methods too (accepted: each host, path and method once)",
				    c->routes[j].name, c->routes[j].line, SPAN_ARG(host),
				    SPAN_ARG(path));
		}
}
