#include "gateway/oauth/refresh.h"

#include "gateway/base/text.h"
#include "gateway/db/value.h"
#include "gateway/token/digest.h"
#include "gateway/token/doc.h"

/* The columns of SQL_FIND_REFRESH. */
enum column {
	COLUMN_DIGEST,
	COLUMN_FAMILY,
	COLUMN_CLIENT,
	COLUMN_ISSUED,
	COLUMN_EXPIRES,
	COLUMN_SCOPE,
	COLUMN_AUDIENCE,
	COLUMN_USED,
	COLUMN_REVOKED,
	COLUMN_CLIENT_ID,
};

static void
end_search(void *search)
{
	struct refresh_search *s = search;

	db_end(&s->query);
}

struct refresh_search *
refresh_search_new(struct request *r, struct span token)
{
	struct refresh_search *s = arena_zalloc(&r->arena, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->token = token;
	if (opaque_read(OPAQUE_REFRESH, token, r->gate->opaque_key, s->id)) {
		s->query.statement = SQL_FIND_REFRESH;
		s->query.params[0] = span_make(s->id, sizeof(s->id));
		s->query.task = r->task;
		arena_defer(&r->arena, &s->cleanup, end_search, s);
	}
	return s;
}

/* The members of a JSON array of strings, which the store holds as text. */
static bool
read_audience(struct arena *arena, struct span json, struct refresh_search *s)
{
	size_t n = json.n + 6, max = DOC_VALUES(n);
	struct doc_value *values = arena_alloc(arena, max * sizeof(*values));
	struct text t = { arena_alloc(arena, n), 0, n, false };

	if (values == NULL || t.p == NULL)
		return false;
	text_put(&t, SPAN("{\"a\":"));
	text_put(&t, json);
	text_char(&t, '}');
	if (!doc_parse(values, max, t.p, t.n))
		return false;
	const struct doc_value *array = doc_get(values, SPAN("a"));
	s->audiences = arena_alloc(arena, (array->count + 1) * sizeof(*s->audiences));
	for (const struct doc_value *v = doc_first(array); v != NULL && s->audiences != NULL;
	    v = doc_next(array, v))
		s->audiences[s->n_audiences++] = doc_string(v);
	return s->audiences != NULL;
}

static bool
read_times(struct refresh_search *s)
{
	struct span used = db_value(&s->query, 0, COLUMN_USED);
	int64_t revoked;

	s->used_s = 0;
	if ((used.p != NULL && !value_time(used, &s->used_s)) ||
	    !value_i64(db_value(&s->query, 0, COLUMN_REVOKED), &revoked))
		return false;
	s->revoked = revoked != 0;
	return value_i64(db_value(&s->query, 0, COLUMN_CLIENT), &s->client) &&
	    value_time(db_value(&s->query, 0, COLUMN_ISSUED), &s->issued_s) &&
	    value_time(db_value(&s->query, 0, COLUMN_EXPIRES), &s->expires_s);
}

/* A text of the row in the arena; an empty one is not null. */
static struct span
keep(struct request *r, const struct refresh_search *s, enum column column)
{
	struct span text = arena_copy(&r->arena, db_value(&s->query, 0, column));

	return text.p != NULL ? text : SPAN("");
}

/* Takes the row over into the arena. */
static enum refresh_answer
take_row(struct request *r, struct refresh_search *s)
{
	struct span stored = db_value(&s->query, 0, COLUMN_DIGEST);
	struct span family = db_value(&s->query, 0, COLUMN_FAMILY);
	uint8_t digest[OPAQUE_DIGEST];

	digest_sha256(s->token, digest);
	if (stored.n != sizeof(digest) || family.n != sizeof(s->family) ||
	    !opaque_same((const uint8_t *)stored.p, digest))
		return REFRESH_NONE;
	memcpy(s->family, family.p, family.n);
	s->scope = keep(r, s, COLUMN_SCOPE);
	s->audience = keep(r, s, COLUMN_AUDIENCE);
	s->client_id = keep(r, s, COLUMN_CLIENT_ID);
	s->n_audiences = 0;
	if (!read_times(s) || !read_audience(&r->arena, s->audience, s))
		return REFRESH_UNAVAILABLE;
	return REFRESH_FOUND;
}

enum refresh_answer
refresh_search_run(struct request *r, struct refresh_search *s)
{
	enum refresh_answer answer = REFRESH_NONE;

	if (s->query.task == NULL)
		return REFRESH_NONE;
	switch (db_run(r->gate->db, &s->query)) {
	case RUN_WAIT:
		return REFRESH_WAIT;
	case RUN_FAIL:
		return REFRESH_UNAVAILABLE;
	case RUN_DONE:
		break;
	}
	if (db_rows(&s->query) > 0)
		answer = take_row(r, s);
	return answer;
}
