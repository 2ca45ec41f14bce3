#include "gateway/token/revocations.h"

#include <stdatomic.h>
#include <string.h>

#include "gateway/token/lineage.h"
#include "shm/cache.h"

/*
 * Who revokes sets the bit of the kind, then puts the identity, then answers. Whoever looks after
 * that answer sees both; whoever looked before and missed them was there before the revocation.
 */

/*
 * The set keeps "issued before"; revoked is also what was issued in that very second, for a token
 * tells no more than seconds.
 */
static uint64_t
before_of(int64_t before_s)
{
	if (before_s == REVOKED_ALWAYS)
		return SET_ANY_TIME;
	return before_s < 0 ? 1 : (uint64_t)before_s + 1;
}

static enum set_answer
look(const struct set *set, const uint8_t identity[IDENTITY_SIZE], int64_t issued_s, int64_t now_s)
{
	uint64_t before_s = SET_ANY_TIME;
	enum set_answer answer = set_has(set, identity, (uint64_t)now_s, &before_s);

	/* a token that doesn't say when it was issued may be of any time */
	if (answer == SET_YES && before_s != SET_ANY_TIME && issued_s != FACTS_NO_TIME &&
	    issued_s >= (int64_t)before_s)
		return SET_NO;
	return answer;
}

enum set_answer
revocations_look(const struct shared *shared, enum identity_kind kind,
    const uint8_t identity[IDENTITY_SIZE], int64_t issued_s, int64_t now_wall_s)
{
	uint32_t kinds = atomic_load(&shared->control->revoked_kinds);

	/* of what was never revoked nothing is looked up; if that is unsure, its token is */
	if (kind != IDENTITY_JTI && !(kinds & IDENTITY_BIT(kind)))
		return SET_NO;
	return look(shared->revocations, identity, issued_s, now_wall_s);
}

/* The worse of two answers. */
static enum set_answer
worse(enum set_answer a, enum set_answer b)
{
	if (a == SET_YES || b == SET_YES)
		return SET_YES;
	return a == SET_UNSURE || b == SET_UNSURE ? SET_UNSURE : SET_NO;
}

bool
revocations_identity(const struct revocations_token *token, enum identity_kind kind,
    uint8_t identity[IDENTITY_SIZE])
{
	const struct span values[IDENTITY_KINDS] = {
		[IDENTITY_SUBJECT] = token->subject,
		[IDENTITY_CLIENT] = token->client,
		[IDENTITY_KEY] = token->kid,
		[IDENTITY_SESSION] = token->session,
	};

	if (kind == IDENTITY_JTI && token->identity != NULL) {
		memcpy(identity, token->identity, IDENTITY_SIZE);
		return true;
	}
	if (values[kind].n == 0)
		return false;
	identity_make(kind, token->issuer, values[kind], identity);
	return true;
}

/* What is known of a subject, client, key or session, if anything was ever revoked of that kind. */
static enum set_answer
look_wider(const struct shared *shared, uint32_t kinds, const struct revocations_token *token,
    int64_t now_s)
{
	enum set_answer answer = SET_NO;
	uint8_t identity[IDENTITY_SIZE];

	for (int kind = IDENTITY_JTI + 1; kind < IDENTITY_CHANGE; kind++) {
		if (!(kinds & IDENTITY_BIT(kind)) ||
		    !revocations_identity(token, (enum identity_kind)kind, identity))
			continue;
		answer = worse(answer, look(shared->revocations, identity, token->issued_s, now_s));
	}
	return answer;
}

enum set_answer
revocations_check_token(const struct shared *shared, const struct revocations_token *token,
    int64_t now_wall_s)
{
	uint32_t kinds = atomic_load(&shared->control->revoked_kinds);
	enum set_answer answer = SET_NO;

	if (token->identity != NULL)
		answer = look(shared->revocations, token->identity, token->issued_s, now_wall_s);
	else if (set_doubt(shared->revocations) != 0)
		answer = SET_UNSURE;
	if (answer == SET_YES || (kinds & ~IDENTITY_BIT(IDENTITY_JTI)) == 0)
		return answer;
	return worse(answer, look_wider(shared, kinds, token, now_wall_s));
}

/*
 * True if its issuer, asked on this node, has called the token not active. Doubt of that set is not
 * this token's: what may stand there are only tokens of issuers that are asked.
 */
static bool
was_called_inactive(const struct shared *shared, const uint8_t identity[IDENTITY_SIZE],
    int64_t now_s)
{
	uint64_t before_s;

	return set_has(shared->inactive, identity, (uint64_t)now_s, &before_s) == SET_YES;
}

struct revocations_token
revocations_ancestor(const struct ancestor *a)
{
	return (struct revocations_token){
		.identity = a->identity,
		.issuer = a->issuer,
		.subject = a->subject,
		.client = a->client,
		.kid = a->kid,
		.session = a->session,
		.issued_s = a->issued_s,
	};
}

/* The worst that is known of any token that this one was exchanged from. */
static enum set_answer
check_ancestors(const struct shared *shared, const struct facts *facts, int64_t now_s)
{
	struct span rest = facts_get(facts, FACTS_LINEAGE);
	enum set_answer answer = SET_NO;
	struct ancestor a;

	while (answer != SET_YES && lineage_next(facts, &rest, &a)) {
		const struct revocations_token token = revocations_ancestor(&a);

		answer = worse(answer, revocations_check_token(shared, &token, now_s));
		if (was_called_inactive(shared, a.identity, now_s))
			answer = SET_YES;
	}
	/* what can't be read was not looked up */
	return answer == SET_NO && rest.n > 0 ? SET_UNSURE : answer;
}

struct revocations_token
revocations_token(const struct facts *facts)
{
	return (struct revocations_token){
		.identity = facts->identity,
		.issuer = facts_get(facts, FACTS_ISSUER),
		.subject = facts_get(facts, FACTS_SUBJECT),
		.client = facts_get(facts, FACTS_CLIENT),
		.kid = facts_get(facts, FACTS_KID),
		.session = facts_get(facts, FACTS_SESSION),
		.issued_s = facts->iat_s,
	};
}

enum set_answer
revocations_check(const struct shared *shared, const struct facts *facts, int64_t now_wall_s)
{
	const struct revocations_token token = revocations_token(facts);
	enum set_answer answer = revocations_check_token(shared, &token, now_wall_s);

	if (answer == SET_YES || facts->part[FACTS_LINEAGE].n == 0)
		return answer;
	return worse(answer, check_ancestors(shared, facts, now_wall_s));
}

static bool
concerns_records(enum identity_kind kind)
{
	return kind == IDENTITY_CLIENT || kind == IDENTITY_CHANGE;
}

enum set_put_result
revocations_put(const struct shared *shared, const struct revocation *r, int64_t now_wall_s)
{
	struct shared_control *control = shared->control;
	enum set_put_result result = SET_OK;

	if (r->kind != IDENTITY_CHANGE && r->expires_s > now_wall_s) {
		if (!(atomic_load(&control->revoked_kinds) & IDENTITY_BIT(r->kind)))
			atomic_fetch_or(&control->revoked_kinds, IDENTITY_BIT(r->kind));
		result = set_put(shared->revocations, r->identity, before_of(r->before_s),
		    (uint64_t)r->expires_s, (uint64_t)now_wall_s);
		cache_bar(shared->token_cache);
	}
	if (concerns_records(r->kind))
		atomic_fetch_add(&control->clients_generation, 1);
	return result;
}

void
revocations_begin(const struct shared *shared, bool with_database)
{
	if (with_database && atomic_load(&shared->control->feed_source) == 0)
		set_mark_unsure(shared->revocations);
}

void
revocations_alone(const struct shared *shared)
{
	atomic_store(&shared->control->feed_source, 0);
}
