#include "gateway/oauth/family.h"

#include "gateway/db/value.h"
#include "gateway/oauth/service.h"
#include "gateway/token/revocations.h"

static void
end_query(void *end)
{
	struct family_end *e = end;

	db_end(&e->query);
}

static void
begin(struct request *r, struct family_end *end, const uint8_t family[UUID_SIZE])
{
	end->query.statement = SQL_REVOKE_FAMILY;
	end->query.params[0] = span_make(family, UUID_SIZE);
	end->query.params[1] = r->gate->service->issuer;
	end->query.task = r->task;
	arena_defer(&r->arena, &end->cleanup, end_query, end);
}

/* What is committed is put into the set before it is answered. */
static void
put_all(struct request *r, const struct db_query *query)
{
	for (size_t i = 0; i < db_rows(query); i++) {
		struct span identity = db_value(query, i, 0);
		struct revocation revocation = { .kind = IDENTITY_JTI,
			.identity = (const uint8_t *)identity.p, .before_s = REVOKED_ALWAYS };

		if (identity.n == IDENTITY_SIZE &&
		    value_time(db_value(query, i, 1), &revocation.expires_s))
			revocations_put(r->gate->shared, &revocation,
			    loop_wall_s(r->gate->loop));
	}
}

enum run
family_revoke(struct request *r, struct family_end *end, const uint8_t family[UUID_SIZE])
{
	if (end->query.task == NULL)
		begin(r, end, family);
	enum run run = db_run(r->gate->db, &end->query);
	if (run == RUN_DONE)
		put_all(r, &end->query);
	return run;
}
