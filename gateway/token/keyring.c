#include "gateway/token/keyring.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "gateway/base/log.h"

/* The keys of one issuer as this process has them. */
struct ring_issuer {
	const char		*name;
	uint64_t		 id;
	struct keys_slot	 slot;
	bool			 has_slot;
	uint64_t		 generation;	/* of `set`; 0: none */
	uint64_t		 failed;	/* generation of a bad set, already logged */
	struct jwks		*set;
};

struct keyring {
	struct alg_tools	*tools;
	struct keys		*keys;
	size_t			 n;
	struct ring_issuer	 issuers[];
};

struct keyring *
keyring_open(const struct config *conf, struct keys *keys, struct alg_tools *tools)
{
	struct keyring *ring = calloc(1,
	    sizeof(*ring) + conf->n_issuers * sizeof(ring->issuers[0]));
	if (ring == NULL)
		return NULL;

	ring->tools = tools;
	ring->keys = keys;
	ring->n = conf->n_issuers;
	for (size_t i = 0; i < ring->n; i++) {
		struct ring_issuer *r = &ring->issuers[i];
		r->name = conf->issuers[i].name;
		r->id = conf->issuers[i].id;
		r->has_slot = keys_slot(keys, r->id, true, &r->slot);
		if (!r->has_slot)
			log_warn("issuer \"%s\": there is no room for its keys yet", r->name);
	}
	return ring;
}

void
keyring_close(struct keyring **ring)
{
	struct keyring *r = *ring;
	*ring = NULL;
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n; i++)
		jwks_free(&r->issuers[i].set);
	free(r);
}

uint64_t
keyring_generation(const struct keyring *ring, size_t issuer)
{
	const struct ring_issuer *r = &ring->issuers[issuer];

	return r->has_slot ? keys_generation(&r->slot) : 0;
}

uint64_t
keyring_parsed(const struct keyring *ring, size_t issuer)
{
	return ring->issuers[issuer].generation;
}

/*
 * Reads the shared set anew; whatever goes wrong, the old one is gone: it may hold removed keys.
 * The slot is looked for anew too: there may have been none, or it was given to another issuer.
 */
static void
reload(struct keyring *ring, struct ring_issuer *r)
{
	const char *reason = "there is no memory";
	uint64_t generation = 0;

	jwks_free(&r->set);
	r->generation = 0;
	r->has_slot = keys_slot(ring->keys, r->id, false, &r->slot);
	if (!r->has_slot)
		return;
	char *bytes = malloc(KEYS_BYTES_MAX);
	if (bytes != NULL) {
		size_t n = keys_read(&r->slot, bytes, KEYS_BYTES_MAX, &generation);
		if (n > 0)
			r->set = jwks_parse(ring->tools, span_make(bytes, n), NULL, &reason);
		OPENSSL_cleanse(bytes, n);
		free(bytes);
	}
	if (r->set != NULL) {
		r->generation = generation;
	} else if (generation != 0 && generation != r->failed) {
		r->failed = generation;
		log_error("issuer \"%s\": the key set can't be used: %s", r->name, reason);
	}
}

/* The issuer's current set; NULL if there is none. */
static struct jwks *
current(struct keyring *ring, size_t issuer)
{
	struct ring_issuer *r = &ring->issuers[issuer];

	if (!r->has_slot || keys_generation(&r->slot) != r->generation)
		reload(ring, r);
	return r->set;
}

enum keyring_answer
keyring_find(struct keyring *ring, size_t issuer, struct span kid, const struct alg *alg,
    struct jwk **key)
{
	struct jwks *set = current(ring, issuer);
	enum keyring_answer answer = KEYRING_UNKNOWN;
	size_t fitting = 0;

	*key = NULL;
	if (set == NULL)
		return KEYRING_UNAVAILABLE;
	for (size_t i = 0; i < set->n; i++) {
		struct jwk *candidate = &set->keys[i];
		struct span name = span_make(candidate->kid, candidate->kid_n);
		if (kid.p != NULL && !(candidate->has_kid && span_eq(name, kid)))
			continue;
		if ((candidate->algorithms & ALG_BIT(alg->id)) == 0) {
			answer = kid.p != NULL ? KEYRING_UNFIT : answer;
			continue;
		}
		fitting++;
		*key = candidate;
	}
	/* To try several would let a token without a kid cost as many signatures. */
	return fitting == 1 ? KEYRING_FOUND : answer;
}

bool
keyring_has(struct keyring *ring, size_t issuer, uint64_t fingerprint)
{
	const struct jwks *set = current(ring, issuer);

	for (size_t i = 0; set != NULL && i < set->n; i++)
		if (set->keys[i].fingerprint == fingerprint)
			return true;
	return false;
}
