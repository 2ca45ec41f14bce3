#include "gateway/feed.h"

#include <stddef.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/db/db.h"
#include "gateway/db/value.h"
#include "gateway/token/revocations.h"
#include "shm/hash.h"

#define LOOK_MS		500	/* whether the set is unsure */
#define READ_MS		5000	/* between two readings, whatever happens */
#define RETRY_MS	1000	/* after one that failed */
#define PAGE_ROWS	2000	/* as FEED_ROWS has it */

/* Columns of FEED_ROWS. */
enum column {
	FEED_SEQ,
	FEED_KIND,
	FEED_IDENTITY,
	FEED_BEFORE,
	FEED_EXPIRES,
};

struct feed {
	struct loop		*loop;
	const struct shared	*shared;
	struct db		*db;
	struct task		 task;
	struct db_query		 query;
	char			 after[8];	/* parameter */
	bool			 reading;
	bool			 news;		/* read (again), as soon as it can be */
	bool			 whole;		/* this reading began with the first row */
	bool			 tried;
	bool			 failing;	/* and the log knows */
	bool			 full;		/* so does it that the set is full */
	int64_t			 seq;		/* the last row read */
	uint64_t		 comings;	/* of connections, when all was last read ... */
	uint64_t		 reading_over;	/* ... and at the first page of this one */
	uint64_t		 doubt;		/* which this reading may settle */
	uint64_t		 began_ms;
	uint64_t		 due_ms;	/* of the next one */
};

/*
 * Over a new connection the numbers of rows may have begun anew: a database that was restored from
 * a backup, or lost its last seconds with a server, gives some of them a second time.
 */
static void
begin(struct feed *f)
{
	struct shared_control *control = f->shared->control;

	f->doubt = set_doubt(f->shared->revocations);
	f->whole = f->doubt != 0 || f->comings != db_comings(f->db);
	f->reading_over = 0;
	f->seq = f->whole ? 0 : atomic_load(&control->feed_seq);
	f->news = false;
	f->reading = true;
	f->began_ms = loop_now_ms(f->loop);
}

/* Starts the query for the rows after the last. */
static void
ask(struct feed *f)
{
	value_put_i64(f->after, f->seq);
	f->query = (struct db_query){ .statement = SQL_FEED_ROWS, .task = &f->task };
	f->query.params[0] = span_make(f->after, sizeof(f->after));
}

static bool
read_row(const struct db_query *q, size_t row, int64_t *seq, struct revocation *r)
{
	struct span identity = db_value(q, row, FEED_IDENTITY);
	struct span before = db_value(q, row, FEED_BEFORE);

	r->identity = (const uint8_t *)identity.p;
	r->before_s = REVOKED_ALWAYS;
	return value_i64(db_value(q, row, FEED_SEQ), seq) &&
	    identity_find(db_value(q, row, FEED_KIND), &r->kind) && identity.n == IDENTITY_SIZE &&
	    (before.p == NULL || value_time(before, &r->before_s)) &&
	    value_time(db_value(q, row, FEED_EXPIRES), &r->expires_s);
}

static void
tell_full(struct feed *f)
{
	if (!f->full)
		log_error("the revocations do not fit into shared_memory.revocations: tokens are "
		    "refused with 503 until there is room");
	f->full = true;
}

/* Puts the rows of one page; how many there were, or -1 if one is malformed. */
static long
put_rows(struct feed *f)
{
	int64_t now_s = loop_wall_s(f->loop);
	size_t n = db_rows(&f->query);
	struct revocation r;

	for (size_t i = 0; i < n; i++) {
		if (!read_row(&f->query, i, &f->seq, &r))
			return -1;
		if (revocations_put(f->shared, &r, now_s) == SET_FULL)
			tell_full(f);
	}
	return (long)n;
}

/* All rows were read. */
static void
complete(struct feed *f)
{
	struct shared_control *control = f->shared->control;
	bool sure = true;

	atomic_store(&control->feed_seq, f->seq);
	if (f->whole)
		f->comings = f->reading_over;
	if (f->doubt != 0 && (sure = set_mark_sure(f->shared->revocations, f->doubt))) {
		log_notice("all revocations in force are known");
		f->full = false;
	}
	if (sure && set_doubt(f->shared->revocations) == 0)
		atomic_store(&control->feed_known_ms, f->began_ms);
	if (f->failing)
		log_notice("the feed of revocations goes on");
	f->reading = f->failing = false;
	f->tried = true;
	f->due_ms = loop_now_ms(f->loop) + READ_MS;
}

static void
fail(struct feed *f, const char *why)
{
	if (!f->failing)
		log_error("the revocations can't be read: %s; trying on", why);
	f->failing = true;
	f->reading = false;
	f->tried = true;
	f->due_ms = loop_now_ms(f->loop) + RETRY_MS;
}

/* Goes on with a reading; false while an answer is to come. */
static bool
go_on(struct feed *f)
{
	switch (db_run(f->db, &f->query)) {
	case RUN_WAIT:
		return false;
	case RUN_FAIL:
		fail(f, f->query.outcome == DB_REFUSED ? f->query.sqlstate :
		    "the database does not answer");
		db_end(&f->query);
		return true;
	case RUN_DONE:
		break;
	}
	if (f->reading_over == 0)
		f->reading_over = db_comings(f->db);
	long n = put_rows(f);
	db_end(&f->query);
	if (n < 0)
		fail(f, "a row is malformed");
	else if (n < PAGE_ROWS)
		complete(f);
	else
		ask(f);
	return true;
}

static bool
is_due(const struct feed *f)
{
	bool doubtful = set_doubt(f->shared->revocations) != 0;
	bool early = loop_now_ms(f->loop) < f->due_ms;

	/* a set that is full stays in doubt: no use in reading it all again at once */
	return f->news || !early || (doubtful && !f->full && !f->failing);
}

static void
run(struct loop *loop, struct task *task)
{
	struct feed *f = (struct feed *)((char *)task - offsetof(struct feed, task));

	if (!f->reading && is_due(f)) {
		begin(f);
		ask(f);
	}
	while (f->reading && go_on(f))
		continue;
	task_deadline(loop, task, loop_now_ms(loop) + (f->news ? 1 : LOOK_MS));
}

/* Numbers of another database mean nothing here. */
static void
take_up(const struct shared *shared, const struct config_database *database)
{
	static const uint8_t key[HASH_KEY_SIZE] = "feed of a source";
	uint64_t source = 1;

	for (size_t i = 0; database->keywords[i] != NULL; i++)
		if (strcmp(database->keywords[i], "password") != 0)
			source = hash_mix64(source ^ hash_bytes(database->values[i],
			    strlen(database->values[i]), key));
	if (atomic_exchange(&shared->control->feed_source, source) != source)
		set_mark_unsure(shared->revocations);
}

struct feed *
feed_new(struct loop *loop, const struct config *config, const struct shared *shared,
    struct db *db)
{
	struct feed *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->loop = loop;
	f->shared = shared;
	f->db = db;
	take_up(shared, config->database);
	task_init(&f->task, run);
	feed_wake(f);
	return f;
}

void
feed_wake(struct feed *f)
{
	f->news = true;
	task_wake(f->loop, &f->task);
}

bool
feed_tried(const struct feed *f)
{
	return f->tried;
}

void
feed_free(struct feed **feed)
{
	struct feed *f = *feed;

	*feed = NULL;
	if (f == NULL)
		return;
	db_end(&f->query);
	task_end(f->loop, &f->task);
	free(f);
}
