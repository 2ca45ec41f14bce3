#include "gateway/issuer_keys.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

/* Takes over a copy of the bytes and their parsed form. */
static bool
hold(struct issuer_keys *k, struct span bytes, struct jwks *set)
{
	char *copy = malloc(bytes.n);

	if (copy == NULL)
		return false;
	memcpy(copy, bytes.p, bytes.n);
	free(k->bytes);
	jwks_free(&k->set);
	k->bytes = copy;
	k->n = bytes.n;
	k->set = set;
	return true;
}

/* What an earlier keeper published is where the comparison starts. */
static bool
take_up(struct issuer_keys *k)
{
	char *bytes = malloc(KEYS_BYTES_MAX);
	const char *reason;
	uint64_t generation;
	bool fine = bytes != NULL;
	size_t n = fine ? keys_read(&k->slot, bytes, KEYS_BYTES_MAX, &generation) : 0;

	if (n > 0) {
		struct jwks *set = jwks_parse(k->tools, span_make(bytes, n), NULL, &reason);

		if (set != NULL && !hold(k, span_make(bytes, n), set)) {
			jwks_free(&set);
			fine = false;
		}
	}
	free(bytes);
	return fine;
}

bool
issuer_keys_open(struct issuer_keys *k, const struct config_issuer *issuer, struct keys *keys,
    struct alg_tools *tools)
{
	*k = (struct issuer_keys){ .issuer = issuer, .tools = tools };
	return keys_slot(keys, issuer->id, true, &k->slot) && take_up(k);
}

void
issuer_keys_close(struct issuer_keys *k)
{
	free(k->bytes);
	k->bytes = NULL;
	jwks_free(&k->set);
}

static bool
has(const struct jwks *set, uint64_t fingerprint)
{
	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (set->keys[i].fingerprint == fingerprint)
			return true;
	return false;
}

/* Lists the kids of keys that are in `a` and not in `b`. */
static void
put_difference(struct text *t, const char *what, const struct jwks *a, const struct jwks *b)
{
	const char *before = what;

	for (size_t i = 0; a != NULL && i < a->n; i++) {
		const struct jwk *key = &a->keys[i];

		if (has(b, key->fingerprint))
			continue;
		text_str(t, before);
		if (key->has_kid)
			text_json(t, span_make(key->kid, key->kid_n));
		else
			text_str(t, "one without a kid");
		before = ", ";
	}
}

static void
tell(const struct issuer_keys *k, const struct jwks *fresh)
{
	char line[1024];
	struct text t = TEXT_OVER(line);

	text_u64(&t, fresh->n);
	text_str(&t, fresh->n == 1 ? " key" : " keys");
	put_difference(&t, "; new: ", fresh, k->set);
	put_difference(&t, "; gone: ", k->set, fresh);
	log_notice("issuer \"%s\": %.*s%s", k->issuer->name, SPAN_ARG(text_span(&t)),
	    t.cut ? " ..." : "");
}

static enum issuer_keys_result
refuse(struct jwks *set, const char **reason, const char *why)
{
	jwks_free(&set);
	*reason = why;
	return ISSUER_KEYS_REFUSED;
}

bool
issuer_keys_hold(const struct issuer_keys *k, const char *bytes, size_t n)
{
	return k->bytes != NULL && k->n == n && memcmp(k->bytes, bytes, n) == 0;
}

enum issuer_keys_result
issuer_keys_take(struct issuer_keys *k, struct span bytes, uint64_t now_s, const char **reason)
{
	struct jwks *set;

	if (issuer_keys_hold(k, bytes.p, bytes.n)) {
		if (keys_publish(&k->slot, bytes.p, bytes.n, now_s))
			return ISSUER_KEYS_SAME;
		return refuse(NULL, reason, "its place in shared memory is lost");
	}
	set = jwks_parse(k->tools, bytes, k->issuer->name, reason);
	if (set == NULL)
		return ISSUER_KEYS_REFUSED;
	if (set->n == 0)
		return refuse(set, reason, "it has no usable key");
	if (!keys_publish(&k->slot, bytes.p, bytes.n, now_s))
		return refuse(set, reason, "its place in shared memory is lost");
	tell(k, set);
	if (!hold(k, bytes, set))
		jwks_free(&set);	/* published all the same */
	return ISSUER_KEYS_CHANGED;
}
