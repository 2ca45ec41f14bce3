/*
 * A new token is committed before it is told to anybody. A lone access token travels to the
 * database in a batch with those of other requests; one with a refresh token has a statement of
 * its own, as three rows belong together.
 */
#include "gateway/base/metric.h"
#include "gateway/db/batch.h"
#include "gateway/oauth/answer.h"
#include "gateway/oauth/grant.h"
#include "gateway/oauth/limit.h"
#include "gateway/oauth/made.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/reuse.h"
#include "gateway/oauth/service.h"
#include "gateway/db/value.h"
#include "gateway/token/digest.h"

/* A token on its way into the database; in the arena. */
struct issue {
	struct made		made;
	struct batch_row	row;		/* of a lone token */
	struct db_query		query;		/* of one with a refresh token */
	struct arena_cleanup	cleanup;
	bool			refreshable;
	uint8_t			family[UUID_SIZE];
	uint8_t			refresh_id[UUID_SIZE];
	char			refresh_text[OPAQUE_TEXT];
	uint8_t			refresh_digest[32];
	char			refresh_expires[8];
};

enum step_result
limit_tokens(struct request *r)
{
	enum step_result result;
	uint64_t wait_s;

	if (limit_take_token(r, false, &wait_s))
		return STEP_NEXT;
	/* a token at hand is better than none */
	if (!reuse_late(r, &result))
		result = fault_because(r, FAULT_TOKEN_RATE,
		    (struct fault_more){ .retry_after_s = (unsigned)wait_s });
	reuse_give_up(r);
	return result;
}

static void
end_issue(void *issue)
{
	struct issue *i = issue;

	if (i->refreshable)
		db_end(&i->query);
	else
		batch_end(&i->row);
}

/* The row of a lone token: the columns of SQL_INSERT_TOKENS. */
static void
fill_row(struct request *r, struct issue *i)
{
	const struct span values[] = {
		span_make(i->made.id, sizeof(i->made.id)), made_digest(&i->made),
		span_make(i->made.client, sizeof(i->made.client)),
		span_make(i->made.issued, sizeof(i->made.issued)),
		span_make(i->made.expires, sizeof(i->made.expires)),
		r->oauth->scope, r->oauth->audience,
	};

	memcpy(i->row.values, values, sizeof(values));
	i->row.task = r->task;
}

/* The parameters of SQL_ISSUE_FAMILY. */
static void
fill_query(struct request *r, struct issue *i)
{
	const struct span params[] = {
		span_make(i->family, sizeof(i->family)),
		span_make(i->made.client, sizeof(i->made.client)),
		span_make(i->made.issued, sizeof(i->made.issued)),
		span_make(i->refresh_id, sizeof(i->refresh_id)),
		span_make(i->refresh_digest, sizeof(i->refresh_digest)),
		span_make(i->refresh_expires, sizeof(i->refresh_expires)),
		r->oauth->scope, r->oauth->audience,
		span_make(i->made.id, sizeof(i->made.id)), made_digest(&i->made),
		span_make(i->made.expires, sizeof(i->made.expires)),
	};

	i->query.statement = SQL_ISSUE_FAMILY;
	i->query.task = r->task;
	memcpy(i->query.params, params, sizeof(params));
}

/* The refresh token that comes with it, the first of a family. */
static bool
make_refresh(struct request *r, struct issue *i)
{
	const struct config_token_service *config = r->gate->service->config;

	if (!uuid_now(i->family) || !opaque_new(OPAQUE_REFRESH, r->gate->opaque_key, i->refresh_id,
	    i->refresh_text))
		return false;
	digest_sha256(span_make(i->refresh_text, OPAQUE_TEXT), i->refresh_digest);
	value_put_time(i->refresh_expires,
	    i->made.issued_s + (int64_t)config->refresh_lifetime_s);
	return true;
}

static enum step_result
begin(struct request *r)
{
	struct issue *i = arena_zalloc(&r->arena, sizeof(*i));

	if (i == NULL || !made_by_chance(&r->gate->service->chance, &i->made))
		return fault(r, FAULT_NO_MEMORY);
	enum fault wrong = made_token(r, &i->made, loop_wall_s(r->gate->loop));
	if (wrong != FAULT_COUNT)
		return fault(r, wrong);
	i->refreshable = r->oauth->client->grants & GRANT_BIT(GRANT_REFRESH_TOKEN);
	if (i->refreshable && !make_refresh(r, i))
		return fault(r, FAULT_NO_MEMORY);
	if (i->refreshable)
		fill_query(r, i);
	else
		fill_row(r, i);
	arena_defer(&r->arena, &i->cleanup, end_issue, i);
	r->oauth->issue = i;
	return STEP_NEXT;
}

enum step_result
issue_token(struct request *r)
{
	struct issue *i;
	enum run run;

	if (r->oauth->issue == NULL) {
		enum step_result result = begin(r);

		if (result != STEP_NEXT) {
			reuse_give_up(r);
			return result;
		}
	}
	i = r->oauth->issue;
	run = i->refreshable ? db_run(r->gate->db, &i->query) :
	    batch_run(r->gate->service->tokens, &i->row);
	if (run == RUN_WAIT)
		return STEP_WAIT;
	if (run == RUN_FAIL) {
		reuse_give_up(r);
		return i->refreshable ?
		    fault_store(r, i->query.outcome, i->query.sqlstate) :
		    fault_store(r, i->row.outcome, i->row.sqlstate);
	}
	grant_count(r->oauth->grant);
	reuse_publish(r, &i->made);
	return answer_token(r, OUTCOME_ISSUED, i->made.text, i->made.expires_s,
	    i->refreshable ? span_make(i->refresh_text, OPAQUE_TEXT) : SPAN(""));
}
