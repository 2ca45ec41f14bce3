#include "gateway/token/recall.h"

#include <stdlib.h>

#include "gateway/token/alg.h"
#include "gateway/token/digest.h"
#include "gateway/token/jwt.h"
#include "gateway/token/keyring.h"
#include "shm/hash.h"

/*
 * What the two caches hold: struct facts (good) and struct refusal (bad), each under the digest of
 * its token. Both say under which rules and which generation of keys they were found, and
 * recall_find() believes them only as far as those still stand.
 */

#define UNKNOWN_KEPT_S	5		/* that the store has no such token */
#define REFUSAL_KEPT_S	60		/* at most; a bad token is judged anew after that */
/* Changes with struct refusal and, by itself, with the list of verdicts. */
#define REFUSAL_VERSION	(1 << 8 | VERDICT_COUNT)

struct refusal {
	uint32_t	version;
	uint32_t	verdict;
	uint64_t	rules;		/* of all issuers together */
	uint64_t	issuer;		/* id of the one the token names; 0: none */
	uint64_t	generation;	/* of the keys that decided; 0: they did not matter */
	int64_t		from_s;		/* holds from this wall time ... */
	int64_t		until_s;	/* ... until this one */
};

struct recall {
	const struct config	*conf;
	struct alg_tools	*tools;
	struct keyring		*ring;
	struct jwt_checker	*checker;
	struct cache		*good;
	struct cache		*bad;
	uint64_t		 rules;		/* fingerprint of all issuers and their rules */
	_Alignas(16) uint8_t	 copy[CACHE_VALUE_MAX];
};

/* A refusal depends on every issuer: a token of none of them may be one of another conf's. */
static uint64_t
rules_of(const struct config *conf)
{
	uint64_t sum = hash_mix64(conf->n_issuers + 1);

	for (size_t i = 0; i < conf->n_issuers; i++) {
		sum = hash_mix64(sum ^ conf->issuers[i].id);
		sum = hash_mix64(sum ^ conf->issuers[i].rules);
	}
	return sum;
}

struct recall *
recall_open(const struct config *conf, struct cache *good, struct cache *bad, struct keys *keys)
{
	struct recall *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;

	r->conf = conf;
	r->good = good;
	r->bad = bad;
	r->rules = rules_of(conf);
	r->tools = alg_tools_new();
	if (r->tools != NULL)
		r->ring = keyring_open(conf, keys, r->tools);
	if (r->ring != NULL)
		r->checker = jwt_checker_new(conf, r->ring, r->tools);
	if (r->checker == NULL)
		recall_close(&r);
	return r;
}

void
recall_close(struct recall **recall)
{
	struct recall *r = *recall;
	*recall = NULL;
	if (r == NULL)
		return;
	jwt_checker_free(&r->checker);
	keyring_close(&r->ring);
	alg_tools_free(&r->tools);
	free(r);
}

/* Index of the issuer with this id, or JWT_NO_ISSUER. */
static size_t
issuer_of(const struct recall *r, uint64_t id)
{
	for (size_t i = 0; i < r->conf->n_issuers; i++)
		if (r->conf->issuers[i].id == id)
			return i;
	return JWT_NO_ISSUER;
}

/* Looks among the good; false if the facts are not there or not to be believed any more. */
static bool
find_good(struct recall *r, int64_t now_s, struct arena *arena, struct judgement *j)
{
	size_t n = cache_get(r->good, j->digest, (uint64_t)now_s, r->copy, sizeof(r->copy));
	const struct facts *f = n > 0 ? facts_view(r->copy, n) : NULL;
	size_t i = f != NULL ? issuer_of(r, f->issuer) : JWT_NO_ISSUER;

	if (i == JWT_NO_ISSUER || r->conf->issuers[i].rules != f->rules)
		return false;
	/* no key stands behind an opaque token */
	if (f->generation != 0 && keyring_generation(r->ring, i) != f->generation &&
	    !keyring_has(r->ring, i, f->key))
		return false;
	j->issuer = &r->conf->issuers[i];
	j->source = RECALL_CACHE;
	/* The clock may have been set back since. */
	j->verdict = jwt_judge_times(f->exp_s, f->nbf_s, f->iat_s, j->issuer, now_s);
	if (j->verdict != VERDICT_ACTIVE)
		return true;
	void *kept = arena_alloc(arena, n);
	if (kept == NULL) {
		j->verdict = VERDICT_NO_MEMORY;
		return true;
	}
	j->facts = memcpy(kept, f, n);
	return true;
}

/* Looks among the refused. */
static bool
find_bad(struct recall *r, const uint8_t digest[32], int64_t now_s, struct judgement *j)
{
	struct refusal refusal;
	size_t n = cache_get(r->bad, digest, (uint64_t)now_s, &refusal, sizeof(refusal));

	if (n != sizeof(refusal) || refusal.version != REFUSAL_VERSION ||
	    refusal.verdict >= VERDICT_COUNT || refusal.verdict == VERDICT_ACTIVE ||
	    refusal.rules != r->rules || now_s < refusal.from_s || now_s >= refusal.until_s)
		return false;
	size_t i = issuer_of(r, refusal.issuer);
	if (i != JWT_NO_ISSUER) {
		if (refusal.generation != 0 &&
		    keyring_generation(r->ring, i) != refusal.generation)
			return false;
		j->issuer = &r->conf->issuers[i];
	}
	j->source = RECALL_CACHE;
	j->verdict = (enum verdict)refusal.verdict;
	return true;
}

bool
recall_find(struct recall *r, struct span token, int64_t now_wall_s, struct arena *arena,
    struct judgement *j)
{
	*j = (struct judgement){ .verdict = VERDICT_MALFORMED, .source = RECALL_NONE };

	/* A huge token costs nothing: it is not even hashed. */
	if (token.n > jwt_token_max(r->checker)) {
		j->verdict = VERDICT_TOO_LARGE;
		return true;
	}
	digest_sha256(token, j->digest);
	j->ticket = cache_ticket(r->good);
	return find_good(r, now_wall_s, arena, j) || find_bad(r, j->digest, now_wall_s, j);
}

bool
recall_again(struct recall *r, int64_t now_wall_s, struct arena *arena, struct judgement *j)
{
	j->verdict = VERDICT_MALFORMED;
	j->source = RECALL_NONE;
	j->facts = NULL;
	j->issuer = NULL;
	j->ticket = cache_ticket(r->good);
	return find_good(r, now_wall_s, arena, j) || find_bad(r, j->digest, now_wall_s, j);
}

static void
remember_bad(struct recall *r, int64_t now_s, const struct judgement *j,
    const struct jwt_answer *answer)
{
	bool by_keys = j->issuer != NULL &&
	    (j->verdict == VERDICT_BAD_SIGNATURE || j->verdict == VERDICT_ALGORITHM);
	struct refusal refusal = {
		.version = REFUSAL_VERSION,
		.verdict = j->verdict,
		.rules = r->rules,
		.issuer = j->issuer != NULL ? j->issuer->id : 0,
		.generation = by_keys ? keyring_parsed(r->ring, answer->issuer) : 0,
		.from_s = answer->from_s,
		.until_s = answer->until_s,
	};
	int64_t expires_s = now_s + REFUSAL_KEPT_S;

	cache_put(r->bad, j->digest, &refusal, sizeof(refusal), (uint64_t)expires_s,
	    (uint64_t)now_s);
}

static void
remember_good(struct recall *r, int64_t now_s, const struct judgement *j)
{
	/* The cache refuses facts that are too long for it; they are found anew each time. */
	cache_put_if(r->good, j->ticket, j->digest, j->facts, j->facts->size,
	    (uint64_t)j->facts->exp_s, (uint64_t)now_s);
}

/* What was found out about a token goes into the judgement and, where that is right, a cache. */
static void
conclude(struct recall *r, const struct jwt_answer *answer, int64_t now_s, struct judgement *j)
{
	j->facts = answer->facts;
	j->issuer = NULL;
	if (answer->issuer != JWT_NO_ISSUER)
		j->issuer = &r->conf->issuers[answer->issuer];
	if (j->verdict == VERDICT_ACTIVE)
		remember_good(r, now_s, j);
	else if (verdict_keeps(j->verdict))
		remember_bad(r, now_s, j, answer);
}

void
recall_verify(struct recall *r, struct span token, int64_t now_wall_s, struct arena *arena,
    struct judgement *j)
{
	struct jwt_answer answer;

	j->verdict = jwt_check(r->checker, token, now_wall_s, arena, &answer);
	j->source = RECALL_VERIFIED;
	conclude(r, &answer, now_wall_s, j);
}

/* The token service's own issuer. */
static size_t
own_issuer(const struct recall *r)
{
	for (size_t i = 0; i < r->conf->n_issuers; i++)
		if (r->conf->issuers[i].own)
			return i;
	return JWT_NO_ISSUER;
}

void
recall_learn(struct recall *r, char *claims, size_t n, int64_t now_wall_s, struct arena *arena,
    struct judgement *j)
{
	const struct jwt_claims said = { .issuer = own_issuer(r), .text = claims, .n = n };
	struct jwt_answer answer;

	j->verdict = jwt_believe(r->checker, &said, now_wall_s, arena, &answer);
	j->source = RECALL_LOOKED_UP;
	conclude(r, &answer, now_wall_s, j);
}

void
recall_unknown(struct recall *r, int64_t now_wall_s, struct judgement *j)
{
	struct jwt_answer answer = { .issuer = JWT_NO_ISSUER, .from_s = now_wall_s,
		.until_s = now_wall_s + UNKNOWN_KEPT_S };

	j->verdict = VERDICT_UNKNOWN_TOKEN;
	j->source = RECALL_LOOKED_UP;
	conclude(r, &answer, now_wall_s, j);
}

/* The facts of a token that was verified here, with the issuer's word that it is active. */
static enum verdict
renew(const struct recall_answer *answer, struct arena *arena, struct facts **facts)
{
	struct facts *f = arena_alloc(arena, answer->known->size);

	if (f == NULL)
		return VERDICT_NO_MEMORY;
	*facts = memcpy(f, answer->known, answer->known->size);
	return VERDICT_ACTIVE;
}

/* All of an opaque token; of a JWT without jti what its signature is over. */
static struct span
stand_in_of(struct span token)
{
	const char *end = token.p + token.n, *first = memchr(token.p, '.', token.n);
	const char *last = memrchr(token.p, '.', token.n);
	bool three = first != NULL && first != last &&
	    memchr(first + 1, '.', (size_t)(end - first - 1)) == last;

	return three ? span_make(token.p, (size_t)(last - token.p)) : token;
}

/* The facts of a token of which all that is known is what its issuer says. */
static enum verdict
believe(struct recall *r, const struct recall_answer *answer, int64_t now_s, struct arena *arena,
    struct facts **facts)
{
	const struct jwt_claims said = {
		.issuer = (size_t)(answer->issuer - r->conf->issuers),
		.text = answer->text, .n = answer->n,
		.stand_in = stand_in_of(answer->token), .lasts_s = answer->lasts_s,
	};
	struct jwt_answer found;
	enum verdict verdict = jwt_believe(r->checker, &said, now_s, arena, &found);

	*facts = found.facts;
	return verdict;
}

enum verdict
recall_answered(struct recall *r, const struct recall_answer *answer, int64_t now_wall_s,
    struct arena *arena, struct facts **facts)
{
	/* a key stands behind what was verified here */
	bool verified = answer->known != NULL && answer->known->key != 0;
	enum verdict verdict = verified ?
	    jwt_is_active(r->checker, answer->text, answer->n) :
	    believe(r, answer, now_wall_s, arena, facts);

	if (verified && verdict == VERDICT_ACTIVE)
		verdict = renew(answer, arena, facts);
	if (verdict != VERDICT_ACTIVE)
		return verdict;
	(*facts)->known_s = answer->began_s;
	(*facts)->asked_us = answer->began_us;
	return VERDICT_ACTIVE;
}

bool
recall_keep(struct recall *r, uint64_t ticket, const uint8_t digest[32],
    const struct facts *facts, int64_t now_wall_s)
{
	return cache_put_if(r->good, ticket, digest, facts, facts->size, (uint64_t)facts->exp_s,
	    (uint64_t)now_wall_s);
}

void
recall_forget(struct recall *r, const uint8_t digest[32], const struct config_issuer *issuer,
    int64_t now_wall_s)
{
	size_t n = cache_get(r->good, digest, (uint64_t)now_wall_s, r->copy, sizeof(r->copy));
	const struct facts *f = n > 0 ? facts_view(r->copy, n) : NULL;

	if (f == NULL || f->issuer == issuer->id)
		cache_remove(r->good, digest);
}

void
recall_refuse(struct recall *r, const uint8_t digest[32], const struct config_issuer *issuer,
    enum verdict verdict, int64_t until_s, int64_t now_wall_s)
{
	struct refusal refusal = { .version = REFUSAL_VERSION, .verdict = verdict,
		.rules = r->rules, .issuer = issuer->id, .from_s = now_wall_s,
		.until_s = until_s };

	cache_put(r->bad, digest, &refusal, sizeof(refusal), (uint64_t)until_s,
	    (uint64_t)now_wall_s);
}

enum verdict
recall_refused(struct recall *r, const uint8_t digest[32], int64_t now_wall_s)
{
	struct judgement j;

	return find_bad(r, digest, now_wall_s, &j) ? j.verdict : VERDICT_ACTIVE;
}

enum verdict
recall_logout(struct recall *r, const struct config_issuer *issuer, struct span token,
    int64_t now_wall_s, struct arena *arena, struct logout *logout)
{
	return logout_check(r->checker, (size_t)(issuer - r->conf->issuers), token, now_wall_s,
	    arena, logout);
}
