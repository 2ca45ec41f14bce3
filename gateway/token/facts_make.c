#include "gateway/token/facts.h"

#include <jansson.h>

#include "gateway/base/text.h"

/*
 * Facts are written in one pass over the claims, part after part, into a text behind the fixed
 * fields; `cut` of the text says at the end whether all of it found room.
 */

struct maker {
	struct facts			*facts;
	struct text			 text;		/* over the whole block */
	const json_t			*claims;
	const struct facts_wish		*wish;
};

static struct span
string_of(const json_t *value)
{
	return span_make(json_string_value(value), json_string_length(value));
}

static void
begin_part(struct maker *m, enum facts_name name)
{
	m->facts->part[name].at = (uint16_t)m->text.n;
}

static void
end_part(struct maker *m, enum facts_name name)
{
	m->facts->part[name].n = (uint16_t)(m->text.n - m->facts->part[name].at);
}

static void
put_part(struct maker *m, enum facts_name name, struct span value)
{
	begin_part(m, name);
	text_put(&m->text, value);
	end_part(m, name);
}

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/*
 * True for text that may name somebody in a header. Spaces at its ends would be trimmed by whoever
 * reads the header, and a control character can't stand there: either way two names
 * would become one, so they are refused rather than repaired.
 */
static bool
is_plain(struct span s)
{
	if (s.n > 0 && (s.p[0] == ' ' || s.p[s.n - 1] == ' '))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (is_control(s.p[i]))
			return false;
	return true;
}

/* Puts a claim that must be plain text if it is there. */
static bool
put_identity(struct maker *m, enum facts_name part, const char *claim)
{
	const json_t *value = json_object_get(m->claims, claim);

	if (value == NULL)
		return true;
	if (!json_is_string(value) || !is_plain(string_of(value)))
		return false;
	put_part(m, part, string_of(value));
	return true;
}

/* Appends the words of one scope string, with one space before each but the first of the part. */
static bool
put_words(struct maker *m, const json_t *value)
{
	struct span rest, word;

	if (!json_is_string(value))
		return false;
	rest = string_of(value);
	for (size_t i = 0; i < rest.n; i++)
		if (is_control(rest.p[i]))
			return false;
	while (span_next(&rest, ' ', &word)) {
		if (word.n == 0)
			continue;
		if (m->text.n > m->facts->part[FACTS_SCOPE].at)
			text_char(&m->text, ' ');
		text_put(&m->text, word);
	}
	return true;
}

/* A scope is a string of words (RFC 6749 section 3.3) or, with some issuers, an array of them. */
static bool
put_scope(struct maker *m)
{
	const char *claim = m->wish->scope_claim;
	const json_t *value = json_object_get(m->claims, claim[0] != '\0' ? claim : "scope");
	bool good = true;

	if (value == NULL && claim[0] == '\0')
		value = json_object_get(m->claims, "scp");
	begin_part(m, FACTS_SCOPE);
	if (json_is_array(value)) {
		for (size_t i = 0; good && i < json_array_size(value); i++)
			good = put_words(m, json_array_get(value, i));
	} else if (value != NULL) {
		good = put_words(m, value);
	}
	end_part(m, FACTS_SCOPE);
	return good;
}

/* Appends an item of a list: its length, then what `put` writes. */
static void
put_item(struct maker *m, void (*put)(struct maker *, const void *), const void *what)
{
	size_t at = m->text.n;
	uint16_t n = 0;

	text_put(&m->text, span_make(&n, sizeof(n)));
	if (m->text.cut)
		return;
	put(m, what);
	n = (uint16_t)(m->text.n - at - sizeof(n));
	memcpy(m->text.p + at, &n, sizeof(n));
}

static void
put_span(struct maker *m, const void *what)
{
	text_put(&m->text, *(const struct span *)what);
}

/* aud is a string or an array of strings (RFC 7519 section 4.1.3). */
static bool
put_audience(struct maker *m)
{
	const json_t *value = json_object_get(m->claims, "aud");
	size_t n = json_is_array(value) ? json_array_size(value) : value != NULL;

	begin_part(m, FACTS_AUDIENCE);
	for (size_t i = 0; i < n; i++) {
		const json_t *member = json_is_array(value) ? json_array_get(value, i) : value;
		if (!json_is_string(member))
			return false;
		struct span text = string_of(member);
		put_item(m, put_span, &text);
	}
	end_part(m, FACTS_AUDIENCE);
	return true;
}

/* A claim by its name or, if there is none of that name, by a path of names with dots between. */
static const json_t *
claim_at(const json_t *claims, const char *path)
{
	const json_t *value = json_object_get(claims, path);
	struct span rest = span_of(path), name;

	if (value != NULL)
		return value;
	value = claims;
	while (value != NULL && span_next(&rest, '.', &name))
		value = json_object_getn(value, name.p, name.n);
	return value;
}

static void
put_encoded(struct maker *m, struct span s, bool in_array)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool outer_space = c == ' ' && (i == 0 || i == s.n - 1);
		if (is_control(c) || c == '%' || outer_space || (in_array && c == ','))
			text_fmt(&m->text, "%%%02X", (unsigned char)c);
		else
			text_char(&m->text, c);
	}
}

/* Appends a value fit for a header; false for what has no such form (null, objects). */
static bool
put_scalar(struct maker *m, const json_t *value, bool in_array)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		put_encoded(m, string_of(value), in_array);
		return true;
	case JSON_INTEGER:
		text_fmt(&m->text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return true;
	case JSON_REAL:
		text_fmt(&m->text, "%.15g", json_real_value(value));
		return true;
	case JSON_TRUE:
	case JSON_FALSE:
		text_str(&m->text, json_is_true(value) ? "true" : "false");
		return true;
	case JSON_NULL:
	case JSON_OBJECT:
	case JSON_ARRAY:
		return false;
	}
	return false;
}

static void
put_value(struct maker *m, const void *what)
{
	const json_t *value = what;
	size_t start = m->text.n;

	if (!json_is_array(value)) {
		put_scalar(m, value, false);
		return;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		size_t before = m->text.n;
		if (before > start)
			text_char(&m->text, ',');
		if (!put_scalar(m, json_array_get(value, i), true))
			m->text.n = before;
	}
}

static void
put_claims(struct maker *m)
{
	begin_part(m, FACTS_CLAIMS);
	for (size_t i = 0; i < m->wish->n_claims && !m->text.cut; i++) {
		struct span name = span_of(m->wish->claims[i]);
		const json_t *value = claim_at(m->claims, name.p);
		if (value == NULL || json_is_null(value) || json_is_object(value))
			continue;
		put_item(m, put_span, &name);
		put_item(m, put_value, value);
	}
	end_part(m, FACTS_CLAIMS);
}

static enum verdict
put_consumer(struct maker *m)
{
	const char *claim = m->wish->consumer_claim;
	struct span client = facts_get(m->facts, FACTS_CLIENT);

	if (claim[0] == '\0') {
		put_part(m, FACTS_CONSUMER,
		    client.n > 0 ? client : facts_get(m->facts, FACTS_SUBJECT));
		return VERDICT_ACTIVE;
	}
	const json_t *value = claim_at(m->claims, claim);
	begin_part(m, FACTS_CONSUMER);
	if (json_is_integer(value))
		put_scalar(m, value, false);
	else if (json_is_string(value) && is_plain(string_of(value)))
		text_put(&m->text, string_of(value));
	else if (value != NULL)
		return VERDICT_MALFORMED;
	end_part(m, FACTS_CONSUMER);
	return m->facts->part[FACTS_CONSUMER].n > 0 ? VERDICT_ACTIVE : VERDICT_NO_CONSUMER;
}

static void
put_header(struct maker *m, const char *name, struct span value)
{
	if (value.n == 0)
		return;
	text_str(&m->text, name);
	text_put(&m->text, SPAN(": "));
	text_put(&m->text, value);
	text_put(&m->text, SPAN("\r\n"));
}

/* Kong's names, so that a backend written for it works unchanged. */
static void
put_headers(struct maker *m)
{
	struct span consumer = facts_get(m->facts, FACTS_CONSUMER);
	struct span client = facts_get(m->facts, FACTS_CLIENT);
	struct span subject = facts_get(m->facts, FACTS_SUBJECT);

	begin_part(m, FACTS_HEADERS);
	put_header(m, "X-Consumer-ID", consumer);
	put_header(m, "X-Consumer-Username", consumer);
	put_header(m, "X-Credential-Identifier", client.n > 0 ? client : consumer);
	put_header(m, "X-Authenticated-Scope", facts_get(m->facts, FACTS_SCOPE));
	/* A client that acts for itself is no user, even if a user has its name (RFC 9068, 5). */
	if (!span_eq(client, subject))
		put_header(m, "X-Authenticated-Userid", subject);
	end_part(m, FACTS_HEADERS);
}

enum verdict
facts_make(struct facts *room, const json_t *claims, struct span kid,
    const struct facts_wish *wish)
{
	struct maker m = {
		.facts = room,
		.text = { (char *)room, sizeof(*room), FACTS_MAX, false },
		.claims = claims,
		.wish = wish,
	};
	memset(room, 0, sizeof(*room));

	const char *client = json_object_get(claims, "client_id") != NULL ? "client_id" : "azp";
	if (!put_identity(&m, FACTS_ISSUER, "iss") || !put_identity(&m, FACTS_SUBJECT, "sub") ||
	    !put_identity(&m, FACTS_CLIENT, client) || !put_identity(&m, FACTS_JTI, "jti") ||
	    !put_scope(&m) || !put_audience(&m))
		return VERDICT_MALFORMED;
	enum verdict verdict = put_consumer(&m);
	if (verdict != VERDICT_ACTIVE)
		return verdict;
	put_part(&m, FACTS_KID, kid);
	put_claims(&m);
	put_headers(&m);
	if (m.text.cut)
		return VERDICT_TOO_LARGE;
	room->version = FACTS_VERSION;
	room->size = (uint32_t)m.text.n;
	return VERDICT_ACTIVE;
}
