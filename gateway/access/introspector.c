#include "gateway/access/introspector.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "shm/hash.h"

/*
 * Inquiries stand in a table by their key. One lives from introspector_begin() to finish(), which
 * its own task comes to when there is an answer, or none; everything that happens to it happens
 * there. What is freed is buried at the end of the loop's turn.
 */

#define BUCKETS		256
#define SLACK_MS	500	/* that an inquiry may take beyond the time for an answer */
#define IDLE_MAX	64	/* connections kept open to one server */
#define PAUSE_MS	100	/* between two attempts for one token in the background */

struct introspector {
	struct gate		*gate;
	struct alg_tools	*tools;
	struct fetch_pool	*pool;		/* of connections to all of them */
	struct respondent	*respondents;	/* by the number of the issuer; most are empty */
	struct inquiry		*buckets[BUCKETS];
	/* what was tried in the background lately, and until when that is not done again */
	struct {
		uint64_t	key;
		uint64_t	until_ms;
	}			 tried[BUCKETS];
};

static struct respondent *
respondent_of(const struct introspector *in, const struct config_issuer *issuer)
{
	return &in->respondents[issuer - in->gate->config->issuers];
}

/* How many calls there may be is the respondents' to say; issuers may share a server. */
static struct fetch_pool *
open_pool(const struct gate *g)
{
	struct fetch_pool_limits limits = FETCH_POOL_USUAL;
	unsigned places = 0;

	for (size_t i = 0; i < g->config->n_issuers; i++)
		if (g->config->issuers[i].validate != VALIDATE_LOCAL)
			places += respondent_places(g, &g->config->issuers[i]);
	limits.in_flight = places;
	if (limits.idle < places)
		limits.idle = places < IDLE_MAX ? places : IDLE_MAX;
	return fetch_pool_new(g->loop, &limits);
}

static bool
open_respondents(struct introspector *in)
{
	const struct config *c = in->gate->config;

	in->respondents = calloc(c->n_issuers + 1, sizeof(*in->respondents));
	in->tools = alg_tools_new();
	in->pool = open_pool(in->gate);
	if (in->respondents == NULL || in->tools == NULL || in->pool == NULL) {
		log_error("out of memory, or OpenSSL can't be used");
		return false;
	}
	for (size_t i = 0; i < c->n_issuers; i++)
		if (c->issuers[i].validate != VALIDATE_LOCAL &&
		    !respondent_open(&in->respondents[i], in->gate, &c->issuers[i], in->pool,
		    in->tools))
			return false;
	return true;
}

struct introspector *
introspector_open(struct gate *g)
{
	struct introspector *in = calloc(1, sizeof(*in));

	if (in == NULL) {
		log_error("out of memory");
		return NULL;
	}
	in->gate = g;
	if (!open_respondents(in))
		introspector_close(&in);
	return in;
}

bool
introspector_in_trouble(const struct introspector *in, const struct config_issuer *issuer)
{
	return respondent_of(in, issuer)->failures > 0;
}

uint64_t
introspector_patience_ms(const struct config_issuer *issuer)
{
	return issuer->introspection.timeout_ms + SLACK_MS;
}

static struct inquiry **
bucket_of(struct introspector *in, const uint8_t key[32])
{
	return &in->buckets[key[8]];
}

static struct inquiry *
find(struct introspector *in, const uint8_t key[32])
{
	struct inquiry *i = *bucket_of(in, key);

	while (i != NULL && memcmp(i->question.key, key, sizeof(i->question.key)) != 0)
		i = i->next;
	return i;
}

bool
introspector_join(struct introspector *in, const struct question *q, struct inquirer *who,
    struct request *r)
{
	struct inquiry *i = find(in, q->key);

	if (i == NULL)
		return false;
	inquiry_join(i, who, r);
	return true;
}

static void
dig(void *inquiry)
{
	inquiry_free(inquiry);
}

/* Takes it out of everything; whoever waits was told. */
static void
finish(struct inquiry *i)
{
	struct gate *g = i->in->gate;

	*i->link = i->next;
	if (i->next != NULL)
		i->next->link = i->link;
	fetch_task_end(&i->fetch);
	task_end(g->loop, &i->task);
	respondent_leave(i->whom, i->question.facts == NULL);
	errand_release(g, &i->hold);
	loop_bury(g->loop, &i->grave, dig, i);
}

void
introspector_close(struct introspector **introspector)
{
	struct introspector *in = *introspector;

	*introspector = NULL;
	if (in == NULL)
		return;
	for (size_t b = 0; b < BUCKETS; b++)
		while (in->buckets[b] != NULL) {
			while (in->buckets[b]->waiting != NULL)
				inquiry_leave(in->buckets[b]->waiting);
			finish(in->buckets[b]);
		}
	for (size_t i = 0; in->respondents != NULL && i < in->gate->config->n_issuers; i++)
		respondent_close(&in->respondents[i]);
	free(in->respondents);
	fetch_pool_free(&in->pool);
	alg_tools_free(&in->tools);
	free(in);
}

static void
note_tried(struct introspector *in, const uint8_t key[32], uint64_t pause_ms)
{
	in->tried[key[8]].key = hash_word(key);
	in->tried[key[8]].until_ms = loop_now_ms(in->gate->loop) + pause_ms;
}

/* The issuer has answered, or will not. */
static void
take_result(struct inquiry *i)
{
	const struct fetch_result *result = &i->fetch.result;
	char room[256];
	const char *fault = respondent_fault(result, room, sizeof(room));

	if (fault != NULL)
		inquiry_fail(i, fault);
	else if (inquiry_take(i, result->body) == INQUIRY_ACTIVE)
		note_tried(i->in, i->question.key,
		    i->question.issuer->introspection.revalidate_s * 1000);
	finish(i);
}

static void
run(struct loop *loop, struct task *task)
{
	struct inquiry *i = (struct inquiry *)((char *)task - offsetof(struct inquiry, task));

	(void)loop;
	if (fetch_task_run(&i->fetch) != RUN_WAIT)
		take_result(i);
}

enum introspector_result
introspector_begin(struct introspector *in, const struct question *q, struct errand_hold *hold,
    struct inquirer *who, struct request *r)
{
	struct respondent *whom = respondent_of(in, q->issuer);
	bool stranger = q->facts == NULL;
	enum respondent_cause cause = stranger ? RESPONDENT_STRANGER :
	    r != NULL ? RESPONDENT_KNOWN : RESPONDENT_UNSEEN;
	struct inquiry *i = NULL;

	enum respondent_entry entry = respondent_enter(whom, cause);
	if (entry != RESPONDENT_ENTERED) {
		errand_release(in->gate, hold);
		if (entry == RESPONDENT_NO_PLACE && r != NULL && respondent_queue(whom, who, r))
			return INTROSPECTOR_QUEUED;
		respondent_count(whom, RESPONDENT_BUSY);
		return INTROSPECTOR_BUSY;
	}
	if ((i = inquiry_new(in, whom, q, run)) == NULL ||
	    !respondent_ask(whom, i->question.token, stranger, &i->fetch, &i->task)) {
		if (i != NULL)
			inquiry_free(i);
		respondent_leave(whom, stranger);
		errand_release(in->gate, hold);
		return INTROSPECTOR_FAILED;
	}
	i->hold = *hold;
	*hold = (struct errand_hold){ .state = ERRAND_IDLE };
	i->link = bucket_of(in, q->key);
	i->next = *i->link;
	if (i->next != NULL)
		i->next->link = &i->next;
	*i->link = i;
	if (r != NULL)
		inquiry_join(i, who, r);
	task_wake(in->gate->loop, &i->task);
	return INTROSPECTOR_BEGUN;
}

void
introspector_refresh(struct introspector *in, const struct question *q)
{
	const uint8_t *key = q->key;
	struct errand_hold hold = { .state = ERRAND_IDLE };

	if (respondent_rests(respondent_of(in, q->issuer)) || find(in, key) != NULL ||
	    (in->tried[key[8]].key == hash_word(key) &&
	    loop_now_ms(in->gate->loop) < in->tried[key[8]].until_ms))
		return;
	if (!errand_take(in->gate, &hold, key, introspector_patience_ms(q->issuer)) ||
	    introspector_begin(in, q, &hold, NULL, NULL) != INTROSPECTOR_BEGUN)
		note_tried(in, key, PAUSE_MS);
}
