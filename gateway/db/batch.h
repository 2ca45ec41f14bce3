/*
 * Batches: rows of many requests in one statement and one commit.
 *
 * While one batch is committing, the next gathers; so a lone row waits for nobody, and under load
 * a commit carries as many rows as came meanwhile (at most BATCH_ROWS_MAX). The statement takes
 * one array per column and unnests them. A row is done when its batch is committed, never before.
 * If the server refuses a batch for what stands in it, its rows go out again one by one, so a row
 * that can't be is nobody else's loss.
 */
#ifndef GATEWAY_DB_BATCH_H
#define GATEWAY_DB_BATCH_H

#include "gateway/db/db.h"
#include "gateway/db/value.h"

#define BATCH_ROWS_MAX		256
#define BATCH_WAITING_MAX	8192	/* rows; more are refused at once */

struct batch;

struct batch_row {
	/* one per column; they must stay until there is an outcome, or batch_end */
	struct span	 values[DB_PARAMS_MAX];
	struct task	*task;		/* woken when there is an outcome */
	enum db_outcome	 outcome;
	char		 sqlstate[6];	/* with DB_REFUSED */
	/* the module's own */
	struct batch	*batch;
	struct batch_row *next, **link;
	bool		 sent;
	uint64_t	 deadline_ms;
};

/* Batches of a statement with these columns. NULL without memory. */
struct batch *batch_new(struct loop *loop, struct db *db, enum sql statement,
    const enum value_type *columns, unsigned n_columns);
void batch_free(struct batch **batch);

/* Adds a row, zeroed but for values and task, or tells how it is: WAIT, DONE, FAIL (outcome). */
enum run batch_run(struct batch *batch, struct batch_row *row);
/* Leaves a row in any state; what was sent may still take effect. */
void batch_end(struct batch_row *row);

#endif
