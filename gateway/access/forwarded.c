#include "gateway/access/forwarded.h"

#define FIXED_ROOM	512

/* What a trusted proxy sent in this list, whose lines were made one; empty otherwise. */
static struct span
trusted_list(const struct request *r, enum field_id id)
{
	const struct field *f = r->peer_trusted ? head_find(&r->head, id) : NULL;

	return f == NULL ? SPAN("") : f->value;
}

/* The same of a single value: said twice, it may be the client's as well as the proxy's. */
static struct span
trusted_value(const struct request *r, enum field_id id)
{
	return head_count(&r->head, id) == 1 ? trusted_list(r, id) : SPAN("");
}

size_t
forwarded_room(const struct request *r)
{
	return FIXED_ROOM + 4 * r->peer.n + r->client.n + 3 * r->head.host.n +
	    trusted_list(r, FIELD_X_FORWARDED_FOR).n + trusted_list(r, FIELD_FORWARDED).n +
	    trusted_value(r, FIELD_X_FORWARDED_HOST).n + trusted_value(r, FIELD_X_FORWARDED_PORT).n;
}

static void
put_line(struct text *t, struct span name, struct span before, struct span value)
{
	text_put(t, name);
	text_put(t, SPAN(": "));
	text_put(t, before);
	if (before.n > 0)
		text_put(t, SPAN(", "));
	text_put(t, value);
	text_put(t, SPAN("\r\n"));
}

/* The port the client asked for: of Host, else the scheme's own. */
static struct span
port_of(const struct request *r)
{
	struct span host = r->head.host;
	const char *colon = host.n == 0 ? NULL : memrchr(host.p, ':', host.n);

	if (colon != NULL && host.p[host.n - 1] != ']' && colon + 1 < host.p + host.n)
		return span_skip(host, (size_t)(colon + 1 - host.p));
	return span_eq(r->scheme, SPAN("https")) ? SPAN("443") : SPAN("80");
}

static void
put_forwarded(struct text *t, const struct request *r)
{
	struct span before = trusted_list(r, FIELD_FORWARDED);
	bool ipv6 = memchr(r->peer.p, ':', r->peer.n) != NULL;

	text_put(t, SPAN("Forwarded: "));
	text_put(t, before);
	if (before.n > 0)
		text_put(t, SPAN(", "));
	text_put(t, ipv6 ? SPAN("for=\"[") : SPAN("for="));
	text_put(t, r->peer);
	text_put(t, ipv6 ? SPAN("]\"") : SPAN(""));
	if (r->head.host.n > 0) {
		text_put(t, SPAN(";host=\""));
		text_put(t, r->head.host);
		text_char(t, '"');
	}
	text_put(t, SPAN(";proto="));
	text_put(t, r->scheme);
	text_put(t, SPAN("\r\n"));
}

void
forwarded_put(struct text *t, const struct request *r)
{
	struct span host = trusted_value(r, FIELD_X_FORWARDED_HOST);
	struct span port = trusted_value(r, FIELD_X_FORWARDED_PORT);

	put_line(t, SPAN("X-Forwarded-For"), trusted_list(r, FIELD_X_FORWARDED_FOR), r->peer);
	put_line(t, SPAN("X-Forwarded-Proto"), SPAN(""), r->scheme);
	if (host.n > 0 || r->head.host.n > 0)
		put_line(t, SPAN("X-Forwarded-Host"), SPAN(""), host.n > 0 ? host : r->head.host);
	put_line(t, SPAN("X-Forwarded-Port"), SPAN(""), port.n > 0 ? port : port_of(r));
	put_line(t, SPAN("X-Real-IP"), SPAN(""), r->client);
	put_forwarded(t, r);
}
