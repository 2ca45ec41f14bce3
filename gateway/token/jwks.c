#include "gateway/token/jwks.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/token/jwk.h"

/* Reads the keys of the array into the set, leaving out those that can't be used; false if lost. */
static bool
read_keys(struct alg_tools *tools, const json_t *keys, const char *label, struct jwks *set)
{
	size_t i;
	json_t *members;

	json_array_foreach(keys, i, members) {
		struct jwk *key = &set->keys[set->n];
		const char *why = jwk_parse(tools, members, key);
		if (why == NULL) {
			set->n++;
			continue;
		}
		if (why == jwk_no_memory) {
			jwk_fini(key);
			return false;
		}
		if (label != NULL)
			log_notice("issuer \"%s\": key %zu (kid \"%.*s\") is not used: %s", label,
			    i + 1, (int)key->kid_n, key->kid, why);
		jwk_fini(key);
	}
	return true;
}

/* True if a token could mean either of two keys. */
static bool
is_ambiguous(const struct jwks *set)
{
	for (size_t i = 0; i < set->n; i++)
		for (size_t j = 0; j < i; j++) {
			const struct jwk *a = &set->keys[i], *b = &set->keys[j];
			if (a->has_kid && b->has_kid && (a->algorithms & b->algorithms) != 0 &&
			    span_eq(span_make(a->kid, a->kid_n), span_make(b->kid, b->kid_n)))
				return true;
		}
	return false;
}

static struct jwks *
read_set(struct alg_tools *tools, const json_t *root, const char *label, const char **reason)
{
	const json_t *keys = json_object_get(root, "keys");
	struct jwks *set = NULL;

	if (!json_is_array(keys))
		*reason = "it has no array \"keys\"";
	else if (json_array_size(keys) > JWKS_KEYS_MAX)
		*reason = "it has more than 64 keys";
	else if ((set = calloc(1, sizeof(*set))) == NULL)
		*reason = jwk_no_memory;
	if (set == NULL)
		return NULL;
	/* A set that lacks a key for want of memory must not pass for the whole set. */
	if (!read_keys(tools, keys, label, set))
		*reason = jwk_no_memory;
	else if (is_ambiguous(set))
		*reason = "two of its keys have the same kid";
	if (*reason != NULL)
		jwks_free(&set);
	return set;
}

struct jwks *
jwks_parse(struct alg_tools *tools, struct span bytes, const char *label, const char **reason)
{
	*reason = NULL;
	if (bytes.n > JWKS_MAX) {
		*reason = "it is larger than 256 KiB";
		return NULL;
	}
	/* without memory jansson may go on with strings cut short, so malloc(3) itself is asked */
	errno = 0;
	json_t *root = json_loadb(bytes.p, bytes.n, JSON_REJECT_DUPLICATES, NULL);
	if (errno == ENOMEM || !json_is_object(root)) {
		*reason = errno == ENOMEM ? jwk_no_memory : "it is no JSON object";
		json_decref(root);
		return NULL;
	}
	struct jwks *set = read_set(tools, root, label, reason);
	json_decref(root);
	return set;
}

void
jwks_free(struct jwks **set)
{
	struct jwks *s = *set;
	*set = NULL;
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		jwk_fini(&s->keys[i]);
	free(s);
}
