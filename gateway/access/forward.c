/*
 * Forwarding: one pump up (the request to the server) and one down (the answer to the client),
 * run in turn until neither can go on. Each holds at most one piece at a time, which lies where
 * it was read, so the slower side always stops the faster one, and a body of any size passes
 * through the same two buffers. A large answer doesn't even pass through ours: it is poured through
 * a conduit, a pipe of the kernel, which costs half as much.
 *
 * The head of each side travels with the first piece of its body. Once a byte of the answer is on
 * its way to the client there is no refusal any more: an answer that breaks off resets the
 * connection, so that it can't be taken for a whole one.
 */
#include "gateway/access/access.h"
#include "gateway/access/rewrite.h"
#include "gateway/base/clock.h"
#include "gateway/base/must.h"
#include "gateway/http/head.h"
#include "gateway/request/carrier.h"
#include "gateway/request/refuse.h"
#include "shm/hash.h"

#define PIECES_PER_TURN	6	/* of each direction; then other connections come first */
#define POURS_PER_TURN	1	/* a pour may be as large as a conduit */
#define POUR_LEAST	((uint64_t)2 << 20)	/* bytes to come; below, a copy costs less */

enum up_state {
	UP_BODY,		/* reads the client's body */
	UP_LAST,		/* all is queued, the rest is being sent */
	UP_DONE,
	UP_BROKEN,		/* the server takes no more; it may have answered */
};

enum down_state {
	DOWN_HEAD,
	DOWN_BODY,
	DOWN_LAST,		/* all is queued for the client */
};

struct exchange {
	struct call		call;
	struct arena_cleanup	cleanup;
	enum up_state		up;
	enum down_state		down;
	struct conduits		*conduits;	/* of the worker */
	struct conduit		*conduit;	/* of a large answer; NULL: none */
	bool			copies;		/* there was no conduit to be had */
	bool			began;		/* the head is queued */
	bool			client_waited;	/* the client did not take all at once */
	uint64_t		content;	/* bytes of the client's body so far */
};

/* What became of one turn of a pump. */
enum pumped {
	PUMP_WAIT,		/* goes on when something happens */
	PUMP_DONE,
	/* an answer of our own is on its way, or the connection is to be reset */
	PUMP_REFUSED,
	PUMP_RETRY,		/* the call is as new */
};

/* There are servers that don't read a body where they expect none, and take it for a request. */
static bool
may_be_misread(const struct exchange *e)
{
	enum method m = e->call.method;

	return e->content > 0 && (m == METHOD_GET || m == METHOD_HEAD || m == METHOD_DELETE);
}

static void
end_exchange(void *exchange)
{
	struct exchange *e = exchange;

	call_end(&e->call, e->up == UP_DONE && !may_be_misread(e));
	conduit_return(e->conduits, &e->conduit);
}

static struct exchange *
begin_exchange(struct request *r)
{
	struct exchange *e = arena_zalloc(&r->arena, sizeof(*e));

	if (e == NULL)
		return NULL;
	struct span key = r->authenticated ? request_consumer(r) : r->client;
	call_begin(&e->call, r->route->upstream, r->task, r->head.method,
	    hash_bytes(key.p, key.n, r->gate->shared->control->boot_key), r->gate->limits,
	    r->answer_fields);
	e->conduits = &r->gate->conduits;
	arena_defer(&r->arena, &e->cleanup, end_exchange, e);
	r->tally.upstream_start_us = clock_us();
	return e;
}

/* What a failed call is told as. */
static enum step_result
refuse_failure(struct request *r, enum call_error error)
{
	static const struct {
		enum refusal	 refusal;
		const char	*failure;
	} rows[] = {
		[CALL_FINE] = { REFUSE_UPSTREAM_BROKEN, "none" },
		[CALL_NO_SERVER] = { REFUSE_NO_SERVER, "no server is up" },
		[CALL_NOT_CONNECTED] = { REFUSE_UPSTREAM_DOWN, "connection refused" },
		[CALL_CONNECT_TIMEOUT] = { REFUSE_UPSTREAM_CONNECT, "connect timed out" },
		[CALL_READ_TIMEOUT] = { REFUSE_UPSTREAM_TIMEOUT, "read timed out" },
		[CALL_BROKEN] = { REFUSE_UPSTREAM_BROKEN, "closed without an answer" },
		[CALL_BAD_ANSWER] = { REFUSE_UPSTREAM_ANSWER, "malformed answer" },
		[CALL_CUT] = { REFUSE_UPSTREAM_ANSWER, "answer cut short" },
	};

	r->tally.failure = rows[error].failure;
	return refuse_because(r, rows[error].refusal,
	    (struct refuse_more){ .retry_after_s = error == CALL_NO_SERVER ? 1 : 0 });
}

/* An answer that has begun can't be taken back: the client must not take it for whole. */
static enum pumped
break_off(struct request *r, const char *failure)
{
	r->tally.failure = failure;
	r->must_close = r->must_reset = true;
	return PUMP_REFUSED;
}

/*
 * May the request be sent a second time? Nothing of its body may be gone, and twice must be as
 * good as once.
 */
static bool
is_replayable(const struct request *r, const struct exchange *e)
{
	return e->content == 0 && r->head.framing == FRAMING_NONE &&
	    r->head.method != METHOD_POST && r->head.method != METHOD_PATCH;
}

static enum pumped
fail_down(struct request *r, struct exchange *e)
{
	if (call_retry(&e->call, is_replayable(r, e))) {
		e->up = UP_BODY;
		e->began = false;
		return PUMP_RETRY;
	}
	if (!r->carrier->take_back(r))
		return break_off(r, "answer cut short");
	refuse_failure(r, e->call.error);
	return PUMP_REFUSED;
}

/*
 * The server gets no more of the request, but the answer that has begun goes on: a client that is
 * answered early may well stop sending.
 */
static enum pumped
cut_request(struct request *r, struct exchange *e, const char *failure)
{
	r->tally.failure = failure;
	r->must_close = true;
	e->up = UP_BROKEN;
	return PUMP_DONE;
}

/* The client's body is malformed, too slow, or the client is gone. */
static enum pumped
fail_body(struct request *r, struct exchange *e)
{
	if (r->answer_begun)
		return cut_request(r, e, "request cut short");
	refuse_body(r);
	return PUMP_REFUSED;
}

/* Enough for this turn. */
static enum pumped
yield(struct request *r)
{
	task_wake(r->gate->loop, r->task);
	return PUMP_WAIT;
}

/* Queues the next piece of the client's body. */
static enum pumped
take_piece(struct request *r, struct exchange *e)
{
	struct span piece;

	switch (r->carrier->read_body(r, &piece)) {
	case RUN_WAIT:
		return PUMP_WAIT;
	case RUN_FAIL:
		return fail_body(r, e);
	case RUN_DONE:
		break;
	}
	e->content += piece.n;
	if (e->content > r->route->config->max_body) {
		if (r->answer_begun)
			return cut_request(r, e, "request too large");
		r->must_close = true;
		refuse(r, REFUSE_BODY_SIZE);
		return PUMP_REFUSED;
	}
	if (piece.n == 0)
		e->up = UP_LAST;
	if (r->head.framing == FRAMING_CHUNKED)
		out_put_chunk(&e->call.out, piece, piece.n == 0);
	else
		out_put(&e->call.out, piece);
	return PUMP_DONE;
}

static enum pumped
pump_up(struct request *r, struct exchange *e)
{
	enum pumped pumped;

	if (!e->began) {
		struct span head = rewrite_request(r, e->call.server);

		if (head.n == 0) {
			refuse(r, REFUSE_NO_MEMORY);
			return PUMP_REFUSED;
		}
		out_put(&e->call.out, head);
		e->began = true;
		/* the first piece, if it is there, goes out with the head */
		if (take_piece(r, e) == PUMP_REFUSED)
			return PUMP_REFUSED;
	}
	for (unsigned n = 0; e->up != UP_DONE && e->up != UP_BROKEN; n++) {
		switch (call_flush(&e->call)) {
		case RUN_WAIT:
			return PUMP_WAIT;
		case RUN_FAIL:
			e->up = UP_BROKEN;
			return PUMP_DONE;
		case RUN_DONE:
			break;
		}
		if (e->up == UP_LAST) {
			e->up = UP_DONE;
			break;
		}
		if (n == PIECES_PER_TURN)
			return yield(r);
		r->carrier->ask_body(r);
		if ((pumped = take_piece(r, e)) != PUMP_DONE) {
			if (pumped == PUMP_WAIT)
				call_touch(&e->call);	/* it is the client who is slow */
			return pumped;
		}
	}
	return PUMP_DONE;
}

/* Passes an interim answer on to clients that understand it. */
static bool
pass_interim(struct request *r, const struct head *h)
{
	struct answer a = { .status = h->status, .reason = h->reason };

	if (h->status == 100 || r->head.minor == 0)
		return true;
	a.fields = rewrite_answer_fields(r, h);
	if (a.fields.p == NULL)
		return false;
	r->carrier->send_head(r, &a);
	return true;
}

static enum pumped
begin_answer(struct request *r, struct exchange *e)
{
	const struct head *h = &e->call.head;
	const struct field *length = head_find(h, FIELD_CONTENT_LENGTH);

	r->tally.upstream_us = clock_us() - r->tally.upstream_start_us;
	r->answer = (struct answer){ .status = h->status, .reason = h->reason,
		.fields = rewrite_answer_fields(r, h), .framing = h->framing,
		.length = h->length, .has_length = length != NULL && h->framing == FRAMING_NONE };
	if (r->answer.fields.p == NULL) {
		refuse(r, REFUSE_NO_MEMORY);
		return PUMP_REFUSED;
	}
	/*
	 * an answer before the end of the request: what is left of the body is in the way of the
	 * next one
	 */
	r->must_close |= e->up != UP_DONE && !r->body_read;
	r->carrier->send_head(r, &r->answer);
	e->down = DOWN_BODY;
	return r->must_reset ? break_off(r, "out of memory") : PUMP_DONE;
}

/* Sends what is queued for the client. */
static enum pumped
flush_down(struct request *r, struct exchange *e)
{
	switch (r->carrier->flush(r)) {
	case RUN_WAIT:
		e->client_waited = true;
		return PUMP_WAIT;
	case RUN_FAIL:
		return break_off(r, "client gone");
	case RUN_DONE:
		break;
	}
	return PUMP_DONE;
}

/* Reads heads until the final one is there. */
static enum pumped
pump_head(struct request *r, struct exchange *e)
{
	enum pumped pumped;

	for (;;) {
		switch (call_answer(&e->call)) {
		case RUN_WAIT:
			return PUMP_WAIT;
		case RUN_FAIL:
			return fail_down(r, e);
		case RUN_DONE:
			break;
		}
		if (e->call.head.status >= 200)
			return begin_answer(r, e);
		if (!pass_interim(r, &e->call.head)) {
			refuse(r, REFUSE_NO_MEMORY);
			return PUMP_REFUSED;
		}
		/* interim answers to a client that does not read wait too */
		if ((pumped = flush_down(r, e)) != PUMP_DONE)
			return pumped;
	}
}

/*
 * True if what comes next of the answer passes through a conduit. That is begun with only where so
 * much is to come that it pays, and then goes on.
 */
static bool
pours(struct request *r, struct exchange *e)
{
	uint64_t ahead = call_ahead(&e->call);

	if (e->conduit == NULL && !e->copies && ahead >= POUR_LEAST &&
	    r->carrier->takes_conduit(r)) {
		e->conduit = conduit_lease(e->conduits);
		e->copies = e->conduit == NULL;
	}
	return e->conduit != NULL && ahead > 0;
}

/* Queues the next piece of the answer for the client. */
static enum pumped
take_answer(struct request *r, struct exchange *e)
{
	bool poured = pours(r, e);
	struct span piece;

	switch (poured ? call_pour(&e->call, e->conduit) : call_body(&e->call, &piece)) {
	case RUN_WAIT:
		return PUMP_WAIT;
	case RUN_FAIL:
		return fail_down(r, e);
	case RUN_DONE:
		break;
	}
	if (poured) {
		r->carrier->send_conduit(r, e->conduit);
		return PUMP_DONE;
	}
	bool last = call_answered(&e->call);
	r->carrier->send_body(r, piece, last);
	if (last)
		e->down = DOWN_LAST;
	return PUMP_DONE;
}

static enum pumped
pump_down(struct request *r, struct exchange *e)
{
	enum pumped pumped, flushed;

	/* what was left of an interim answer or a piece */
	if ((flushed = flush_down(r, e)) != PUMP_DONE)
		return flushed;
	if (e->client_waited)
		call_touch(&e->call);
	e->client_waited = false;
	if (e->down == DOWN_HEAD && (pumped = pump_head(r, e)) != PUMP_DONE)
		return pumped;
	for (unsigned n = 0; n < (e->conduit != NULL ? POURS_PER_TURN : PIECES_PER_TURN); n++) {
		pumped = e->down == DOWN_LAST ? PUMP_DONE : take_answer(r, e);
		if (pumped == PUMP_REFUSED || pumped == PUMP_RETRY)
			return pumped;
		if ((flushed = flush_down(r, e)) != PUMP_DONE)
			return flushed;
		if (e->down == DOWN_LAST)
			return PUMP_DONE;
		if (pumped == PUMP_WAIT)
			return PUMP_WAIT;
	}
	return yield(r);
}

/* While it is the client who is waited for, the server has no deadline. */
static enum step_result
wait_for_call(struct request *r, const struct exchange *e)
{
	if (!e->client_waited)
		carrier_deadline(r, e->call.deadline_ms);
	return STEP_WAIT;
}

static enum step_result
run_exchange(struct request *r, struct exchange *e)
{
	for (;;) {
		enum run opened = call_open(&e->call);

		if (e->call.server != NULL)
			r->tally.server = e->call.server->config->url;
		switch (opened) {
		case RUN_WAIT:
			return wait_for_call(r, e);
		case RUN_FAIL:
			return refuse_failure(r, e->call.error);
		case RUN_DONE:
			break;
		}
		if (pump_up(r, e) == PUMP_REFUSED)
			return STEP_END;
		switch (pump_down(r, e)) {
		case PUMP_WAIT:
			return wait_for_call(r, e);
		case PUMP_RETRY:
			continue;
		case PUMP_DONE:
		case PUMP_REFUSED:
			return STEP_END;
		}
	}
}

enum step_result
forward(struct request *r)
{
	if (r->exchange == NULL && (r->exchange = begin_exchange(r)) == NULL)
		return refuse(r, REFUSE_NO_MEMORY);
	return run_exchange(r, r->exchange);
}
