#include "gateway/access/rewrite.h"

#include "gateway/access/forwarded.h"
#include "gateway/base/text.h"

#define OWN_ROOM	640	/* for the lines of a fixed size */

static void
put_field(struct text *t, struct span name, struct span value)
{
	text_put(t, name);
	text_put(t, SPAN(": "));
	text_put(t, value);
	text_put(t, SPAN("\r\n"));
}

/* The path as the backend is to see it. */
static struct span
path_for_backend(const struct request *r)
{
	struct span path = r->target.path, prefix = r->route_prefix;

	if (!r->route->config->strip_path || prefix.n > path.n)
		return path;
	while (prefix.n > 0 && prefix.p[prefix.n - 1] == '/')
		prefix.n--;
	return span_skip(path, prefix.n);
}

static void
put_request_line(struct text *t, const struct request *r)
{
	struct span path = path_for_backend(r);

	text_put(t, method_name(r->head.method));
	text_char(t, ' ');
	if (path.n == 0 || (path.p[0] != '/' && path.p[0] != '*'))
		text_char(t, '/');
	text_put(t, path);
	text_put(t, r->target.query);
	text_put(t, SPAN(" HTTP/1.1\r\n"));
}

/*
 * True if any route or issuer makes this header of a claim, so that no client may send it: routes
 * can lead to the same backend.
 */
static bool
is_claim_header(const struct gate *g, struct span name)
{
	for (size_t i = 0; i < g->n_claim_headers; i++)
		if (field_same_name(g->claim_headers[i], name))
			return true;
	return false;
}

static bool
passes_on(const struct request *r, const struct field *f, bool has_connection)
{
	const struct config_route *route = r->route->config;

	if (field_request_fate(f->id) != FATE_PASS)
		return false;
	if (f->id == FIELD_AUTHORIZATION && route->hide_credentials)
		return false;
	if (has_connection && head_connection_names(&r->head, f->name))
		return false;
	return !is_claim_header(r->gate, f->name);
}

static void
put_fields(struct text *t, const struct request *r)
{
	bool has_connection = head_find(&r->head, FIELD_CONNECTION) != NULL;

	for (unsigned i = 0; i < r->head.n_fields; i++)
		if (passes_on(r, &r->head.fields[i], has_connection))
			put_field(t, r->head.fields[i].name, r->head.fields[i].value);
}

static void
put_claim(struct text *t, const struct request *r, const struct config_claim_header *row)
{
	struct span value;

	if (facts_claim(r->judgement.facts, span_of(row->claim), &value))
		put_field(t, span_of(row->header), value);
}

/* True if the route makes this header itself, be the token with or without its claim. */
static bool
route_makes(const struct config_route *route, const char *header)
{
	for (size_t i = 0; i < route->n_claim_headers; i++)
		if (field_same_name(span_of(route->claim_headers[i].header), span_of(header)))
			return true;
	return false;
}

/*
 * The block that was made with the facts. Of a consumer that the store knows it is the store that
 * says how it is called, now as then.
 */
static void
put_consumer(struct text *t, const struct request *r)
{
	struct span block = facts_get(r->judgement.facts, FACTS_HEADERS);

	if (r->known != NULL) {
		put_field(t, SPAN("X-Consumer-ID"), r->known->name);
		put_field(t, SPAN("X-Consumer-Username"), r->known->name);
		if (r->known->custom_id.n > 0)
			put_field(t, SPAN("X-Consumer-Custom-ID"), r->known->custom_id);
		while (span_starts_nocase(block, SPAN("X-Consumer-"))) {
			const char *end = memchr(block.p, '\n', block.n);

			block = span_skip(block, (size_t)(end - block.p) + 1);
		}
	}
	text_put(t, block);
}

/* Who calls: of a token the block that was made with its facts, and the claims that are wanted. */
static void
put_identity(struct text *t, const struct request *r)
{
	const struct config_route *route = r->route->config;
	const struct config_issuer *issuer = r->judgement.issuer;

	if (!r->authenticated) {
		if (route->anonymous)
			text_put(t, SPAN("X-Anonymous-Consumer: true\r\n"));
		return;
	}
	put_consumer(t, r);
	for (size_t i = 0; i < route->n_claim_headers; i++)
		put_claim(t, r, &route->claim_headers[i]);
	for (size_t i = 0; i < issuer->n_claim_headers; i++)
		if (!route_makes(route, issuer->claim_headers[i].header))
			put_claim(t, r, &issuer->claim_headers[i]);
}

static void
put_framing(struct text *t, const struct request *r)
{
	switch (r->head.framing) {
	case FRAMING_LENGTH:
		text_put(t, SPAN("Content-Length: "));
		text_u64(t, r->head.length);
		text_put(t, SPAN("\r\n"));
		break;
	case FRAMING_CHUNKED:
		text_put(t, SPAN("Transfer-Encoding: chunked\r\n"));
		break;
	case FRAMING_NONE:
	case FRAMING_CLOSE:
		break;
	}
}

/* Room for headers made of claims. */
static size_t
room_for_claims(const struct facts *facts, const struct config_claim_header *list, size_t n)
{
	size_t room = 0;

	for (size_t i = 0; i < n; i++)
		room += strlen(list[i].header) + 4 + facts->part[FACTS_CLAIMS].n;
	return room;
}

/* No line grows by more than its separators, so this is enough for any request. */
static size_t
room_for(const struct request *r, const struct server *server)
{
	size_t n = OWN_ROOM + r->head.target.n + r->target.path.n + r->target.query.n +
	    r->head.host.n + strlen(server->config->authority) + forwarded_room(r);

	for (unsigned i = 0; i < r->head.n_fields; i++)
		n += r->head.fields[i].name.n + r->head.fields[i].value.n + 4;
	if (r->authenticated) {
		const struct config_route *route = r->route->config;
		const struct config_issuer *issuer = r->judgement.issuer;
		const struct facts *facts = r->judgement.facts;

		n += facts->size;
		if (r->known != NULL)
			n += 2 * r->known->name.n + r->known->custom_id.n;
		n += room_for_claims(facts, route->claim_headers, route->n_claim_headers);
		n += room_for_claims(facts, issuer->claim_headers, issuer->n_claim_headers);
	}
	return n;
}

struct span
rewrite_request(struct request *r, const struct server *server)
{
	size_t room = room_for(r, server);
	char *memory = arena_alloc(&r->arena, room);
	struct text t = { memory, 0, room, false };

	if (memory == NULL)
		return SPAN("");
	put_request_line(&t, r);
	put_field(&t, SPAN("Host"), r->route->config->preserve_host && r->head.host.n > 0
	    ? r->head.host : span_of(server->config->authority));
	put_fields(&t, r);
	put_identity(&t, r);
	forwarded_put(&t, r);
	put_field(&t, SPAN("X-Request-ID"), span_make(r->id, sizeof(r->id)));
	put_framing(&t, r);
	text_put(&t, SPAN("\r\n"));
	return t.cut ? SPAN("") : text_span(&t);
}

struct span
rewrite_answer_fields(struct request *r, const struct head *h)
{
	bool has_connection = head_find(h, FIELD_CONNECTION) != NULL;
	size_t room = r->limit_fields.n + 1;

	for (unsigned i = 0; i < h->n_fields; i++)
		room += h->fields[i].name.n + h->fields[i].value.n + 4;
	char *memory = arena_alloc(&r->arena, room);
	struct text t = { memory, 0, room, false };
	if (memory == NULL)
		return span_make(NULL, 0);
	for (unsigned i = 0; i < h->n_fields; i++) {
		const struct field *f = &h->fields[i];

		if (field_response_fate(f->id) == FATE_PASS &&
		    !(has_connection && head_connection_names(h, f->name)))
			put_field(&t, f->name, f->value);
	}
	text_put(&t, r->limit_fields);
	return text_span(&t);
}
