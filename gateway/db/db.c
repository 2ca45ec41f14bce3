#include "gateway/db/db.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/conf/config.h"
#include "gateway/db/session.h"

/*
 * A query goes to the ready connection with the fewest queries under way, or waits in the queue.
 * tend() is what happens after every event: queries that are late leave the queue, connections are
 * opened, given away or closed, and what waits is sent.
 */

#define WAIT_MS		50	/* who waits for a permit looks again: a ring may get lost */
#define TEND_MS		500	/* looks around even if nothing happens */
#define PAUSE_MIN_MS	100
#define PAUSE_MAX_MS	5000

void
db_settle(struct db_query *q, enum db_outcome outcome)
{
	q->outcome = outcome;
	if (q->task != NULL)
		task_wake(q->db->loop, q->task);
}

uint64_t
db_timeout_ms(const struct db *db)
{
	return db->config->timeout_ms;
}

void
db_tell_trouble(struct db *db, const char *why)
{
	if (!db->failed && !db->closing)
		log_warn("the database can't be used: %s", why);
	db->failed = true;
}

bool
db_is_up(const struct db *db)
{
	for (unsigned i = 0; i < db->n_sessions; i++)
		if (db->sessions[i].state >= SESSION_READY)
			return true;
	return false;
}

uint64_t
db_comings(const struct db *db)
{
	return db->comings;
}

/* ---- the queue ---- */

static void
enqueue(struct db *db, struct db_query *q)
{
	q->next = NULL;
	q->link = db->queue_tail;
	*db->queue_tail = q;
	db->queue_tail = &q->next;
	if (db->n_queue++ == 0 || q->deadline_ms < db->late_ms)
		db->late_ms = q->deadline_ms;
}

static void
dequeue(struct db *db, struct db_query *q)
{
	*q->link = q->next;
	if (q->next != NULL)
		q->next->link = q->link;
	else
		db->queue_tail = q->link;
	q->link = NULL;
	db->n_queue--;
}

static struct session *
choose(struct db *db)
{
	struct session *best = NULL;

	for (unsigned i = 0; i < db->n_sessions; i++) {
		struct session *c = &db->sessions[i];

		if (session_has_room(c) && (best == NULL || c->n_flights < best->n_flights))
			best = c;
	}
	return best;
}

/* True when it makes no sense to wait for the database. */
static bool
is_away(const struct db *db, uint64_t now)
{
	return db->failed && !db_is_up(db) && now >= db->lost_ms + db->config->timeout_ms;
}

/* Ends the waiting of what is late. */
static void
expire(struct db *db, uint64_t now)
{
	bool away = is_away(db, now);

	if (db->queue == NULL || (!away && now < db->late_ms))
		return;
	db->late_ms = UINT64_MAX;
	for (struct db_query *q = db->queue, *next; q != NULL; q = next) {
		next = q->next;
		if (away || now >= q->deadline_ms) {
			dequeue(db, q);
			db_settle(q, DB_UNAVAILABLE);
		} else if (q->deadline_ms < db->late_ms)
			db->late_ms = q->deadline_ms;
	}
}

/* ---- connections ---- */

static uint64_t
random_below(struct db *db, uint64_t n)
{
	db->random ^= db->random << 13;
	db->random ^= db->random >> 7;
	db->random ^= db->random << 17;
	return db->random % n;
}

/* It is gone: its permit goes back, and the next attempt comes after a pause. */
static void
after_loss(struct session *c)
{
	struct db *db = c->db;
	uint64_t pause = c->pause_ms == 0 ? PAUSE_MIN_MS : c->pause_ms;

	share_give(c);
	c->retry_ms = loop_now_ms(db->loop) + pause / 2 + random_below(db, pause);
	c->pause_ms = pause * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause * 2;
}

/* Sends what waits, as far as there is room. */
static void
dispatch(struct db *db)
{
	struct session *c;

	while (db->queue != NULL && (c = choose(db)) != NULL) {
		struct db_query *q = db->queue;

		dequeue(db, q);
		if (!session_send(c, q))
			enqueue(db, q);
		if (c->state == SESSION_NONE)
			after_loss(c);
	}
}

static void
became_ready(struct session *c)
{
	struct db *db = c->db;

	share_is_up(c);
	c->pause_ms = 0;
	db->comings++;
	if (db->failed)
		log_notice("the database is there again");
	db->failed = false;
	if (c->listen != NULL)
		task_wake(db->loop, db->news);
}

static void
leave(struct session *c)
{
	session_close(c);
	share_give(c);
	c->retry_ms = 0;
}

/* Opens, or lets go of, one connection. */
static void
tend_session(struct session *c, uint64_t now)
{
	struct db *db = c->db;

	if (c->state == SESSION_READY && share_is_wanted(c, now))
		c->state = SESSION_LEAVING;
	if (c->state == SESSION_LEAVING && c->n_flights == 0)
		leave(c);
	if (c->state != SESSION_NONE || now < c->retry_ms ||
	    (share_is_leaving(db) && db->queue == NULL))
		return;
	if (share_take(c) && !session_open(c))
		after_loss(c);
}

/* When the next look around is due. */
static uint64_t
next_look(const struct db *db, uint64_t now)
{
	uint64_t at = now + (db->waits ? WAIT_MS : TEND_MS);

	if (db->queue != NULL && db->late_ms < at)
		at = db->late_ms;
	for (unsigned i = 0; i < db->n_sessions; i++)
		if (db->sessions[i].state == SESSION_NONE && db->sessions[i].retry_ms > now &&
		    db->sessions[i].retry_ms < at)
			at = db->sessions[i].retry_ms;
	return at;
}

static void
tend(struct db *db)
{
	uint64_t now = loop_now_ms(db->loop);

	for (unsigned i = 0; i < db->n_sessions; i++)
		tend_session(&db->sessions[i], now);
	dispatch(db);
	expire(db, now);
	if (db_is_up(db))
		db->lost_ms = now;
	share_stop_waiting(db);
	task_deadline(db->loop, &db->task, next_look(db, now));
}

static void
run_db(struct loop *loop, struct task *task)
{
	(void)loop;
	tend((struct db *)((char *)task - offsetof(struct db, task)));
}

static void
run_session(struct loop *loop, struct task *task)
{
	struct session *c = (struct session *)((char *)task - offsetof(struct session, task));
	enum session_state before = c->state;

	(void)loop;
	if (before == SESSION_NONE)
		return;
	if (session_run(c) == RUN_FAIL)
		after_loss(c);
	else if (before < SESSION_READY && c->state >= SESSION_READY)
		became_ready(c);
	tend(c->db);
}

/* ---- what others call ---- */

struct db *
db_open(struct loop *loop, const struct config_database *config, const struct shared *shared,
    unsigned slot)
{
	unsigned n = share_size(config, shared, slot);
	struct db *db = calloc(1, sizeof(*db) + n * sizeof(db->sessions[0]));

	if (db == NULL)
		return NULL;
	db->loop = loop;
	db->config = config;
	db->shared = shared;
	db->slot = slot;
	db->queue_tail = &db->queue;
	db->lost_ms = loop_now_ms(loop);
	db->random = clock_us() * 2654435761u + (uint64_t)getpid() + 1;
	db->n_sessions = n;
	task_init(&db->task, run_db);
	for (unsigned i = 0; i < n; i++) {
		db->sessions[i].db = db;
		db->sessions[i].permit = -1;
		db->sessions[i].watch.fd = -1;
		task_init(&db->sessions[i].task, run_session);
	}
	task_wake(loop, &db->task);
	return db;
}

static void
dig(void *thing)
{
	free(thing);
}

void
db_close(struct db **db)
{
	struct db *d = *db;

	*db = NULL;
	if (d == NULL)
		return;
	d->closing = true;
	for (unsigned i = 0; i < d->n_sessions; i++) {
		if (d->sessions[i].state != SESSION_NONE)
			session_close(&d->sessions[i]);
		share_give(&d->sessions[i]);
		task_end(d->loop, &d->sessions[i].task);
	}
	while (d->queue != NULL) {
		struct db_query *q = d->queue;

		dequeue(d, q);
		db_settle(q, DB_UNAVAILABLE);
	}
	task_end(d->loop, &d->task);
	loop_bury(d->loop, &d->grave, dig, d);
}

void
db_heard(struct db *db)
{
	if (db != NULL)
		task_wake(db->loop, &db->task);
}

void
db_listen(struct db *db, const char *channel, struct task *task)
{
	must(db->sessions[0].state == SESSION_NONE && db->news == NULL);
	db->sessions[0].listen = channel;
	db->news = task;
}

static enum run
begin(struct db *db, struct db_query *q)
{
	uint64_t now = loop_now_ms(db->loop);
	uint64_t latest = now + db->config->timeout_ms;

	must((unsigned)q->statement < SQL_COUNT);
	q->db = db;
	if (q->deadline_ms == 0 || q->deadline_ms > latest)
		q->deadline_ms = latest;
	if (db->n_queue >= DB_QUEUE_MAX || is_away(db, now)) {
		q->outcome = DB_UNAVAILABLE;
		return RUN_FAIL;
	}
	enqueue(db, q);
	if (choose(db) != NULL)
		dispatch(db);
	else
		task_wake(db->loop, &db->task);
	/* a connection that broke just now tells by the task */
	return RUN_WAIT;
}

enum run
db_run(struct db *db, struct db_query *q)
{
	if (q->db == NULL)
		return begin(db, q);
	switch (q->outcome) {
	case DB_PENDING:
		return RUN_WAIT;
	case DB_DONE:
		return RUN_DONE;
	case DB_UNAVAILABLE:
	case DB_UNCERTAIN:
	case DB_REFUSED:
		return RUN_FAIL;
	}
	return RUN_FAIL;
}

void
db_end(struct db_query *q)
{
	if (q->link != NULL)
		dequeue(q->db, q);
	if (q->session != NULL)
		session_forget(q->session, q);
	PQclear(q->result);
	q->result = NULL;
	q->db = NULL;
	q->outcome = DB_PENDING;
}

size_t
db_rows(const struct db_query *q)
{
	return q->result == NULL ? 0 : (size_t)PQntuples(q->result);
}

struct span
db_value(const struct db_query *q, size_t row, unsigned column)
{
	int r = (int)row, c = (int)column;

	must(q->result != NULL && r < PQntuples(q->result) && c < PQnfields(q->result));
	if (PQgetisnull(q->result, r, c))
		return (struct span){ NULL, 0 };
	return span_make(PQgetvalue(q->result, r, c), (size_t)PQgetlength(q->result, r, c));
}
