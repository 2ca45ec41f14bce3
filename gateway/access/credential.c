#include "gateway/access/access.h"
#include "gateway/request/refuse.h"

/* token68 of RFC 9110 section 11.2, which is also b64token of RFC 6750. */
static bool
is_token68(struct span s)
{
	size_t i = 0;

	while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') ||
	    (span_lower(s.p[i]) >= 'a' && span_lower(s.p[i]) <= 'z') ||
	    memchr("-._~+/", s.p[i], 6) != NULL))
		i++;
	if (i == 0)
		return false;
	while (i < s.n && s.p[i] == '=')
		i++;
	return i == s.n;
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
	if (head_count(&r->head, FIELD_AUTHORIZATION) != 1 ||
	    head_connection_names(&r->head, SPAN("authorization")))
		return refuse(r, REFUSE_CREDENTIALS);
	if (!take_scheme(&value))
		return STEP_NEXT;	/* other schemes are no credentials to us */
	while (value.n > 0 && value.p[0] == ' ')
		value = span_skip(value, 1);
	if (!is_token68(value))
		return refuse(r, REFUSE_CREDENTIALS);
	r->token = value;
	return STEP_NEXT;
}
