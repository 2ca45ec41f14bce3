#include "gateway/token/facts.h"

#include "gateway/base/text.h"
#include "gateway/token/doc.h"
#include "gateway/token/lineage.h"

/*
 * Facts are written in one pass over the claims, part after part, into a text behind the fixed
 * fields; `cut` of the text says at the end whether all of it found room.
 */

struct maker {
	struct facts			*facts;
	struct text			 text;		/* over the whole block */
	const struct doc_value		*claims;
	const struct facts_wish		*wish;
};

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
put_identity(struct maker *m, enum facts_name part, struct span claim)
{
	const struct doc_value *value = doc_get(m->claims, claim);
	struct span text = doc_string(value);

	if (value == NULL)
		return true;
	if (text.p == NULL || !is_plain(text))
		return false;
	put_part(m, part, text);
	return true;
}

/* Appends the words of one scope string, with one space before each but the first of the part. */
static bool
put_words(struct maker *m, const struct doc_value *value)
{
	struct span rest = doc_string(value), word;

	if (rest.p == NULL)
		return false;
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

/* A claim by its name or, if there is none of that name, by a path of names with dots between. */
static const struct doc_value *
claim_at(const struct doc_value *claims, struct span path)
{
	const struct doc_value *value = doc_get(claims, path);
	struct span rest = path, name;

	if (value != NULL)
		return value;
	value = claims;
	while (value != NULL && span_next(&rest, '.', &name))
		value = doc_get(value, name);
	return value;
}

/*
 * Members of an array. In a claim of the issuer's choice they are names that somebody else gave
 * (roles, groups): one with a space in it is no scope, and above all not two of them.
 */
static bool
put_members(struct maker *m, const struct doc_value *array, bool names)
{
	for (const struct doc_value *v = doc_first(array); v != NULL; v = doc_next(array, v)) {
		struct span text = doc_string(v);

		if (names && text.n > 0 && memchr(text.p, ' ', text.n) != NULL)
			continue;
		if (!put_words(m, v))
			return false;
	}
	return true;
}

/* A scope is a string of words (RFC 6749 section 3.3) or, with some issuers, an array of them. */
static bool
put_scope(struct maker *m)
{
	struct span claim = span_of(m->wish->scope_claim);
	const struct doc_value *value = claim_at(m->claims, claim.n > 0 ? claim : SPAN("scope"));
	bool good = true;

	if (value == NULL && claim.n == 0)
		value = doc_get(m->claims, SPAN("scp"));
	begin_part(m, FACTS_SCOPE);
	if (value != NULL && value->type == DOC_ARRAY)
		good = put_members(m, value, claim.n > 0);
	else if (value != NULL)
		good = put_words(m, value);
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
	const struct doc_value *aud = doc_get(m->claims, SPAN("aud"));
	bool several = aud != NULL && aud->type == DOC_ARRAY;

	begin_part(m, FACTS_AUDIENCE);
	for (const struct doc_value *v = several ? doc_first(aud) : aud; v != NULL; ) {
		struct span text = doc_string(v);
		if (text.p == NULL)
			return false;
		put_item(m, put_span, &text);
		v = several ? doc_next(aud, v) : NULL;
	}
	end_part(m, FACTS_AUDIENCE);
	return true;
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
put_scalar(struct maker *m, const struct doc_value *value, bool in_array)
{
	switch (value->type) {
	case DOC_STRING:
		put_encoded(m, value->text, in_array);
		return true;
	case DOC_NUMBER:
		text_put(&m->text, value->text);
		return true;
	case DOC_TRUE:
	case DOC_FALSE:
		text_str(&m->text, value->type == DOC_TRUE ? "true" : "false");
		return true;
	case DOC_NULL:
	case DOC_OBJECT:
	case DOC_ARRAY:
		return false;
	}
	return false;
}

static void
put_value(struct maker *m, const void *what)
{
	const struct doc_value *value = what;
	size_t start = m->text.n;

	if (value->type != DOC_ARRAY) {
		put_scalar(m, value, false);
		return;
	}
	for (const struct doc_value *v = doc_first(value); v != NULL; v = doc_next(value, v)) {
		size_t before = m->text.n;
		if (before > start)
			text_char(&m->text, ',');
		if (!put_scalar(m, v, true))
			m->text.n = before;
	}
}

static void
put_claims(struct maker *m)
{
	begin_part(m, FACTS_CLAIMS);
	for (size_t i = 0; i < m->wish->n_claims && !m->text.cut; i++) {
		struct span name = span_of(m->wish->claims[i]);
		const struct doc_value *value = claim_at(m->claims, name);
		if (value == NULL || value->type == DOC_NULL || value->type == DOC_OBJECT)
			continue;
		put_item(m, put_span, &name);
		put_item(m, put_value, value);
	}
	end_part(m, FACTS_CLAIMS);
}

/* The consumer as a claim of the issuer's choice names it. */
static enum verdict
put_claimed_consumer(struct maker *m, struct span claim)
{
	const struct doc_value *value = claim_at(m->claims, claim);
	int64_t number;

	begin_part(m, FACTS_CONSUMER);
	if (doc_integer(value, &number) || (doc_string(value).p != NULL && is_plain(value->text)))
		text_put(&m->text, value->text);
	else if (value != NULL)
		return VERDICT_MALFORMED;
	end_part(m, FACTS_CONSUMER);
	return VERDICT_ACTIVE;
}

/* Who calls must be known: a token that names nobody can't be held to limits, or told apart. */
static enum verdict
put_consumer(struct maker *m)
{
	struct span claim = span_of(m->wish->consumer_claim);
	struct span client = facts_get(m->facts, FACTS_CLIENT);
	enum verdict verdict = VERDICT_ACTIVE;

	if (claim.n == 0)
		put_part(m, FACTS_CONSUMER,
		    client.n > 0 ? client : facts_get(m->facts, FACTS_SUBJECT));
	else
		verdict = put_claimed_consumer(m, claim);
	if (verdict == VERDICT_ACTIVE && m->facts->part[FACTS_CONSUMER].n == 0)
		verdict = VERDICT_NO_CONSUMER;
	return verdict;
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

/* What the consumer is called elsewhere, if the issuer has a claim for that; false: malformed. */
static bool
find_custom_id(const struct maker *m, struct span *custom_id)
{
	const struct doc_value *value = m->wish->custom_id_claim == NULL ? NULL :
	    claim_at(m->claims, span_of(m->wish->custom_id_claim));

	*custom_id = doc_string(value);
	return value == NULL || (custom_id->p != NULL && is_plain(*custom_id));
}

/*
 * A client that acts for itself is no user, even if a user has its name (RFC 9068 section 5); nor
 * is it one where others act with what they exchanged for its token.
 */
static bool
is_client(const struct maker *m)
{
	struct span subject = facts_get(m->facts, FACTS_SUBJECT);
	struct span rest = facts_get(m->facts, FACTS_LINEAGE);
	struct ancestor first;

	return span_eq(facts_get(m->facts, FACTS_CLIENT), subject) ||
	    (lineage_next(m->facts, &rest, &first) && span_eq(first.client, subject));
}

/* Kong's names, so that a backend written for it works unchanged. */
static void
put_headers(struct maker *m, struct span custom_id)
{
	struct span consumer = facts_get(m->facts, FACTS_CONSUMER);
	struct span client = facts_get(m->facts, FACTS_CLIENT);
	struct span subject = facts_get(m->facts, FACTS_SUBJECT);

	begin_part(m, FACTS_HEADERS);
	put_header(m, "X-Consumer-ID", consumer);
	put_header(m, "X-Consumer-Username", consumer);
	put_header(m, "X-Consumer-Custom-ID", custom_id);
	put_header(m, "X-Credential-Identifier", client.n > 0 ? client : consumer);
	put_header(m, "X-Authenticated-Scope", facts_get(m->facts, FACTS_SCOPE));
	if (!is_client(m))
		put_header(m, "X-Authenticated-Userid", subject);
	end_part(m, FACTS_HEADERS);
}

/* The issuer, as the token says it or as whoever vouches for the claims does. */
static bool
put_issuer(struct maker *m)
{
	if (m->wish->issuer == NULL)
		return put_identity(m, FACTS_ISSUER, SPAN("iss"));
	put_part(m, FACTS_ISSUER, span_of(m->wish->issuer));
	return true;
}

static void
put_json(struct maker *m, enum facts_name part, const struct doc_value *value)
{
	if (value == NULL)
		return;
	begin_part(m, part);
	doc_write(&m->text, value);
	end_part(m, part);
}

/*
 * Who acts, who may act (RFC 8693 sections 4.1 and 4.4), and in which session. May_act is judged
 * where somebody wants to act. A sid that is no text can't be named by any log-out.
 */
static bool
put_actors(struct maker *m)
{
	const struct doc_value *act = doc_get(m->claims, SPAN("act"));
	struct span sid = doc_string(doc_get(m->claims, SPAN("sid")));

	if (act != NULL && act->type != DOC_OBJECT)
		return false;
	put_json(m, FACTS_ACT, act);
	put_json(m, FACTS_MAY_ACT, doc_get(m->claims, SPAN("may_act")));
	if (sid.n > 0)
		put_part(m, FACTS_SESSION, sid);
	return true;
}

static bool
put_lineage(struct maker *m)
{
	const struct doc_value *lineage = doc_get(m->claims, SPAN(LINEAGE_CLAIM));

	if (!m->wish->lineage || lineage == NULL)
		return true;
	begin_part(m, FACTS_LINEAGE);
	if (!lineage_read(&m->text, lineage, facts_get(m->facts, FACTS_ISSUER),
	    facts_get(m->facts, FACTS_SUBJECT)))
		return false;
	end_part(m, FACTS_LINEAGE);
	return true;
}

enum verdict
facts_make(struct facts *room, const struct doc_value *claims, struct span kid,
    const struct facts_wish *wish)
{
	struct maker m = {
		.facts = room,
		.text = { (char *)room, sizeof(*room), FACTS_MAX, false },
		.claims = claims,
		.wish = wish,
	};
	memset(room, 0, sizeof(*room));

	bool named = doc_get(claims, SPAN("client_id")) != NULL;
	if (!put_issuer(&m) ||
	    !put_identity(&m, FACTS_SUBJECT, SPAN("sub")) ||
	    !put_identity(&m, FACTS_CLIENT, named ? SPAN("client_id") : SPAN("azp")) ||
	    !put_identity(&m, FACTS_JTI, SPAN("jti")) || !put_scope(&m) || !put_audience(&m))
		return VERDICT_MALFORMED;
	struct span custom_id;
	if (!find_custom_id(&m, &custom_id))
		return VERDICT_MALFORMED;
	enum verdict verdict = put_consumer(&m);
	if (verdict != VERDICT_ACTIVE)
		return verdict;
	put_part(&m, FACTS_KID, kid);
	put_claims(&m);
	if (!put_actors(&m) || !put_lineage(&m))
		return VERDICT_MALFORMED;
	put_headers(&m, custom_id);
	if (m.text.cut)
		return VERDICT_TOO_LARGE;
	room->version = FACTS_VERSION;
	room->size = (uint32_t)m.text.n;
	return VERDICT_ACTIVE;
}
