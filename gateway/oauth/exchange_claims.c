/*
 * Act and lineage: who acts for the subject and who did before (RFC 8693 section 4.1), and which
 * tokens the new one came of.
 *
 * Both are kept whole, or there is no exchange. The subject's act stands inside the new one as it
 * is, or, where nobody acts now, remains what it was.
 */
#include "gateway/base/text.h"
#include "gateway/oauth/exchange.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/service.h"
#include "gateway/token/doc.h"
#include "gateway/token/lineage.h"

#define ACT_ROOM	64	/* names of members, quotes */
#define ANCESTOR_ROOM	128	/* the same, and numbers, as introspection tells them */
#define ESCAPED_MAX	6	/* bytes that a byte becomes in JSON at most */

enum fault
exchange_parse(struct request *r, struct span json, enum fault malformed,
    const struct doc_value **object)
{
	char *text = arena_alloc(&r->arena, json.n);
	size_t max = DOC_VALUES(json.n);
	struct doc_value *values = arena_alloc(&r->arena, max * sizeof(*values));

	if (text == NULL || values == NULL)
		return FAULT_NO_MEMORY;
	memcpy(text, json.p, json.n);
	*object = values;
	return doc_parse(values, max, text, json.n) ? FAULT_COUNT : malformed;
}

/* How many actors stand in the subject token's act. */
static enum fault
count_actors(struct request *r, struct span act, size_t *n)
{
	const struct doc_value *v;

	*n = 0;
	if (act.n == 0)
		return FAULT_COUNT;
	enum fault wrong = exchange_parse(r, act, FAULT_ACT, &v);
	if (wrong != FAULT_COUNT)
		return wrong;
	for (; v != NULL; v = doc_get(v, SPAN("act"))) {
		if (v->type != DOC_OBJECT)
			return FAULT_ACT;
		++*n;
	}
	return FAULT_COUNT;
}

/* Nothing is cut off a chain that grows too long. */
static enum fault
check_depth(struct request *r, const struct exchange *x)
{
	size_t most = r->gate->service->config->exchange_depth, actors;
	enum fault wrong = count_actors(r, facts_get(x->subject.facts, FACTS_ACT), &actors);

	if (wrong != FAULT_COUNT)
		return wrong;
	if (x->actor.facts != NULL)
		actors++;
	return actors > most || lineage_depth(x->subject.facts) + 1 > most ?
	    FAULT_EXCHANGE_DEPTH : FAULT_COUNT;
}

static void
put_member(struct text *t, struct span name, struct span value)
{
	text_put(t, name);
	text_json(t, value);
}

/* The actor as `act` names him, in front of those who acted before. */
static void
put_actor(struct text *t, const struct facts *actor, struct span before, struct span own)
{
	struct span subject = facts_get(actor, FACTS_SUBJECT);
	struct span issuer = facts_get(actor, FACTS_ISSUER);
	struct span client = facts_get(actor, FACTS_CLIENT);

	put_member(t, SPAN("{\"sub\":"), subject);
	if (!span_eq(issuer, own))
		put_member(t, SPAN(",\"iss\":"), issuer);
	if (client.n > 0 && !span_eq(client, subject))
		put_member(t, SPAN(",\"client_id\":"), client);
	if (before.n > 0) {
		text_put(t, SPAN(",\"act\":"));
		text_put(t, before);
	}
	text_char(t, '}');
}

static size_t
room_for(const struct exchange *x)
{
	const struct facts *f = x->subject.facts, *actor = x->actor.facts;
	size_t room = 2 * ACT_ROOM + lineage_room(f) + facts_get(f, FACTS_ACT).n;

	if (actor != NULL)
		room += ESCAPED_MAX * (facts_get(actor, FACTS_SUBJECT).n +
		    facts_get(actor, FACTS_ISSUER).n + facts_get(actor, FACTS_CLIENT).n);
	return room;
}

enum fault
exchange_settle_claims(struct request *r)
{
	const struct exchange *x = r->oauth->exchange;
	const struct facts *f = x->subject.facts;
	struct span own = r->gate->service->issuer, before = facts_get(f, FACTS_ACT);
	enum fault wrong = check_depth(r, x);

	if (wrong != FAULT_COUNT)
		return wrong;
	size_t room = room_for(x);
	struct text t = { arena_alloc(&r->arena, room), 0, room, false };
	if (t.p == NULL)
		return FAULT_NO_MEMORY;
	if (x->actor.facts != NULL || before.n > 0)
		text_put(&t, SPAN(",\"act\":"));
	if (x->actor.facts != NULL)
		put_actor(&t, x->actor.facts, before, own);
	else
		text_put(&t, before);
	text_put(&t, SPAN(",\"" LINEAGE_CLAIM "\":"));
	lineage_write(&t, f, own);
	r->oauth->members = text_span(&t);
	return t.cut ? FAULT_EXCHANGE_SIZE : FAULT_COUNT;
}

static void
put_ancestor(struct text *t, const struct ancestor *a)
{
	put_member(t, SPAN("{\"active\":true,\"iss\":"), a->issuer);
	if (a->jti.n > 0)
		put_member(t, SPAN(",\"jti\":"), a->jti);
	put_member(t, SPAN(",\"sub\":"), a->subject);
	if (a->client.n > 0)
		put_member(t, SPAN(",\"client_id\":"), a->client);
	if (a->issued_s >= 0) {
		text_put(t, SPAN(",\"iat\":"));
		text_u64(t, (uint64_t)a->issued_s);
	}
	text_char(t, '}');
}

void
exchange_describe(struct text *t, const struct facts *f)
{
	struct span act = facts_get(f, FACTS_ACT), rest = facts_get(f, FACTS_LINEAGE);
	const char *before = ",\"lineage\":[";
	struct ancestor a;

	if (act.n > 0) {
		text_put(t, SPAN(",\"act\":"));
		text_put(t, act);
	}
	if (rest.n == 0)
		return;
	for (; lineage_next(f, &rest, &a); before = ",") {
		text_str(t, before);
		put_ancestor(t, &a);
	}
	text_char(t, ']');
}

size_t
exchange_room(const struct facts *f)
{
	return lineage_depth(f) * (ANCESTOR_ROOM + ESCAPED_MAX *
	    (facts_get(f, FACTS_ISSUER).n + facts_get(f, FACTS_SUBJECT).n)) + ANCESTOR_ROOM;
}
