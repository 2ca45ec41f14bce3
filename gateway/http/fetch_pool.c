#include "gateway/http/fetch_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/http/origin.h"

#define TEND_MS	1000	/* between two looks at what is kept, at most */

struct fetch_pool {
	struct task			 task;
	struct loop			*loop;		/* NULL: none */
	struct fetch_pool_limits	 limits;
	struct fetch_pool_counts	 counts;
	struct trusts			 trusts;
	struct origin			*origins;	/* the one asked for last is first */
	unsigned			 n_origins;
};

static uint64_t
next_look_ms(const struct fetch_pool *pool)
{
	return loop_now_ms(pool->loop) +
	    (pool->limits.idle_ms < TEND_MS ? pool->limits.idle_ms : TEND_MS);
}

static void
run(struct loop *loop, struct task *task)
{
	struct fetch_pool *pool = (struct fetch_pool *)task;
	unsigned left = fetch_pool_tend(pool, loop_now_ms(loop));

	task_deadline(loop, task, left > 0 ? next_look_ms(pool) : 0);
}

struct fetch_pool *
fetch_pool_new(struct loop *loop, const struct fetch_pool_limits *limits)
{
	struct fetch_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return NULL;
	pool->loop = loop;
	pool->limits = *limits;
	task_init(&pool->task, run);
	return pool;
}

/* Takes the origin behind a link out of the list and frees it. */
static void
remove_origin(struct fetch_pool *pool, struct origin **link)
{
	struct origin *o = *link;

	*link = o->next;
	pool->n_origins--;
	origin_free(&o);
}

void
fetch_pool_free(struct fetch_pool **pool)
{
	if (*pool == NULL)
		return;
	while ((*pool)->origins != NULL)
		remove_origin(*pool, &(*pool)->origins);
	trust_forget(&(*pool)->trusts);
	if ((*pool)->loop != NULL)
		task_end((*pool)->loop, &(*pool)->task);
	free(*pool);
	*pool = NULL;
}

static bool
is_for(const struct origin *o, const struct url *url, const char *ca_file)
{
	return url_same_origin(&o->url, url) && strcmp(o->ca_file, ca_file) == 0;
}

/* Makes room by forgetting the server that was not asked for longest, if one is at rest. */
static bool
make_room(struct fetch_pool *pool)
{
	struct origin **oldest = NULL;

	if (pool->n_origins < FETCH_POOL_SERVERS)
		return true;
	for (struct origin **link = &pool->origins; *link != NULL; link = &(*link)->next)
		if ((*link)->in_flight == 0)
			oldest = link;
	if (oldest == NULL)
		return false;
	remove_origin(pool, oldest);
	return true;
}

/* Finds or makes the origin, and puts it first. */
static struct origin *
origin_for(struct fetch_pool *pool, const struct url *url, const char *ca_file)
{
	struct origin **link = &pool->origins, *o;

	while (*link != NULL && !is_for(*link, url, ca_file))
		link = &(*link)->next;
	if (*link != NULL) {
		o = *link;
		*link = o->next;
	} else {
		errno = EBUSY;
		if (!make_room(pool))
			return NULL;
		errno = ENOMEM;
		o = origin_new(url, ca_file, &pool->limits, &pool->counts, &pool->trusts);
		if (o == NULL)
			return NULL;
		pool->n_origins++;
	}
	o->next = pool->origins;
	pool->origins = o;
	return o;
}

bool
fetch_pool_prepare(struct fetch_pool *pool, const char *url, const char *ca_file,
    const char **reason)
{
	struct origin *o;
	struct url parsed;

	*reason = "the URL is not an absolute http or https URL";
	if (!url_parse(&parsed, span_of(url)))
		return false;
	*reason = "there is no room for another server";
	o = origin_for(pool, &parsed, ca_file == NULL ? "" : ca_file);
	if (o == NULL)
		return false;
	return !parsed.https || origin_trust(o, reason) != NULL;
}

struct origin *
fetch_pool_enter(struct fetch_pool *pool, const struct url *url, const char *ca_file)
{
	struct origin *o = origin_for(pool, url, ca_file);

	if (o != NULL && o->in_flight >= pool->limits.in_flight) {
		errno = EBUSY;
		o = NULL;
	}
	if (o == NULL) {
		pool->counts.refused += errno == EBUSY;
		return NULL;
	}
	o->in_flight++;
	pool->counts.in_flight++;
	return o;
}

void
fetch_pool_leave(struct fetch_pool *pool, struct origin *o)
{
	o->in_flight--;
	pool->counts.in_flight--;
	if (pool->loop != NULL && o->n_kept > 0 && pool->task.deadline_ms == 0)
		task_deadline(pool->loop, &pool->task, next_look_ms(pool));
}

unsigned
fetch_pool_tend(struct fetch_pool *pool, uint64_t now_ms)
{
	unsigned left = 0;

	for (struct origin *o = pool->origins; o != NULL; o = o->next)
		left += origin_tend(o, now_ms);
	return left;
}

const struct fetch_pool_counts *
fetch_pool_counts(struct fetch_pool *pool)
{
	pool->counts.idle = 0;
	for (const struct origin *o = pool->origins; o != NULL; o = o->next)
		pool->counts.idle += o->n_kept;
	return &pool->counts;
}
