#include "gateway/oauth/revoking.h"

#include "gateway/base/log.h"
#include "gateway/db/value.h"

#define TELL_EVERY_MS	1000

/* The columns of SQL_INSERT_REVOCATIONS. */
static const enum value_type columns[] = {
	VALUE_TEXT, VALUE_BYTEA, VALUE_TIMESTAMPTZ, VALUE_TIMESTAMPTZ, VALUE_TEXT, VALUE_TEXT,
};

#define COLUMNS	(sizeof(columns) / sizeof(columns[0]))

struct batch *
revoking_batch(struct loop *loop, struct db *db)
{
	return batch_new(loop, db, SQL_INSERT_REVOCATIONS, columns, COLUMNS);
}

static void
end_row(void *revoking)
{
	struct revoking *v = revoking;

	batch_end(&v->row);
}

void
revoking_begin(struct request *r, struct revoking *v, const struct revocation *what,
    struct span issuer, struct span value)
{
	bool always = what->before_s == REVOKED_ALWAYS;

	v->begun = true;
	v->revocation = *what;
	v->revocation.identity = memcpy(v->identity, what->identity, sizeof(v->identity));
	value_put_time(v->expires, what->expires_s);
	if (!always)
		value_put_time(v->before, what->before_s);
	const struct span values[COLUMNS] = {
		identity_name(what->kind), span_make(v->identity, sizeof(v->identity)),
		span_make(always ? NULL : v->before, always ? 0 : sizeof(v->before)),
		span_make(v->expires, sizeof(v->expires)), issuer, value,
	};
	memcpy(v->row.values, values, sizeof(values));
	v->row.task = r->task;
	arena_defer(&r->arena, &v->cleanup, end_row, v);
}

enum run
revoking_run(struct request *r, struct revoking *v)
{
	const struct gate *g = r->gate;
	enum run run = g->revocations == NULL ? RUN_DONE : batch_run(g->revocations, &v->row);

	if (run != RUN_DONE)
		return run;
	enum set_put_result put = revocations_put(g->shared, &v->revocation,
	    loop_wall_s(g->loop));
	/* what is committed will be known; the set says so by being unsure meanwhile */
	return put == SET_OK || g->revocations != NULL ? RUN_DONE : RUN_FAIL;
}

enum step_result
revoking_failed(struct request *r, const struct revoking *v)
{
	static uint64_t told_ms;
	uint64_t now_ms = loop_now_ms(r->gate->loop);

	if (r->gate->revocations != NULL)
		return fault_store(r, v->row.outcome, v->row.sqlstate);
	if (now_ms >= told_ms + TELL_EVERY_MS) {
		told_ms = now_ms;
		log_error("a revocation does not fit into shared_memory.revocations, and was "
		    "refused with 503");
	}
	return fault(r, FAULT_REVOCATIONS_FULL);
}
