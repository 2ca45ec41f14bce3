/*
 * Opaque tokens are looked up: in the caches like any other, and else in the database, by one
 * request for all that bring the same token at the same time (request/errand.h).
 */
#include "gateway/access/access.h"
#include "gateway/db/db.h"
#include "gateway/db/value.h"
#include "gateway/request/errand.h"
#include "gateway/token/mint.h"
#include "gateway/token/opaque.h"

#define CLAIMS_ROOM	512	/* names and numbers */
#define ESCAPED_MAX	6	/* bytes that a byte becomes in JSON at most */

/* Columns of FIND_TOKEN. */
enum column {
	TOKEN_DIGEST,
	TOKEN_CLIENT,
	TOKEN_ISSUED,
	TOKEN_EXPIRES,
	TOKEN_SCOPE,
	TOKEN_AUDIENCE,
	TOKEN_CONSUMER,
	TOKEN_CUSTOM_ID,
	TOKEN_SUBJECT,		/* null: the client */
	TOKEN_CLAIMS,		/* further ones, a JSON object; or null */
};

struct lookup {
	uint8_t			id[UUID_SIZE];
	uint64_t		deadline_ms;
	bool			asking;		/* the query is under way */
	struct errand		errand;
	struct db_query		query;
	struct arena_cleanup	cleanup;
};

static void
clean_up(void *lookup)
{
	db_end(&((struct lookup *)lookup)->query);
}

/* The search ends with this verdict. */
static enum step_result
conclude(struct request *r, enum verdict verdict)
{
	r->judgement.verdict = verdict;
	r->judged = true;
	if (r->lookup != NULL) {
		db_end(&r->lookup->query);
		errand_end(&r->lookup->errand);
	}
	return STEP_NEXT;
}

static struct lookup *
begin(struct request *r, const uint8_t id[UUID_SIZE])
{
	struct lookup *l = arena_zalloc(&r->arena, sizeof(*l));

	if (l == NULL)
		return NULL;
	memcpy(l->id, id, sizeof(l->id));
	l->deadline_ms = loop_now_ms(r->gate->loop) + r->gate->config->database->timeout_ms;
	l->query.statement = SQL_FIND_TOKEN;
	l->query.params[0] = span_make(l->id, sizeof(l->id));
	l->query.task = r->task;
	arena_defer(&r->arena, &l->cleanup, clean_up, l);
	return l;
}

static bool
find(struct request *r)
{
	return recall_find(r->gate->recall, r->token, loop_wall_s(r->gate->loop), &r->arena,
	    &r->judgement);
}

static void
put_optional(struct text *t, struct span member, struct span value)
{
	if (value.n == 0)
		return;
	text_put(t, member);
	text_json(t, value);
}

/* Appends the members of a JSON object, after a comma; false if it is none. */
static bool
put_members(struct text *t, struct span object)
{
	if (object.p == NULL)
		return true;
	if (object.n < 2 || object.p[0] != '{' || object.p[object.n - 1] != '}')
		return false;
	if (object.n > 2) {
		text_char(t, ',');
		text_put(t, span_make(object.p + 1, object.n - 2));
	}
	return true;
}

/* Writes the row as the claims that a JWT would have; false if it is malformed. */
static bool
write_claims(struct text *t, const struct request *r, const struct db_query *q)
{
	struct span client = db_value(q, 0, TOKEN_CLIENT);
	struct span subject = db_value(q, 0, TOKEN_SUBJECT);
	char jti[UUID_TEXT];
	int64_t issued_s, expires_s;

	if (!value_time(db_value(q, 0, TOKEN_ISSUED), &issued_s) ||
	    !value_time(db_value(q, 0, TOKEN_EXPIRES), &expires_s))
		return false;
	uuid_text(r->lookup->id, jti);
	text_put(t, SPAN("{\"iss\":"));
	text_json(t, span_of(r->gate->config->token_service->issuer));
	text_fmt(t, ",\"exp\":%lld,\"iat\":%lld,\"jti\":\"%.*s\",\"aud\":", (long long)expires_s,
	    (long long)issued_s, UUID_TEXT, jti);
	text_put(t, db_value(q, 0, TOKEN_AUDIENCE));
	text_put(t, SPAN(",\"sub\":"));
	text_json(t, subject.p == NULL ? client : subject);
	text_put(t, SPAN(",\"client_id\":"));
	text_json(t, client);
	put_optional(t, SPAN(",\"scope\":"), db_value(q, 0, TOKEN_SCOPE));
	put_optional(t, SPAN(",\"" MINT_CONSUMER "\":"), db_value(q, 0, TOKEN_CONSUMER));
	put_optional(t, SPAN(",\"" MINT_CUSTOM_ID "\":"), db_value(q, 0, TOKEN_CUSTOM_ID));
	if (!put_members(t, db_value(q, 0, TOKEN_CLAIMS)))
		return false;
	text_char(t, '}');
	return !t->cut;
}

/* The store has answered. */
static enum step_result
take_row(struct request *r)
{
	const struct db_query *q = &r->lookup->query;
	struct judgement *j = &r->judgement;
	int64_t now_s = loop_wall_s(r->gate->loop);
	struct span digest = db_rows(q) == 1 ? db_value(q, 0, TOKEN_DIGEST) : SPAN("");

	if (digest.n != OPAQUE_DIGEST || !opaque_same((const uint8_t *)digest.p, j->digest)) {
		recall_unknown(r->gate->recall, now_s, j);
		return conclude(r, j->verdict);
	}
	size_t room = CLAIMS_ROOM + db_value(q, 0, TOKEN_AUDIENCE).n +
	    db_value(q, 0, TOKEN_CLAIMS).n +
	    ESCAPED_MAX * (strlen(r->gate->config->token_service->issuer) +
	    2 * db_value(q, 0, TOKEN_CLIENT).n + db_value(q, 0, TOKEN_SUBJECT).n +
	    db_value(q, 0, TOKEN_SCOPE).n +
	    db_value(q, 0, TOKEN_CONSUMER).n + db_value(q, 0, TOKEN_CUSTOM_ID).n);
	struct text claims = { arena_alloc(&r->arena, room), 0, room, false };
	if (claims.p == NULL)
		return conclude(r, VERDICT_NO_MEMORY);
	if (!write_claims(&claims, r, q))
		return conclude(r, VERDICT_STORE_UNAVAILABLE);
	recall_learn(r->gate->recall, claims.p, claims.n, now_s, &r->arena, j);
	return conclude(r, j->verdict);
}

static enum step_result
ask_store(struct request *r)
{
	r->lookup->asking = true;
	switch (db_run(r->gate->db, &r->lookup->query)) {
	case RUN_WAIT:
		return STEP_WAIT;
	case RUN_FAIL:
		return conclude(r, VERDICT_STORE_UNAVAILABLE);
	case RUN_DONE:
		break;
	}
	return take_row(r);
}

/* What another request found may be in the caches by now. */
static enum step_result
look_again(struct request *r)
{
	struct lookup *l = r->lookup;

	if (find(r))
		return conclude(r, r->judgement.verdict);
	if (loop_now_ms(r->gate->loop) >= l->deadline_ms)
		return conclude(r, VERDICT_STORE_UNAVAILABLE);
	switch (errand_ask(r, &l->errand, r->judgement.digest,
	    r->gate->config->database->timeout_ms)) {
	case ERRAND_WAIT:
		return STEP_WAIT;
	case ERRAND_CROWDED:
		return conclude(r, VERDICT_STORE_UNAVAILABLE);
	case ERRAND_YOURS:
		break;
	}
	/* with the errand in hand: it may have been done just before */
	return find(r) ? conclude(r, r->judgement.verdict) : ask_store(r);
}

enum step_result
look_up_token(struct request *r)
{
	uint8_t id[UUID_SIZE];

	if (r->token.n == 0 || r->judged || !opaque_begins(OPAQUE_ACCESS, r->token))
		return STEP_NEXT;
	if (r->lookup != NULL)
		return r->lookup->asking ? ask_store(r) : look_again(r);
	/* what can't be one of ours costs no query, and is not for the check of JWTs either */
	if (r->gate->db == NULL || r->gate->opaque_key == NULL ||
	    !opaque_read(OPAQUE_ACCESS, r->token, NULL, id))
		return conclude(r, VERDICT_MALFORMED);
	if (!opaque_read(OPAQUE_ACCESS, r->token, r->gate->opaque_key, id))
		return conclude(r, VERDICT_UNKNOWN_TOKEN);
	r->lookup = begin(r, id);
	return r->lookup == NULL ? conclude(r, VERDICT_NO_MEMORY) : look_again(r);
}
