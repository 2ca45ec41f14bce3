#include "gateway/http/reply.h"

#include <stdlib.h>
#include <string.h>

static const struct head_limits limits = {
	.max_head = REPLY_HEAD_MAX,
	.max_fields = REPLY_FIELDS_MAX,
};

static enum reply_state
bad(struct reply *r, const char *reason)
{
	r->reason = reason;
	r->state = REPLY_BAD;
	return r->state;
}

void
reply_init(struct reply *r, size_t body_max)
{
	memset(r, 0, offsetof(struct reply, head));
	r->body_max = body_max;
}

void
reply_fini(struct reply *r)
{
	free(r->body);
	r->body = NULL;
}

/* Makes room for n more bytes of the body. */
static bool
grow(struct reply *r, size_t n)
{
	size_t size = r->body_size == 0 ? 4096 : r->body_size;
	char *more;

	while (size < r->body_n + n)
		size *= 2;
	if (size == r->body_size)
		return true;
	more = realloc(r->body, size);
	if (more == NULL)
		return false;
	r->body = more;
	r->body_size = size;
	return true;
}

static enum reply_state
take_piece(struct reply *r, struct span piece)
{
	if (piece.n > r->body_max - r->body_n)
		return bad(r, "the answer is too large");
	if (!grow(r, piece.n))
		return bad(r, "there is no memory for the answer");
	memcpy(r->body + r->body_n, piece.p, piece.n);
	r->body_n += piece.n;
	return r->state;
}

static enum reply_state
take_body(struct reply *r, struct span in)
{
	struct span piece;
	size_t used;

	while (r->state == REPLY_BODY) {
		switch (body_next(&r->framing, in, &used, &piece)) {
		case BODY_PIECE:
			take_piece(r, piece);
			break;
		case BODY_MORE:
			return r->state;
		case BODY_END:
			r->state = REPLY_WHOLE;
			break;
		case BODY_BAD:
			return bad(r, "the body of the answer is malformed");
		}
		in = span_skip(in, used);
	}
	if (in.n > 0)
		r->reusable = false;
	return r->state;
}

/* Looks at the fields that matter here. */
static enum reply_state
take_fields(struct reply *r, const struct head *h)
{
	for (unsigned i = 0; i < h->n_fields; i++) {
		const struct field *f = &h->fields[i];

		if (span_eq_nocase(f->name, SPAN("location")) && r->location.n > 0)
			return bad(r, "the answer has two locations");
		if (span_eq_nocase(f->name, SPAN("location")))
			r->location = f->value;
		if (span_eq_nocase(f->name, SPAN("content-encoding")) &&
		    !span_eq_nocase(f->value, SPAN("identity")))
			return bad(r, "the answer is compressed");
	}
	return r->state;
}

/* Goes from a whole head of this length to the body, or past an interim answer. */
static enum reply_state
take_head(struct reply *r, size_t length)
{
	struct field fields[REPLY_FIELDS_MAX];
	struct head h;

	if (head_parse_response(&h, span_make(r->head, length), &limits, fields,
	    METHOD_GET) != HEAD_FINE)
		return bad(r, "the head of the answer is malformed");
	r->status = h.status;
	if (h.status == 101 || r->interim == REPLY_INTERIM_MAX)
		return bad(r, "the answer has interim answers that were not asked for");
	if (h.status < 200) {
		r->interim++;
		memmove(r->head, r->head + length, r->head_n - length);
		r->head_n -= length;
		r->scan = (struct head_scan){ 0 };
		return r->state;
	}
	if (h.framing == FRAMING_LENGTH && h.length > r->body_max)
		return bad(r, "the answer is too large");
	if (take_fields(r, &h) == REPLY_BAD)
		return r->state;
	r->reusable = h.minor == 1 && h.keep_alive;
	r->idle_s = h.idle_s;
	body_init(&r->framing, h.framing, h.length);
	r->state = REPLY_BODY;
	return take_body(r, span_make(r->head + length, r->head_n - length));
}

static enum reply_state
take_heads(struct reply *r)
{
	size_t length;

	while (r->state == REPLY_HEAD) {
		if (head_scan(&r->scan, span_make(r->head, r->head_n), &limits,
		    &length) != HEAD_FINE)
			return bad(r, "the head of the answer is malformed");
		if (length == 0)
			break;
		take_head(r, length);
	}
	if (r->state == REPLY_HEAD && r->head_n == sizeof(r->head))
		bad(r, "the head of the answer is too large");
	return r->state;
}

enum reply_state
reply_feed(struct reply *r, struct span bytes)
{
	while (bytes.n > 0 && r->state == REPLY_HEAD) {
		size_t room = sizeof(r->head) - r->head_n;
		size_t some = bytes.n < room ? bytes.n : room;

		memcpy(r->head + r->head_n, bytes.p, some);
		r->head_n += some;
		bytes = span_skip(bytes, some);
		take_heads(r);
	}
	if (r->state == REPLY_BODY)
		return take_body(r, bytes);
	if (bytes.n > 0)
		r->reusable = false;
	return r->state;
}

enum reply_state
reply_eof(struct reply *r)
{
	if (r->state == REPLY_HEAD)
		return bad(r, r->head_n == 0 ? "the server closed without an answer" :
		    "the answer is cut short");
	if (r->state != REPLY_BODY)
		return r->state;
	if (!body_close(&r->framing))
		return bad(r, "the answer is cut short");
	r->state = REPLY_WHOLE;
	return r->state;
}
