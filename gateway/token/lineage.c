#include "gateway/token/lineage.h"

#include "gateway/base/encode.h"
#include "gateway/token/identity.h"

/*
 * In facts an ancestor is its identity, iat, and its texts, each behind its length (16 bits), in
 * the order of `members`. Iss and sub are empty where they are the token's own, which keeps a
 * lineage of sixteen small enough for the cache. The identity is made once, when the facts are;
 * those of the wider kinds only where something of such a kind was ever revoked.
 */

#define IDENTITY_TEXT	BASE64URL_ENCODED(IDENTITY_SIZE)
#define DATE_MAX	253402300799		/* the end of the year 9999 */
#define FIXED_ROOM	144	/* of an ancestor: names of members, identity, iat, commas */
#define ESCAPED_MAX	6	/* bytes that a byte becomes in JSON at most */

_Static_assert(DOC_DEPTH_MAX >= LINEAGE_MAX + 2, "as many actors can be read");

enum member {
	MEMBER_JTI,
	MEMBER_ISS,
	MEMBER_SUB,
	MEMBER_CLIENT,
	MEMBER_KID,
	MEMBER_SID,
	MEMBERS
};

static const struct span members[MEMBERS] = {
	[MEMBER_JTI] = { "jti", 3 },
	[MEMBER_ISS] = { "iss", 3 },
	[MEMBER_SUB] = { "sub", 3 },
	[MEMBER_CLIENT] = { "client_id", 9 },
	[MEMBER_KID] = { "kid", 3 },
	[MEMBER_SID] = { "sid", 3 },
};

/* Takes so many bytes off; NULL if there are fewer. */
static const char *
take(struct span *rest, size_t n)
{
	const char *p = rest->p;

	if (rest->n < n)
		return NULL;
	*rest = span_skip(*rest, n);
	return p;
}

bool
lineage_next(const struct facts *f, struct span *rest, struct ancestor *ancestor)
{
	struct span at = *rest, text[MEMBERS];
	const char *identity = take(&at, IDENTITY_SIZE);
	const char *issued = identity == NULL ? NULL : take(&at, sizeof(ancestor->issued_s));

	if (issued == NULL)
		return false;
	for (size_t i = 0; i < MEMBERS; i++)
		if (!facts_next(&at, &text[i]))
			return false;
	*rest = at;
	*ancestor = (struct ancestor){
		.identity = (const uint8_t *)identity,
		.jti = text[MEMBER_JTI],
		.issuer = text[MEMBER_ISS].n > 0 ? text[MEMBER_ISS] : facts_get(f, FACTS_ISSUER),
		.subject = text[MEMBER_SUB].n > 0 ? text[MEMBER_SUB] : facts_get(f, FACTS_SUBJECT),
		.client = text[MEMBER_CLIENT],
		.kid = text[MEMBER_KID],
		.session = text[MEMBER_SID],
	};
	memcpy(&ancestor->issued_s, issued, sizeof(ancestor->issued_s));
	return true;
}

size_t
lineage_depth(const struct facts *f)
{
	struct span rest = facts_get(f, FACTS_LINEAGE);
	struct ancestor ancestor;
	size_t n = 0;

	while (lineage_next(f, &rest, &ancestor))
		n++;
	return n;
}

/* A text of an ancestor; false if it is there and none, or says nothing. */
static bool
read_text(const struct doc_value *object, struct span name, struct span *text)
{
	const struct doc_value *value = doc_get(object, name);

	*text = doc_string(value);
	return value == NULL || text->n > 0;
}

static bool
read_issued(const struct doc_value *object, int64_t *issued_s)
{
	const struct doc_value *iat = doc_get(object, SPAN("iat"));

	*issued_s = FACTS_NO_TIME;
	return iat == NULL || (doc_integer(iat, issued_s) && *issued_s <= DATE_MAX &&
	    *issued_s >= -DATE_MAX);
}

/* An ancestor without jti is known by its identity alone. */
static bool
read_identity(const struct doc_value *object, struct span issuer, struct span jti,
    uint8_t identity[IDENTITY_SIZE])
{
	const struct doc_value *value = doc_get(object, SPAN("identity"));
	uint8_t bytes[BASE64URL_DECODED(IDENTITY_TEXT)];
	size_t n;

	if ((value == NULL) == (jti.n == 0))
		return false;
	if (value == NULL) {
		identity_make(IDENTITY_JTI, issuer, jti, identity);
		return true;
	}
	if (doc_string(value).n != IDENTITY_TEXT ||
	    !base64url_decode(doc_string(value), bytes, &n) || n != IDENTITY_SIZE)
		return false;
	memcpy(identity, bytes, IDENTITY_SIZE);
	return true;
}

static bool
read_ancestor(struct text *t, const struct doc_value *object, struct span issuer,
    struct span subject)
{
	struct span text[MEMBERS];
	uint8_t identity[IDENTITY_SIZE];
	int64_t issued_s;

	for (size_t i = 0; i < MEMBERS; i++)
		if (!read_text(object, members[i], &text[i]))
			return false;
	struct span iss = text[MEMBER_ISS].n > 0 ? text[MEMBER_ISS] : issuer;
	if (!read_identity(object, iss, text[MEMBER_JTI], identity) ||
	    !read_issued(object, &issued_s))
		return false;
	if (span_eq(text[MEMBER_ISS], issuer))
		text[MEMBER_ISS].n = 0;
	if (span_eq(text[MEMBER_SUB], subject))
		text[MEMBER_SUB].n = 0;
	text_put(t, span_make(identity, sizeof(identity)));
	text_put(t, span_make(&issued_s, sizeof(issued_s)));
	for (size_t i = 0; i < MEMBERS; i++) {
		uint16_t n = (uint16_t)text[i].n;
		/* more than the whole of the facts may have */
		t->cut = t->cut || text[i].n > FACTS_MAX;
		text_put(t, span_make(&n, sizeof(n)));
		text_put(t, text[i]);
	}
	return true;
}

bool
lineage_read(struct text *t, const struct doc_value *claim, struct span issuer,
    struct span subject)
{
	size_t n = 0;

	/* without a subject of its own nobody could tell whose its ancestors' is */
	if (claim->type != DOC_ARRAY || subject.n == 0)
		return false;
	for (const struct doc_value *v = doc_first(claim); v != NULL; v = doc_next(claim, v))
		if (n++ == LINEAGE_MAX || v->type != DOC_OBJECT ||
		    !read_ancestor(t, v, issuer, subject))
			return false;
	return n > 0;
}

static void
put_issued(struct text *t, int64_t issued_s)
{
	if (issued_s == FACTS_NO_TIME)
		return;
	text_put(t, SPAN(",\"iat\":"));
	if (issued_s < 0)
		text_char(t, '-');
	text_u64(t, issued_s < 0 ? 0 - (uint64_t)issued_s : (uint64_t)issued_s);
}

static void
put_identity(struct text *t, const struct ancestor *a)
{
	char encoded[IDENTITY_TEXT];

	if (a->jti.n > 0) {
		text_put(t, SPAN("\"jti\":"));
		text_json(t, a->jti);
		return;
	}
	base64url_encode(a->identity, IDENTITY_SIZE, encoded);
	text_put(t, SPAN("\"identity\":"));
	text_json(t, span_make(encoded, sizeof(encoded)));
}

static void
put_ancestor(struct text *t, const struct ancestor *a, struct span own, struct span subject)
{
	const struct span none = SPAN(""), text[MEMBERS] = {
		[MEMBER_ISS] = span_eq(a->issuer, own) ? none : a->issuer,
		[MEMBER_SUB] = span_eq(a->subject, subject) ? none : a->subject,
		[MEMBER_CLIENT] = a->client,
		[MEMBER_KID] = a->kid,
		[MEMBER_SID] = a->session,
	};

	text_char(t, '{');
	put_identity(t, a);
	for (size_t i = MEMBER_JTI + 1; i < MEMBERS; i++) {
		if (text[i].n == 0)
			continue;
		text_char(t, ',');
		text_json(t, members[i]);
		text_char(t, ':');
		text_json(t, text[i]);
	}
	put_issued(t, a->issued_s);
	text_char(t, '}');
}

void
lineage_write(struct text *t, const struct facts *f, struct span own)
{
	struct span rest = facts_get(f, FACTS_LINEAGE), subject = facts_get(f, FACTS_SUBJECT);
	struct ancestor a;

	text_char(t, '[');
	while (lineage_next(f, &rest, &a)) {
		put_ancestor(t, &a, own, subject);
		text_char(t, ',');
	}
	a = (struct ancestor){
		.identity = f->identity,
		.jti = facts_get(f, FACTS_JTI),
		.issuer = facts_get(f, FACTS_ISSUER),
		.subject = subject,
		.client = facts_get(f, FACTS_CLIENT),
		.kid = facts_get(f, FACTS_KID),
		.session = facts_get(f, FACTS_SESSION),
		.issued_s = f->iat_s,
	};
	put_ancestor(t, &a, own, subject);
	text_char(t, ']');
}

size_t
lineage_room(const struct facts *f)
{
	size_t texts = facts_get(f, FACTS_LINEAGE).n + facts_get(f, FACTS_JTI).n +
	    facts_get(f, FACTS_ISSUER).n + facts_get(f, FACTS_CLIENT).n +
	    facts_get(f, FACTS_KID).n + facts_get(f, FACTS_SESSION).n;

	return ESCAPED_MAX * texts + FIXED_ROOM * (lineage_depth(f) + 1);
}
