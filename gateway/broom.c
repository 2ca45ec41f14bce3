#include "gateway/broom.h"

#include <stddef.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/db/db.h"
#include "gateway/db/value.h"

#define ROUND_MS	5000	/* between two rounds through the tables */
#define PAUSE_MS	50	/* between two statements of one round */
#define ROWS_MAX	1000	/* as the statements have it */

static const enum sql statements[] = {
	SQL_SWEEP_TOKENS,
	SQL_SWEEP_REFRESH_TOKENS,
	SQL_SWEEP_REVOCATIONS,
};

#define STATEMENTS	(sizeof(statements) / sizeof(statements[0]))

struct broom {
	struct loop		*loop;
	struct db		*db;
	struct task		 task;
	struct db_query		 query;
	size_t			 next;		/* statement */
	bool			 sweeping;	/* the query is under way */
};

static void
sweep(struct broom *b)
{
	b->query = (struct db_query){ .statement = statements[b->next], .task = &b->task };
	b->sweeping = true;
}

/* How long to wait after a statement that took away so many rows. */
static uint64_t
pause_after(struct broom *b, int64_t rows)
{
	if (rows < ROWS_MAX)
		b->next = (b->next + 1) % STATEMENTS;
	return rows < ROWS_MAX && b->next == 0 ? ROUND_MS : PAUSE_MS;
}

static void
run(struct loop *loop, struct task *task)
{
	struct broom *b = (struct broom *)((char *)task - offsetof(struct broom, task));
	uint64_t pause_ms = ROUND_MS;
	int64_t rows = 0;

	if (!b->sweeping)
		sweep(b);
	switch (db_run(b->db, &b->query)) {
	case RUN_WAIT:
		return;
	case RUN_FAIL:
		/* the feed tells of the database's troubles; here there is no hurry */
		break;
	case RUN_DONE:
		if (db_rows(&b->query) == 1)
			value_i64(db_value(&b->query, 0, 0), &rows);
		pause_ms = pause_after(b, rows);
		break;
	}
	db_end(&b->query);
	b->sweeping = false;
	task_deadline(loop, task, loop_now_ms(loop) + pause_ms);
}

struct broom *
broom_new(struct loop *loop, struct db *db)
{
	struct broom *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->loop = loop;
	b->db = db;
	task_init(&b->task, run);
	task_deadline(loop, &b->task, loop_now_ms(loop) + ROUND_MS);
	return b;
}

void
broom_free(struct broom **broom)
{
	struct broom *b = *broom;

	*broom = NULL;
	if (b == NULL)
		return;
	db_end(&b->query);
	task_end(b->loop, &b->task);
	free(b);
}
