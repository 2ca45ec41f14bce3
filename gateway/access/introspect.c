/*
 * Asking the issuer (RFC 7662), where the route wants to know more than is known.
 *
 * How old knowledge may be is the route's max_staleness, and for what only the issuer can say also
 * its introspection_ttl. What is young enough passes as it is; with validate = "both" the issuer
 * is asked in the background as soon as it is older than `revalidate`. Otherwise the request waits
 * for an answer, its own or one that others wait for too, as long as the question was put late
 * enough. An error is no answer: then what is known may do for stale_if_error longer, or it is 503.
 *
 * A token that is no JWT tells nothing of its issuer, so those of the route are asked in turn.
 */
#include "gateway/access/access.h"
#include "gateway/access/introspector.h"
#include "gateway/access/staleness.h"
#include "gateway/base/clock.h"
#include "gateway/token/opaque.h"

/* whoever was woken may not have needed the place */
#define QUEUE_POLL_MS		100

/* What came of the issuers that were asked so far. */
enum asking_outcome {
	ASKING_NOBODY,		/* none was asked yet */
	ASKING_REFUSED,
	ASKING_BUSY,
	ASKING_FAILED,
};

/* A request that asks; in its arena. */
struct asking {
	struct question		 question;
	struct inquirer		 inquirer;
	struct errand		 errand;	/* waits for another worker's inquiry */
	uint64_t		 arrived_us;
	uint64_t		 deadline_ms;	/* for the inquiries of other workers */
	/* of the route, that is asked next; with a known issuer there is no next */
	size_t			 next_issuer;
	bool			 any_issuer;
	const struct facts	*stale;		/* that would do if there is no answer; NULL */
	const struct config_issuer *stale_issuer;
	enum asking_outcome	 outcome;	/* the worst */
	enum verdict		 verdict;	/* REFUSED */
};

static void
put_question(struct question *q, const struct request *r, const struct config_issuer *issuer,
    const struct facts *f)
{
	q->issuer = issuer;
	q->token = r->token;
	q->facts = f;
	memcpy(q->digest, r->judgement.digest, sizeof(q->digest));
	inquiry_key(q->digest, issuer, q->key);
}

/* Knowledge that is young enough is renewed before it is not, and nobody waits for that. */
static void
renew_unseen(const struct request *r, const struct config_issuer *issuer, const struct facts *f)
{
	int64_t half_s = (staleness_most_s(r, issuer, f) + 1) / 2;
	int64_t due_s = (int64_t)issuer->introspection.revalidate_s;
	struct question q;

	if (issuer->validate != VALIDATE_BOTH ||
	    (f->asked_us != 0 && staleness_age_s(r, f) < (due_s < half_s ? due_s : half_s)))
		return;
	put_question(&q, r, issuer, f);
	introspector_refresh(r->gate->introspector, &q);
}

/*
 * The end of asking.
 */

static enum step_result
let_go_on(struct request *r)
{
	if (r->asking != NULL) {
		inquiry_leave(&r->asking->inquirer);
		errand_end(&r->asking->errand);
	}
	return STEP_NEXT;
}

static enum step_result
conclude(struct request *r, enum verdict verdict, const struct config_issuer *issuer)
{
	r->judgement.verdict = verdict;
	r->judgement.issuer = issuer;
	r->judgement.facts = NULL;
	r->judgement.source = RECALL_INTROSPECTED;
	return let_go_on(r);
}

static enum step_result
accept_facts(struct request *r, const struct facts *f, const struct config_issuer *issuer)
{
	if (loop_wall_s(r->gate->loop) >= f->exp_s)
		return conclude(r, VERDICT_EXPIRED, issuer);
	conclude(r, VERDICT_ACTIVE, issuer);
	r->judgement.facts = f;
	return STEP_NEXT;
}

/* Nobody said that the token is good. Who could not say it leaves the matter open. */
static enum step_result
give_up(struct request *r)
{
	const struct asking *a = r->asking;

	if (a->outcome != ASKING_REFUSED && a->stale != NULL) {
		accept_facts(r, a->stale, a->stale_issuer);
		r->judgement.source = RECALL_CACHE;
		return STEP_NEXT;
	}
	switch (a->outcome) {
	case ASKING_BUSY:
		return conclude(r, VERDICT_INTROSPECTION_BUSY, a->question.issuer);
	case ASKING_FAILED:
		return conclude(r, VERDICT_INTROSPECTION_FAILED, a->question.issuer);
	case ASKING_REFUSED:
		return conclude(r, a->verdict, a->question.issuer);
	case ASKING_NOBODY:
		break;
	}
	/* no issuer of the route would know such a token */
	r->judgement.verdict = VERDICT_MALFORMED;
	return let_go_on(r);
}

static void
note_outcome(struct asking *a, enum asking_outcome outcome, enum verdict verdict)
{
	if (outcome < a->outcome)
		return;
	a->outcome = outcome;
	a->verdict = verdict;
}

/*
 * Asking one issuer.
 */

/* Takes the next issuer there is to ask; false: there is none. */
static bool
next_issuer(struct request *r)
{
	struct asking *a = r->asking;
	const struct config_route *route = r->route == NULL ? NULL : r->route->config;

	if (!a->any_issuer || route == NULL)
		return false;
	while (a->next_issuer < route->n_issuers) {
		const struct config_issuer *issuer = route->issuers[a->next_issuer++];

		if (issuer->validate == VALIDATE_LOCAL || r->token.n > issuer->max_token)
			continue;
		put_question(&a->question, r, issuer, NULL);
		a->deadline_ms = 0;
		a->inquirer.end = INQUIRY_NONE;
		errand_end(&a->errand);
		return true;
	}
	return false;
}

/* Facts that an issuer's answer gave are good enough, if that was asked late enough. */
static bool
is_usable(const struct request *r, const struct facts *f, uint64_t began_us)
{
	return began_us >= r->asking->arrived_us ||
	    staleness_age_s(r, f) < staleness_most_s(r, r->asking->question.issuer, f);
}

enum look {
	LOOK_NOTHING,		/* is known that would do */
	LOOK_GOOD,
	LOOK_BAD,
};

/* What others have found meanwhile may be in the caches. */
static enum look
look(struct request *r, const struct facts **f)
{
	struct asking *a = r->asking;
	struct judgement *j = &r->judgement, found = *j;
	int64_t now_s = loop_wall_s(r->gate->loop);

	enum verdict verdict = recall_refused(r->gate->recall, a->question.key, now_s);
	if (verdict == VERDICT_ACTIVE &&
	    recall_again(r->gate->recall, now_s, &r->arena, &found) &&
	    found.issuer == a->question.issuer) {
		verdict = found.verdict;
		*f = found.facts;
	}
	if (verdict != VERDICT_ACTIVE) {
		note_outcome(a, ASKING_REFUSED, verdict);
		return LOOK_BAD;
	}
	return *f != NULL && (*f)->asked_us != 0 && is_usable(r, *f, (*f)->asked_us) ? LOOK_GOOD :
	    LOOK_NOTHING;
}

enum ask {
	ASK_WAIT,
	ASK_DONE,		/* the request is judged */
	ASK_NEXT,		/* this issuer can't tell, or says no */
};

/* The inquiry that the request waited for has ended. */
static enum ask
take_end(struct request *r)
{
	struct asking *a = r->asking;
	struct inquirer *who = &a->inquirer;
	enum inquiry_end end = who->end;

	who->end = INQUIRY_NONE;
	switch (end) {
	case INQUIRY_ACTIVE:
		if (!is_usable(r, who->facts, who->began_us))
			return ASK_WAIT;	/* it was put too early: once more */
		accept_facts(r, who->facts, a->question.issuer);
		return ASK_DONE;
	case INQUIRY_REFUSED:
		note_outcome(a, ASKING_REFUSED, who->verdict);
		return ASK_NEXT;
	case INQUIRY_FAILED:
		note_outcome(a, ASKING_FAILED, VERDICT_INTROSPECTION_FAILED);
		return ASK_NEXT;
	case INQUIRY_NONE:
	case INQUIRY_UNDER_WAY:
		break;
	}
	return ASK_WAIT;
}

/* Another worker asks: its answer will be in the caches. */
static enum ask
wait_elsewhere(struct request *r)
{
	struct asking *a = r->asking;
	uint64_t now_ms = loop_now_ms(r->gate->loop);

	if (a->deadline_ms == 0)
		a->deadline_ms = now_ms + introspector_patience_ms(a->question.issuer);
	r->deadline_ms = a->deadline_ms;
	if (now_ms < a->deadline_ms &&
	    errand_wait(r, &a->errand, a->question.key) == ERRAND_WAIT)
		return ASK_WAIT;
	note_outcome(a, now_ms < a->deadline_ms ? ASKING_BUSY : ASKING_FAILED,
	    VERDICT_INTROSPECTION_FAILED);
	return ASK_NEXT;
}

/* All places are taken; false: for too long. */
static bool
wait_for_place(struct request *r)
{
	struct asking *a = r->asking;
	uint64_t now_ms = loop_now_ms(r->gate->loop);

	if (a->deadline_ms == 0)
		a->deadline_ms = now_ms + a->question.issuer->introspection.timeout_ms;
	if (now_ms >= a->deadline_ms) {
		inquiry_leave(&a->inquirer);
		return false;
	}
	r->deadline_ms = now_ms + QUEUE_POLL_MS;
	if (r->deadline_ms > a->deadline_ms)
		r->deadline_ms = a->deadline_ms;
	return true;
}

static enum ask
begin(struct request *r, struct errand_hold *hold)
{
	struct asking *a = r->asking;

	switch (introspector_begin(r->gate->introspector, &a->question, hold, &a->inquirer, r)) {
	case INTROSPECTOR_BEGUN:
		return ASK_WAIT;
	case INTROSPECTOR_QUEUED:
		if (wait_for_place(r))
			return ASK_WAIT;
		/* fall through */
	case INTROSPECTOR_BUSY:
		note_outcome(a, ASKING_BUSY, VERDICT_INTROSPECTION_BUSY);
		break;
	case INTROSPECTOR_FAILED:
		note_outcome(a, ASKING_FAILED, VERDICT_INTROSPECTION_FAILED);
		break;
	}
	return ASK_NEXT;
}

/* Asks the issuer whose turn it is, unless somebody has the answer or is about to. */
static enum ask
ask(struct request *r)
{
	struct asking *a = r->asking;
	struct introspector *in = r->gate->introspector;
	struct errand_hold hold = { .state = ERRAND_IDLE };
	const struct facts *f = NULL;

	if (introspector_join(in, &a->question, &a->inquirer, r))
		return ASK_WAIT;
	bool taken = errand_take(r->gate, &hold, a->question.key,
	    introspector_patience_ms(a->question.issuer));
	/* with the errand in hand, or by another's: it may have been done just before */
	enum look seen = look(r, &f);
	if (seen == LOOK_NOTHING)
		return taken ? begin(r, &hold) : wait_elsewhere(r);
	errand_release(r->gate, &hold);
	if (seen == LOOK_BAD)
		return ASK_NEXT;
	accept_facts(r, f, a->question.issuer);
	return ASK_DONE;
}

/* Goes on with asking, whatever has happened since. */
static enum step_result
go_on(struct request *r)
{
	struct asking *a = r->asking;

	for (;;) {
		enum ask result = ASK_WAIT;

		if (a->inquirer.end == INQUIRY_UNDER_WAY)
			return STEP_WAIT;
		/* of those that wait for a place, too */
		inquiry_leave(&a->inquirer);
		if (a->inquirer.end != INQUIRY_NONE)
			result = take_end(r);
		if (result == ASK_WAIT && (result = ask(r)) == ASK_WAIT)
			return STEP_WAIT;
		if (result == ASK_DONE)
			return STEP_NEXT;
		if (!next_issuer(r))
			return give_up(r);
	}
}

/*
 * What there is to ask about at all.
 */

static bool
accepts(const struct request *r, const struct config_issuer *issuer)
{
	const struct config_route *route = r->route == NULL ? NULL : r->route->config;

	for (size_t i = 0; route != NULL && i < route->n_issuers; i++)
		if (route->issuers[i] == issuer)
			return true;
	return route == NULL;
}

static struct asking *
new_asking(struct request *r)
{
	r->asking = arena_zalloc(&r->arena, sizeof(*r->asking));
	if (r->asking == NULL)
		conclude(r, VERDICT_NO_MEMORY, r->judgement.issuer);
	else
		r->asking->arrived_us = clock_us();
	return r->asking;
}

static enum step_result
ask_one(struct request *r, const struct config_issuer *issuer, const struct facts *f)
{
	struct asking *a = new_asking(r);

	if (a == NULL)
		return STEP_NEXT;
	put_question(&a->question, r, issuer, f);
	if (f != NULL && staleness_may_do(r, issuer, f)) {
		a->stale = f;
		a->stale_issuer = issuer;
	}
	return go_on(r);
}

/* A token that tells nothing of its issuer. */
static enum step_result
ask_all(struct request *r)
{
	struct asking *a;

	if (!inquiry_is_opaque(r->token) || opaque_begins(OPAQUE_ACCESS, r->token) ||
	    opaque_begins(OPAQUE_REFRESH, r->token) || (a = new_asking(r)) == NULL)
		return STEP_NEXT;
	a->any_issuer = true;
	return next_issuer(r) ? go_on(r) : give_up(r);
}

/* Facts are there, and their issuer can be asked whether they still hold. */
static enum step_result
weigh(struct request *r, const struct config_issuer *issuer, const struct facts *f)
{
	struct question q;

	if (!accepts(r, issuer))
		return facts_are_verified(f) ? STEP_NEXT : ask_all(r);
	if (staleness_is_fresh(r, issuer, f)) {
		renew_unseen(r, issuer, f);
		return STEP_NEXT;
	}
	if (!staleness_may_do(r, issuer, f) ||
	    !introspector_in_trouble(r->gate->introspector, issuer))
		return ask_one(r, issuer, f);
	/* it is known not to answer: the next try needs no request that waits for it */
	put_question(&q, r, issuer, f);
	introspector_refresh(r->gate->introspector, &q);
	return STEP_NEXT;
}

enum step_result
introspect_token(struct request *r)
{
	struct judgement *j = &r->judgement;
	const struct config_issuer *issuer = j->issuer;

	if (r->asking != NULL)
		return go_on(r);
	if (!r->judged || r->gate->introspector == NULL)
		return STEP_NEXT;
	if (j->verdict == VERDICT_MALFORMED)
		return ask_all(r);
	if (issuer == NULL || issuer->validate == VALIDATE_LOCAL)
		return STEP_NEXT;
	if (j->verdict == VERDICT_ACTIVE)
		return weigh(r, issuer, j->facts);
	if (j->verdict != VERDICT_ASK_ISSUER)
		return STEP_NEXT;
	if (accepts(r, issuer))
		return ask_one(r, issuer, NULL);
	j->verdict = VERDICT_WRONG_ISSUER;
	return STEP_NEXT;
}
