#include "gateway/cli/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"

/* How long a change is told: to whoever remembers the client longer, it has become stale. */
#define CHANGE_S	600

#define NUMBER		24	/* room for an integer's digits */

bool
feed_begin(struct store *s)
{
	return store_begin(s) && store_do(s, "SELECT gatehouse_feed_lock()", 0, NULL) >= 0;
}

bool
feed_revoke(struct store *s, const struct feed_entry *entry)
{
	char identity[STORE_HEX(IDENTITY_SIZE)], before[NUMBER], expires[NUMBER];
	const char *values[] = { identity_name(entry->kind).p, identity,
		entry->before_s == FEED_ALL ? NULL : before, expires, entry->issuer,
		entry->value };
	uint8_t bytes[IDENTITY_SIZE];

	identity_make(entry->kind, span_of(entry->issuer), span_of(entry->value), bytes);
	store_hex(bytes, sizeof(bytes), identity);
	snprintf(before, sizeof(before), "%" PRId64, entry->before_s);
	snprintf(expires, sizeof(expires), "%" PRId64, entry->expires_s);
	return store_do(s, "INSERT INTO revocations (kind, identity, before_at, expires_at, "
	    "issuer, value) VALUES ($1, $2::bytea, "
	    "clock_timestamp() + $3::bigint * interval '1 second', "
	    "to_timestamp($4::bigint), $5, $6)", 6, values) == 1;
}

bool
feed_change(struct store *s, const char *name)
{
	const char *issuer = s->service == NULL ? "" : s->service->issuer;

	return feed_revoke(s, &(struct feed_entry){ IDENTITY_CHANGE, issuer, name, FEED_ALL,
	    clock_wall_s() + CHANGE_S });
}

int64_t
feed_last_expiry(struct store *s)
{
	char lifetime[NUMBER], stale[NUMBER];
	const char *values[] = { lifetime, stale };
	int64_t last = -1;

	snprintf(lifetime, sizeof(lifetime), "%" PRIu64, s->service->lifetime_s);
	snprintf(stale, sizeof(stale), "%d", FEED_STALE_S);
	PGresult *result = store_ask(s, "SELECT ceil(extract(epoch FROM greatest("
	    "(SELECT max(expires_at) FROM tokens), clock_timestamp() + interval '1 second' * "
	    "($2::int + greatest($1::int, (SELECT max(lifetime) FROM clients))))))::bigint",
	    2, values);
	if (result != NULL)
		last = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return last;
}

bool
feed_end_families(struct store *s, const char *number)
{
	return store_do(s, "UPDATE refresh_families SET revoked_at = now() "
	    "WHERE client = $1::bigint AND revoked_at IS NULL", 1, &number) >= 0;
}

bool
feed_end_client(struct store *s, const char *number, const char *client_id)
{
	int64_t last = feed_last_expiry(s);

	return last >= 0 && feed_end_families(s, number) && feed_revoke(s, &(struct feed_entry){
	    IDENTITY_CLIENT, s->service->issuer, client_id, FEED_STALE_S, last });
}
