/* A request as a worker has it, made of a head that the test writes; steps can be run on it. */
#ifndef TESTS_UNIT_ACCESS_SUPPORT_H
#define TESTS_UNIT_ACCESS_SUPPORT_H

#include <sys/mman.h>

#include "gateway/access/access.h"
#include "gateway/base/shared.h"
#include "gateway/base/text.h"
#include "gateway/request/refuse.h"
#include "gateway/request/trusted.h"
#include "gateway/token/doc.h"
#include "tests/unit/loop_support.h"

#define MAX_FIELDS	30
#define ISSUER_ID	11

static struct config config;
static struct config_network networks[2];
static struct config_issuer issuer = { .name = "main", .issuer = "https://id.test",
    .id = ISSUER_ID };
static const struct config_issuer *issuers[] = { &issuer };
static struct config_upstream upstream_conf = { .name = "u" };
static struct config_route route_conf = {
	.name = "r", .upstream = &upstream_conf, .issuers = issuers, .n_issuers = 1,
	.max_body = 1000, .realm = "realm of tests", .resource_metadata = "",
};
static struct route route = { .config = &route_conf, .id = 5 };
static struct config_server server_conf = { .url = "http://be.test:3000",
    .authority = "be.test:3000" };
__attribute__((unused)) static struct server server = { .config = &server_conf };
static struct shared_control control;
static struct shared shared = { .control = &control };
static struct gate gate;
static struct request request;
static struct field request_fields[MAX_FIELDS];
static _Alignas(16) char request_memory[1 << 18];
static char head_bytes[8192];
static _Alignas(8) char facts_room[FACTS_MAX];

/* A request with this head, from this address, whose path is in normal form. */
static inline void
receive_from(const char *peer, struct span head)
{
	static const struct head_limits limits = { sizeof(head_bytes), 4096, MAX_FIELDS };

	gate.config = &config;
	gate.shared = &shared;
	gate.limits = limits;
	request = (struct request){ .gate = &gate, .route = &route, .scheme = SPAN("http") };
	memset(request.id, 'i', sizeof(request.id));
	arena_init(&request.arena, request_memory, sizeof(request_memory), 0);
	memcpy(head_bytes, head.p, head.n);
	enum head_fault fault = head_parse_request(&request.head, span_make(head_bytes, head.n),
	    &limits, request_fields);
	ck_assert_msg(fault == HEAD_FINE, "%s", head_fault_text(fault));
	request.peer = request.client = span_of(peer);
	request.peer_trusted = trusted_contains(&config, request.peer);
	ck_assert_int_eq(target_normalize(&request.target, request.head.target, &request.arena),
	    TARGET_FINE);
}

#define receive(lines) \
	receive_from("192.0.2.7", SPAN("GET /a?b HTTP/1.1\r\nHost: a.test\r\n" lines "\r\n"))

/* 10.0.0.0/8 and ::1 are believed. */
static inline void
trust_some(void)
{
	networks[0] = (struct config_network){ .bits = 96 + 8 };
	networks[0].address.s6_addr[10] = networks[0].address.s6_addr[11] = 0xff;
	networks[0].address.s6_addr[12] = 10;
	networks[1] = (struct config_network){ IN6ADDR_LOOPBACK_INIT, 128 };
	config.trusted_proxies = networks;
	config.n_trusted_proxies = 2;
}

/* The token of the request was found to be good, and says this. */
static inline void
judge_active(const char *claims)
{
	static const char *wished[] = { "email" };
	const struct facts_wish wish = { .consumer_claim = "", .scope_claim = "",
		.claims = wished, .n_claims = 1 };
	static char text[4096];
	static struct doc_value values[DOC_VALUES(sizeof(text))];
	struct facts *facts = (struct facts *)facts_room;

	strcpy(text, claims);
	ck_assert(doc_parse(values, sizeof(values) / sizeof(values[0]), text, strlen(text)));
	ck_assert_int_eq(facts_make(facts, values, SPAN("k"), &wish), VERDICT_ACTIVE);
	facts->issuer = ISSUER_ID;
	request.token = SPAN("a.b.c");
	request.judged = true;
	request.judgement = (struct judgement){ .verdict = VERDICT_ACTIVE, .facts = facts,
		.issuer = &issuer };
}

static inline bool
span_holds(struct span s, const char *text)
{
	return s.n > 0 && memmem(s.p, s.n, text, strlen(text)) != NULL;
}

/* The request was answered with this status, and its head and body hold these texts. */
#define ck_answer(wanted, in_fields, in_body) do { \
	ck_assert_int_eq(request.phase, REQUEST_ANSWERING); \
	ck_assert_uint_eq(request.answer.status, (wanted)); \
	ck_assert_msg(span_holds(request.answer.fields, (in_fields)), "%.*s", \
	    SPAN_ARG(request.answer.fields)); \
	ck_assert_msg(span_holds(request.answer_body, (in_body)), "%.*s", \
	    SPAN_ARG(request.answer_body)); \
} while (0)

#endif
