#include "gateway/oauth/exchange.h"

#include <jansson.h>
#include <stdio.h>

#include "gateway/oauth/oauth.h"
#include "gateway/oauth/service.h"
#include "gateway/token/lineage.h"
#include "tests/unit/access_support.h"

/* What an exchanged token says of who acts and where it came from is whole, or there is none. */

#define OWN	"https://own.test"

static struct config_token_service service_conf = { .exchange_depth = 4 };
static struct doc_value scratch[SERVICE_VALUES];
static struct service service = { .config = &service_conf, .issuer = SPAN(OWN), .values = scratch };
static const struct config_issuer own = { .issuer = OWN, .own = true };
static struct oauth oauth;
static struct exchange exchange;
static _Alignas(8) char subject_room[FACTS_MAX], actor_room[FACTS_MAX];
static char text[1 << 15];

static const struct facts *
facts_of(char *room, const char *claims)
{
	static const struct facts_wish wish = { .consumer_claim = "", .scope_claim = "",
		.lineage = true };
	static struct doc_value values[DOC_VALUES(sizeof(text))];
	struct facts *f = (struct facts *)(void *)room;

	ck_assert_uint_lt(strlen(claims), sizeof(text));
	memmove(text, claims, strlen(claims) + 1);
	ck_assert_msg(doc_parse(values, DOC_VALUES(sizeof(text)), text, strlen(text)), "%s", claims);
	ck_assert_int_eq(facts_make(f, values, SPAN("k"), &wish), VERDICT_ACTIVE);
	facts_identify(f, SPAN("a.b"));
	f->iat_s = 7;
	return f;
}

static enum fault
settle(const char *subject, const char *actor)
{
	receive("");
	gate.service = &service;
	oauth = (struct oauth){ .exchange = &exchange };
	request.oauth = &oauth;
	exchange = (struct exchange){ .subject.facts = facts_of(subject_room, subject),
		.subject.issuer = strstr(subject, "\"iss\":\"" OWN "\"") != NULL ? &own : &issuer };
	if (actor != NULL)
		exchange.actor.facts = facts_of(actor_room, actor);
	return exchange_settle_claims(&request);
}

static void
ck_members(const char *subject, const char *actor, const char *act)
{
	char wanted[1024];

	ck_assert_int_eq(settle(subject, actor), FAULT_COUNT);
	snprintf(wanted, sizeof(wanted), "%s%s,\"lineage\":[", act[0] == '\0' ? "" : ",\"act\":", act);
	ck_assert_msg(oauth.members.n > strlen(wanted) &&
	    memcmp(oauth.members.p, wanted, strlen(wanted)) == 0, "%.*s", SPAN_ARG(oauth.members));
}

#define ALICE	"{\"iss\":\"https://id.test\",\"sub\":\"alice\",\"jti\":\"j\""

START_TEST(act_names_the_actor_and_those_before)
{
	ck_members(ALICE "}", NULL, "");
	ck_members(ALICE ",\"act\":{\"sub\":\"a\"}}", NULL,
	    "{\"sub\":\"a\",\"iss\":\"https://id.test\"}");
	ck_members(ALICE ",\"act\":{}}", NULL, "{\"iss\":\"https://id.test\"}");
	ck_members("{\"iss\":\"" OWN "\",\"sub\":\"b\",\"act\":{\"sub\":\"a\",\"act\":{}}}", NULL,
	    "{\"sub\":\"a\",\"act\":{}}");
	ck_members(ALICE "}", "{\"iss\":\"" OWN "\",\"sub\":\"b\",\"client_id\":\"b\"}",
	    "{\"sub\":\"b\"}");
	ck_members(ALICE ",\"act\":{\"sub\":\"a\"}}",
	    "{\"iss\":\"https://x.test\",\"sub\":\"b\",\"client_id\":\"c\"}",
	    "{\"sub\":\"b\",\"iss\":\"https://x.test\",\"client_id\":\"c\","
	    "\"act\":{\"sub\":\"a\",\"iss\":\"https://id.test\"}}");
	ck_members(ALICE "}", "{\"iss\":\"" OWN "\",\"sub\":\"a\\\"b\\\\\"}",
	    "{\"sub\":\"a\\\"b\\\\\"}");
}
END_TEST

/* A token with this many actors, and this many ancestors. */
static const char *
deep(unsigned actors, unsigned ancestors)
{
	static char claims[8192];
	struct text t = TEXT_OVER(claims);

	text_str(&t, ALICE);
	for (unsigned i = 0; i < actors; i++)
		text_str(&t, i == 0 ? ",\"act\":{\"sub\":\"a\"" : ",\"act\":{\"x\":1");
	for (unsigned i = 0; i < actors; i++)
		text_char(&t, '}');
	for (unsigned i = 0; i < ancestors; i++)
		text_str(&t, i == 0 ? ",\"lineage\":[{\"jti\":\"0\"}" : ",{\"jti\":\"x\"}");
	text_fmt(&t, "%s}", ancestors > 0 ? "]" : "");
	text_char(&t, '\0');
	ck_assert(!t.cut);
	return claims;
}

START_TEST(chains_end_at_a_depth)
{
	const char *actor = "{\"iss\":\"" OWN "\",\"sub\":\"b\"}";

	for (unsigned most = 1; most <= LINEAGE_MAX; most++) {
		service_conf.exchange_depth = most;
		ck_assert_int_eq(settle(deep(most, most - 1), NULL), FAULT_COUNT);
		ck_assert_int_eq(settle(deep(most - 1, 0), actor), FAULT_COUNT);
		ck_assert_int_eq(settle(deep(most, 0), actor), FAULT_EXCHANGE_DEPTH);
		ck_assert_int_eq(settle(deep(0, most), NULL), FAULT_EXCHANGE_DEPTH);
		if (most < LINEAGE_MAX)
			ck_assert_int_eq(settle(deep(most + 1, 0), NULL), FAULT_EXCHANGE_DEPTH);
	}
	service_conf.exchange_depth = 4;
}
END_TEST

/* The longest chains that are allowed come back whole when the new token is read. */
START_TEST(what_was_written_can_be_read)
{
	char claims[1 << 14];
	char actor[1024];
	unsigned n = 0;

	service_conf.exchange_depth = LINEAGE_MAX;
	memset(actor, 0, sizeof(actor));
	strcpy(claims, ALICE "}");
	for (; n < LINEAGE_MAX; n++) {
		/* all that must be escaped */
		snprintf(actor, sizeof(actor), "{\"iss\":\"https://\\\"%u\\\"\",\"sub\":\"\\\\\\\"%u\","
		    "\"client_id\":\"\\\"\\\"\\u2028\\u00e9\",\"jti\":\"x\"}", n, n);
		ck_assert_int_eq(settle(claims, actor), FAULT_COUNT);
		snprintf(claims, sizeof(claims), "{\"iss\":\"" OWN "\",\"sub\":\"alice\","
		    "\"client_id\":\"\\\"%u\\\"\",\"jti\":\"j%u\"%.*s}", n, n,
		    SPAN_ARG(oauth.members));
		const struct facts *f = facts_of(subject_room, claims);
		ck_assert_uint_eq(lineage_depth(f), n + 1);
	}
	ck_assert_int_eq(settle(claims, actor), FAULT_EXCHANGE_DEPTH);
	const struct facts *f = facts_of(subject_room, claims);
	size_t room = 6 * (size_t)f->size + exchange_room(f);
	struct text t = { arena_alloc(&request.arena, room), 0, room, false };
	text_put(&t, SPAN("{\"active\":true"));
	exchange_describe(&t, f);
	text_char(&t, '}');
	ck_assert(!t.cut);
	json_t *json = json_loadb(t.p, t.n, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(json);
	ck_assert_uint_eq(json_array_size(json_object_get(json, "lineage")), LINEAGE_MAX);
	for (json_t *act = json; (act = json_object_get(act, "act")) != NULL; n--)
		ck_assert_ptr_nonnull(json_object_get(act, "client_id"));
	ck_assert_uint_eq(n, 0);
	json_decref(json);
	service_conf.exchange_depth = 4;
}
END_TEST

START_TEST(a_malformed_act_ends_it)
{
	ck_assert_int_eq(settle(ALICE ",\"act\":{\"act\":1}}", NULL), FAULT_ACT);
	ck_assert_int_eq(settle(ALICE ",\"act\":{\"act\":{\"act\":[]}}}", NULL), FAULT_ACT);
	ck_assert_int_eq(settle(ALICE ",\"act\":{}}", NULL), FAULT_COUNT);
}
END_TEST

START_TEST(without_memory_there_is_none)
{
	settle(ALICE ",\"act\":{\"sub\":\"a\"}}", NULL);
	arena_init(&request.arena, NULL, 0, 0);
	ck_assert_int_eq(exchange_settle_claims(&request), FAULT_NO_MEMORY);
}
END_TEST

SUITE_RUN("oauth_exchange", act_names_the_actor_and_those_before, chains_end_at_a_depth,
    what_was_written_can_be_read, a_malformed_act_ends_it, without_memory_there_is_none)
