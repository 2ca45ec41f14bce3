#include "gateway/db/session.h"

#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/conf/config.h"
#include "gateway/db/direct.h"
#include "gateway/db/migration.h"

/*
 * Nothing of libpq that may block is called here: PQconnectStartParams gets addresses only, all
 * queries go out in pipeline mode on a non-blocking connection, and PQfinish sends its farewell
 * only if it fits.
 *
 * Setting up is one pipeline: session settings and the version of the schema, a sync, all
 * statements of sql.def, a sync. A query is its statement and a sync, which is its commit; so its
 * outcome is known when the answer to the sync has come, never before.
 *
 * A query that has got no answer at its deadline is given up; the server ends it too, by
 * statement_timeout. If the server does not even say so, the connection is dropped.
 */

#define DROP_AFTER_MS	500	/* beyond the deadline of the first query in flight */
#define CONNECT_MIN_MS	1000
#define NAME_SIZE	24

static const struct {
	const char	*text;
	int		 n_params;
} sql_table[SQL_COUNT] = {
#define SQL(id, params, text)	[SQL_##id] = { text, params },
#include "gateway/db/sql.def"
#undef SQL
};

#define VERSION_COLUMN	"schema_version"
/* a commit that a crash may take back is none, whatever the server thinks of its other users */
static const char set_up_session[] = "SELECT set_config('statement_timeout', $1, false), "
    "set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), "
    "'off'), 'on'), false)";
static const char read_schema[] = "SELECT max(version) AS " VERSION_COLUMN
    " FROM schema_migrations";

static void
statement_name(char name[NAME_SIZE], int statement)
{
	snprintf(name, NAME_SIZE, "gatehouse_%d", statement);
}

static void
ignore_notice(void *argument, const PGresult *result)
{
	(void)argument;
	(void)result;
}

/* Follows what libpq wants next; tells the kernel only if that has changed. */
static bool
follow(struct session *c, short events)
{
	struct want want = { PQsocket(c->pg), events, c->task.deadline_ms };

	/* while connecting, the descriptor may be another one behind the same number */
	if (c->state > SESSION_CONNECTING && c->watch.fd == want.fd && c->events == events)
		return true;
	c->events = events;
	return want.fd >= 0 && loop_want(c->db->loop, &c->watch, &want, &c->task);
}

bool
session_open(struct session *c)
{
	const struct config_database *config = c->db->config;
	uint64_t now = loop_now_ms(c->db->loop), time = config->timeout_ms;
	char why[SESSION_WHY_SIZE];

	c->pg = PQconnectStartParams(config->keywords, config->values, 0);
	c->state = SESSION_CONNECTING;
	c->since_ms = now;
	c->watch = (struct watch){ .fd = -1 };
	c->syncs = 0;
	if (c->pg != NULL && PQstatus(c->pg) != CONNECTION_BAD) {
		PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
		task_deadline(c->db->loop, &c->task,
		    now + (time < CONNECT_MIN_MS ? CONNECT_MIN_MS : time));
		if (follow(c, POLLOUT))
			return true;
	}
	direct_why(c->pg, NULL, why, sizeof(why));
	db_tell_trouble(c->db, why);
	session_close(c);
	return false;
}

/* The nth query in flight, from 0. */
static struct session_flight *
flight_at(struct session *c, unsigned n)
{
	return &c->flights[(c->first + n) % SESSION_FLIGHTS_MAX];
}

static void
clear_answer(struct session *c)
{
	PQclear(c->result);
	c->result = NULL;
	c->outcome = DB_PENDING;
	c->sqlstate[0] = '\0';
}

/* The first query in flight is over. */
static void
land(struct session *c, enum db_outcome outcome)
{
	struct db_query *q = flight_at(c, 0)->q;

	c->first = (c->first + 1) % SESSION_FLIGHTS_MAX;
	c->n_flights--;
	if (q != NULL) {
		if (outcome == DB_DONE) {
			q->result = c->result;
			c->result = NULL;
		}
		memcpy(q->sqlstate, c->sqlstate, sizeof(q->sqlstate));
		q->session = NULL;
		db_settle(q, outcome);
	}
	clear_answer(c);
}

void
session_close(struct session *c)
{
	while (c->n_flights > 0) {
		clear_answer(c);
		land(c, DB_UNCERTAIN);
	}
	clear_answer(c);
	loop_unwatch(c->db->loop, &c->watch);
	PQfinish(c->pg);
	c->pg = NULL;
	c->state = SESSION_NONE;
	task_deadline(c->db->loop, &c->task, 0);
}

bool
session_has_room(const struct session *c)
{
	return c->state == SESSION_READY && c->n_flights < SESSION_FLIGHTS_MAX;
}

void
session_forget(struct session *c, struct db_query *q)
{
	for (unsigned i = 0; i < c->n_flights; i++) {
		struct session_flight *flight = flight_at(c, i);

		if (flight->q == q)
			flight->q = NULL;
	}
	q->session = NULL;
}

static enum run
lose(struct session *c, const char *what)
{
	char why[SESSION_WHY_SIZE];

	if (what != NULL)
		snprintf(why, sizeof(why), "%s", what);
	else
		direct_why(c->pg, NULL, why, sizeof(why));
	db_tell_trouble(c->db, why[0] == '\0' ? "the connection was closed" : why);
	session_close(c);
	return RUN_FAIL;
}

/* Writes what libpq still has to write; false if that failed. */
static bool
flush(struct session *c)
{
	int left = PQflush(c->pg);

	return left >= 0 && follow(c, left > 0 ? POLLIN | POLLOUT : POLLIN);
}

/* When the task has to look at it, whatever comes: something is late, or the server is silent. */
static void
set_deadline(struct session *c)
{
	uint64_t at = 0;

	if (c->state < SESSION_READY)
		return;
	for (unsigned i = 0; i < c->n_flights; i++) {
		const struct session_flight *flight = flight_at(c, i);
		uint64_t late = flight->deadline_ms + (flight->q == NULL ? DROP_AFTER_MS : 0);

		if (at == 0 || late < at)
			at = late;
	}
	task_deadline(c->db->loop, &c->task, at);
}

bool
session_send(struct session *c, struct db_query *q)
{
	const char *values[DB_PARAMS_MAX];
	int lengths[DB_PARAMS_MAX], formats[DB_PARAMS_MAX];
	int n = sql_table[q->statement].n_params;
	char name[NAME_SIZE];

	must(session_has_room(c));
	for (int i = 0; i < n; i++) {
		must(q->params[i].n <= INT32_MAX);
		values[i] = q->params[i].p;
		lengths[i] = (int)q->params[i].n;
		formats[i] = 1;
	}
	statement_name(name, (int)q->statement);
	if (!PQsendQueryPrepared(c->pg, name, n, values, lengths, formats, 1)) {
		lose(c, NULL);
		return false;
	}
	*flight_at(c, c->n_flights++) = (struct session_flight){ q, q->deadline_ms };
	q->session = c;
	/* from here on the query may have been sent, and a loss makes it uncertain */
	if (!PQpipelineSync(c->pg) || !flush(c))
		lose(c, NULL);
	else
		set_deadline(c);
	return true;
}

/* ---- setting up ---- */

static bool
send_text(struct session *c, const char *text, const char *parameter)
{
	return PQsendQueryParams(c->pg, text, parameter != NULL, NULL, &parameter, NULL, NULL, 0);
}

static bool
send_set_up(struct session *c)
{
	char number[32], name[NAME_SIZE], listen[80];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)c->db->config->timeout_ms);
	if (PQsetnonblocking(c->pg, 1) != 0 || !PQenterPipelineMode(c->pg) ||
	    !send_text(c, set_up_session, number) || !send_text(c, read_schema, NULL) ||
	    !PQpipelineSync(c->pg))
		return false;
	for (int i = 0; i < SQL_COUNT; i++) {
		statement_name(name, i);
		if (!PQsendPrepare(c->pg, name, sql_table[i].text, sql_table[i].n_params, NULL))
			return false;
	}
	if (c->listen != NULL) {
		snprintf(listen, sizeof(listen), "LISTEN %s", c->listen);
		if (!send_text(c, listen, NULL))
			return false;
	}
	return PQpipelineSync(c->pg) && flush(c);
}

static enum run
go_on_connecting(struct session *c)
{
	switch (PQconnectPoll(c->pg)) {
	case PGRES_POLLING_READING:
		return follow(c, POLLIN) ? RUN_WAIT : lose(c, NULL);
	case PGRES_POLLING_WRITING:
	case PGRES_POLLING_ACTIVE:
		return follow(c, POLLOUT) ? RUN_WAIT : lose(c, NULL);
	case PGRES_POLLING_OK:
		c->state = SESSION_SETTING_UP;
		return send_set_up(c) ? RUN_WAIT : lose(c, NULL);
	case PGRES_POLLING_FAILED:
		break;
	}
	return lose(c, NULL);
}

/* Compares the version of the schema; false after writing what is wrong with it. */
static bool
check_schema(const PGresult *result, char *why, size_t size)
{
	unsigned newest = migration_table[migration_n - 1].version, version = 0;

	if (PQntuples(result) == 1)
		sscanf(PQgetvalue(result, 0, 0), "%u", &version);
	snprintf(why, size, version < newest ? "its schema is %u and must be %u: run "
	    "`gatehouse migrate`" : "its schema is %u, of a newer gatehouse; this one knows %u",
	    version, newest);
	return version == newest;
}

/* Takes one result while setting up. */
static enum run
take_set_up(struct session *c, const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	char why[SESSION_WHY_SIZE];

	if (status == PGRES_PIPELINE_SYNC) {
		if (++c->syncs < 2)
			return RUN_WAIT;
		c->state = SESSION_READY;
		c->since_ms = loop_now_ms(c->db->loop);
		set_deadline(c);
		return RUN_DONE;
	}
	if (status == PGRES_TUPLES_OK && PQnfields(result) == 1 &&
	    strcmp(PQfname(result, 0), VERSION_COLUMN) == 0)
		return check_schema(result, why, sizeof(why)) ? RUN_WAIT : lose(c, why);
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return RUN_WAIT;
	if (state != NULL && strcmp(state, "42P01") == 0 && c->syncs == 0)
		return lose(c, "it has no schema: run `gatehouse migrate`");
	direct_why(c->pg, result, why, sizeof(why));
	return lose(c, why);
}

/* ---- answers ---- */

/* An error that ends the session says nothing of what has taken effect. */
static bool
is_fatal(const PGresult *result)
{
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	return severity == NULL || strcmp(severity, "ERROR") != 0;
}

static void
take_answer(struct session *c, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (status == PGRES_PIPELINE_SYNC) {
		if (c->n_flights > 0)
			land(c, c->outcome == DB_PENDING ? DB_UNCERTAIN : c->outcome);
	} else if ((status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) &&
	    c->outcome == DB_PENDING) {
		c->outcome = DB_DONE;
		c->result = result;
		return;
	} else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
		c->outcome = is_fatal(result) ? DB_UNCERTAIN : DB_REFUSED;
		snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", state == NULL ? "" : state);
		log_info("the database refuses a statement: %s",
		    PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
	}
	PQclear(result);
}

static void
take_notices(struct session *c)
{
	PGnotify *notice;
	bool any = false;

	while ((notice = PQnotifies(c->pg)) != NULL) {
		PQfreemem(notice);
		any = true;
	}
	if (any && c->db->news != NULL)
		task_wake(c->db->loop, c->db->news);
}

/* Takes all results that have come whole. */
static enum run
take_results(struct session *c)
{
	enum run run = RUN_WAIT;
	bool last_was_null = false;

	while (!PQisBusy(c->pg)) {
		PGresult *result = PQgetResult(c->pg);

		/* one ends each query; another one: there are no queries any more */
		if (result == NULL && (last_was_null || PQstatus(c->pg) == CONNECTION_BAD))
			break;
		last_was_null = result == NULL;
		if (result == NULL)
			continue;
		if (c->state != SESSION_SETTING_UP) {
			take_answer(c, result);
			continue;
		}
		run = take_set_up(c, result);
		PQclear(result);
		if (run == RUN_FAIL)
			return run;
	}
	take_notices(c);
	return run;
}

/* Gives up what is late. True if the server has been silent for so long that it won't answer. */
static bool
give_up_late(struct session *c, uint64_t now)
{
	for (unsigned i = 0; i < c->n_flights; i++) {
		struct session_flight *flight = flight_at(c, i);
		struct db_query *q = flight->q;

		if (q == NULL || now < flight->deadline_ms)
			continue;
		flight->q = NULL;
		q->session = NULL;
		db_settle(q, DB_UNCERTAIN);
	}
	return c->n_flights > 0 && now >= flight_at(c, 0)->deadline_ms + DROP_AFTER_MS;
}

enum run
session_run(struct session *c)
{
	uint64_t now = loop_now_ms(c->db->loop);
	enum run run;

	if (c->state < SESSION_READY && now >= c->task.deadline_ms && c->task.deadline_ms != 0)
		return lose(c, "it does not answer in time");
	if (c->state == SESSION_CONNECTING)
		return go_on_connecting(c);
	bool alive = PQconsumeInput(c->pg) != 0;
	run = take_results(c);
	if (run == RUN_FAIL)
		return run;
	if (!alive || PQstatus(c->pg) == CONNECTION_BAD || !flush(c))
		return lose(c, NULL);
	if (give_up_late(c, now))
		return lose(c, "it does not answer in time");
	set_deadline(c);
	return c->state >= SESSION_READY ? RUN_DONE : RUN_WAIT;
}
