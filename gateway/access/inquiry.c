#include "gateway/access/inquiry.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/request/request.h"
#include "gateway/token/jwt.h"
#include "gateway/token/recall.h"
#include "gateway/token/revocations.h"
#include "shm/cache.h"
#include "shm/hash.h"
#include "shm/set.h"

#define ARENA_MAX	((size_t)256 * 1024)
#define TELL_EVERY_MS	60000

bool
inquiry_is_opaque(struct span token)
{
	const char *end = token.p + token.n, *dot = memchr(token.p, '.', token.n);

	return dot == NULL || memchr(dot + 1, '.', (size_t)(end - dot - 1)) == NULL;
}

void
inquiry_key(const uint8_t digest[32], const struct config_issuer *issuer, uint8_t key[32])
{
	uint64_t word = hash_word(digest) ^ hash_mix64(issuer->id);

	memcpy(key, digest, 32);
	memcpy(key, &word, sizeof(word));
}

bool
inquiry_suspects(const struct shared *shared, const struct facts *facts, int64_t now_wall_s)
{
	uint64_t before_s;

	return set_has(shared->inactive, facts->identity, (uint64_t)now_wall_s, &before_s) !=
	    SET_NO;
}

void
inquiry_leave(struct inquirer *who)
{
	if (who->link == NULL)
		return;
	*who->link = who->next;
	if (who->next != NULL)
		who->next->link = who->link;
	who->link = NULL;
	who->next = NULL;
}

static void
clean_up(void *who)
{
	inquiry_leave(who);
}

void
inquiry_stand(struct inquirer **list, struct inquirer *who, struct request *r)
{
	if (who->request == NULL) {
		who->request = r;
		arena_defer(&r->arena, &who->cleanup, clean_up, who);
	}
	who->next = *list;
	if (who->next != NULL)
		who->next->link = &who->next;
	who->link = list;
	*list = who;
}

void
inquiry_join(struct inquiry *i, struct inquirer *who, struct request *r)
{
	who->end = INQUIRY_UNDER_WAY;
	inquiry_stand(&i->waiting, who, r);
}

/* All who wait are told how it ended, and go on. */
static enum inquiry_end
tell(struct inquiry *i, enum inquiry_end end, enum verdict verdict, const struct facts *facts)
{
	struct inquirer *who;

	respondent_time(i->whom, clock_us() - i->began_us);
	while ((who = i->waiting) != NULL) {
		inquiry_leave(who);
		who->end = end;
		who->verdict = verdict;
		who->began_us = i->began_us;
		if (end == INQUIRY_ACTIVE) {
			who->facts = (const struct facts *)(const void *)arena_copy(
			    &who->request->arena, span_make(facts, facts->size)).p;
			if (who->facts == NULL) {
				who->end = INQUIRY_REFUSED;
				who->verdict = VERDICT_NO_MEMORY;
			}
		}
		task_wake(i->whom->gate->loop, who->request->task);
	}
	return end;
}

void
inquiry_free(struct inquiry *i)
{
	OPENSSL_cleanse((char *)i->question.token.p, i->question.token.n);
	free((char *)i->question.token.p);
	free((struct facts *)i->question.facts);
	free(i);
}

/*
 * What comes of an answer.
 */

static bool
is_verified(const struct question *q)
{
	return q->facts != NULL && q->facts->key != 0;
}

/*
 * Facts are kept for as long as the token lives, though they are not believed so long: a token that
 * is known is no stranger, and is asked about again however many of those there are.
 *
 * A revocation of any token voids the ticket. That this one is not revoked is then looked up
 * after a new ticket was taken, which comes to the same.
 */
static void
keep(const struct inquiry *i, const struct facts *f)
{
	struct gate *g = i->whom->gate;
	const uint8_t *digest = i->question.digest;
	int64_t now_s = loop_wall_s(g->loop);

	if (recall_keep(g->recall, i->ticket, digest, f, now_s))
		return;
	uint64_t ticket = cache_ticket(g->shared->token_cache);
	if (revocations_check(g->shared, f, now_s) == SET_NO &&
	    !inquiry_suspects(g->shared, f, now_s))
		recall_keep(g->recall, ticket, digest, f, now_s);
}

/* Puts a token that was verified here where it is remembered for as long as it would have lived. */
static void
remember_inactive(const struct inquiry *i, int64_t now_s)
{
	static uint64_t told_ms;
	const struct facts *f = i->question.facts;
	uint64_t now_ms = loop_now_ms(i->whom->gate->loop);

	if (set_put(i->whom->gate->shared->inactive, f->identity, SET_ANY_TIME,
	    (uint64_t)f->exp_s, (uint64_t)now_s) == SET_OK ||
	    (told_ms != 0 && now_ms < told_ms + TELL_EVERY_MS))
		return;
	told_ms = now_ms;
	log_error("shared_memory.inactive is too small: until what it holds has expired, every "
	    "token that is verified here and asked about (validate = \"both\") waits for its "
	    "first answer");
}

/* JWTs belong to one issuer; any other token may be another's too. */
static const uint8_t *
refusal_key(const struct question *q)
{
	return inquiry_is_opaque(q->token) ? q->key : q->digest;
}

/*
 * The issuer says no, or we do. First what outlives the caches, then the bar against facts found
 * before, then the facts themselves.
 */
static void
forget(const struct inquiry *i, enum verdict verdict)
{
	const struct question *q = &i->question;
	const struct shared *shared = i->whom->gate->shared;
	int64_t now_s = loop_wall_s(i->whom->gate->loop);
	int64_t ttl_s = (int64_t)q->issuer->introspection.negative_ttl_s;

	if (is_verified(q))
		remember_inactive(i, now_s);
	if (q->facts != NULL)
		cache_bar(shared->token_cache);
	recall_forget(i->whom->gate->recall, q->digest, q->issuer, now_s);
	if (ttl_s > 0)
		recall_refuse(i->whom->gate->recall, refusal_key(q), q->issuer, verdict,
		    now_s + ttl_s, now_s);
}

enum inquiry_end
inquiry_fail(struct inquiry *i, const char *reason)
{
	respondent_failed(i->whom, i->question.facts == NULL, reason);
	return tell(i, INQUIRY_FAILED, VERDICT_INTROSPECTION_FAILED, NULL);
}

/* What an answer, judged, does to the caches and to whoever waits. */
static enum inquiry_end
settle(struct inquiry *i, enum verdict verdict, const struct facts *facts)
{
	if (verdict == VERDICT_INTROSPECTION_FAILED)
		return inquiry_fail(i, "its answer is no JSON object that says whether the token "
		    "is \"active\"");
	if (verdict == VERDICT_NO_MEMORY)
		return tell(i, INQUIRY_REFUSED, verdict, NULL);
	respondent_answered(i->whom);
	if (verdict == VERDICT_ACTIVE) {
		respondent_count(i->whom, RESPONDENT_ACTIVE);
		keep(i, facts);
		return tell(i, INQUIRY_ACTIVE, verdict, facts);
	}
	respondent_count(i->whom, verdict == VERDICT_INACTIVE ? RESPONDENT_INACTIVE :
	    RESPONDENT_REFUSED);
	forget(i, verdict);
	return tell(i, INQUIRY_REFUSED, verdict, NULL);
}

enum inquiry_end
inquiry_take(struct inquiry *i, struct span body)
{
	struct gate *g = i->whom->gate;
	const struct config_introspection *conf = &i->whom->issuer->introspection;
	struct arena arena;
	struct facts *facts = NULL;
	const struct recall_answer answer = {
		.issuer = i->whom->issuer, .token = i->question.token,
		/* the answer is the fetch's, which needs it no more */
		.text = (char *)body.p, .n = body.n, .known = i->question.facts,
		.began_s = i->began_s, .began_us = i->began_us,
		.lasts_s = i->began_s + (int64_t)conf->ttl_s + i->whom->stale_max_s,
	};

	arena_init(&arena, NULL, 0, ARENA_MAX);
	enum verdict verdict = recall_answered(g->recall, &answer, loop_wall_s(g->loop), &arena,
	    &facts);
	enum inquiry_end end = settle(i, verdict, facts);
	arena_reset(&arena);
	return end;
}

struct inquiry *
inquiry_new(struct introspector *in, struct respondent *whom, const struct question *q,
    void (*run)(struct loop *, struct task *))
{
	struct inquiry *i = calloc(1, sizeof(*i));
	char *token = malloc(q->token.n);
	struct facts *facts = q->facts == NULL ? NULL : malloc(q->facts->size);

	if (i == NULL || token == NULL || (q->facts != NULL && facts == NULL)) {
		free(i);
		free(token);
		free(facts);
		return NULL;
	}
	*i = (struct inquiry){ .in = in, .question = *q,
		.whom = whom,
		.ticket = cache_ticket(whom->gate->shared->token_cache),
		.began_us = clock_us(), .began_s = clock_wall_s() };
	i->question.token = span_make(memcpy(token, q->token.p, q->token.n), q->token.n);
	if (facts != NULL)
		i->question.facts = memcpy(facts, q->facts, q->facts->size);
	task_init(&i->task, run);
	return i;
}

