#include "gateway/oauth/made.h"

#include <openssl/crypto.h>

#include "gateway/base/clock.h"
#include "gateway/base/text.h"
#include "gateway/db/value.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/service.h"
#include "gateway/token/digest.h"
#include "gateway/token/mint.h"
#include "gateway/token/revocations.h"

#define ANSWER_ROOM	160	/* beside tokens and scope */

bool
made_by_chance(struct chance *source, struct made *made)
{
	uint8_t chance[UUID_CHANCE + OPAQUE_SECRET];

	if (!chance_take(source, chance, sizeof(chance)))
		return false;
	uuid_make(made->id, (uint64_t)clock_wall_us() / 1000, chance);
	memcpy(made->secret, chance + UUID_CHANCE, OPAQUE_SECRET);
	OPENSSL_cleanse(chance, sizeof(chance));
	return true;
}

struct span
made_digest(const struct made *made)
{
	return made->kid.n > 0 ? (struct span){ NULL, 0 } :
	    span_make(made->digest, sizeof(made->digest));
}

static enum fault
make_opaque(struct request *r, struct made *made)
{
	char *text = arena_alloc(&r->arena, OPAQUE_TEXT);

	if (text == NULL)
		return FAULT_NO_MEMORY;
	opaque_write(OPAQUE_ACCESS, made->id, made->secret, r->gate->opaque_key, text);
	made->text = span_make(text, OPAQUE_TEXT);
	digest_sha256(made->text, made->digest);
	return FAULT_COUNT;
}

/* Sub: a client that acts for nobody else is the subject itself. */
static struct span
subject_of(const struct oauth *o)
{
	return o->subject.n > 0 ? o->subject : o->client->id;
}

static enum fault
make_jwt(struct request *r, struct made *made)
{
	const struct oauth *o = r->oauth;
	const struct mint_claims claims = {
		.issuer = r->gate->service->issuer,
		.subject = subject_of(o),
		.client_id = o->client->id,
		.consumer = o->client->consumer,
		.custom_id = o->client->custom_id,
		.jti = span_make(made->jti, sizeof(made->jti)),
		.scope = o->scope,
		.audience = o->audiences,
		.n_audience = o->n_audiences,
		.issued_s = made->issued_s,
		.expires_s = made->expires_s,
		.more = o->members,
	};

	switch (mint_jwt(r->gate->signer, &claims, loop_wall_s(r->gate->loop), &r->arena,
	    &made->text)) {
	case MINT_DONE:
		made->kid = arena_copy(&r->arena, signer_kid(r->gate->signer));
		return made->kid.n > 0 ? FAULT_COUNT : FAULT_NO_MEMORY;
	case MINT_NO_KEY:
		return FAULT_NO_KEYS;
	case MINT_NO_MEMORY:
		break;
	}
	return FAULT_NO_MEMORY;
}

/*
 * True if the token is revoked already: its client or subject was, in this very second, and a
 * token tells no more of its time than seconds.
 */
static bool
is_stillborn(const struct request *r, const struct made *made)
{
	const struct revocations_token token = {
		.issuer = r->gate->service->issuer,
		.subject = subject_of(r->oauth),
		.client = r->oauth->client->id,
		.kid = made->kid.n > 0 ? made->kid : (struct span){ NULL, 0 },
		.issued_s = made->issued_s,
	};

	return revocations_check_token(r->gate->shared, &token,
	    loop_wall_s(r->gate->loop)) == SET_YES;
}

enum fault
made_token(struct request *r, struct made *made, int64_t issued_s)
{
	const struct oauth *o = r->oauth;
	const struct oauth_client *client = o->client;
	struct service *service = r->gate->service;
	int64_t lifetime_s = client->lifetime_s > 0 ? client->lifetime_s :
	    (int64_t)service->config->lifetime_s;

	uuid_text(made->id, made->jti);
	identity_make(IDENTITY_JTI, service->issuer, span_make(made->jti, sizeof(made->jti)),
	    made->identity);
	made->issued_s = issued_s;
	made->expires_s = issued_s + lifetime_s;
	if (o->ends_s != 0 && o->ends_s < made->expires_s)
		made->expires_s = o->ends_s;
	value_put_i64(made->client, client->number);
	value_put_time(made->issued, made->issued_s);
	value_put_time(made->expires, made->expires_s);
	bool opaque = client->opaque && !o->as_jwt;
	enum fault wrong = opaque ? make_opaque(r, made) : make_jwt(r, made);
	return wrong == FAULT_COUNT && is_stillborn(r, made) ? FAULT_JUST_REVOKED : wrong;
}

enum step_result
answer_token(struct request *r, enum outcome outcome, struct span token, int64_t expires_s,
    struct span refresh_token)
{
	struct span scope = r->oauth->scope, type = r->oauth->issued_type;
	int64_t left_s = expires_s - loop_wall_s(r->gate->loop);
	size_t room = ANSWER_ROOM + token.n + refresh_token.n + 6 * scope.n + type.n;
	struct text t = { arena_alloc(&r->arena, room), 0, room, false };

	if (t.p == NULL)
		return fault(r, FAULT_NO_MEMORY);
	text_put(&t, SPAN("{\"access_token\":\""));
	text_put(&t, token);
	text_put(&t, SPAN("\",\"token_type\":\"Bearer\",\"expires_in\":"));
	text_u64(&t, left_s > 0 ? (uint64_t)left_s : 0);
	if (type.n > 0) {
		text_put(&t, SPAN(",\"issued_token_type\":\""));
		text_put(&t, type);
		text_char(&t, '"');
	}
	/* no scope is told by leaving it out: an empty one is none (RFC 6749 section 3.3) */
	if (scope.n > 0) {
		text_put(&t, SPAN(",\"scope\":"));
		text_json(&t, scope);
	}
	if (refresh_token.n > 0) {
		text_put(&t, SPAN(",\"refresh_token\":\""));
		text_put(&t, refresh_token);
		text_char(&t, '"');
	}
	text_put(&t, SPAN("}\n"));
	return answer_json(r, outcome, text_span(&t));
}
