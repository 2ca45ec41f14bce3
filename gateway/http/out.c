#include "gateway/http/out.h"

#include "gateway/base/must.h"
#include "gateway/base/text.h"

void
out_init(struct out *o)
{
	o->n = o->at = 0;
	o->left = 0;
	o->conduit = NULL;
	o->sent = 0;
}

void
out_put(struct out *o, struct span s)
{
	if (s.n == 0)
		return;
	if (o->left == 0)
		o->n = o->at = 0;
	must(o->n < OUT_SPANS && o->conduit == NULL);
	o->iov[o->n++] = (struct iovec){ (void *)(uintptr_t)s.p, s.n };
	o->left += s.n;
}

void
out_put_chunk(struct out *o, struct span piece, bool last)
{
	if (piece.n > 0) {
		struct text size = TEXT_OVER(o->chunk);

		text_hex(&size, piece.n);
		text_put(&size, SPAN("\r\n"));
		out_put(o, text_span(&size));
		out_put(o, piece);
		out_put(o, last ? SPAN("\r\n0\r\n\r\n") : SPAN("\r\n"));
	} else if (last) {
		out_put(o, SPAN("0\r\n\r\n"));
	}
}

void
out_put_conduit(struct out *o, struct conduit *c)
{
	if (o->left == 0)
		o->n = o->at = 0;
	must(o->conduit == NULL && c->held > 0);
	o->conduit = c;
	o->left += c->held;
}

/* Steps over n bytes that have been sent. */
static void
advance(struct out *o, size_t n)
{
	o->left -= n;
	o->sent += n;
	while (n > 0) {
		struct iovec *first = &o->iov[o->at];
		size_t step = n < first->iov_len ? n : first->iov_len;

		first->iov_base = (char *)first->iov_base + step;
		first->iov_len -= step;
		n -= step;
		o->at += first->iov_len == 0;
	}
}

enum run
out_flush(struct out *o, struct wire *w)
{
	while (o->left > 0) {
		bool spans = o->at < o->n;
		ssize_t put = spans ? wire_write(w, o->iov + o->at, (int)(o->n - o->at))
		    : wire_drain(w, o->conduit);

		if (put == WIRE_AGAIN)
			return RUN_WAIT;
		if (put < 0)
			return RUN_FAIL;
		if (spans) {
			advance(o, (size_t)put);
		} else {
			o->left -= (size_t)put;
			o->sent += (size_t)put;
		}
	}
	o->conduit = NULL;
	return RUN_DONE;
}
