/*
 * Refresh tokens: each works once and brings the next (RFC 9700 section 4.14.2).
 *
 * What comes of a refresh token is derived from it, with a key of the service's: the next one's id
 * and secret, and the access token's. So when an answer was lost and the client asks again within
 * the grace, on whichever node, it gets the same tokens, and nothing raw was kept to make that so.
 * After the grace a token that comes again is in two hands: its family is revoked, before the
 * answer.
 *
 * The statement that marks a token as used also makes its successors, and does nothing unless the
 * token was unused and its family good. Whoever comes second looks again at what the first has
 * left.
 */
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "gateway/db/value.h"
#include "gateway/oauth/answer.h"
#include "gateway/oauth/family.h"
#include "gateway/oauth/grant.h"
#include "gateway/oauth/limit.h"
#include "gateway/oauth/made.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/refresh.h"
#include "gateway/oauth/service.h"
#include "gateway/token/digest.h"

enum rotation_state {
	ROTATION_NEW,
	ROTATION_FIRST,		/* the token is used now */
	ROTATION_AGAIN,		/* it was used, within the grace */
	ROTATION_TOO_LATE,	/* it was used, and the grace is over */
};

/* The exchange of a refresh token; in the arena. */
struct rotation {
	enum rotation_state	state;
	struct made		made;
	struct db_query		query;
	struct arena_cleanup	cleanup;
	uint8_t			next_id[UUID_SIZE];
	char			next_text[OPAQUE_TEXT];
	uint8_t			next_digest[32];
	char			next_expires[8];
	struct family_end	end;		/* of a family whose token came again too late */
};

enum step_result
find_refresh_token(struct request *r)
{
	struct oauth *o = r->oauth;
	struct span token = form_get(&o->form, SPAN("refresh_token"));

	if (token.n == 0)
		return fault(r, FAULT_NO_REFRESH_TOKEN);
	if (o->refresh == NULL && (o->refresh = refresh_search_new(r, token)) == NULL)
		return fault(r, FAULT_NO_MEMORY);
	switch (refresh_search_run(r, o->refresh)) {
	case REFRESH_WAIT:
		return STEP_WAIT;
	case REFRESH_NONE:
		return fault(r, FAULT_REFRESH);
	case REFRESH_UNAVAILABLE:
		return fault(r, FAULT_UNAVAILABLE);
	case REFRESH_FOUND:
		break;
	}
	if (o->refresh->client != o->client->number || o->refresh->revoked ||
	    o->refresh->expires_s <= loop_wall_s(r->gate->loop))
		return fault(r, FAULT_REFRESH);
	return STEP_NEXT;
}

/* 32 bytes of a purpose that nobody can tell without the old token and the service's key. */
static bool
derive(const struct request *r, const char *purpose, bool with_content, uint8_t out[32])
{
	const struct oauth *o = r->oauth;
	const struct seal_key *key = &r->gate->service->refresh_key;
	const struct span parts[] = { span_of(purpose), { "", 1 }, o->refresh->token, { "", 1 },
		with_content ? o->scope : SPAN(""), { "", 1 },
		with_content ? o->audience : SPAN("") };
	uint8_t digest[32];
	unsigned n;

	digest_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), digest);
	return HMAC(EVP_sha256(), key->bytes, sizeof(key->bytes), digest, sizeof(digest), out,
	    &n) != NULL;
}

/* The successors of a token that was used at this time. */
static enum fault
make_successors(struct request *r, struct rotation *x, int64_t used_s)
{
	const struct config_token_service *config = r->gate->service->config;
	uint8_t bytes[32];

	if (!derive(r, "refresh id", false, bytes))
		return FAULT_NO_MEMORY;
	uuid_make(x->next_id, (uint64_t)used_s * 1000, bytes);
	if (!derive(r, "refresh secret", false, bytes))
		return FAULT_NO_MEMORY;
	opaque_write(OPAQUE_REFRESH, x->next_id, bytes, r->gate->opaque_key, x->next_text);
	digest_sha256(span_make(x->next_text, OPAQUE_TEXT), x->next_digest);
	value_put_time(x->next_expires, used_s + (int64_t)config->refresh_lifetime_s);
	if (!derive(r, "access id", true, bytes))
		return FAULT_NO_MEMORY;
	uuid_make(x->made.id, (uint64_t)used_s * 1000, bytes);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	if (!derive(r, "access secret", true, x->made.secret))
		return FAULT_NO_MEMORY;
	return made_token(r, &x->made, used_s);
}

/* The parameters of SQL_ROTATE. */
static void
fill_rotation(struct request *r, struct rotation *x)
{
	const struct refresh_search *old = r->oauth->refresh;
	const struct span params[] = {
		span_make(old->family, sizeof(old->family)), span_make(old->id, sizeof(old->id)),
		span_make(x->made.issued, sizeof(x->made.issued)),
		span_make(x->next_id, sizeof(x->next_id)),
		span_make(x->next_digest, sizeof(x->next_digest)),
		span_make(x->made.client, sizeof(x->made.client)),
		span_make(x->next_expires, sizeof(x->next_expires)), old->scope, old->audience,
		span_make(x->made.id, sizeof(x->made.id)), made_digest(&x->made),
		span_make(x->made.expires, sizeof(x->made.expires)),
		r->oauth->scope, r->oauth->audience,
	};

	x->query.statement = SQL_ROTATE;
	memcpy(x->query.params, params, sizeof(params));
}

/* The parameters of SQL_REPEAT_TOKEN. */
static void
fill_repetition(struct request *r, struct rotation *x)
{
	const struct refresh_search *old = r->oauth->refresh;
	const struct span params[] = {
		span_make(x->made.id, sizeof(x->made.id)), made_digest(&x->made),
		span_make(x->made.client, sizeof(x->made.client)),
		span_make(x->made.issued, sizeof(x->made.issued)),
		span_make(x->made.expires, sizeof(x->made.expires)),
		r->oauth->scope, r->oauth->audience,
		span_make(old->family, sizeof(old->family)),
	};

	x->query.statement = SQL_REPEAT_TOKEN;
	memcpy(x->query.params, params, sizeof(params));
}

static void
end_rotation(void *rotation)
{
	struct rotation *x = rotation;

	db_end(&x->query);
	OPENSSL_cleanse(x->next_text, sizeof(x->next_text));
}

/* Decided once: while the database works, the grace may end. */
static enum rotation_state
judge(const struct request *r)
{
	const struct refresh_search *old = r->oauth->refresh;
	int64_t grace_s = (int64_t)r->gate->service->config->refresh_grace_s;

	if (old->used_s == 0)
		return ROTATION_FIRST;
	return loop_wall_s(r->gate->loop) <= old->used_s + grace_s ? ROTATION_AGAIN :
	    ROTATION_TOO_LATE;
}

static enum step_result
begin(struct request *r, struct rotation *x)
{
	int64_t now_s = loop_wall_s(r->gate->loop);
	bool first = x->state == ROTATION_FIRST;
	uint64_t wait_s;

	if (!limit_take_token(r, !first, &wait_s))
		return fault_because(r, FAULT_TOKEN_RATE,
		    (struct fault_more){ .retry_after_s = (unsigned)wait_s });
	enum fault wrong = make_successors(r, x, first ? now_s : r->oauth->refresh->used_s);
	if (wrong != FAULT_COUNT)
		return fault(r, wrong);
	if (first)
		fill_rotation(r, x);
	else
		fill_repetition(r, x);
	x->query.task = r->task;
	return STEP_NEXT;
}

/* The token is in two hands: what came of it ends before anybody is told. */
static enum step_result
end_family(struct request *r, struct rotation *x)
{
	switch (family_revoke(r, &x->end, r->oauth->refresh->family)) {
	case RUN_WAIT:
		return STEP_WAIT;
	case RUN_FAIL:
		return fault_store(r, x->end.query.outcome, x->end.query.sqlstate);
	case RUN_DONE:
		break;
	}
	return fault(r, FAULT_REFRESH_REUSED);
}

/* Somebody else was first, in this very moment: what he has left decides. */
static enum step_result
look_again(struct request *r)
{
	struct oauth *o = r->oauth;

	if (o->looked_again)
		return fault(r, FAULT_UNAVAILABLE);
	o->looked_again = true;
	o->refresh = NULL;
	o->rotation = NULL;
	o->n_audiences = 0;
	return step_switch(r, &o->grant->flow);
}

static enum step_result
exchange(struct request *r, struct rotation *x)
{
	switch (db_run(r->gate->db, &x->query)) {
	case RUN_WAIT:
		return STEP_WAIT;
	case RUN_FAIL:
		return fault_store(r, x->query.outcome, x->query.sqlstate);
	case RUN_DONE:
		break;
	}
	if (db_rows(&x->query) == 0)
		return look_again(r);
	if (x->state == ROTATION_FIRST)
		grant_count(r->oauth->grant);
	return answer_token(r, OUTCOME_ISSUED, x->made.text, x->made.expires_s,
	    span_make(x->next_text, OPAQUE_TEXT));
}

enum step_result
rotate_token(struct request *r)
{
	struct rotation *x = r->oauth->rotation;

	if (x == NULL) {
		x = r->oauth->rotation = arena_zalloc(&r->arena, sizeof(*x));
		if (x == NULL)
			return fault(r, FAULT_NO_MEMORY);
		arena_defer(&r->arena, &x->cleanup, end_rotation, x);
		x->state = judge(r);
		if (x->state != ROTATION_TOO_LATE) {
			enum step_result result = begin(r, x);

			if (result != STEP_NEXT)
				return result;
		}
	}
	return x->state == ROTATION_TOO_LATE ? end_family(r, x) : exchange(r, x);
}
