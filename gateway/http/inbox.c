#include "gateway/http/inbox.h"

#include "gateway/base/must.h"

void
inbox_init(struct inbox *in, struct pool *pool)
{
	*in = (struct inbox){ .pool = pool };
}

void
inbox_fini(struct inbox *in)
{
	pool_return(in->pool, in->block);
	*in = (struct inbox){ .pool = in->pool };
}

struct span
inbox_bytes(const struct inbox *in)
{
	return in->block == NULL ? SPAN("") : span_make(in->block + in->start, in->end - in->start);
}

ssize_t
inbox_fill(struct inbox *in, struct wire *w)
{
	if (in->block == NULL && (in->block = pool_lease(in->pool)) == NULL)
		return WIRE_BROKEN;
	if (in->start == in->end)
		in->start = in->end = in->head;
	if (in->end == in->pool->size)
		return WIRE_AGAIN;
	ssize_t got = wire_read(w, in->block + in->end, in->pool->size - in->end);
	if (got > 0)
		in->end += (size_t)got;
	return got;
}

bool
inbox_is_full(const struct inbox *in)
{
	return in->block != NULL && in->end == in->pool->size && in->start < in->end;
}

void
inbox_keep_head(struct inbox *in, size_t n)
{
	must(in->head == 0 && in->start == 0 && n <= in->end);
	in->head = in->start = n;
}

void
inbox_take(struct inbox *in, size_t n)
{
	must(n <= in->end - in->start);
	in->start += n;
}

void
inbox_next(struct inbox *in)
{
	size_t left = in->end - in->start;

	if (left == 0) {
		inbox_fini(in);
		return;
	}
	memmove(in->block, in->block + in->start, left);
	in->head = in->start = 0;
	in->end = left;
}
