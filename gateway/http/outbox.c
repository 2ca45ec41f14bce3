#include "gateway/http/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/must.h"
#include "gateway/http/wire.h"
#include "gateway/loop/ring.h"

#define LETTERS_MAX	256
#define PAPER_SIZE	((size_t)256 * 1024)

struct letter {
	struct wire	*wire;		/* NULL: taken back */
	struct span	 bytes;
};

struct outbox {
	struct loop	*loop;
	struct turn_end	 turn_end;
	struct ring	*ring;
	unsigned	 n;
	size_t		 used;		/* of the paper */
	struct letter	 letters[LETTERS_MAX];
	int		 results[LETTERS_MAX];
	char		 paper[PAPER_SIZE];
};

static void
end_turn(struct loop *loop, void *outbox)
{
	(void)loop;
	outbox_send(outbox);
}

struct outbox *
outbox_new(struct loop *loop)
{
	struct outbox *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->loop = loop;
	if ((o->ring = ring_new(LETTERS_MAX)) == NULL) {
		int error = errno;

		free(o);
		errno = error;
		return NULL;
	}
	loop_at_turn_end(loop, &o->turn_end, end_turn, o);
	loop_set_outbox(loop, o);
	return o;
}

void
outbox_free(struct outbox **o)
{
	if (*o == NULL)
		return;
	loop_set_outbox((*o)->loop, NULL);
	ring_free(&(*o)->ring);
	free(*o);
	*o = NULL;
}

unsigned
outbox_post(struct outbox *o, struct wire *w, const struct iovec *iov, int n_iov, size_t n)
{
	char *at;

	must(n <= LETTER_MAX);
	if (o->n == LETTERS_MAX || n > sizeof(o->paper) - o->used)
		outbox_send(o);
	at = o->paper + o->used;
	o->letters[o->n++] = (struct letter){ w, { at, n } };
	for (int i = 0; i < n_iov; i++) {
		memcpy(at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	o->used += n;
	return o->n;
}

struct span
outbox_take(struct outbox *o, unsigned letter)
{
	must(letter > 0 && letter <= o->n && o->letters[letter - 1].wire != NULL);
	o->letters[letter - 1].wire = NULL;
	return o->letters[letter - 1].bytes;
}

/* Closes the gaps that letters taken back have left. */
static void
close_gaps(struct outbox *o)
{
	unsigned n = 0;

	for (unsigned i = 0; i < o->n; i++)
		if (o->letters[i].wire != NULL)
			o->letters[n++] = o->letters[i];
	o->n = n;
}

void
outbox_send(struct outbox *o)
{
	close_gaps(o);
	for (unsigned i = 0; i < o->n; i++)
		ring_send(o->ring, o->letters[i].wire->watch.fd, o->letters[i].bytes.p,
		    o->letters[i].bytes.n);
	if (o->n > 0)
		ring_run(o->ring, o->results);
	for (unsigned i = 0; i < o->n; i++)
		wire_posted(o->letters[i].wire, o->letters[i].bytes, o->results[i]);
	o->n = 0;
	o->used = 0;
}
