/*
 * One connection (a session) to the database, and what gateway/db's modules know of each other.
 *
 * A session is opened, becomes ready by session_run(), takes queries while it has room, and ends by
 * session_close() or by itself when the connection is lost. A query in flight has a place in the
 * order of sending, since answers come in that order; the place stays when the query is given up.
 */
#ifndef GATEWAY_DB_SESSION_H
#define GATEWAY_DB_SESSION_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "gateway/db/db.h"
#include "gateway/loop/loop.h"
#include "shm/permits.h"

/* Queries under way on one connection; each waits for those before it. */
#define SESSION_FLIGHTS_MAX	32
#define SESSION_WHY_SIZE		300

enum session_state {
	SESSION_NONE,
	SESSION_CONNECTING,
	SESSION_SETTING_UP,	/* session settings, check of the schema, prepared statements */
	SESSION_READY,
	SESSION_LEAVING,		/* takes no more queries, and closes after the last one */
};

struct session_flight {
	struct db_query	*q;		/* NULL: given up, its answer is thrown away */
	uint64_t	 deadline_ms;
};

struct session {
	struct db		*db;
	PGconn			*pg;
	enum session_state		 state;
	struct task		 task;
	struct watch		 watch;
	short			 events;	/* that the watch follows */
	int			 permit;	/* -1: none, or none needed */
	uint64_t		 since_ms;	/* of this state */
	uint64_t		 retry_ms;	/* with SESSION_NONE: not before */
	uint64_t		 pause_ms;	/* the next one after a failure */
	unsigned		 syncs;		/* passed while setting up */
	const char		*listen;	/* channel; NULL: none */
	/* the answer to the first query in flight, as far as it has come */
	PGresult		*result;
	char			 sqlstate[6];
	enum db_outcome		 outcome;
	struct session_flight	 flights[SESSION_FLIGHTS_MAX];	/* a ring */
	unsigned		 first, n_flights;
};

struct db {
	struct loop			*loop;
	const struct config_database	*config;
	const struct shared		*shared;	/* NULL: no permits */
	unsigned			 slot;
	struct task			 task;
	struct grave			 grave;
	struct db_query			*queue, **queue_tail;
	size_t				 n_queue;
	uint64_t			 late_ms;	/* no query in the queue is late before */
	bool				 waits;		/* for a permit, and has said so */
	uint64_t			 lost_ms;	/* when no connection was up any more */
	uint64_t			 random;
	bool				 failed;	/* connecting has, since then */
	bool				 closing;
	uint64_t			 comings;	/* connections that came up */
	struct task			*news;		/* woken by notices */
	unsigned			 n_sessions;
	struct session			 sessions[];
};

/* Begins to connect. False, told, if that fails at once. */
bool session_open(struct session *c);
/* Goes on: reads, writes, gives up what is late. FAIL: it was lost, has told why, and is closed. */
enum run session_run(struct session *c);
/* True if it takes one more query. */
bool session_has_room(const struct session *c);
/* Sends a query. False: the query is as it was, and the connection was lost. */
bool session_send(struct session *c, struct db_query *q);
/* Lets go of a query in flight. */
void session_forget(struct session *c, struct db_query *q);
/* Closes it, politely and without waiting; queries in flight are uncertain. */
void session_close(struct session *c);

/*
 * The process's share of the node's connections (share.c): how many it may have; a permit for one,
 * false if there is none to be had now; and giving it back, which rings who waits.
 */
unsigned share_size(const struct config_database *config, const struct shared *shared,
    unsigned slot);
bool share_take(struct session *c);
void share_give(struct session *c);
/* It is up now; for metrics. */
void share_is_up(const struct session *c);
/* Whether a connection should go, as others need its place or the process is to end. */
bool share_is_wanted(const struct session *c, uint64_t now);
/* Whether the process is to end. */
bool share_is_leaving(const struct db *db);
/* Takes back that a permit is waited for, if nothing is to be sent any more. */
void share_stop_waiting(struct db *db);

/* Gives a query its outcome and wakes who waits. */
void db_settle(struct db_query *q, enum db_outcome outcome);
/* Time for an answer, ms. */
uint64_t db_timeout_ms(const struct db *db);
/* What a connection can't do, once for each time the database goes away. */
void db_tell_trouble(struct db *db, const char *why);

#endif
