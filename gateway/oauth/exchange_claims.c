/*
 * Act and lineage: who acts for the subject and who did before (RFC 8693 section 4.1), and which
 * tokens the new one came of.
 *
 * Both are kept whole, or there is no exchange. The subject's act stands inside the new one, or,
 * where nobody acts now, remains what it was.
 */
#include "gateway/base/text.h"
#include "gateway/oauth/exchange.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/service.h"
#include "gateway/token/doc.h"
#include "gateway/token/lineage.h"

#define ACT_ROOM	64	/* names of members, quotes */
#define ISS_ROOM	12	/* the same of one iss */
#define ANCESTOR_ROOM	128	/* the same, and numbers, as introspection tells them */
#define ESCAPED_MAX	6	/* bytes that a byte becomes in JSON at most */

/* Who acted before: the subject token's act. */
struct acted {
	const struct doc_value	*act;		/* NULL: nobody */
	size_t			 n;		/* how many */
	struct span		 issuer;	/* who names them so; empty: we do */
};

enum fault
exchange_parse(struct request *r, struct span json, enum fault malformed,
    const struct doc_value **object)
{
	struct doc_value *values = r->gate->service->values;
	char *text = arena_alloc(&r->arena, json.n);

	if (text == NULL)
		return FAULT_NO_MEMORY;
	memcpy(text, json.p, json.n);
	*object = values;
	return doc_parse(values, SERVICE_VALUES, text, json.n) ? FAULT_COUNT : malformed;
}

/* Reads the subject token's act, and counts who acted. */
static enum fault
read_act(struct request *r, const struct facts *f, struct acted *acted)
{
	struct span act = facts_get(f, FACTS_ACT);

	*acted = (struct acted){ NULL, 0, SPAN("") };
	if (act.n == 0)
		return FAULT_COUNT;
	enum fault wrong = exchange_parse(r, act, FAULT_ACT, &acted->act);
	if (wrong != FAULT_COUNT)
		return wrong;
	if (!r->oauth->exchange->subject.issuer->own)
		acted->issuer = facts_get(f, FACTS_ISSUER);
	for (const struct doc_value *v = acted->act; v != NULL; v = doc_get(v, SPAN("act"))) {
		if (v->type != DOC_OBJECT)
			return FAULT_ACT;
		acted->n++;
	}
	return FAULT_COUNT;
}

/* Nothing is cut off a chain that grows too long. */
static bool
is_too_deep(const struct request *r, const struct exchange *x, const struct acted *acted)
{
	size_t most = r->gate->service->config->exchange_depth;
	size_t actors = acted->n + (x->actor.facts != NULL ? 1 : 0);

	return actors > most || lineage_depth(x->subject.facts) + 1 > most;
}

static void
put_member(struct text *t, struct span name, struct span value)
{
	text_put(t, name);
	text_json(t, value);
}

/*
 * Writes an act as it was read. Another issuer's names are its own: where it doesn't say so, the
 * new token does, in which a name alone is one of ours.
 */
static void
put_acted(struct text *t, const struct doc_value *act, struct span issuer)
{
	char before = '{';

	for (const struct doc_value *v = doc_first(act); v != NULL; v = doc_next(act, v)) {
		text_char(t, before);
		text_json(t, v->name);
		text_char(t, ':');
		if (span_eq(v->name, SPAN("act")))
			put_acted(t, v, issuer);
		else
			doc_write(t, v);
		before = ',';
	}
	if (issuer.n > 0 && doc_get(act, SPAN("iss")) == NULL) {
		text_char(t, before);
		put_member(t, SPAN("\"iss\":"), issuer);
		before = ',';
	}
	text_put(t, before == '{' ? SPAN("{}") : SPAN("}"));
}

/* The actor as `act` names him, in front of those who acted before. */
static void
put_actor(struct text *t, const struct facts *actor, const struct acted *acted, struct span own)
{
	struct span subject = facts_get(actor, FACTS_SUBJECT);
	struct span issuer = facts_get(actor, FACTS_ISSUER);
	struct span client = facts_get(actor, FACTS_CLIENT);

	put_member(t, SPAN("{\"sub\":"), subject);
	if (!span_eq(issuer, own))
		put_member(t, SPAN(",\"iss\":"), issuer);
	if (client.n > 0 && !span_eq(client, subject))
		put_member(t, SPAN(",\"client_id\":"), client);
	if (acted->act != NULL) {
		text_put(t, SPAN(",\"act\":"));
		put_acted(t, acted->act, acted->issuer);
	}
	text_char(t, '}');
}

static size_t
room_for(const struct exchange *x, const struct acted *acted)
{
	const struct facts *f = x->subject.facts, *actor = x->actor.facts;
	size_t room = 2 * ACT_ROOM + lineage_room(f) + facts_get(f, FACTS_ACT).n +
	    acted->n * (ESCAPED_MAX * acted->issuer.n + ISS_ROOM);

	if (actor != NULL)
		room += ESCAPED_MAX * (facts_get(actor, FACTS_SUBJECT).n +
		    facts_get(actor, FACTS_ISSUER).n + facts_get(actor, FACTS_CLIENT).n);
	return room;
}

/* The members as an object of their own. {NULL, 0} without memory. */
static struct span
object_of(struct request *r, struct span members)
{
	struct text t = { arena_alloc(&r->arena, members.n + 1), 0, members.n + 1, false };

	if (t.p == NULL)
		return (struct span){ NULL, 0 };
	text_char(&t, '{');
	text_put(&t, span_skip(members, 1));
	text_char(&t, '}');
	return text_span(&t);
}

/*
 * What others acted may be nested as deep, or have as many names, as can just be read: then it
 * can't be read any more where it stands a level deeper, or names its issuer too.
 */
static enum fault
check_members(struct request *r, const struct acted *acted)
{
	struct oauth *o = r->oauth;
	const struct doc_value *claims;

	o->claims = object_of(r, o->members);
	if (o->claims.p == NULL)
		return FAULT_NO_MEMORY;
	return acted->n == 0 ? FAULT_COUNT :
	    exchange_parse(r, o->claims, FAULT_EXCHANGE_SIZE, &claims);
}

enum fault
exchange_settle_claims(struct request *r)
{
	const struct exchange *x = r->oauth->exchange;
	struct span own = r->gate->service->issuer;
	struct acted acted;
	enum fault wrong = read_act(r, x->subject.facts, &acted);

	if (wrong != FAULT_COUNT)
		return wrong;
	if (is_too_deep(r, x, &acted))
		return FAULT_EXCHANGE_DEPTH;
	size_t room = room_for(x, &acted);
	struct text t = { arena_alloc(&r->arena, room), 0, room, false };
	if (t.p == NULL)
		return FAULT_NO_MEMORY;
	if (x->actor.facts != NULL || acted.act != NULL)
		text_put(&t, SPAN(",\"act\":"));
	if (x->actor.facts != NULL)
		put_actor(&t, x->actor.facts, &acted, own);
	else if (acted.act != NULL)
		put_acted(&t, acted.act, acted.issuer);
	text_put(&t, SPAN(",\"" LINEAGE_CLAIM "\":"));
	lineage_write(&t, x->subject.facts, own);
	r->oauth->members = text_span(&t);
	return t.cut ? FAULT_EXCHANGE_SIZE : check_members(r, &acted);
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
