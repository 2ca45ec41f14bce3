#include "gateway/request/refuse.h"

#include "gateway/base/text.h"

enum challenge { NONE, PLAIN, ERROR };

struct row {
	unsigned	 status;
	enum challenge	 challenge;
	const char	*error;
	const char	*sentence;
};

static const struct row rows[REFUSE_COUNT] = {
#define REFUSE(id, status, challenge, error, sentence) \
	[REFUSE_##id] = { status, challenge, error, sentence },
#include "gateway/request/refuse.def"
#undef REFUSE
};

#define FIELDS_ROOM	1024
#define BODY_ROOM	512

/* Where a client learns who gives out tokens for this route (RFC 9728); empty: it is not told. */
static struct span
metadata_of(const struct config_route *route)
{
	return route == NULL ? SPAN("") : span_of(route->resource_metadata);
}

static void
put_challenge(struct text *t, const struct config_route *route, const struct row *row,
    const char *sentence, struct span scope)
{
	struct span metadata = metadata_of(route);

	if (row->challenge == NONE)
		return;
	/* piece by piece: printf takes ten times as long */
	text_put(t, SPAN("WWW-Authenticate: Bearer realm=\""));
	text_put(t, route == NULL ? SPAN("gatehouse") : span_of(route->realm));
	if (row->challenge == ERROR) {
		text_put(t, SPAN("\", error=\""));
		text_put(t, span_of(row->error));
		text_put(t, SPAN("\", error_description=\""));
		text_put(t, span_of(sentence));
	}
	if (scope.n > 0) {
		text_put(t, SPAN("\", scope=\""));
		text_put(t, scope);
	}
	if (metadata.n > 0) {
		text_put(t, SPAN("\", resource_metadata=\""));
		text_put(t, metadata);
	}
	text_put(t, SPAN("\"\r\n"));
}

unsigned
refuse_status(enum refusal refusal)
{
	return rows[refusal].status;
}

void
refuse_describe(struct text *t, enum refusal refusal, const struct config_route *route,
    struct refuse_more more)
{
	const struct row *row = &rows[refusal];

	put_challenge(t, route, row, more.sentence != NULL ? more.sentence : row->sentence,
	    more.scope);
}

const char *
refuse_error(enum refusal refusal, const char **sentence)
{
	*sentence = rows[refusal].sentence;
	return rows[refusal].error;
}

enum step_result
refuse(struct request *r, enum refusal refusal)
{
	return refuse_because(r, refusal, (struct refuse_more){ 0 });
}

enum step_result
refuse_body(struct request *r)
{
	r->must_close = true;
	return refuse(r, r->carrier->body_is_late(r) ? REFUSE_BODY_TIMEOUT : REFUSE_BODY);
}

enum step_result
refuse_because(struct request *r, enum refusal refusal, struct refuse_more more)
{
	const struct row *row = &rows[refusal];
	const char *sentence = more.sentence != NULL ? more.sentence : row->sentence;
	const struct config_route *route = r->route == NULL ? NULL : r->route->config;
	size_t room = FIELDS_ROOM + more.scope.n + more.allow.n + r->limit_fields.n +
	    metadata_of(route).n;
	char *memory = arena_alloc(&r->arena, room + BODY_ROOM);

	if (memory == NULL) {
		/* not even that much: a bare status says it */
		r->must_close = true;
		request_answer(r, 503, SPAN(""), SPAN(""));
		return STEP_END;
	}
	struct text fields = { memory, 0, room, false };
	struct text body = { memory + room, 0, BODY_ROOM, false };
	text_put(&fields, SPAN("Content-Type: application/json\r\nCache-Control: no-store\r\n"));
	put_challenge(&fields, route, row, sentence, more.scope);
	if (more.allow.n > 0)
		text_fmt(&fields, "Allow: %.*s\r\n", SPAN_ARG(more.allow));
	if (more.retry_after_s > 0)
		text_fmt(&fields, "Retry-After: %u\r\n", more.retry_after_s);
	text_put(&fields, r->limit_fields);
	text_put(&body, SPAN("{\"error\":"));
	text_json(&body, span_of(row->error));
	text_put(&body, SPAN(",\"error_description\":"));
	text_json(&body, span_of(sentence));
	text_put(&body, SPAN("}\n"));
	request_answer(r, more.status != 0 ? more.status : row->status, text_span(&fields),
	    text_span(&body));
	return STEP_END;
}
