/*
 * Connections to one upstream server, kept open between requests.
 *
 * A connection is leased by one exchange at a time. One that is returned in good order waits in
 * its server's list, last in, first out; whatever happens on a waiting connection (the server
 * closes it, or speaks unasked) ends it. A connection on which anything was unclear is closed,
 * never returned.
 */
#ifndef UPSTREAM_CONN_H
#define UPSTREAM_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/pool.h"
#include "gateway/conf/config.h"
#include "gateway/http/inbox.h"
#include "gateway/http/wire.h"
#include "gateway/loop/loop.h"
#include "shm/board.h"

/* One server as a worker sees it. */
struct server {
	const struct config_server	*config;
	const struct config_upstream	*upstream;
	struct loop			*loop;
	struct pool			*blocks;	/* for inboxes */
	struct board_slot		*board;		/* NULL: the board is full */
	int				 worker;	/* our slot */
	struct conn			*idle;		/* waiting connections, latest first */
	unsigned			 n_idle;
	unsigned			 n_leased;
	bool				 retired;	/* the worker drains: keep nothing */
};

struct conn {
	struct wire	 wire;
	struct inbox	 in;
	struct server	*server;
	struct task	 task;		/* watches it while it waits */
	struct conn	*next, *prev;	/* among the waiting */
	bool		 reused;	/* has carried an exchange before */
	struct grave	 grave;
};

/*
 * A waiting connection that still looks alive, whose events now run `task`; NULL if there is
 * none.
 */
struct conn *conn_lease(struct server *s, struct task *task);
/* A new one that is connecting; NULL (errno set) if that failed at once. */
struct conn *conn_connect(struct server *s, struct task *task);
/* After the wire became writable: 0 when connected, else the errno of the failure. */
int conn_error(struct conn *c);
/*
 * Gives a connection back to wait for the next exchange, for at most idle_ms; closes it where it is
 * one too many, holds bytes nobody asked for, or was closed by the server.
 */
void conn_return(struct conn *c, uint64_t idle_ms);
/* Closes a leased connection. */
void conn_close(struct conn *c);
/* Closes all that wait. */
void conn_close_idle(struct server *s);

#endif
