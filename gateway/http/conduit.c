#include "gateway/http/conduit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void
conduit_free(struct conduit *c)
{
	close(c->in);
	close(c->out);
	free(c);
}

static struct conduit *
conduit_new(void)
{
	struct conduit *c = calloc(1, sizeof(*c));
	int ends[2];

	if (c == NULL)
		return NULL;
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
		free(c);
		return NULL;
	}
	c->out = ends[0];
	c->in = ends[1];
	/* refused where the user's pipes are large enough in all: then a copy is cheaper */
	if (fcntl(c->in, F_SETPIPE_SZ, (int)CONDUIT_SIZE) < (int)CONDUIT_SIZE) {
		conduit_free(c);
		return NULL;
	}
	return c;
}

struct conduit *
conduit_lease(struct conduits *all)
{
	struct conduit *c = all->free;

	if (c != NULL) {
		all->free = c->next;
		all->n_free--;
	} else if (all->n_leased >= CONDUITS_MAX || (c = conduit_new()) == NULL) {
		return NULL;
	}
	if (++all->n_leased > all->peak)
		all->peak = all->n_leased;
	return c;
}

void
conduit_return(struct conduits *all, struct conduit **conduit)
{
	struct conduit *c = *conduit;

	if (c == NULL)
		return;
	*conduit = NULL;
	all->n_leased--;
	if (c->held > 0) {
		conduit_free(c);
		return;
	}
	c->next = all->free;
	all->free = c;
	all->n_free++;
}

static void
close_free(struct conduits *all)
{
	struct conduit *c = all->free;

	all->free = c->next;
	all->n_free--;
	conduit_free(c);
}

void
conduits_trim(struct conduits *all)
{
	while (all->n_free > 0 && all->n_free + all->n_leased > all->peak)
		close_free(all);
	all->peak = all->n_leased;
}

void
conduits_fini(struct conduits *all)
{
	while (all->n_free > 0)
		close_free(all);
}
