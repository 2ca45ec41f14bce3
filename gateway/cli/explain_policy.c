#include <stdio.h>
#include <string.h>

#include "gateway/access/consumer.h"
#include "gateway/cli/explain.h"
#include "gateway/cli/explain_store.h"

/*
 * The rows after those of the token itself: what the gateway remembers of it, what its issuer said,
 * whose it is, whether it is revoked, and the route's policy.
 */

/* The verdict of this name; ACTIVE: there is none. */
static enum verdict
verdict_of(const char *name)
{
	for (int i = 0; name != NULL && i < VERDICT_COUNT; i++)
		if (strcmp(verdict_name((enum verdict)i), name) == 0)
			return (enum verdict)i;
	return VERDICT_ACTIVE;
}

/* What the running gateway's caches say. */
struct memory {
	bool		 known;
	enum verdict	 verdict;
	const json_t	*facts;		/* NULL: none */
	int64_t		 age_s;		/* of the issuer's word, or of the verification */
	bool		 asked;
};

static struct memory
memory_of(const struct explain *e)
{
	const json_t *cached = explain_gateway_cached(e);
	const json_t *facts = json_object_get(cached, "facts");
	const json_t *asked = json_object_get(facts, "asked_for_s");

	return (struct memory){
		.known = cached != NULL,
		.verdict = verdict_of(json_string_value(json_object_get(cached, "verdict"))),
		.facts = json_is_object(facts) ? facts : NULL,
		.age_s = json_integer_value(json_is_integer(asked) ? asked :
		    json_object_get(facts, "known_for_s")),
		.asked = json_is_integer(asked),
	};
}

/* True where the issuer of the token, or whoever might be, is asked. */
static bool
is_asked_about(const struct explain *e)
{
	return e->kind == EXPLAIN_OPAQUE ||
	    (e->issuer != NULL && e->issuer->validate != VALIDATE_LOCAL);
}

/* What it remembers is told where it is news. */
static void
add_memory(struct explain *e)
{
	struct memory m = memory_of(e);
	struct explain_row *row;

	if (e->gateway == NULL || (m.known && m.verdict != VERDICT_ACTIVE &&
	    (m.verdict == e->verdict || is_asked_about(e) || e->kind != EXPLAIN_JWT)))
		return;
	row = explain_row(e, "memory", EXPLAIN_PASSED);
	text_str(&row->expected, "nothing, or that it is active");
	if (!m.known) {
		text_str(&row->found, "nothing");
	} else if (m.verdict == VERDICT_ACTIVE) {
		text_str(&row->found, m.asked ? "active, its issuer said " : "active, found ");
		explain_put_age(&row->found, m.age_s);
		text_str(&row->found, " ago");
	} else {
		explain_fail(row, m.verdict);
		text_str(&row->found, verdict_name(m.verdict));
		text_str(&row->found, ", remembered for a minute at most, or another configuration "
		    "than this file");
	}
}

/* The issuers that would be asked. */
static size_t
count_asked(const struct explain *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->route->n_issuers; i++)
		n += e->route->issuers[i]->validate != VALIDATE_LOCAL;
	return n;
}

static void
add_opaque(struct explain *e)
{
	struct explain_row *row = explain_row(e, "form", EXPLAIN_PASSED);

	text_str(&row->expected, "three parts with a dot between");
	text_str(&row->found, "an opaque token");
	if (count_asked(e) > 0) {
		text_str(&row->expected, ", or what an issuer of the route can be asked about");
		return;
	}
	text_str(&row->expected, ": no issuer of the route is asked about others");
	explain_fail(row, VERDICT_MALFORMED);
}

static void
put_endpoint(struct text *t, const struct config_issuer *issuer)
{
	const char *endpoint = issuer->introspection.endpoint;

	text_str(t, endpoint[0] != '\0' ? endpoint : "its discovered introspection_endpoint");
}

/* Who would be asked, and how old an answer may be. */
static uint64_t
put_question(const struct explain *e, struct text *t)
{
	uint64_t hard_s = e->route->max_staleness_s;
	size_t n = 0;

	text_str(t, "the word of ");
	for (size_t i = 0; i < e->route->n_issuers; i++) {
		const struct config_issuer *issuer = e->route->issuers[i];

		if (issuer->validate == VALIDATE_LOCAL ||
		    (e->issuer != NULL && issuer != e->issuer))
			continue;
		text_str(t, n++ > 0 ? ", or " : "");
		put_endpoint(t, issuer);
		/* what is not checked here is believed for introspection_ttl at most */
		if ((e->kind != EXPLAIN_JWT || issuer->validate == VALIDATE_INTROSPECT) &&
		    hard_s > issuer->introspection.ttl_s)
			hard_s = issuer->introspection.ttl_s;
	}
	text_str(t, ", at most ");
	explain_put_age(t, (int64_t)hard_s);
	text_str(t, " old");
	return hard_s;
}

static void
leave_open(struct explain_row *row, bool decides, const char *found)
{
	row->state = EXPLAIN_OPEN;
	row->decides = decides;
	text_str(&row->found, found);
}

static bool
route_accepts(const struct explain *e)
{
	for (size_t i = 0; i < e->route->n_issuers; i++)
		if (e->route->issuers[i] == e->issuer)
			return true;
	return e->issuer == NULL;
}

static void
judge_word(const struct explain *e, struct explain_row *row, bool suspect)
{
	bool both = e->issuer != NULL && e->verdict == VERDICT_ACTIVE;
	uint64_t hard_s = put_question(e, &row->expected);
	struct memory m = memory_of(e);

	if (!route_accepts(e)) {
		explain_fail(row, VERDICT_WRONG_ISSUER);
		text_str(&row->found, "the route does not accept this issuer, so it is not asked");
	} else if (m.known && m.verdict != VERDICT_ACTIVE) {
		explain_fail(row, m.verdict);
		text_str(&row->found, "asked lately: ");
		text_str(&row->found, verdict_name(m.verdict));
	} else if (suspect && !m.asked) {
		leave_open(row, true, "it said \"not active\" once, so it is asked first");
	} else if (m.known && m.age_s < (int64_t)hard_s) {
		text_str(&row->found, m.asked ? "active, " : "not asked yet; checked here ");
		explain_put_age(&row->found, m.age_s);
		text_str(&row->found, " ago");
	} else if (both && hard_s > 0) {
		text_str(&row->found, "not needed yet: it is checked here first");
		if (e->gateway == NULL)
			leave_open(row, false, "; what it has said before is not known here");
	} else if (m.known) {
		leave_open(row, true, "too old, so it is asked again; it was active ");
		explain_put_age(&row->found, m.age_s);
		text_str(&row->found, " ago");
	} else {
		leave_open(row, true, "not known, so it is asked");
	}
}

static void
add_word(struct explain *e, bool suspect)
{
	if (!is_asked_about(e) || (e->kind == EXPLAIN_OPAQUE && count_asked(e) == 0))
		return;
	struct explain_row *row = explain_row(e, "introspection", EXPLAIN_PASSED);
	if (e->kind == EXPLAIN_JWT && e->verdict != VERDICT_ACTIVE &&
	    e->verdict != VERDICT_ASK_ISSUER)
		row->state = EXPLAIN_NOT_LOOKED;
	else
		judge_word(e, row, suspect);
}

/* Of a token that the gateway alone can read, its issuer at least; NULL: the caches don't know. */
static const struct config_issuer *
remembered_issuer(const struct explain *e)
{
	const char *name = json_string_value(json_object_get(explain_gateway_cached(e), "issuer"));

	for (size_t i = 0; name != NULL && i < e->route->n_issuers; i++)
		if (strcmp(e->route->issuers[i]->name, name) == 0)
			return e->route->issuers[i];
	return NULL;
}

static void
add_consumer(struct explain *e)
{
	struct explain_row *row = explain_row(e, "known consumer", EXPLAIN_NOT_LOOKED);
	const json_t *cached = memory_of(e).facts;
	char why[EXPLAIN_TEXT_MAX / 2];

	if (e->issuer == NULL || (e->facts == NULL && cached == NULL))
		return;
	struct span name = e->facts != NULL ? facts_get(e->facts, FACTS_CONSUMER) : SPAN("");
	row->state = EXPLAIN_PASSED;
	text_put(&row->found, e->facts != NULL ? name : SPAN("whom the issuer named"));
	if (e->issuer->unknown_consumers == UNKNOWN_CONSUMERS_ALLOW) {
		text_str(&row->expected, "any");
		return;
	}
	text_str(&row->expected, "one that the issuer's section lists, or the database has");
	if (e->facts != NULL ? consumer_is_listed(e->issuer, name) :
	    json_is_true(json_object_get(cached, "listed")))
		return;
	if (e->facts == NULL) {
		leave_open(row, true, ", whom the section does not list; who that is is not told");
		return;
	}
	switch (explain_store_consumer(e, name, why, sizeof(why))) {
	case EXPLAIN_STORE_FOUND:
		break;
	case EXPLAIN_STORE_NONE:
		explain_fail(row, VERDICT_UNKNOWN_CONSUMER);
		break;
	case EXPLAIN_STORE_UNKNOWN:
		leave_open(row, false, ": the database can't be asked: ");
		text_str(&row->found, why);
		break;
	}
}

/* Puts what is revoked of the token by the names in an object; the worst of it decides. */
static void
judge_revocations(struct explain_row *row, const json_t *all)
{
	const char *kind, *word;
	json_t *value;
	enum verdict verdict = VERDICT_ACTIVE;

	json_object_foreach((json_t *)(uintptr_t)all, kind, value) {
		if ((word = json_string_value(value)) == NULL)
			continue;
		text_str(&row->found, row->found.n > 0 ? ", " : "");
		text_str(&row->found, strcmp(word, "yes") == 0 ? "revoked by its " :
		    "not known of its ");
		text_str(&row->found, kind);
		if (strcmp(word, "yes") == 0)
			verdict = VERDICT_REVOKED;
		else if (verdict == VERDICT_ACTIVE)
			verdict = VERDICT_REVOCATIONS_UNSURE;
	}
	if (verdict == VERDICT_ACTIVE)
		text_str(&row->found, "not revoked");
	else
		explain_fail(row, verdict);
}

/* Of a token whose claims the gateway alone knows, it tells only whether. */
static void
judge_cached_revocation(struct explain_row *row, const json_t *facts)
{
	const char *revoked = json_string_value(json_object_get(facts, "revoked"));

	if (revoked == NULL || strcmp(revoked, "no") == 0)
		text_str(&row->found, "not revoked");
	else
		explain_fail(row, strcmp(revoked, "yes") == 0 ? VERDICT_REVOKED :
		    VERDICT_REVOCATIONS_UNSURE);
}

static void
add_revocation(struct explain *e, const json_t *told)
{
	struct explain_row *row = explain_row(e, "revoked", EXPLAIN_PASSED);
	const json_t *cached = memory_of(e).facts;
	char why[EXPLAIN_TEXT_MAX / 2] = "";
	json_t *own = NULL;

	text_str(&row->expected, "no revocation of the token, its subject, client, key or session");
	if (e->facts == NULL && cached == NULL)
		row->state = EXPLAIN_NOT_LOOKED;
	else if (e->gateway != NULL &&
	    !json_is_true(json_object_get(e->gateway, "can_be_revoked")))
		text_str(&row->found, "nothing was ever revoked here");
	else if (e->facts == NULL)
		judge_cached_revocation(row, cached);
	else if (told != NULL)
		judge_revocations(row, told);
	else if (e->config->database == NULL)
		leave_open(row, false, "there is no database to ask, only a running gateway");
	else if ((own = explain_store_revocations(e, why, sizeof(why))) != NULL)
		judge_revocations(row, own);
	else {
		leave_open(row, false, "can't be asked: ");
		text_str(&row->found, why);
	}
	json_decref(own);
}

static void
tell_policy(const struct explain *e, enum policy_check check, struct explain_row *row)
{
	struct policy_audience audience = policy_audience(e->route, e->issuer);
	struct span rest, member;

	switch (check) {
	case POLICY_ISSUER:
		text_str(&row->expected, "one of");
		for (size_t i = 0; i < e->route->n_issuers; i++) {
			text_str(&row->expected, i > 0 ? ", " : " ");
			text_str(&row->expected, e->route->issuers[i]->name);
		}
		text_str(&row->found, e->issuer == NULL ? "" : e->issuer->name);
		break;
	case POLICY_AUDIENCE:
		text_str(&row->expected, audience.n == 0 ? "nothing more" : "one of ");
		explain_put_names(&row->expected, audience.names, audience.n);
		if (e->facts == NULL)
			break;
		rest = facts_get(e->facts, FACTS_AUDIENCE);
		while (facts_next(&rest, &member)) {
			text_str(&row->found, row->found.n > 0 ? ", " : "");
			text_put(&row->found, member);
		}
		break;
	case POLICY_SCOPES:
		text_str(&row->expected, e->route->n_scopes == 0 ? "none" : "all of ");
		explain_put_names(&row->expected, e->route->scopes, e->route->n_scopes);
		if (e->facts != NULL)
			text_put(&row->found, facts_get(e->facts, FACTS_SCOPE));
		break;
	case POLICY_CHECKS:
		break;
	}
	if (e->facts != NULL && row->found.n == 0)
		text_str(&row->found, "none");
}

static void
add_policy(struct explain *e, enum policy_check check)
{
	struct explain_row *row = explain_row(e, policy_name(check), EXPLAIN_NOT_LOOKED);
	const json_t *told = json_object_get(json_object_get(memory_of(e).facts, "policy"),
	    policy_name(check));
	bool holds = json_is_true(told);

	if (e->facts != NULL)
		holds = policy_holds(check, e->route, e->facts);
	if (e->facts == NULL && told == NULL)
		return;
	tell_policy(e, check, row);
	row->state = holds ? EXPLAIN_PASSED : EXPLAIN_FAILED;
	row->refusal = policy_refusal(check, &row->verdict);
	if (e->facts == NULL)
		text_str(&row->found, holds ? "that, says the gateway" :
		    "something else, says the gateway, which knows what its issuer said");
}

void
explain_policy(struct explain *e)
{
	json_t *told;

	add_memory(e);
	if (e->issuer == NULL)
		e->issuer = remembered_issuer(e);
	if (e->kind == EXPLAIN_OPAQUE)
		add_opaque(e);
	else if (e->kind == EXPLAIN_OWN)
		explain_store_token(e);
	told = explain_gateway_revocations(e);
	add_word(e, json_is_true(json_object_get(told, "suspect")) ||
	    json_is_true(json_object_get(memory_of(e).facts, "suspect")));
	add_consumer(e);
	add_revocation(e, told);
	for (int i = 0; i < POLICY_CHECKS; i++)
		add_policy(e, (enum policy_check)i);
	json_decref(told);
}
