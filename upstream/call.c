#include "upstream/call.h"

#include <errno.h>

#include "gateway/base/must.h"

#define INTERIM_MAX	16
#define READ_LAST	((uint64_t)16 * 1024)	/* of a body that is poured */

void
call_begin(struct call *c, struct upstream *u, struct task *task, enum method method, uint64_t key,
    struct head_limits limits, struct field *fields)
{
	*c = (struct call){ .loop = u->loop, .upstream = u, .task = task, .method = method,
		.key = key, .limits = limits, .fields = fields,
		.retries_left = u->config->retries };
	out_init(&c->out);
}

static enum run
fail(struct call *c, enum call_error error)
{
	c->error = error;
	return RUN_FAIL;
}

void
call_touch(struct call *c)
{
	c->deadline_ms = loop_now_ms(c->loop) + c->upstream->config->read_timeout_ms;
}

static void
drop(struct call *c)
{
	if (c->conn != NULL) {
		upstream_leave(c->server);
		conn_close(c->conn);
	}
	c->conn = NULL;
	c->state = CALL_NEW;
}

/* Begins with a server: true if there is a connection, ready or on its way. */
static bool
begin(struct call *c)
{
	c->conn = c->fresh ? NULL : conn_lease(c->server, c->task);
	if (c->conn != NULL) {
		c->state = CALL_OPEN;
		call_touch(c);
	} else if ((c->conn = conn_connect(c->server, c->task)) != NULL) {
		c->state = CALL_CONNECTING;
		c->deadline_ms = loop_now_ms(c->loop) + c->upstream->config->connect_timeout_ms;
	} else {
		return false;
	}
	upstream_enter(c->server);
	return true;
}

/* True if we could not even try: no descriptor, port or memory left. */
static bool
is_our_own_lack(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	    error == EADDRNOTAVAIL;
}

/* The server under way can't be reached: on to another, if one is left. */
static enum run
give_up_server(struct call *c, enum call_error error)
{
	upstream_report(c->server, false);
	drop(c);
	c->tried |= upstream_bit(c->upstream, c->server);
	if (c->retries_left == 0)
		return fail(c, error);
	c->retries_left--;
	struct server *next = upstream_choose(c->upstream, c->tried, c->key);
	if (next == NULL)
		return fail(c, error);	/* c->server stays the one that was tried last */
	c->server = next;
	return RUN_WAIT;
}

static enum run
go_on_connecting(struct call *c)
{
	struct watch *w = &c->conn->wire.watch;

	if (w->ready & (READY_WRITE | READY_HANGUP)) {
		if (conn_error(c->conn) != 0)
			return give_up_server(c, CALL_NOT_CONNECTED);
		c->state = CALL_OPEN;
		call_touch(c);
		return RUN_DONE;
	}
	if (loop_now_ms(c->loop) >= c->deadline_ms)
		return give_up_server(c, CALL_CONNECT_TIMEOUT);
	return RUN_WAIT;
}

enum run
call_open(struct call *c)
{
	if (c->server == NULL &&
	    (c->server = upstream_choose(c->upstream, c->tried, c->key)) == NULL)
		return fail(c, CALL_NO_SERVER);
	for (;;) {
		enum run run;

		switch (c->state) {
		case CALL_NEW:
			if (begin(c))
				continue;
			if (is_our_own_lack(errno))
				return fail(c, CALL_NOT_CONNECTED);
			if (give_up_server(c, CALL_NOT_CONNECTED) == RUN_FAIL)
				return RUN_FAIL;
			continue;
		case CALL_CONNECTING:
			run = go_on_connecting(c);
			if (run == RUN_WAIT && c->state == CALL_NEW)
				continue;	/* with the next server */
			return run;
		case CALL_OPEN:
			return RUN_DONE;
		case CALL_ENDED:
			must(c->state != CALL_ENDED);
		}
	}
}

/* The connection broke while nothing of an answer had come. */
static enum run
fail_unheard(struct call *c, enum call_error error)
{
	/* a kept connection that the server closed just now says nothing about its health */
	if (!(error == CALL_BROKEN && c->conn->reused && !c->heard))
		upstream_report(c->server, false);
	return fail(c, error);
}

enum run
call_flush(struct call *c)
{
	size_t before = c->out.left;
	enum run run = out_flush(&c->out, &c->conn->wire);

	if (c->out.left != before)
		call_touch(c);
	/* a server that answers early and closes is heard before its reset counts */
	if (run == RUN_FAIL)
		return fail(c, CALL_BROKEN);
	return run;
}

/* What a missing byte means at this point. */
static enum run
no_bytes(struct call *c, ssize_t got)
{
	if (got == WIRE_AGAIN) {
		if (loop_now_ms(c->loop) < c->deadline_ms)
			return RUN_WAIT;
		upstream_report(c->server, false);
		return fail(c, CALL_READ_TIMEOUT);
	}
	return fail_unheard(c, c->heard ? CALL_CUT : CALL_BROKEN);
}

static enum run
bad_answer(struct call *c)
{
	upstream_report(c->server, false);
	return fail(c, CALL_BAD_ANSWER);
}

/* A whole head has come: `n` bytes of it. */
static enum run
take_head(struct call *c, size_t n)
{
	struct span bytes = { inbox_bytes(&c->conn->in).p, n };

	if (head_parse_response(&c->head, bytes, &c->limits, c->fields, c->method) != HEAD_FINE)
		return bad_answer(c);
	if (c->head.status == 101 || (c->head.status < 200 && ++c->interim > INTERIM_MAX))
		return bad_answer(c);
	inbox_keep_head(&c->conn->in, n);
	c->scan = (struct head_scan){ 0 };
	if (c->head.status >= 200) {
		body_init(&c->body, c->head.framing, c->head.length);
		if (body_ended(&c->body) && inbox_bytes(&c->conn->in).n > 0)
			return bad_answer(c);
		upstream_report(c->server, true);
	}
	return RUN_DONE;
}

enum run
call_answer(struct call *c)
{
	struct inbox *in = &c->conn->in;

	if (in->head > 0)
		inbox_next(in);		/* an interim answer went before */
	for (;;) {
		size_t end = 0;

		if (in->block != NULL && inbox_bytes(in).n > 0) {
			if (head_scan(&c->scan, inbox_bytes(in), &c->limits, &end) != HEAD_FINE)
				return bad_answer(c);
			if (end > 0)
				return take_head(c, end);
		}
		ssize_t got = inbox_fill(in, &c->conn->wire);
		if (got <= 0)
			return no_bytes(c, got);
		c->heard = true;
		call_touch(c);
	}
}

/* The connection ended while the body was read. */
static enum run
body_without_bytes(struct call *c, ssize_t got)
{
	if (got == WIRE_END && body_close(&c->body))
		return RUN_DONE;
	if (got != WIRE_AGAIN)
		return fail(c, CALL_CUT);
	return loop_now_ms(c->loop) < c->deadline_ms ? RUN_WAIT : fail(c, CALL_READ_TIMEOUT);
}

enum run
call_body(struct call *c, struct span *piece)
{
	struct inbox *in = &c->conn->in;

	*piece = SPAN("");
	for (;;) {
		size_t used;
		enum body_result result = body_next(&c->body, inbox_bytes(in), &used, piece);

		inbox_take(in, used);
		switch (result) {
		case BODY_PIECE:
			c->surplus = body_ended(&c->body) && inbox_bytes(in).n > 0;
			return RUN_DONE;
		case BODY_END:
			c->surplus = inbox_bytes(in).n > 0;
			*piece = SPAN("");
			return RUN_DONE;
		case BODY_BAD:
			return fail(c, CALL_BAD_ANSWER);
		case BODY_MORE:
			break;
		}
		ssize_t got = inbox_fill(in, &c->conn->wire);
		if (got <= 0)
			return body_without_bytes(c, got);
		call_touch(c);
	}
}

uint64_t
call_ahead(const struct call *c)
{
	uint64_t left = inbox_bytes(&c->conn->in).n == 0 ? body_ahead(&c->body) : 0;

	return left > READ_LAST ? left - READ_LAST : 0;
}

enum run
call_pour(struct call *c, struct conduit *conduit)
{
	uint64_t n = call_ahead(c);
	ssize_t got = wire_pour(&c->conn->wire, conduit,
	    n < CONDUIT_SIZE ? (size_t)n : CONDUIT_SIZE);

	if (got <= 0)
		return body_without_bytes(c, got);
	call_touch(c);
	body_skip(&c->body, (uint64_t)got);
	return RUN_DONE;
}

bool
call_answered(const struct call *c)
{
	return c->head.status >= 200 && body_ended(&c->body);
}

bool
call_retry(struct call *c, bool replayable)
{
	bool stale = c->conn != NULL && c->conn->reused && c->error == CALL_BROKEN;

	if (c->heard || !replayable || c->error != CALL_BROKEN)
		return false;
	if (!stale && c->retries_left == 0)
		return false;
	if (!stale) {
		c->retries_left--;
		c->tried |= upstream_bit(c->upstream, c->server);
	}
	struct server *same = c->server;
	drop(c);
	c->server = stale ? same : upstream_choose(c->upstream, c->tried, c->key);
	if (c->server == NULL) {
		c->server = same;
		return false;
	}
	c->fresh = true;
	c->error = CALL_FINE;
	out_init(&c->out);
	return true;
}

/* How long the connection may wait: ours, or less where the server says when it closes. */
static uint64_t
idle_ms(const struct call *c)
{
	uint64_t ours = c->upstream->config->keepalive_timeout_ms;
	uint64_t theirs = c->head.idle_s * 1000;

	if (c->head.idle_s == 0 || c->head.idle_s > 86400)
		return ours;
	theirs = theirs > 1000 ? theirs - 1000 : theirs / 2;
	return theirs < ours ? theirs : ours;
}

void
call_end(struct call *c, bool sent)
{
	if (c->conn != NULL) {
		bool good = c->state == CALL_OPEN && sent && c->error == CALL_FINE && !c->surplus &&
		    c->out.left == 0 && call_answered(c) && c->head.keep_alive;

		upstream_leave(c->server);
		if (good)
			conn_return(c->conn, idle_ms(c));
		else
			conn_close(c->conn);
	}
	c->conn = NULL;
	c->state = CALL_ENDED;
}
