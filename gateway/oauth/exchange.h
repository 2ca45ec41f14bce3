/*
 * Token exchange (RFC 8693): a client brings a subject token, and perhaps an actor token, and gets
 * a token for the same subject that is good elsewhere, for less, and no longer.
 *
 * Both tokens are judged by the steps that judge any token, revocations included. What the client
 * may do stands in its record; by default it may exchange nobody's tokens. Nothing grows: scope and
 * life are within the subject token's, targets within the client's. Without an actor the new
 * token is the subject's (impersonation); with one its `act` names him, in front of those who acted
 * before (delegation). Its `lineage` names the tokens it came of: once one of them is revoked, so
 * is it, on every node and from the next request on.
 */
#ifndef GATEWAY_OAUTH_EXCHANGE_H
#define GATEWAY_OAUTH_EXCHANGE_H

#include "gateway/db/batch.h"
#include "gateway/oauth/made.h"
#include "gateway/token/recall.h"

struct doc_value;

/* What the types of tokens begin with (RFC 8693 section 3). */
#define EXCHANGE_TYPE	"urn:ietf:params:oauth:token-type:"

/* An exchange under way; in the arena of its request, zeroed. */
struct exchange {
	struct span		subject_token;
	struct span		actor_token;	/* empty: none */
	struct judgement	subject;
	struct judgement	actor;		/* facts are NULL: none */
	struct made		made;
	struct batch_row	row;		/* task is NULL: nothing was made yet */
	struct arena_cleanup	cleanup;
};

/* Refuses the subject or actor token (FAULT_SUBJECT_TOKEN, FAULT_ACTOR_TOKEN) for its verdict. */
enum step_result exchange_refuse(struct request *r, enum fault which, enum verdict verdict);

/*
 * The client's policy, and the subject token's (exchange_policy.c). Each says FAULT_COUNT, or what
 * is wrong.
 */
/* Whether the client exchanges tokens with an actor token, or without one, at all. */
enum fault exchange_may_begin(const struct request *r);
/* Whether it may exchange this very subject token. */
enum fault exchange_may_take(const struct request *r);
/* Whether the actor, or the client itself where there is none, may act for the subject. */
enum fault exchange_may_act(struct request *r);

/*
 * Settles what the new token says beside the usual: act and lineage (exchange_claims.c).
 * FAULT_COUNT, or what is wrong.
 */
enum fault exchange_settle_claims(struct request *r);
/*
 * Reads a JSON object out of facts; its values are good until the next is read. FAULT_COUNT, or
 * what is wrong: `malformed` if it is none.
 */
enum fault exchange_parse(struct request *r, struct span json, enum fault malformed,
    const struct doc_value **object);
/*
 * Appends act and lineage as introspection tells them. All of the lineage is active: else the
 * token of these facts would not be.
 */
void exchange_describe(struct text *t, const struct facts *f);
/* Bytes that this needs beside what stands in the facts, whatever must be escaped. */
size_t exchange_room(const struct facts *f);

#endif
