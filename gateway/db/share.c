#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "gateway/base/shared.h"
#include "gateway/conf/config.h"
#include "gateway/db/session.h"

/*
 * The keeper has a permit of its own, the first. Workers share the rest: each may hold its part,
 * rounded up. One that has queries and no connection at all waits for a permit and says so; who
 * holds one then gives it away as soon as it is idle, or has held it for HOLD_MS, and rings the
 * next. A worker that is to end gives back what it doesn't need.
 */

#define HOLD_MS		100
#define KEEPERS		1	/* permits of the keeper; the first ones */

static bool
is_keeper(const struct shared *shared, unsigned slot)
{
	return atomic_load(&shared->control->slots[slot].role) == SHARED_KEEPER;
}

/* Permits that workers share. */
static unsigned
count_shared(const struct config_database *config)
{
	return config->connections > KEEPERS ? config->connections - KEEPERS : 1;
}

unsigned
share_size(const struct config_database *config, const struct shared *shared, unsigned slot)
{
	if (shared == NULL || is_keeper(shared, slot))
		return 1;
	return (count_shared(config) + config->workers - 1) / config->workers;
}

static bool
has_none(const struct db *db)
{
	for (unsigned i = 0; i < db->n_sessions; i++)
		if (db->sessions[i].state != SESSION_NONE)
			return false;
	return true;
}

static bool
is_alive(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

bool
share_take(struct session *c)
{
	struct db *db = c->db;
	const struct permits_asker asker = { getpid(), db->slot, is_alive };

	if (db->shared == NULL)
		return true;
	bool keeper = is_keeper(db->shared, db->slot);
	bool waits = !keeper && db->queue != NULL && has_none(db);
	/* who gave way, or has a connection, takes none from those who wait */
	if (!waits && !keeper && permits_wanted(db->shared->permits, db->slot))
		return false;
	c->permit = permits_take(db->shared->permits, keeper ? 0 : KEEPERS,
	    keeper ? KEEPERS : KEEPERS + count_shared(db->config), &asker, waits);
	db->waits = waits && c->permit < 0;
	return c->permit >= 0;
}

void
share_give(struct session *c)
{
	struct db *db = c->db;
	int next;

	if (c->permit < 0)
		return;
	permits_give(db->shared->permits, c->permit, getpid());
	c->permit = -1;
	next = permits_next(db->shared->permits, db->slot);
	if (next >= 0)
		shared_ring(db->shared, (unsigned)next);
}

void
share_is_up(const struct session *c)
{
	if (c->permit >= 0)
		permits_note(c->db->shared->permits, c->permit, PERMITS_UP);
}

bool
share_is_leaving(const struct db *db)
{
	return db->shared != NULL &&
	    atomic_load(&db->shared->control->slots[db->slot].state) == SHARED_DRAINING;
}

bool
share_is_wanted(const struct session *c, uint64_t now)
{
	const struct db *db = c->db;
	bool idle = c->n_flights == 0 && db->queue == NULL;

	if (db->shared == NULL)
		return false;
	if (share_is_leaving(db) && idle)
		return true;
	return (idle || now >= c->since_ms + HOLD_MS) && !is_keeper(db->shared, db->slot) &&
	    permits_wanted(db->shared->permits, db->slot);
}

void
share_stop_waiting(struct db *db)
{
	if (!db->waits || db->queue != NULL)
		return;
	permits_stop_waiting(db->shared->permits, db->slot);
	db->waits = false;
}
