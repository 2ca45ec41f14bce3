/*
 * One exchange with an upstream: a request out, an answer in.
 *
 * The owner pulls: call_open() until there is a connection, then any order of writing the request
 * (call_flush()) and reading the answer (call_answer(), then call_body()). Each says RUN_WAIT,
 * RUN_DONE or RUN_FAIL; after RUN_FAIL `error` tells why, and only call_end() may follow. The
 * server is not trusted: its head is parsed as strictly as a client's, and a body cut short is an
 * error, never an end.
 *
 * While nothing of the answer has come, call_retry() starts anew on another connection or server.
 */
#ifndef UPSTREAM_CALL_H
#define UPSTREAM_CALL_H

#include "gateway/base/want.h"
#include "gateway/http/head.h"
#include "gateway/http/out.h"
#include "upstream/upstream.h"

enum call_error {
	CALL_FINE,
	CALL_NO_SERVER,		/* none is up, or none is left to try */
	CALL_NOT_CONNECTED,	/* refused or unreachable */
	CALL_CONNECT_TIMEOUT,
	CALL_READ_TIMEOUT,
	CALL_BROKEN,		/* closed or reset before an answer */
	CALL_BAD_ANSWER,	/* malformed or ambiguous */
	CALL_CUT,		/* the body ended too early */
};

enum call_state {
	CALL_NEW,		/* no connection */
	CALL_CONNECTING,
	CALL_OPEN,
	CALL_ENDED,
};

struct call {
	struct loop		*loop;
	struct upstream		*upstream;
	struct task		*task;		/* runs when something happens */
	struct server		*server;
	struct conn		*conn;
	enum call_state		 state;
	enum call_error		 error;
	upstream_set		 tried;
	uint64_t		 key;		/* for the policy */
	unsigned		 retries_left;
	bool			 fresh;		/* only a new connection will do */
	bool			 heard;		/* bytes of an answer have come */
	bool			 surplus;	/* bytes follow the end of the answer */
	unsigned		 interim;	/* 1xx answers so far */
	enum method		 method;
	struct head_limits	 limits;
	struct field		*fields;	/* of the answer; the owner's memory */
	struct head_scan	 scan;
	struct head		 head;		/* after call_answer() */
	struct body		 body;
	struct out		 out;		/* the request on its way */
	uint64_t		 deadline_ms;	/* connecting, or the next byte */
};

/*
 * Prepares an exchange; nothing is tried yet. `fields` has room for limits.max_fields and lives
 * as long as the call.
 */
void call_begin(struct call *c, struct upstream *u, struct task *task, enum method method,
    uint64_t key, struct head_limits limits, struct field *fields);
/*
 * Gets a connection: a waiting one, else a new one, trying further servers where one can't be
 * reached.
 */
enum run call_open(struct call *c);
/* Sends what was queued in c->out. */
enum run call_flush(struct call *c);
/*
 * Reads the next head of the answer into c->head. Interim answers (1xx but 101, which is an
 * error) are handed out one by one: call again for the next. After a final one, the body follows.
 */
enum run call_answer(struct call *c);
/*
 * The next piece of the body; RUN_DONE with an empty piece is its end. A piece is valid until the
 * next call.
 */
enum run call_body(struct call *c, struct span *piece);
/*
 * Bytes of the body that call_pour() may take before the next call_body(): 0 for most. The end of a
 * body is always read, so that what follows it is noticed.
 */
uint64_t call_ahead(const struct call *c);
/* As call_body(), but what comes is poured into an empty conduit; never the end. */
enum run call_pour(struct call *c, struct conduit *conduit);
/* True if the answer is complete. */
bool call_answered(const struct call *c);
/*
 * After RUN_FAIL: true if another try is allowed, and then the call is as new. `replayable`: all
 * that was queued can be queued again, and the request may be sent twice.
 */
bool call_retry(struct call *c, bool replayable);
/* The time since the last progress counts anew. */
void call_touch(struct call *c);
/*
 * Ends the exchange in any state; `sent`: the request was written whole, so the connection may
 * serve again.
 */
void call_end(struct call *c, bool sent);

#endif
