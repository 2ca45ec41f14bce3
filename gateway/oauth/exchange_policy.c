/*
 * Who may exchange what: the client's record, and may_act in the subject token.
 *
 * A name in the record's list is a client's, of any issuer, or that of a consumer of our own. Where
 * it begins with an issuer's title and a slash, it is that issuer's and nobody else's, so no client
 * of another issuer can take a name that would match; nor can one where that issuer is configured
 * no more. Another issuer's consumers are known by
 * whatever claim is configured, often a name that users choose: a bare entry doesn't mean them.
 */
#include "gateway/base/text.h"
#include "gateway/oauth/exchange.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/service.h"
#include "gateway/token/doc.h"
#include "gateway/token/lineage.h"

/* Who acts. */
struct actor {
	struct span	subject;
	struct span	issuer;
	struct span	client;
};

enum fault
exchange_may_begin(const struct request *r)
{
	const struct oauth_client *client = r->oauth->client;

	if (r->oauth->exchange->actor_token.n == 0)
		return client->impersonates ? FAULT_COUNT : FAULT_IMPERSONATION;
	return client->delegation != DELEGATION_DENIED ? FAULT_COUNT : FAULT_DELEGATION;
}

static const struct facts *
subject_of(const struct request *r)
{
	return r->oauth->exchange->subject.facts;
}

/* The issuer whose title the name begins with, and the rest of it; NULL: it is a bare one. */
static const struct config_issuer *
issuer_in(const struct request *r, struct span name, struct span *rest)
{
	const struct config *config = r->gate->config;

	for (size_t i = 0; i < config->n_issuers; i++) {
		struct span title = span_of(config->issuers[i].name);

		if (name.n <= title.n || name.p[title.n] != '/' ||
		    !span_eq(span_make(name.p, title.n), title))
			continue;
		*rest = span_skip(name, title.n + 1);
		return &config->issuers[i];
	}
	return NULL;
}

/*
 * True if the name may be meant as one of an issuer, though none of that title is configured: its
 * section is gone, and what was one issuer's must not become a name that any other can give.
 */
static bool
is_of_unknown_issuer(struct span name)
{
	/* what titles are made of (conf/build.c) */
	static const char accepted[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t n = 0;

	while (n < name.n && name.p[n] != '\0' && strchr(accepted, name.p[n]) != NULL)
		n++;
	return n > 0 && n < name.n && name.p[n] == '/';
}

/* True if the token is one of this entry of the list. */
static bool
matches(const struct request *r, struct span name)
{
	const struct judgement *subject = &r->oauth->exchange->subject;
	struct span client = facts_get(subject->facts, FACTS_CLIENT);
	struct span consumer = facts_get(subject->facts, FACTS_CONSUMER);
	struct span rest;
	const struct config_issuer *issuer = issuer_in(r, name, &rest);

	if (issuer != NULL)
		return issuer == subject->issuer && (span_eq(rest, SPAN("*")) ||
		    (rest.n > 0 && (span_eq(rest, client) || span_eq(rest, consumer))));
	if (subject->issuer->own)
		return name.n > 0 && (span_eq(name, client) || span_eq(name, consumer));
	return name.n > 0 && span_eq(name, client) && !is_of_unknown_issuer(name);
}

/* True if the token is the client's own: issued to it here, for itself. */
static bool
is_own(const struct request *r, const struct judgement *j)
{
	return j->issuer->own && span_eq(facts_get(j->facts, FACTS_CLIENT), r->oauth->client->id);
}

enum fault
exchange_may_take(const struct request *r)
{
	const struct oauth_client *client = r->oauth->client;
	struct span subject = facts_get(subject_of(r), FACTS_SUBJECT);
	bool listed = false;

	for (size_t i = 0; i < client->n_exchange_from && !listed; i++)
		listed = matches(r, client->exchange_from[i]);
	if (!listed)
		return FAULT_EXCHANGE_FROM;
	if (subject.n == 0)
		return FAULT_NO_SUBJECT;
	/* it would look as if the client acted for itself (RFC 9068 section 5) */
	if (span_eq(subject, client->id) && !is_own(r, &r->oauth->exchange->subject))
		return FAULT_SUBJECT_NAME;
	return FAULT_COUNT;
}

/* True if a member of may_act is not there, or a string like this one. */
static bool
agrees(const struct doc_value *may_act, struct span name, struct span value)
{
	const struct doc_value *member = doc_get(may_act, name);
	struct span text = doc_string(member);

	return member == NULL || (text.n > 0 && span_eq(text, value));
}

/* Whom may_act names (RFC 8693 section 4.4), it must name by sub or client_id at least. */
static bool
is_named(const struct request *r, const struct doc_value *may_act, const struct actor *actor,
    struct span origin)
{
	const struct doc_value *issuer = doc_get(may_act, SPAN("iss"));

	if (doc_get(may_act, SPAN("sub")) == NULL && doc_get(may_act, SPAN("client_id")) == NULL)
		return false;
	if (!agrees(may_act, SPAN("sub"), actor->subject) ||
	    !agrees(may_act, SPAN("client_id"), actor->client) ||
	    !agrees(may_act, SPAN("iss"), actor->issuer))
		return false;
	return issuer != NULL || span_eq(actor->issuer, origin) ||
	    span_eq(actor->issuer, r->gate->service->issuer);
}

static enum fault
check_may_act(struct request *r, const struct actor *actor)
{
	struct span text = facts_get(subject_of(r), FACTS_MAY_ACT);
	const struct doc_value *may_act;

	if (text.n == 0)
		return FAULT_COUNT;
	enum fault wrong = exchange_parse(r, text, FAULT_MAY_ACT, &may_act);
	if (wrong != FAULT_COUNT)
		return wrong;
	return is_named(r, may_act, actor, facts_get(subject_of(r), FACTS_ISSUER)) ? FAULT_COUNT :
	    FAULT_MAY_ACT;
}

/* Who knows the subject by its name: the issuer of the token, or of the first of its lineage. */
static struct span
origin_of(const struct facts *f)
{
	struct span rest = facts_get(f, FACTS_LINEAGE);
	struct ancestor first;

	return lineage_next(f, &rest, &first) ? first.issuer : facts_get(f, FACTS_ISSUER);
}

/*
 * An actor token is one that was issued to the actor. One that was exchanged speaks of a subject
 * that its bearer acts for, and its act and lineage would have no place in the new token.
 */
static enum fault
check_actor(const struct request *r, const struct judgement *j)
{
	struct span subject = facts_get(j->facts, FACTS_SUBJECT);

	if (subject.n == 0)
		return FAULT_NO_ACTOR;
	if (facts_get(j->facts, FACTS_ACT).n > 0 || facts_get(j->facts, FACTS_LINEAGE).n > 0)
		return FAULT_ACTOR_EXCHANGED;
	if (r->oauth->client->delegation == DELEGATION_SELF && !is_own(r, j))
		return FAULT_DELEGATION_SELF;
	/* nobody acts for himself: it would hide who does */
	return span_eq(subject, facts_get(subject_of(r), FACTS_SUBJECT)) &&
	    span_eq(facts_get(j->facts, FACTS_ISSUER), origin_of(subject_of(r))) ?
	    FAULT_ACTOR_IS_SUBJECT : FAULT_COUNT;
}

enum fault
exchange_may_act(struct request *r)
{
	const struct judgement *j = &r->oauth->exchange->actor;
	struct span id = r->oauth->client->id;
	struct actor actor = { id, r->gate->service->issuer, id };
	enum fault wrong = FAULT_COUNT;

	if (j->facts != NULL) {
		wrong = check_actor(r, j);
		actor = (struct actor){ facts_get(j->facts, FACTS_SUBJECT),
			facts_get(j->facts, FACTS_ISSUER), facts_get(j->facts, FACTS_CLIENT) };
	}
	return wrong == FAULT_COUNT ? check_may_act(r, &actor) : wrong;
}
