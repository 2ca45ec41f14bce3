#include "gateway/admin_explain.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "gateway/access/consumer.h"
#include "gateway/access/inquiry.h"
#include "gateway/access/policy.h"
#include "gateway/base/clock.h"
#include "gateway/base/encode.h"
#include "gateway/token/recall.h"
#include "gateway/token/revocations.h"

/*
 * The caches are asked with the code of a worker (token/recall.h, access/policy.h), by a recall of
 * its own that lives as long as the answer takes: this is asked by people.
 */

#define VALUE_MAX	256
#define ARENA_MAX	((size_t)64 * 1024)

/* What is asked. */
struct query {
	const struct config_route	*route;
	const struct config_issuer	*issuer;
	bool				 has_route;
	bool				 has_digest;
	uint8_t				 digest[32];
	bool				 has[IDENTITY_KINDS];
	uint8_t				 identity[IDENTITY_KINDS][IDENTITY_SIZE];
	int64_t				 issued_s;
};

static int
digit(char c)
{
	c = span_lower(c);
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %41; false if that is malformed or too long. */
static bool
unescape(struct span in, struct text *out)
{
	for (size_t i = 0; i < in.n; i++) {
		int high = i + 2 < in.n ? digit(in.p[i + 1]) : -1;
		int low = high < 0 ? -1 : digit(in.p[i + 2]);

		if (in.p[i] != '%') {
			text_char(out, in.p[i]);
			continue;
		}
		if (low < 0)
			return false;
		text_char(out, (char)(high << 4 | low));
		i += 2;
	}
	return !out->cut;
}

static bool
read_bytes(struct span value, uint8_t out[32])
{
	uint8_t bytes[BASE64URL_DECODED(BASE64URL_ENCODED(32))];
	size_t n;

	if (value.n != BASE64URL_ENCODED(32) || !base64url_decode(value, bytes, &n) || n != 32)
		return false;
	memcpy(out, bytes, 32);
	return true;
}

static const struct config_route *
find_route_named(const struct config *config, struct span name)
{
	for (size_t i = 0; i < config->n_routes; i++)
		if (span_eq(span_of(config->routes[i].name), name))
			return &config->routes[i];
	return NULL;
}

static const struct config_issuer *
find_issuer_named(const struct config *config, struct span name)
{
	for (size_t i = 0; i < config->n_issuers; i++)
		if (span_eq(span_of(config->issuers[i].name), name))
			return &config->issuers[i];
	return NULL;
}

/* Takes one parameter; NULL, or what is wrong with it. */
static const char *
read_parameter(const struct config *config, struct span name, struct span value, struct query *q)
{
	enum identity_kind kind;
	uint64_t number;

	if (span_eq(name, SPAN("route"))) {
		q->has_route = true;
		q->route = find_route_named(config, value);
	} else if (span_eq(name, SPAN("issuer"))) {
		q->issuer = find_issuer_named(config, value);
	} else if (span_eq(name, SPAN("digest"))) {
		q->has_digest = read_bytes(value, q->digest);
		return q->has_digest ? NULL : "a digest is 43 characters of base64url\n";
	} else if (span_eq(name, SPAN("iat"))) {
		if (!span_to_u64(value, &number) || number > INT64_MAX)
			return "iat is a number of seconds\n";
		q->issued_s = (int64_t)number;
	} else if (identity_find(name, &kind)) {
		q->has[kind] = read_bytes(value, q->identity[kind]);
		return q->has[kind] ? NULL : "an identity is 43 characters of base64url\n";
	} else {
		return "unknown parameter\n";
	}
	return NULL;
}

static const char *
read_query(const struct config *config, struct span query, struct query *q)
{
	const char *wrong = NULL;
	struct span item, name;

	*q = (struct query){ .issued_s = FACTS_NO_TIME };
	while (wrong == NULL && query.n > 0 && span_next(&query, '&', &item)) {
		char memory[VALUE_MAX];
		struct text value = TEXT_OVER(memory);

		if (!span_next(&item, '=', &name) || item.p == NULL || !unescape(item, &value))
			return "malformed query\n";
		wrong = read_parameter(config, name, text_span(&value), q);
	}
	return wrong;
}

static const char *
answer_name(enum set_answer answer)
{
	switch (answer) {
	case SET_NO:
		return "no";
	case SET_YES:
		return "yes";
	case SET_UNSURE:
		break;
	}
	return "unsure";
}

/* Whether revocations are looked at by workers at all; the same condition as theirs. */
static bool
can_be_revoked(const struct process *p)
{
	return p->config->database != NULL || atomic_load(&p->shared->control->revoked_kinds) != 0;
}

/* As workers take it: without a database there is nothing that could be known elsewhere. */
static const char *
revocation_name(const struct process *p, enum set_answer answer)
{
	return answer_name(answer == SET_UNSURE && p->config->database == NULL ? SET_NO : answer);
}

static json_t *
tell_revocations(const struct process *p, const struct query *q)
{
	json_t *all = json_object();

	for (int kind = 0; kind < IDENTITY_CHANGE; kind++) {
		struct span name = identity_name((enum identity_kind)kind);

		if (q->has[kind] && can_be_revoked(p))
			json_object_setn_new(all, name.p, name.n, json_string(revocation_name(p,
			    revocations_look(p->shared, (enum identity_kind)kind,
			    q->identity[kind], q->issued_s, clock_wall_s()))));
	}
	return all;
}

/* Whether the issuer once said of a token of this identity that it is not active. */
static const char *
tell_suspicion(const struct process *p, const struct query *q)
{
	uint64_t before_s;

	return !q->has[IDENTITY_JTI] ? "no" : answer_name(set_has(p->shared->inactive,
	    q->identity[IDENTITY_JTI], (uint64_t)clock_wall_s(), &before_s));
}

/* Copies a key, but nothing that would not be published anyway. */
static json_t *
public_part(const json_t *key)
{
	static const char *const names[] = { "kty", "kid", "use", "key_ops", "alg", "crv", "x", "y",
		"n", "e" };
	json_t *copy = json_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		json_t *member = json_object_get(key, names[i]);

		if (member != NULL)
			json_object_set(copy, names[i], member);
	}
	return copy;
}

static json_t *
read_set(const struct keys_slot *slot)
{
	char *bytes = malloc(KEYS_BYTES_MAX);
	uint64_t generation;
	size_t n = bytes == NULL ? 0 : keys_read(slot, bytes, KEYS_BYTES_MAX, &generation), i;
	json_t *set = n == 0 ? NULL : json_loadb(bytes, n, 0, NULL), *keys = json_array(), *key;

	json_array_foreach(json_object_get(set, "keys"), i, key)
		json_array_append_new(keys, public_part(key));
	json_decref(set);
	if (n > 0)
		explicit_bzero(bytes, n);
	free(bytes);
	return keys;
}

static json_t *
tell_keys(const struct process *p, const struct config_issuer *issuer)
{
	struct keys_slot slot;
	struct keys_info info;

	if (!keys_slot(p->shared->keys, issuer->id, false, &slot) || !keys_info(&slot, &info) ||
	    info.generation == 0)
		return json_pack("{s:n, s:n}", "age_s", "keys");
	return json_pack("{s:I, s:o}", "age_s",
	    (json_int_t)(clock_wall_s() - (int64_t)info.fetched_at_s), "keys", read_set(&slot));
}

static json_t *
tell_policy(const struct query *q, const struct facts *f)
{
	json_t *all = json_object();

	for (int check = 0; q->route != NULL && check < POLICY_CHECKS; check++)
		json_object_set_new(all, policy_name((enum policy_check)check), json_boolean(
		    policy_holds((enum policy_check)check, q->route, f)));
	return all;
}

/* What good facts say that is not in the token's own words. */
static json_t *
tell_facts(const struct process *p, const struct query *q, const struct config_issuer *issuer,
    const struct facts *f)
{
	int64_t now_s = clock_wall_s();
	uint64_t now_us = clock_us();

	return json_pack("{s:I, s:o, s:b, s:b, s:s, s:o}",
	    "known_for_s", (json_int_t)(now_s - f->known_s),
	    "asked_for_s", f->asked_us == 0 ? json_null() : json_integer(f->asked_us > now_us ? 0 :
	    (json_int_t)((now_us - f->asked_us) / 1000000)),
	    "suspect", f->asked_us == 0 && inquiry_suspects(p->shared, f, now_s),
	    "listed", consumer_is_listed(issuer, facts_get(f, FACTS_CONSUMER)),
	    "revoked", !can_be_revoked(p) ? "no" :
	    revocation_name(p, revocations_check(p->shared, f, now_s)),
	    "policy", tell_policy(q, f));
}

/* A refusal that stands under the digest and one issuer: of what only that can read. */
static bool
find_refused(const struct query *q, struct recall *recall, struct judgement *j)
{
	uint8_t key[32];

	for (size_t i = 0; q->route != NULL && i < q->route->n_issuers; i++) {
		const struct config_issuer *issuer = q->route->issuers[i];

		inquiry_key(q->digest, issuer, key);
		j->verdict = recall_refused(recall, key, clock_wall_s());
		j->issuer = issuer;
		if (j->verdict != VERDICT_ACTIVE)
			return true;
	}
	return false;
}

/* What the caches say of the token. */
static json_t *
tell_cached(const struct process *p, const struct query *q, struct recall *recall)
{
	struct judgement j;
	struct arena arena;
	json_t *said = NULL;

	arena_init(&arena, NULL, 0, ARENA_MAX);
	j = (struct judgement){ 0 };
	memcpy(j.digest, q->digest, sizeof(j.digest));
	if (recall_again(recall, clock_wall_s(), &arena, &j) || find_refused(q, recall, &j))
		said = json_pack("{s:s, s:o, s:o}", "verdict", verdict_name(j.verdict),
		    "issuer", j.issuer == NULL ? json_null() : json_string(j.issuer->name),
		    "facts", j.facts == NULL ? json_null() : tell_facts(p, q, j.issuer, j.facts));
	arena_reset(&arena);
	return said == NULL ? json_null() : said;
}

json_t *
admin_explain(const struct process *p, struct span text, const char **wrong)
{
	struct recall *recall = NULL;
	struct query q;

	if ((*wrong = read_query(p->config, text, &q)) != NULL)
		return NULL;
	json_t *all = json_pack("{s:s, s:o, s:s, s:b}", "version", GATEHOUSE_VERSION,
	    "revocations", tell_revocations(p, &q), "suspect", tell_suspicion(p, &q),
	    "can_be_revoked", can_be_revoked(p));

	if (q.has_route)
		json_object_set_new(all, "has_route", json_boolean(q.route != NULL));
	if (q.issuer != NULL)
		json_object_set_new(all, "key_set", tell_keys(p, q.issuer));
	if (q.has_digest && (recall = recall_open(p->config, p->shared->token_cache,
	    p->shared->negative_cache, p->shared->keys)) != NULL)
		json_object_set_new(all, "cached", tell_cached(p, &q, recall));
	recall_close(&recall);
	return all;
}
