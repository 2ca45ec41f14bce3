#include "gateway/access/staleness.h"

#include "gateway/access/inquiry.h"
#include "gateway/base/clock.h"
#include "shm/cache.h"

#define ENDPOINT_STALENESS_S	60	/* max_staleness where there is no route */
#define NEVER			INT64_MAX

/* How old knowledge may be, for this request and this token. */
struct bounds {
	int64_t	hard_s;		/* beyond it the issuer must be asked; 0: always */
	int64_t	stale_s;	/* so much more if it doesn't answer */
};

static struct bounds
bounds_of(const struct request *r, const struct config_issuer *issuer, const struct facts *f)
{
	const struct config_route *route = r->route == NULL ? NULL : r->route->config;
	struct bounds b = { ENDPOINT_STALENESS_S, 0 };

	if (route != NULL)
		b = (struct bounds){ (int64_t)route->max_staleness_s,
			(int64_t)route->stale_if_error_s };
	if (!facts_are_verified(f) && b.hard_s > (int64_t)issuer->introspection.ttl_s)
		b.hard_s = (int64_t)issuer->introspection.ttl_s;
	return b;
}

int64_t
staleness_age_s(const struct request *r, const struct facts *f)
{
	int64_t age_s = loop_wall_s(r->gate->loop) - f->known_s;

	if (f->asked_us != 0) {
		uint64_t now_us = clock_us();
		int64_t ran_s = f->asked_us > now_us ? 0 :
		    (int64_t)((now_us - f->asked_us) / 1000000);
		/* a machine that was suspended is older than it ran */
		return age_s > ran_s + 1 ? age_s : ran_s;
	}
	/* workers' clocks differ by a turn of their loops; one that was set back tells nothing */
	return age_s >= 0 ? age_s : age_s == -1 ? 0 : NEVER;
}

/*
 * True for what was verified here and must not pass before its issuer was asked: it ended the token
 * once, or the cache has no room for its facts, and how long they have been known is known nowhere.
 */
static bool
needs_answer(const struct request *r, const struct facts *f)
{
	return f->asked_us == 0 && (f->size > CACHE_VALUE_MAX ||
	    inquiry_suspects(r->gate->shared, f, loop_wall_s(r->gate->loop)));
}

int64_t
staleness_most_s(const struct request *r, const struct config_issuer *issuer,
    const struct facts *f)
{
	return bounds_of(r, issuer, f).hard_s;
}

bool
staleness_is_fresh(const struct request *r, const struct config_issuer *issuer,
    const struct facts *f)
{
	if (needs_answer(r, f))
		return false;
	return staleness_age_s(r, f) < bounds_of(r, issuer, f).hard_s;
}

bool
staleness_may_do(const struct request *r, const struct config_issuer *issuer,
    const struct facts *f)
{
	struct bounds b = bounds_of(r, issuer, f);

	if (b.stale_s == 0 || needs_answer(r, f) || (facts_are_verified(f) &&
	    inquiry_suspects(r->gate->shared, f, loop_wall_s(r->gate->loop))))
		return false;
	return staleness_age_s(r, f) < b.hard_s + b.stale_s;
}
