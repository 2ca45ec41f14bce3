#include "gateway/access/access.h"
#include "gateway/base/text.h"
#include "gateway/request/refuse.h"
#include "gateway/request/trusted.h"

/* The host without its port, and without the dot that ends a fully qualified name. */
static struct span
host_name(struct span host)
{
	const char *colon = host.n == 0 ? NULL : memrchr(host.p, ':', host.n);

	if (colon != NULL && host.p[host.n - 1] != ']')
		host.n = (size_t)(colon - host.p);
	if (host.n > 1 && host.p[host.n - 1] == '.')
		host.n--;
	return host;
}

/*
 * Makes one of all lines of a list (RFC 9110 section 5.3), kept in the first of them: a proxy may
 * add a line of its own below the client's, and it is the end of the list that counts.
 */
static void
join_lines(struct request *r, enum field_id id)
{
	struct head *h = &r->head;
	struct field *first = NULL;
	size_t room = 0;

	if (head_count(h, id) < 2)
		return;
	for (unsigned i = 0; i < h->n_fields; i++)
		room += h->fields[i].id == id ? h->fields[i].value.n + 2 : 0;
	char *memory = arena_alloc(&r->arena, room);
	struct text list = { memory, 0, memory == NULL ? 0 : room, false };
	for (unsigned i = 0; i < h->n_fields; i++) {
		if (h->fields[i].id != id)
			continue;
		if (first == NULL)
			first = &h->fields[i];
		else
			text_put(&list, SPAN(", "));
		text_put(&list, h->fields[i].value);
	}
	first->value = text_span(&list);	/* without memory nothing, as if unsaid */
}

/* The client, and what a proxy we trust says of it. */
static void
learn_client(struct request *r)
{
	const struct field *field;

	if (!r->peer_trusted)
		return;
	join_lines(r, FIELD_X_FORWARDED_FOR);
	join_lines(r, FIELD_FORWARDED);
	if ((field = head_find(&r->head, FIELD_X_FORWARDED_FOR)) != NULL)
		r->client = trusted_client(r->gate->config, field->value, r->peer);
	if ((field = head_find(&r->head, FIELD_X_FORWARDED_PROTO)) != NULL &&
	    head_count(&r->head, FIELD_X_FORWARDED_PROTO) == 1 &&
	    span_eq_nocase(field->value, SPAN("https")))
		r->scheme = SPAN("https");
}

static enum step_result
refuse_method(struct request *r, unsigned allowed)
{
	size_t room = 80;
	char *memory = arena_alloc(&r->arena, room);
	struct text allow = { memory, 0, memory == NULL ? 0 : room, false };

	for (unsigned m = 0; m < METHOD_COUNT; m++) {
		if (!(allowed >> m & 1))
			continue;
		if (allow.n > 0)
			text_put(&allow, SPAN(", "));
		text_put(&allow, method_name((enum method)m));
	}
	return refuse_because(r, REFUSE_METHOD, (struct refuse_more){ .allow = text_span(&allow) });
}

/* True if all protocols asked for are ones that a server may ignore: HTTP/2 without TLS. */
static bool
upgrade_is_ignorable(struct span upgrade)
{
	struct span protocol;

	while (span_next(&upgrade, ',', &protocol))
		if (!span_eq_nocase(protocol, SPAN("h2c")))
			return false;
	return true;
}

/* True at a semicolon, also one in its escape (paths in normal form have upper-case digits). */
static bool
is_semicolon(struct span s)
{
	return s.p[0] == ';' || (s.n >= 3 && memcmp(s.p, "%3B", 3) == 0);
}

/*
 * Some servers take parameters (";x") out of all segments before they look at a path. Where that
 * leads to another route, there is no telling which one's rules should hold.
 */
static bool
is_misleading(struct request *r, struct span host, const struct route *route)
{
	struct span path = r->target.path;
	size_t i = 0, n = 0;

	while (i < path.n && !is_semicolon(span_skip(path, i)))
		i++;
	if (i == path.n)
		return false;
	char *bare = arena_alloc(&r->arena, path.n);
	if (bare == NULL)
		return true;
	for (i = 0; i < path.n; i++) {
		if (is_semicolon(span_skip(path, i)))
			while (i < path.n && path.p[i] != '/')
				i++;
		if (i < path.n && (path.p[i] != '/' || n == 0 || bare[n - 1] != '/'))
			bare[n++] = path.p[i];
	}
	struct span path_seen = span_make(bare, n);
	return router_find(r->gate->router, host, path_seen, r->head.method).route != route;
}

static enum step_result
refuse_target(struct request *r)
{
	r->target.path = SPAN("");
	r->must_close = true;
	return refuse(r, REFUSE_TARGET);
}

/* What we never do, whoever is asked. */
static enum step_result
refuse_extras(struct request *r)
{
	if (r->head.expects_other)
		return refuse(r, REFUSE_EXPECTATION);
	if (r->head.upgrade.n > 0 && !upgrade_is_ignorable(r->head.upgrade))
		return refuse(r, REFUSE_UPGRADE);
	return STEP_NEXT;
}

/* The endpoint of exactly this path, on this host if it is particular; NULL: none. */
static const struct endpoint *
find_endpoint(const struct gate *g, struct span host, struct span path)
{
	for (size_t i = 0; i < g->n_endpoints; i++) {
		const struct endpoint *e = &g->endpoints[i];

		if (span_eq(e->path, path) && (e->host.n == 0 || span_eq_nocase(e->host, host)))
			return e;
	}
	return NULL;
}

static enum step_result
enter_endpoint(struct request *r)
{
	const struct endpoint *endpoint = r->endpoint;

	if (!(endpoint->methods >> r->head.method & 1))
		return refuse_method(r, endpoint->methods);
	enum step_result result = refuse_extras(r);
	return result == STEP_NEXT ? step_switch(r, endpoint->flow) : result;
}

enum step_result
find_route(struct request *r)
{
	struct span host = host_name(r->head.host);

	learn_client(r);
	switch (target_normalize(&r->target, r->head.target, &r->arena)) {
	case TARGET_FINE:
		break;
	case TARGET_AMBIGUOUS:
		return refuse_target(r);
	case TARGET_NO_MEMORY:
		return refuse(r, REFUSE_NO_MEMORY);
	}
	if ((r->endpoint = find_endpoint(r->gate, host, r->target.path)) != NULL)
		return enter_endpoint(r);
	struct route_match match = router_find(r->gate->router, host, r->target.path,
	    r->head.method);
	if (match.route == NULL)
		return match.allowed != 0 ? refuse_method(r, match.allowed)
		    : refuse(r, REFUSE_NO_ROUTE);
	if (is_misleading(r, host, match.route))
		return refuse_target(r);
	r->route = match.route;
	r->route_prefix = match.prefix;
	return refuse_extras(r);
}
