#include "gateway/db/batch.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/must.h"
#include "gateway/db/session.h"
#include "gateway/loop/loop.h"

/*
 * Two lists of rows: those that gather, and those whose batch is under way. The task sends, so all
 * rows of a turn of the loop go out together, and it takes the outcome. Rows that were refused
 * together come back to the head of those that gather, and are counted in `alone`: so many go out
 * one by one.
 */

struct rows {
	struct batch_row	*first, **tail;
	size_t			 n;
};

struct batch {
	struct loop		*loop;
	struct db		*db;
	enum sql		 statement;
	const enum value_type	*columns;
	unsigned		 n_columns;
	struct task		 task;
	struct grave		 grave;
	struct rows		 gathering;
	struct rows		 under_way;
	struct db_query		 query;
	bool			 sent;		/* the query is under way */
	size_t			 alone;
	struct value_array	 arrays[DB_PARAMS_MAX];
};

static void
rows_init(struct rows *rows)
{
	*rows = (struct rows){ .tail = &rows->first };
}

static void
append(struct rows *rows, struct batch_row *row)
{
	row->next = NULL;
	row->link = rows->tail;
	*rows->tail = row;
	rows->tail = &row->next;
	rows->n++;
}

static void
take_out(struct rows *rows, struct batch_row *row)
{
	*row->link = row->next;
	if (row->next != NULL)
		row->next->link = row->link;
	else
		rows->tail = row->link;
	row->link = NULL;
	rows->n--;
}

static void
settle(struct batch *b, struct rows *rows, struct batch_row *row, enum db_outcome outcome)
{
	take_out(rows, row);
	row->outcome = outcome;
	memcpy(row->sqlstate, b->query.sqlstate, sizeof(row->sqlstate));
	if (row->task != NULL)
		task_wake(b->loop, row->task);
}

/* Puts all rows under way before those that gather. */
static void
take_back(struct batch *b)
{
	struct rows back = b->under_way, rest = b->gathering;

	b->alone = back.n;
	rows_init(&b->under_way);
	rows_init(&b->gathering);
	for (struct batch_row *row = back.first, *next; row != NULL; row = next) {
		next = row->next;
		append(&b->gathering, row);
		row->sent = false;
	}
	for (struct batch_row *row = rest.first, *next; row != NULL; row = next) {
		next = row->next;
		append(&b->gathering, row);
	}
}

/* True if the rows are to blame: data exceptions and integrity violations (SQLSTATE 22 and 23). */
static bool
is_fault_of_rows(const struct db_query *q)
{
	return q->outcome == DB_REFUSED && q->sqlstate[0] == '2' &&
	    (q->sqlstate[1] == '2' || q->sqlstate[1] == '3');
}

static void
take_outcome(struct batch *b)
{
	if (is_fault_of_rows(&b->query) && b->under_way.n > 1)
		take_back(b);
	while (b->under_way.first != NULL)
		settle(b, &b->under_way, b->under_way.first, b->query.outcome);
	db_end(&b->query);
	b->sent = false;
}

/* Takes rows for one batch, and writes them into its arrays. False without memory. */
static bool
gather(struct batch *b)
{
	size_t most = b->alone > 0 ? 1 : BATCH_ROWS_MAX;
	bool good = true;

	for (unsigned c = 0; c < b->n_columns; c++)
		value_array_begin(&b->arrays[c], b->columns[c]);
	while (b->gathering.first != NULL && b->under_way.n < most) {
		struct batch_row *row = b->gathering.first;

		take_out(&b->gathering, row);
		append(&b->under_way, row);
		row->sent = true;
		for (unsigned c = 0; c < b->n_columns; c++)
			value_array_add(&b->arrays[c], row->values[c]);
	}
	b->alone -= b->alone > 0;
	for (unsigned c = 0; c < b->n_columns; c++) {
		b->query.params[c] = value_array_end(&b->arrays[c]);
		good = good && b->query.params[c].p != NULL;
	}
	return good;
}

static void
send_next(struct batch *b)
{
	b->query = (struct db_query){ .statement = b->statement, .task = &b->task };
	if (!gather(b)) {
		b->query.outcome = DB_UNAVAILABLE;
		while (b->under_way.first != NULL)
			settle(b, &b->under_way, b->under_way.first, DB_UNAVAILABLE);
		return;
	}
	/* the oldest row's time counts for all */
	b->query.deadline_ms = b->under_way.first->deadline_ms;
	b->sent = true;
	if (db_run(b->db, &b->query) != RUN_WAIT)
		take_outcome(b);
}

/* Rows that waited too long leave; the next one's time is the task's. */
static void
expire(struct batch *b)
{
	uint64_t now = loop_now_ms(b->loop);

	while (b->gathering.first != NULL && now >= b->gathering.first->deadline_ms) {
		b->alone -= b->alone > 0;
		settle(b, &b->gathering, b->gathering.first, DB_UNAVAILABLE);
	}
	task_deadline(b->loop, &b->task,
	    b->gathering.first == NULL ? 0 : b->gathering.first->deadline_ms);
}

static void
run_batch(struct loop *loop, struct task *task)
{
	struct batch *b = (struct batch *)((char *)task - offsetof(struct batch, task));

	(void)loop;
	if (b->sent && db_run(b->db, &b->query) != RUN_WAIT)
		take_outcome(b);
	expire(b);
	while (!b->sent && b->gathering.first != NULL)
		send_next(b);
}

struct batch *
batch_new(struct loop *loop, struct db *db, enum sql statement, const enum value_type *columns,
    unsigned n_columns)
{
	struct batch *b = calloc(1, sizeof(*b));

	must(n_columns <= DB_PARAMS_MAX);
	if (b == NULL)
		return NULL;
	b->loop = loop;
	b->db = db;
	b->statement = statement;
	b->columns = columns;
	b->n_columns = n_columns;
	rows_init(&b->gathering);
	rows_init(&b->under_way);
	task_init(&b->task, run_batch);
	return b;
}

static void
dig(void *thing)
{
	struct batch *b = thing;

	for (unsigned c = 0; c < DB_PARAMS_MAX; c++)
		value_array_free(&b->arrays[c]);
	free(b);
}

void
batch_free(struct batch **batch)
{
	struct batch *b = *batch;

	*batch = NULL;
	if (b == NULL)
		return;
	b->query.outcome = DB_UNCERTAIN;
	while (b->under_way.first != NULL)
		settle(b, &b->under_way, b->under_way.first, DB_UNCERTAIN);
	while (b->gathering.first != NULL)
		settle(b, &b->gathering, b->gathering.first, DB_UNAVAILABLE);
	if (b->sent)
		db_end(&b->query);
	task_end(b->loop, &b->task);
	loop_bury(b->loop, &b->grave, dig, b);
}

enum run
batch_run(struct batch *b, struct batch_row *row)
{
	if (row->batch == NULL) {
		row->batch = b;
		if (b->gathering.n >= BATCH_WAITING_MAX) {
			row->outcome = DB_UNAVAILABLE;
			return RUN_FAIL;
		}
		row->deadline_ms = loop_now_ms(b->loop) + db_timeout_ms(b->db);
		append(&b->gathering, row);
		if (!b->sent)
			task_wake(b->loop, &b->task);
		else if (b->gathering.n == 1)
			task_deadline(b->loop, &b->task, row->deadline_ms);
		return RUN_WAIT;
	}
	if (row->outcome == DB_PENDING)
		return RUN_WAIT;
	return row->outcome == DB_DONE ? RUN_DONE : RUN_FAIL;
}

void
batch_end(struct batch_row *row)
{
	struct batch *b = row->batch;

	if (b == NULL)
		return;
	if (row->link != NULL)
		take_out(row->sent ? &b->under_way : &b->gathering, row);
	row->batch = NULL;
}
