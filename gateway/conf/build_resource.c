#include <string.h>

#include "gateway/conf/address.h"
#include "gateway/conf/build.h"

/*
 * The protected resource that a route is part of (RFC 9728). Its metadata stand at a well-known
 * path of the host that its URL names; requests are brought to a normal form, so a path in
 * another would never be found.
 */

#define WELL_KNOWN	"/.well-known/oauth-protected-resource"

/* What is wrong with the URL of a resource; NULL: nothing. */
static const char *
find_fault(const char *resource, struct address_url *url)
{
	const char *why = address_url(span_of(resource), url);

	if (why != NULL)
		return why;
	if (strchr(resource, '?') != NULL)
		return "there is a query in it, which clients are told in different ways";
	return url->path.n == 0 ? NULL : build_path_fault(url->path);
}

/* Section 3.1: between the host and the path, without the slash that is no path. */
static const char *
metadata_url(struct build *b, const struct config_route *r, struct span path)
{
	char url[2048 + sizeof(WELL_KNOWN)];
	struct text t = TEXT_OVER(url);

	text_put(&t, span_make(r->resource, strlen(r->resource) - path.n));
	text_put(&t, SPAN(WELL_KNOWN));
	if (!span_eq(path, SPAN("/")))
		text_put(&t, path);
	return build_string(b, text_span(&t));
}

void
build_resource(struct build *b, const struct section *s, struct config_route *r)
{
	struct address_url url;
	const char *why;

	r->resource_metadata = "";
	if (r->resource[0] == '\0')
		return;
	if ((why = find_fault(r->resource, &url)) != NULL) {
		build_error(b, s, "resource",
		    "\"%s\": %s (accepted: https://api.example.com/orders)", r->resource, why);
		return;
	}
	if (!url.tls && !address_is_loopback(url.host))
		build_warn(b, s, "resource",
		    "it is not https, which clients demand: whoever is in between can lead them to "
		    "another authorization server");
	r->resource_metadata = metadata_url(b, r, url.path);
}

/* True if two URLs lead to the same path of the same host, whatever their schemes and ports. */
static bool
is_same_place(const char *a, const char *b)
{
	struct address_url x, y;

	return address_url(span_of(a), &x) == NULL && address_url(span_of(b), &y) == NULL &&
	    span_eq_nocase(x.host, y.host) && span_eq(x.path, y.path);
}

void
build_check_resource(struct build *b, const struct section *s, size_t n)
{
	const struct config_route *routes = b->config->routes, *r = &routes[n];

	for (size_t i = 0; i < n; i++)
		if (strcmp(routes[i].resource, r->resource) != 0 &&
		    is_same_place(routes[i].resource_metadata, r->resource_metadata)) {
			build_error(b, s, "resource",
			    "the metadata of \"%s\" (line %d) are at the same place (accepted: "
			    "one of both)", routes[i].resource, routes[i].line);
			return;
		}
}
