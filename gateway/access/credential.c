#include "gateway/access/access.h"
#include "gateway/request/refuse.h"

/* One word, as RFC 6750 section 2.1 has it. What stands in it is the verifier's to judge. */
static bool
is_one_word(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == ',')
			return false;
	return s.n > 0;
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
