#include "gateway/access/access.h"
#include "gateway/request/refuse.h"

#define FORM_ROOM	((size_t)16 * 1024)

/* One word, as RFC 6750 section 2.1 has it. What stands in it is the verifier's to judge. */
static bool
is_one_word(struct span s)
{
	return s.n > 0 && memchr(s.p, ' ', s.n) == NULL && memchr(s.p, '\t', s.n) == NULL &&
	    memchr(s.p, ',', s.n) == NULL;
}

/* Takes the scheme off: true if the value speaks of a bearer token at all. */
static bool
take_scheme(struct span *value)
{
	struct span scheme = SPAN("bearer");

	if (!span_starts_nocase(*value, scheme) ||
	    (value->n > scheme.n && value->p[scheme.n] != ' ' && value->p[scheme.n] != '\t'))
		return false;
	*value = span_skip(*value, scheme.n);
	return true;
}

enum step_result
find_token(struct request *r)
{
	const struct field *field = head_find(&r->head, FIELD_AUTHORIZATION);

	if (target_query_has(r->target.query, SPAN("access_token")))
		return refuse(r, REFUSE_TOKEN_IN_QUERY);
	if (field == NULL)
		return STEP_NEXT;
	struct span value = field->value;
	if (head_count(&r->head, FIELD_AUTHORIZATION) != 1)
		return refuse(r, REFUSE_CREDENTIALS);
	if (!take_scheme(&value))
		return STEP_NEXT;	/* other schemes are no credentials to us */
	while (value.n > 0 && value.p[0] == ' ')
		value = span_skip(value, 1);
	if (!is_one_word(value))
		return refuse(r, REFUSE_CREDENTIALS);
	r->token = value;
	return STEP_NEXT;
}

static bool
has_form(const struct request *r)
{
	const struct field *type = head_find(&r->head, FIELD_CONTENT_TYPE);
	struct span form = SPAN("application/x-www-form-urlencoded");

	return r->head.framing != FRAMING_NONE && type != NULL &&
	    span_starts_nocase(type->value, form);
}

enum step_result
check_form(struct request *r)
{
	char memory[1 + FORM_ROOM];
	struct text form = { memory + 1, 0, FORM_ROOM, false };

	if (!has_form(r))
		return STEP_NEXT;
	memory[0] = '?';	/* makes a query of the form */
	r->carrier->ask_body(r);
	if (r->carrier->flush(r) == RUN_FAIL)
		return refuse_body(r);
	switch (r->carrier->peek_body(r, &form)) {
	case RUN_WAIT:
		return STEP_WAIT;
	case RUN_FAIL:
		return refuse_body(r);
	case RUN_DONE:
		break;
	}
	if (target_query_has(span_make(memory, 1 + form.n), SPAN("access_token")))
		return refuse(r, REFUSE_TOKEN_IN_FORM);
	return STEP_NEXT;
}
