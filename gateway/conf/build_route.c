#include <stdio.h>
#include <string.h>

#include "gateway/conf/build.h"

/*
 * A route names others: its upstream and issuers must be there, and an error lists those that
 * are. Its hosts and paths are held to the normal form that requests are brought to
 * (gateway/http/target.h), because a path in another form would never match, and the rule it
 * carries would never hold.
 */

/* ---- names of other sections ---- */

/* Writes "a, b and c"; "none" if there is nothing to list. */
static void
list_names(char *out, size_t size, const char *const *names, size_t n)
{
	struct text t = { out, 0, size - 1, false };

	for (size_t i = 0; i < n; i++)
		text_fmt(&t, "%s\"%s\"", i == 0 ? "" : ", ", names[i]);
	if (n == 0)
		text_str(&t, "there is none");
	if (t.cut)
		text_str(&t, "...");
	out[t.n] = '\0';
}

static void
unknown_upstream(struct build *b, const struct section *s, const char *name)
{
	const char *names[16];
	size_t n = 0;
	char list[512];

	for (; n < b->config->n_upstreams && n < 16; n++)
		names[n] = b->config->upstreams[n].name;
	list_names(list, sizeof(list), names, n);
	build_error(b, s, "upstream", "there is no upstream \"%s\" (accepted: %s)", name, list);
}

static void
unknown_issuer(struct build *b, const struct section *s, const char *name)
{
	const char *names[16];
	size_t n = 0;
	char list[512];

	for (; n < b->config->n_issuers && n < 16; n++)
		names[n] = b->config->issuers[n].name;
	list_names(list, sizeof(list), names, n);
	if (strcmp(name, "self") == 0)
		build_error(b, s, "issuers",
		    "\"self\" needs a token_service section (accepted: %s)",
		    list);
	else
		build_error(
		    b, s, "issuers", "there is no issuer \"%s\" (accepted: %s)", name, list);
}

static void
find_upstream(struct build *b, const struct section *s, struct config_route *r)
{
	if (section_size(s, "upstream") == 0)
		return;		/* told already */
	const char *name = section_value(s, "upstream", 0);
	for (size_t i = 0; i < b->config->n_upstreams; i++)
		if (strcmp(b->config->upstreams[i].name, name) == 0)
			r->upstream = &b->config->upstreams[i];
	if (r->upstream == NULL)
		unknown_upstream(b, s, name);
}

static const struct config_issuer *
find_issuer(const struct build *b, const char *name)
{
	for (size_t i = 0; i < b->config->n_issuers; i++)
		if (strcmp(b->config->issuers[i].name, name) == 0)
			return &b->config->issuers[i];
	return NULL;
}

static void
find_issuers(struct build *b, const struct section *s, struct config_route *r)
{
	size_t given = section_size(s, "issuers");
	size_t n = given == 0 ? b->config->n_issuers : given;

	r->issuers = build_array(b, n, sizeof(*r->issuers));
	r->n_issuers = r->issuers == NULL ? 0 : n;
	for (size_t i = 0; i < r->n_issuers; i++) {
		const char *name = given == 0 ? "" : section_value(s, "issuers", i);

		r->issuers[i] = given == 0 ? &b->config->issuers[i] : find_issuer(b, name);
		if (r->issuers[i] == NULL)
			unknown_issuer(b, s, name);
	}
	if (n == 0 && !r->anonymous)
		build_error(b, s, "issuers",
		    "there is no issuer, so nothing could pass (accepted: an issuer "
		    "section, or anonymous = true)");
}

/* ---- hosts and paths ---- */

static bool
is_host(struct span host)
{
	if (host.n > 2 && host.p[0] == '*' && host.p[1] == '.')
		host = span_skip(host, 2);
	for (size_t i = 0; i < host.n; i++) {
		char c = span_lower(host.p[i]);

		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && strchr("-_.[:]", c) == NULL)
			return false;
		if (c == ':' && host.p[0] != '[')
			return false;
	}
	return host.n > 0 && host.n <= 255 && host.p[0] != '.' && host.p[host.n - 1] != '.';
}

static void
build_hosts(struct build *b, const struct section *s, struct config_route *r)
{
	for (size_t i = 0; i < r->n_hosts; i++) {
		struct span host = r->hosts[i];
		char *lower = build_array(b, host.n + 1, 1);

		if (!is_host(host))
			build_error(b, s, "hosts",
			    "\"%.*s\" is no host name (accepted: \"api.example.com\", "
			    "\"*.example.com\", both without a port)",
			    SPAN_ARG(host));
		for (size_t at = 0; lower != NULL && at < host.n; at++)
			lower[at] = span_lower(host.p[at]);
		r->hosts[i] = span_of(lower);
	}
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool
is_unreserved(int c)
{
	return c < 0x80 && c > 0x20 && (strchr("-._~", c) != NULL || (c >= '0' && c <= '9') ||
	    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
}

/*
 * Requests are brought to a normal form before they are compared; a path that has another never
 * matches.
 */
static const char *
path_fault(struct span path)
{
	if (path.n == 0 || path.p[0] != '/')
		return "it does not begin with \"/\"";
	for (size_t i = 0; i < path.n; i++) {
		char c = path.p[i];

		if (c == '%' && (i + 2 >= path.n || hex_digit(path.p[i + 1]) < 0 ||
		    hex_digit(path.p[i + 2]) < 0))
			return "an escape is not \"%\" and two digits of 0-9 and A-F";
		if (c == '%') {
			int byte = hex_digit(path.p[i + 1]) * 16 + hex_digit(path.p[i + 2]);

			if (is_unreserved(byte))
				return "a character is escaped that needs no escape";
			if (byte < 0x20 || byte == 0x7f || byte == '/' || byte == '\\')
				return "a slash, backslash or control character is escaped";
			i += 2;
		} else if (!is_unreserved(c) && (c == '\0' || strchr("/!$&'()*+,=:@", c) == NULL)) {
			return "a character has no place in a path, or needs an escape";
		}
	}
	return NULL;
}

static const char *
segment_fault(struct span path)
{
	struct span rest = span_skip(path, 1), segment;

	while (rest.n > 0 && span_next(&rest, '/', &segment)) {
		if (segment.n == 0)
			return "there are two slashes together";
		if (span_eq(segment, SPAN(".")) || span_eq(segment, SPAN("..")))
			return "there is a dot segment";
	}
	return NULL;
}

const char *
build_path_fault(struct span path)
{
	const char *why = path_fault(path);

	return why != NULL ? why : segment_fault(path);
}

/* A slash at the end says nothing: what "/orders/" holds, "/orders" holds too. */
static void
build_paths(struct build *b, const struct section *s, struct config_route *r)
{
	for (size_t i = 0; i < r->n_paths; i++) {
		const char *why = build_path_fault(r->paths[i]);

		if (why != NULL)
			build_error(b, s, "paths",
			    "\"%.*s\": %s (accepted: \"/orders\", without dot segments)",
			    SPAN_ARG(r->paths[i]), why);
		else if (r->paths[i].n > 1 && r->paths[i].p[r->paths[i].n - 1] == '/')
			r->paths[i].n--;
	}
}

/* ---- the rest of a route ---- */

static void
check_scopes(struct build *b, const struct section *s, const struct span *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].n == 0 || strpbrk(list[i].p, " \"\\") != NULL)
			build_error(b, s, "scopes",
			    "\"%.*s\" is no scope (accepted: one scope in each member, as "
			    "in {\"orders:read\", \"orders:write\"})",
			    SPAN_ARG(list[i]));
}

/* A token that is no JWT tells nothing of its issuer. */
static void
warn_of_asking(struct build *b, const struct section *s, const struct config_route *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_issuers; i++)
		n += r->issuers[i] != NULL && r->issuers[i]->validate != VALIDATE_LOCAL;
	if (n > 1)
		build_warn(b, s, "issuers", "%zu issuers are asked about tokens that are no JWT: "
		    "each sees those of the others", n);
}

static void
check_rest(struct build *b, const struct section *s, const struct config_route *r)
{
	warn_of_asking(b, s, r);
	check_scopes(b, s, r->scopes, r->n_scopes);
	if (strpbrk(r->realm, "\"\\") != NULL)
		build_error(
		    b, s, "realm", "there is a quote or backslash in it (accepted: plain text)");
	if (r->rate_burst > 0 && r->rate_count == 0)
		build_warn(b, s, "rate_burst", "it says nothing without a rate");
	if (r->anonymous)
		build_warn(b, s, "anonymous", "requests without a token pass");
	if (r->anonymous && r->n_scopes > 0)
		build_warn(b, s, "scopes",
		    "they are asked only of those who send a token: the route is "
		    "anonymous");
}

static void
build_route(struct build *b, const struct section *s, struct config_route *r)
{
	r->name = build_string(b, span_of(s->title));
	r->line = s->line;
	build_check_title(b, s);
	build_fill(b, s, r);
	build_hosts(b, s, r);
	build_paths(b, s, r);
	find_upstream(b, s, r);
	find_issuers(b, s, r);
	build_claim_headers(b, s, &r->claim_headers, &r->n_claim_headers);
	build_resource(b, s, r);
	check_rest(b, s, r);
}

void
build_routes(struct build *b, const struct section *root)
{
	size_t n = section_count(root, "route");

	if (n == 0)
		build_error(b, root, "route",
		    "there is no such section (accepted: one or more, as in "
		    "route \"all\" { upstream = \"api\" })");
	b->config->routes = build_array(b, n, sizeof(*b->config->routes));
	b->config->n_routes = b->config->routes == NULL ? 0 : n;
	for (size_t i = 0; i < b->config->n_routes; i++) {
		struct section s = section_inner(root, "route", i);

		build_route(b, &s, &b->config->routes[i]);
		build_check_resource(b, &s, i);
	}
}
