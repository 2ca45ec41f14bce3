/*
 * The token that an exchange ends with. It is committed before it is told, unless the client's are
 * not recorded: then it is a JWT that no table knows, revoked by its jti or with what it came of.
 * What was revoked while the commit was under way needs no look here: lineage is looked up
 * each time the token is used.
 */
#include "gateway/base/text.h"
#include "gateway/oauth/exchange.h"
#include "gateway/oauth/grant.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/service.h"

#define CLAIMS_ROOM	256	/* names and numbers of an opaque token's claims */

static bool
is_opaque(const struct made *made)
{
	return made->kid.n == 0;
}

/* Bytes of a text as JSON. */
static size_t
json_size(struct span s)
{
	size_t n = 2 + s.n;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '"' || s.p[i] == '\\';
	return n;
}

/* Bytes that the claims of an opaque token have when it is looked up (access/opaque.c), at most. */
static size_t
looked_up_size(const struct oauth *o, struct span issuer)
{
	const struct span texts[] = { issuer, o->subject, o->scope, o->client->id,
		o->client->consumer, o->client->custom_id };
	size_t n = CLAIMS_ROOM + o->members.n + o->audience.n;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		n += json_size(texts[i]);
	return n;
}

/* True if we would refuse the token ourselves: chains, scopes and audiences add up. */
static bool
is_too_large(const struct request *r, const struct made *made)
{
	const struct config *config = r->gate->config;
	size_t n = is_opaque(made) ? looked_up_size(r->oauth, r->gate->service->issuer) :
	    made->text.n;

	/* the last issuer is the token service's own */
	return n > config->issuers[config->n_issuers - 1].max_token;
}

static void
end_row(void *exchange)
{
	batch_end(&((struct exchange *)exchange)->row);
}

/* The columns of SQL_INSERT_EXCHANGED. */
static void
fill_row(struct request *r, struct exchange *x)
{
	const struct span values[] = {
		span_make(x->made.id, sizeof(x->made.id)), made_digest(&x->made),
		span_make(x->made.client, sizeof(x->made.client)),
		span_make(x->made.issued, sizeof(x->made.issued)),
		span_make(x->made.expires, sizeof(x->made.expires)),
		r->oauth->scope, r->oauth->audience, r->oauth->subject, r->oauth->claims,
	};

	memcpy(x->row.values, values, sizeof(values));
	x->row.task = r->task;
	arena_defer(&r->arena, &x->cleanup, end_row, x);
}

static enum step_result
answer(struct request *r, const struct made *made)
{
	grant_count(r->oauth->grant);
	return answer_token(r, OUTCOME_ISSUED, made->text, made->expires_s, SPAN(""));
}

/* Makes the token; what of it is not recorded is answered at once. */
static enum step_result
begin(struct request *r, struct exchange *x)
{
	int64_t now_s = loop_wall_s(r->gate->loop);

	/* a wait for the actor's keys may have been its last second */
	if (r->oauth->ends_s <= now_s)
		return exchange_refuse(r, FAULT_SUBJECT_TOKEN, VERDICT_EXPIRED);
	if (!made_by_chance(&r->gate->service->chance, &x->made))
		return fault(r, FAULT_NO_MEMORY);
	enum fault wrong = made_token(r, &x->made, now_s);
	if (wrong != FAULT_COUNT)
		return fault(r, wrong);
	if (is_too_large(r, &x->made))
		return fault(r, FAULT_EXCHANGE_SIZE);
	if (!r->oauth->client->records && !is_opaque(&x->made))
		return answer(r, &x->made);
	fill_row(r, x);
	return STEP_NEXT;
}

enum step_result
issue_exchanged(struct request *r)
{
	struct exchange *x = r->oauth->exchange;

	if (x->row.task == NULL) {
		enum step_result result = begin(r, x);

		if (result != STEP_NEXT)
			return result;
	}
	switch (batch_run(r->gate->service->exchanged, &x->row)) {
	case RUN_WAIT:
		return STEP_WAIT;
	case RUN_FAIL:
		return fault_store(r, x->row.outcome, x->row.sqlstate);
	case RUN_DONE:
		break;
	}
	return answer(r, &x->made);
}
