#include "gateway/oauth/answer.h"
#include "gateway/oauth/oauth.h"
#include "gateway/request/refuse.h"

/* The media type may say that it is UTF-8, and nothing else (RFC 9110 section 8.3.1). */
static bool
is_form(struct span type)
{
	struct span rest = type, part;

	if (!span_next(&rest, ';', &part) ||
	    !span_eq_nocase(part, SPAN("application/x-www-form-urlencoded")))
		return false;
	while (span_next(&rest, ';', &part))
		if (!span_eq_nocase(part, SPAN("charset=utf-8")) &&
		    !span_eq_nocase(part, SPAN("charset=\"utf-8\"")) && part.n > 0)
			return false;
	return true;
}

/* Looks at what the head tells of the body. */
static enum fault
check_head(const struct request *r)
{
	const struct field *type = head_find(&r->head, FIELD_CONTENT_TYPE);

	if (r->target.query.n > 1)
		return FAULT_QUERY;
	if (type == NULL || head_count(&r->head, FIELD_CONTENT_TYPE) != 1 || !is_form(type->value))
		return FAULT_CONTENT_TYPE;
	if (r->head.framing == FRAMING_LENGTH && r->head.length > FORM_BYTES_MAX)
		return FAULT_FORM_SIZE;
	return FAULT_COUNT;
}

static enum step_result
begin(struct request *r)
{
	enum fault wrong = check_head(r);

	if (wrong != FAULT_COUNT) {
		r->must_close |= wrong == FAULT_FORM_SIZE;
		return fault(r, wrong);
	}
	size_t room = r->head.framing == FRAMING_LENGTH ? r->head.length :
	    r->head.framing == FRAMING_NONE ? 0 : FORM_BYTES_MAX;
	if ((r->oauth = arena_zalloc(&r->arena, sizeof(*r->oauth))) == NULL)
		return fault(r, FAULT_NO_MEMORY);
	r->oauth->body = (struct text){ arena_alloc(&r->arena, room + 1), 0, room, false };
	if (r->oauth->body.p == NULL)
		return fault(r, FAULT_NO_MEMORY);
	r->carrier->ask_body(r);
	return r->carrier->flush(r) == RUN_FAIL ? refuse_body(r) : STEP_NEXT;
}

static enum step_result
parse(struct request *r)
{
	struct oauth *o = r->oauth;

	switch (form_parse(&o->form, o->body.p, o->body.n)) {
	case FORM_FINE:
		return STEP_NEXT;
	case FORM_REPEATED:
		return fault(r, FAULT_REPEATED);
	case FORM_MALFORMED:
	case FORM_TOO_MANY:
		break;
	}
	return fault(r, FAULT_FORM);
}

enum step_result
read_form(struct request *r)
{
	struct span piece;

	if (r->oauth == NULL) {
		enum step_result result = begin(r);

		if (result != STEP_NEXT)
			return result;
	}
	for (;;) {
		switch (r->carrier->read_body(r, &piece)) {
		case RUN_WAIT:
			return STEP_WAIT;
		case RUN_FAIL:
			return refuse_body(r);
		case RUN_DONE:
			break;
		}
		if (piece.n == 0)
			return parse(r);
		text_put(&r->oauth->body, piece);
		if (r->oauth->body.cut) {
			r->must_close = true;
			return fault(r, FAULT_FORM_SIZE);
		}
	}
}
