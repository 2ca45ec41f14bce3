#include "gateway/request/carrier.h"

#include <poll.h>

#include "gateway/base/clock.h"
#include "gateway/base/text.h"
#include "gateway/request/status.h"

#define HEAD_ROOM	512	/* for the lines of our own */
#define BODY_STEP	1024	/* bytes of a body that are progress */

static struct client *
client_of(const struct request *r)
{
	return r->connection;
}

void
carrier_deadline(struct request *r, uint64_t deadline_ms)
{
	if (r->deadline_ms == 0 || deadline_ms < r->deadline_ms)
		r->deadline_ms = deadline_ms;
}

void
carrier_begin(struct client *c, size_t n)
{
	const struct head *h = &c->request->head;

	out_init(&c->out);
	c->discarded = 0;
	c->read_since_ms = 0;
	c->trickled = 0;
	c->write_since_ms = loop_now_ms(c->gate->loop);
	if (n > 0) {
		inbox_keep_head(&c->in, n);
		body_init(&c->body, h->framing, h->length);
		c->request->body_read = body_ended(&c->body);
		c->asked = !h->expects_100;
	}
}

/* No more bytes of the body now: what to do? */
static enum run
wait_for_body(struct request *r, ssize_t got)
{
	struct client *c = client_of(r);
	uint64_t now_ms = loop_now_ms(c->gate->loop);

	if (c->read_since_ms == 0)
		c->read_since_ms = now_ms;
	uint64_t deadline_ms = c->read_since_ms + c->gate->config->client.body_timeout_ms;
	if (got != WIRE_AGAIN || now_ms >= deadline_ms)
		return RUN_FAIL;
	carrier_deadline(r, deadline_ms);
	return RUN_WAIT;
}

/*
 * n bytes of the body have come. Who sends a byte now and then is as late as who sends none, and
 * for a body that is only read past there is one wait in all.
 */
static void
note_progress(struct client *c, size_t n)
{
	c->asked = true;
	c->trickled += n;
	if (c->trickled < BODY_STEP || c->request->phase == REQUEST_ENDED)
		return;
	c->trickled = 0;
	c->read_since_ms = 0;
}

static enum run
read_body(struct request *r, struct span *piece)
{
	struct client *c = client_of(r);

	*piece = SPAN("");
	for (;;) {
		size_t used;
		enum body_result result = body_next(&c->body, inbox_bytes(&c->in), &used, piece);

		inbox_take(&c->in, used);
		switch (result) {
		case BODY_PIECE:
			r->tally.bytes_in += piece->n;
			note_progress(c, piece->n);
			return RUN_DONE;
		case BODY_END:
			r->body_read = true;
			*piece = SPAN("");
			return RUN_DONE;
		case BODY_BAD:
			r->must_close = true;
			return RUN_FAIL;
		case BODY_MORE:
			break;
		}
		ssize_t got = inbox_fill(&c->in, &c->wire);
		if (got <= 0)
			return wait_for_body(r, got);
	}
}

/* Decodes what is in the inbox, from a copy of the decoder's state. */
static enum body_result
decode_ahead(const struct client *c, struct text *t)
{
	struct span rest = inbox_bytes(&c->in), piece;
	struct body ahead = c->body;
	enum body_result result;
	size_t used;

	while ((result = body_next(&ahead, rest, &used, &piece)) == BODY_PIECE && !t->cut) {
		rest = span_skip(rest, used);
		if (piece.n > t->size - t->n) {
			piece.n = t->size - t->n;
			text_put(t, piece);
			t->cut = true;
		} else {
			text_put(t, piece);
		}
	}
	return result;
}

static enum run
peek_body(struct request *r, struct text *t)
{
	struct client *c = client_of(r);

	for (;;) {
		t->n = 0;
		t->cut = false;
		switch (decode_ahead(c, t)) {
		case BODY_PIECE:
		case BODY_END:
			return RUN_DONE;
		case BODY_BAD:
			r->must_close = true;
			return RUN_FAIL;
		case BODY_MORE:
			break;
		}
		if (inbox_is_full(&c->in))
			return RUN_DONE;
		ssize_t got = inbox_fill(&c->in, &c->wire);
		if (got <= 0)
			return wait_for_body(r, got);
		note_progress(c, (size_t)got);
	}
}

static void
ask_body(struct request *r)
{
	struct client *c = client_of(r);

	if (c->asked || r->answer_begun)
		return;
	c->asked = true;
	c->read_since_ms = 0;
	out_put(&c->out, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
}

/*
 * True if the rest of the request's body is so large, or so uncertain, that the connection can't
 * go on.
 */
static bool
body_is_in_the_way(const struct client *c)
{
	if (body_ended(&c->body))
		return false;
	if (!c->asked)
		return true;	/* the client may send the body, or not */
	return c->body.framing != FRAMING_LENGTH || c->body.left > (uint64_t)64 * 1024;
}

/* How the body of the answer is framed for this client. */
static enum framing
choose_framing(const struct request *r, const struct answer *a)
{
	if (a->status < 200 || a->status == 204 || a->status == 304 ||
	    r->head.method == METHOD_HEAD || a->framing == FRAMING_NONE)
		return FRAMING_NONE;
	if (a->framing == FRAMING_LENGTH)
		return FRAMING_LENGTH;
	return r->head.minor == 1 ? FRAMING_CHUNKED : FRAMING_CLOSE;
}

static void
put_status_line(struct text *t, const struct answer *a)
{
	text_put(t, SPAN("HTTP/1.1 "));
	text_u64(t, a->status);
	text_char(t, ' ');
	text_put(t, a->reason.n > 0 ? a->reason : status_reason(a->status));
	text_put(t, SPAN("\r\n"));
}

static void
put_framing(struct text *t, const struct request *r, const struct answer *a, enum framing framing)
{
	bool has_length = framing == FRAMING_LENGTH || a->has_length ||
	    (r->head.method == METHOD_HEAD && a->framing == FRAMING_LENGTH);

	if (framing == FRAMING_CHUNKED) {
		text_put(t, SPAN("Transfer-Encoding: chunked\r\n"));
	} else if (has_length && a->status != 204) {
		text_put(t, SPAN("Content-Length: "));
		text_u64(t, a->length);
		text_put(t, SPAN("\r\n"));
	}
}

/* The lines that every final answer has: whose it is, and what becomes of the connection. */
static void
put_closing_lines(struct text *t, const struct request *r)
{
	text_put(t, SPAN("X-Request-ID: "));
	text_put(t, span_make(r->id, sizeof(r->id)));
	if (r->must_close)
		text_put(t, SPAN("\r\nConnection: close"));
	else if (r->head.minor == 0)
		text_put(t, SPAN("\r\nConnection: keep-alive"));
	text_put(t, SPAN("\r\n\r\n"));
}

static void
send_head(struct request *r, const struct answer *a)
{
	struct client *c = client_of(r);
	size_t room = HEAD_ROOM + a->fields.n + a->reason.n;
	char *memory = arena_alloc(&r->arena, room);
	bool final = a->status >= 200;

	if (final) {
		c->framing = choose_framing(r, a);
		r->must_close |= !r->head.keep_alive || c->gate->draining ||
		    c->framing == FRAMING_CLOSE || body_is_in_the_way(c);
		r->answer_begun = true;
		c->alone = c->out.left == 0;
		c->sent_before = c->out.sent;
		r->tally.status = a->status;
		c->write_since_ms = loop_now_ms(c->gate->loop);
	}
	if (memory == NULL) {
		/* an interim answer may be left out */
		r->must_close |= final;
		r->must_reset |= final;
		return;
	}
	struct text t = { memory, 0, room, false };
	put_status_line(&t, a);
	text_put(&t, a->fields);
	if (final) {
		put_framing(&t, r, a, c->framing);
		put_closing_lines(&t, r);
	} else {
		text_put(&t, SPAN("\r\n"));
	}
	out_put(&c->out, text_span(&t));
}

static void
send_body(struct request *r, struct span piece, bool last)
{
	struct client *c = client_of(r);

	if (c->framing == FRAMING_NONE)
		return;
	r->tally.bytes_out += piece.n;
	if (c->framing == FRAMING_CHUNKED)
		out_put_chunk(&c->out, piece, last);
	else
		out_put(&c->out, piece);
}

static bool
takes_conduit(const struct request *r)
{
	return client_of(r)->framing == FRAMING_LENGTH;
}

static void
send_conduit(struct request *r, struct conduit *conduit)
{
	r->tally.bytes_out += conduit->held;
	out_put_conduit(&client_of(r)->out, conduit);
}

static bool
take_back(struct request *r)
{
	struct client *c = client_of(r);

	if (!r->answer_begun)
		return true;
	if (!c->alone || c->out.sent != c->sent_before || r->must_reset)
		return false;
	out_init(&c->out);
	r->answer_begun = false;
	r->tally.bytes_out = 0;
	return true;
}

static enum run
flush(struct request *r)
{
	struct client *c = client_of(r);
	size_t before = c->out.left;

	if (r->must_reset) {
		out_init(&c->out);
		return RUN_DONE;
	}
	enum run run = out_flush(&c->out, &c->wire);
	if (run != RUN_WAIT)
		return run;
	uint64_t now_ms = loop_now_ms(c->gate->loop);
	if (c->out.left != before)
		c->write_since_ms = now_ms;
	uint64_t deadline_ms = c->write_since_ms + c->gate->config->client.send_timeout_ms;
	if (now_ms >= deadline_ms)
		return RUN_FAIL;
	carrier_deadline(r, deadline_ms);
	return RUN_WAIT;
}

static bool
body_is_late(const struct request *r)
{
	const struct client *c = client_of(r);

	return c->body.state != BODY_BROKEN && c->read_since_ms != 0 &&
	    loop_now_ms(c->gate->loop) >=
	    c->read_since_ms + c->gate->config->client.body_timeout_ms;
}

/*
 * A client that only shut its sending side still reads; one whose connection is reset does not.
 * Reading would not tell: the error of a reset is told only once, and behind what came before.
 */
static bool
is_gone(const struct request *r)
{
	const struct client *c = client_of(r);
	struct pollfd p = { c->wire.watch.fd, 0, 0 };

	if (!(c->wire.watch.ready & READY_HANGUP))
		return false;
	return poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0;
}

const struct carrier http1_carrier = {
	.read_body = read_body,
	.peek_body = peek_body,
	.ask_body = ask_body,
	.send_head = send_head,
	.send_body = send_body,
	.takes_conduit = takes_conduit,
	.send_conduit = send_conduit,
	.take_back = take_back,
	.flush = flush,
	.body_is_late = body_is_late,
	.is_gone = is_gone,
};
