#include "gateway/http/origin.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/must.h"

#define LOOK_AGAIN_MS	1000

struct origin *
origin_new(const struct url *url, const char *ca_file, const struct fetch_pool_limits *limits,
    struct fetch_pool_counts *counts, struct trusts *trusts)
{
	size_t size = strlen(ca_file) + 1;
	struct origin *o = calloc(1, sizeof(*o) + size);

	if (o == NULL)
		return NULL;
	o->limits = limits;
	o->counts = counts;
	o->trusts = trusts;
	o->url = *url;
	memcpy(o->ca_file, ca_file, size);
	if (limits->idle > 0 && (o->kept = calloc(limits->idle, sizeof(*o->kept))) == NULL)
		origin_free(&o);
	return o;
}

static void
end_kept(struct origin *o)
{
	while (o->n_kept > 0)
		stream_end(&o->kept[--o->n_kept].stream);
}

static void
forget_trust(struct origin *o)
{
	SSL_SESSION_free(o->trust.session);
	SSL_CTX_free(o->trust.context);
	o->trust = (struct stream_trust){ 0 };
}

void
origin_free(struct origin **o)
{
	if (*o == NULL)
		return;
	must((*o)->in_flight == 0);
	end_kept(*o);
	free((*o)->kept);
	resolve_end(&(*o)->lookup);
	forget_trust(*o);
	free(*o);
	*o = NULL;
}

/* Closes a connection that waited: in good order, if its peer still is. */
static void
drop(struct stream *s)
{
	if (stream_is_quiet(s))
		stream_end(s);
	else
		stream_close(s);
}

bool
origin_lease(struct origin *o, uint64_t now_ms, struct kept *lease)
{
	while (o->n_kept > 0) {
		*lease = o->kept[--o->n_kept];
		if (now_ms < lease->until_ms && stream_is_quiet(&lease->stream)) {
			o->counts->reused++;
			return true;
		}
		drop(&lease->stream);
	}
	return false;
}

/* How long a server keeps it, less what an exchange may take to reach it. */
static uint64_t
their_ms(uint64_t theirs_s)
{
	if (theirs_s == 0 || theirs_s > 86400)
		return UINT64_MAX;
	return theirs_s > 1 ? (theirs_s - 1) * 1000 : 500;
}

void
origin_return(struct origin *o, struct kept *lease, uint64_t theirs_s, uint64_t now_ms)
{
	uint64_t idle_ms = o->limits->idle_ms, old_ms = lease->born_ms + o->limits->life_ms;
	uint64_t theirs_ms = their_ms(theirs_s);

	lease->since_ms = now_ms;
	if (theirs_ms < idle_ms)
		idle_ms = theirs_ms;
	lease->until_ms = now_ms + idle_ms < old_ms ? now_ms + idle_ms : old_ms;
	if (o->n_kept >= o->limits->idle || lease->until_ms <= now_ms ||
	    !stream_is_under(&lease->stream, o->trust.context)) {
		stream_end(&lease->stream);
		return;
	}
	o->kept[o->n_kept++] = *lease;
	lease->stream = STREAM_CLOSED;
}

void
origin_suspect(struct origin *o, uint64_t before_ms)
{
	unsigned left = 0;

	for (unsigned i = 0; i < o->n_kept; i++)
		if (o->kept[i].since_ms >= before_ms)
			o->kept[left++] = o->kept[i];
		else
			drop(&o->kept[i].stream);
	o->n_kept = left;
}

unsigned
origin_tend(struct origin *o, uint64_t now_ms)
{
	unsigned left = 0;

	for (unsigned i = 0; i < o->n_kept; i++) {
		struct kept *k = &o->kept[i];

		if (now_ms < k->until_ms && stream_is_quiet(&k->stream))
			o->kept[left++] = *k;
		else
			drop(&k->stream);
	}
	o->n_kept = left;
	return left;
}

struct stream_trust *
origin_trust(struct origin *o, const char **reason)
{
	SSL_CTX *context = trust_find(o->trusts, o->ca_file, reason);

	if (context == NULL)
		return NULL;
	if (context != o->trust.context) {
		end_kept(o);
		forget_trust(o);
		SSL_CTX_up_ref(context);
		o->trust.context = context;
	}
	return &o->trust;
}

enum run
origin_addresses(const struct origin *o, uint64_t now_ms, struct resolve_answer *answer,
    const char **reason)
{
	if (now_ms >= o->addresses_ms)
		return RUN_WAIT;
	*answer = o->addresses;
	*reason = o->no_address;
	return answer->n > 0 ? RUN_DONE : RUN_FAIL;
}

/* What ended while nobody waited is as old as its beginning, or nothing at all if it failed. */
static bool
is_worth_joining(const struct origin *o, uint64_t now_ms)
{
	struct resolve_answer answer;
	const char *reason;

	if (o->lookup == NULL)
		return false;
	switch (resolve_run(o->lookup, &answer, &reason)) {
	case RUN_WAIT:
		return true;
	case RUN_DONE:
		return now_ms < o->looked_up_ms + o->limits->addresses_ms;
	case RUN_FAIL:
		break;
	}
	return false;
}

struct resolve *
origin_join(struct origin *o, uint64_t now_ms)
{
	if (!is_worth_joining(o, now_ms)) {
		resolve_end(&o->lookup);
		o->lookup = resolve_begin(o->url.host, o->url.port);
		o->looked_up_ms = now_ms;
		o->counts->lookups++;
	}
	return o->lookup == NULL ? NULL : resolve_hold(o->lookup);
}

void
origin_learn(struct origin *o, const struct resolve *lookup, const struct resolve_answer *answer,
    const char *reason, uint64_t now_ms)
{
	if (o->lookup != lookup)
		return;
	resolve_end(&o->lookup);
	o->addresses.n = 0;
	o->no_address = reason;
	o->addresses_ms = now_ms + LOOK_AGAIN_MS;
	if (reason == NULL) {
		o->addresses = *answer;
		o->addresses_ms = o->looked_up_ms + o->limits->addresses_ms;
	}
}

void
origin_set_address(struct origin *o, const struct sockaddr *address, socklen_t len)
{
	must(len <= sizeof(o->addresses.addresses[0].address));
	memcpy(&o->addresses.addresses[0].address, address, len);
	o->addresses.addresses[0].len = len;
	o->addresses.n = 1;
	o->addresses_ms = UINT64_MAX;
}

void
origin_reached(struct origin *o, const struct resolve_address *address)
{
	struct resolve_answer *all = &o->addresses;

	for (size_t i = 1; i < all->n; i++) {
		if (all->addresses[i].len != address->len ||
		    memcmp(&all->addresses[i].address, &address->address, address->len) != 0)
			continue;
		memmove(&all->addresses[1], &all->addresses[0], i * sizeof(*address));
		all->addresses[0] = *address;
		return;
	}
}

void
origin_unreached(struct origin *o)
{
	uint64_t soon_ms = o->looked_up_ms + LOOK_AGAIN_MS;

	if (soon_ms < o->addresses_ms)
		o->addresses_ms = soon_ms;
}
