/*
 * The database: one process's connections to PostgreSQL, and queries on them that never block.
 *
 * Connections are few and stay open. How many the whole node may have is the operator's choice;
 * permits in shared memory (shm/permits.h) share them out among all processes and generations: one
 * is the keeper's, the others the workers', and a worker without one waits its turn. A lost
 * connection comes back by itself, with growing, jittered pauses. One to a database whose schema
 * is not this binary's is given up, and counts as lost.
 *
 * Queries are rows of sql.def, prepared once per connection and sent in pipeline mode, each with a
 * sync of its own: each is one transaction. Parameters and results are in binary format. A query
 * is in libpq's own shape: db_run() starts or goes on, db_end() is safe in any state. At most
 * DB_QUEUE_MAX of them wait; more are refused at once, and so are all while the database has been
 * away for longer than the timeout. Every outcome comes within the timeout.
 */
#ifndef GATEWAY_DB_DB_H
#define GATEWAY_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/base/want.h"

#define DB_PARAMS_MAX	16
#define DB_QUEUE_MAX	4096

struct config_database;
struct db;
struct loop;
struct pg_result;
struct shared;
struct task;

enum sql {
#define SQL(id, params, text)	SQL_##id,
#include "gateway/db/sql.def"
#undef SQL
	SQL_COUNT
};

enum db_outcome {
	DB_PENDING,
	DB_DONE,		/* committed; the rows are there to read */
	DB_UNAVAILABLE,		/* never sent: no connection in time, or too many wait */
	DB_UNCERTAIN,		/* sent, and no answer came: it may have taken effect */
	DB_REFUSED,		/* the server said no (sqlstate): nothing has taken effect */
};

struct db_query {
	enum sql	 statement;
	/* binary format; p NULL: null. They must stay until the query has ended. */
	struct span	 params[DB_PARAMS_MAX];
	struct task	*task;			/* woken when there is an outcome */
	enum db_outcome	 outcome;
	char		 sqlstate[6];		/* with DB_REFUSED */
	struct pg_result *result;		/* with DB_DONE; freed by db_end */
	/* the module's own */
	struct db	*db;
	struct session	*session;
	struct db_query	*next, **link;
	/* may be set to one that is earlier than the timeout's */
	uint64_t	 deadline_ms;
};

/*
 * Opens a process's access to the database; connects behind the scenes at once. `shared` and
 * `slot` say who it is and where the permits are; shared NULL: one connection, without a permit.
 * NULL without memory.
 */
struct db *db_open(struct loop *loop, const struct config_database *config,
    const struct shared *shared, unsigned slot);
/* Closes all connections; queries under way end as UNAVAILABLE or UNCERTAIN. */
void db_close(struct db **db);
/* True if at least one connection is up. */
bool db_is_up(const struct db *db);
/*
 * How often a connection has come up. Another number than before: it may be another server, or one
 * that was restored from a backup.
 */
uint64_t db_comings(const struct db *db);
/* The bell of this process has rung: perhaps for a permit. */
void db_heard(struct db *db);
/*
 * Its first connection listens on a channel (a plain name that stays), which must be said right
 * after db_open(). The task is woken whenever a notice came, and whenever the connection was made
 * or made anew: notices of the time without one are lost, so look for what has happened.
 */
void db_listen(struct db *db, const char *channel, struct task *task);

/*
 * Begins a query, zeroed but for statement, params and task, or goes on with it: WAIT, DONE, or
 * FAIL with the outcome. Ends by itself after the configured timeout.
 */
enum run db_run(struct db *db, struct db_query *q);
/* Ends it in any state and frees its result; what was sent may still take effect. */
void db_end(struct db_query *q);

/* Rows of a finished query, and what stands in one (p NULL: null); valid until db_end. */
size_t db_rows(const struct db_query *q);
struct span db_value(const struct db_query *q, size_t row, unsigned column);

#endif
