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

#define CLAIMS_ROOM	512	/* names and numbers of an opaque token's claims */

static bool
is_opaque(const struct made *made)
{
	return made->kid.n == 0;
}

/* True if we would refuse the token ourselves: chains, scopes and audiences add up. */
static bool
is_too_large(const struct request *r, const struct made *made)
{
	const struct config *config = r->gate->config;
	const struct oauth *o = r->oauth;
	size_t n = made->text.n;

	/* the last issuer is the token service's own; an opaque token's claims are its text too */
	if (is_opaque(made))
		n = CLAIMS_ROOM + o->members.n + o->scope.n + o->audience.n + o->subject.n;
	return n > config->issuers[config->n_issuers - 1].max_token;
}

/* The claims column: act and lineage as an object. {NULL, 0} without memory. */
static struct span
claims_of(struct request *r)
{
	struct span members = r->oauth->members;
	struct text t = { arena_alloc(&r->arena, members.n + 1), 0, members.n + 1, false };

	if (t.p == NULL)
		return (struct span){ NULL, 0 };
	text_char(&t, '{');
	text_put(&t, span_skip(members, 1));
	text_char(&t, '}');
	return text_span(&t);
}

static void
end_row(void *exchange)
{
	batch_end(&((struct exchange *)exchange)->row);
}

/* The columns of SQL_INSERT_EXCHANGED. */
static bool
fill_row(struct request *r, struct exchange *x)
{
	const struct span values[] = {
		span_make(x->made.id, sizeof(x->made.id)), made_digest(&x->made),
		span_make(x->made.client, sizeof(x->made.client)),
		span_make(x->made.issued, sizeof(x->made.issued)),
		span_make(x->made.expires, sizeof(x->made.expires)),
		r->oauth->scope, r->oauth->audience, r->oauth->subject, claims_of(r),
	};

	if (values[sizeof(values) / sizeof(values[0]) - 1].p == NULL)
		return false;
	memcpy(x->row.values, values, sizeof(values));
	x->row.task = r->task;
	arena_defer(&r->arena, &x->cleanup, end_row, x);
	return true;
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
	return fill_row(r, x) ? STEP_NEXT : fault(r, FAULT_NO_MEMORY);
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
