#include "gateway/oauth/reuse.h"

#include "gateway/base/metric.h"
#include "gateway/oauth/grant.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/service.h"
#include "gateway/token/digest.h"
#include "gateway/token/revocations.h"
#include "shm/cache.h"

/* A token as it lies in the cache; behind it the kid and the text. */
struct kept {
	int64_t		issued_s;
	int64_t		expires_s;
	uint8_t		identity[IDENTITY_SIZE];
	uint16_t	kid_n;
	uint16_t	text_n;
	uint32_t	unused;
};

/* What a token depends on, beside the texts. */
struct numbers {
	int64_t		client;
	uint64_t	generation;
	uint64_t	lifetime_s;
	uint64_t	format;
};

static void
make_key(const struct request *r, uint8_t key[32])
{
	const struct oauth *o = r->oauth;
	const struct service *service = r->gate->service;
	const struct numbers numbers = {
		.client = o->client->number,
		.generation = o->client->generation,
		.lifetime_s = service->config->lifetime_s,
		.format = o->client->opaque ? 0 : 1 + (uint64_t)service->config->signing,
	};
	const struct span parts[] = { { (const char *)&numbers, sizeof(numbers) },
		o->grant->name, { "", 1 }, service->issuer, { "", 1 }, o->scope, { "", 1 },
		o->audience };

	digest_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), key);
}

/* True if the token is not revoked, for all that is known. */
static bool
is_good(const struct request *r, const struct kept *kept, struct span kid, int64_t now_s)
{
	const struct revocations_token token = {
		.identity = kept->identity,
		.issuer = r->gate->service->issuer,
		.subject = r->oauth->client->id,
		.client = r->oauth->client->id,
		.kid = kid,
		.issued_s = kept->issued_s,
	};

	return revocations_check_token(r->gate->shared, &token, now_s) == SET_NO;
}

static bool
lives_long(const struct request *r, const struct kept *kept, int64_t now_s)
{
	int64_t whole_s = kept->expires_s - kept->issued_s;

	return (kept->expires_s - now_s) * 1000 > whole_s * r->gate->service->config->reuse;
}

/* Answers with the token that is there, if it will do; remembers one that is late. */
static bool
answer_again(struct request *r, enum step_result *result)
{
	struct reuse *reuse = r->oauth->reuse;
	int64_t now_s = loop_wall_s(r->gate->loop);
	union {
		struct kept	kept;
		char		bytes[CACHE_VALUE_MAX];
	} room;
	size_t n = cache_get(r->gate->shared->reuse, reuse->key, (uint64_t)now_s, &room,
	    sizeof(room));

	if (n < sizeof(room.kept) ||
	    n != sizeof(room.kept) + room.kept.kid_n + room.kept.text_n ||
	    !is_good(r, &room.kept, span_make(&room.kept + 1, room.kept.kid_n), now_s))
		return false;
	struct span text = span_make(room.bytes + sizeof(room.kept) + room.kept.kid_n,
	    room.kept.text_n);
	if (!lives_long(r, &room.kept, now_s)) {
		reuse->late = arena_copy(&r->arena, text);
		reuse->late_expires_s = room.kept.expires_s;
		return false;
	}
	metric_count(METRIC_TOKENS_REUSED, 0);
	*result = answer_token(r, OUTCOME_REUSED, text, room.kept.expires_s, SPAN(""));
	return true;
}

/* With a refresh token each answer is the only one of its kind. */
static bool
may_reuse(const struct request *r)
{
	return r->gate->service->config->reuse > 0 &&
	    !(r->oauth->client->grants & GRANT_BIT(GRANT_REFRESH_TOKEN));
}

static bool
begin(struct request *r)
{
	struct reuse *reuse = arena_zalloc(&r->arena, sizeof(*reuse));

	if (reuse == NULL)
		return false;
	make_key(r, reuse->key);
	reuse->deadline_ms = loop_now_ms(r->gate->loop) + r->gate->service->patience_ms;
	r->oauth->reuse = reuse;
	return true;
}

enum step_result
reuse_token(struct request *r)
{
	enum step_result result;
	struct reuse *reuse;

	if (r->oauth->reuse == NULL) {
		if (!may_reuse(r))
			return STEP_NEXT;
		if (!begin(r))
			return fault(r, FAULT_NO_MEMORY);
	}
	reuse = r->oauth->reuse;
	if (answer_again(r, &result))
		return result;
	if (loop_now_ms(r->gate->loop) >= reuse->deadline_ms)
		return fault(r, FAULT_UNAVAILABLE);
	r->deadline_ms = reuse->deadline_ms;
	switch (errand_ask(r, &reuse->errand, reuse->key, r->gate->service->patience_ms)) {
	case ERRAND_WAIT:
		return STEP_WAIT;
	case ERRAND_CROWDED:
		return fault(r, FAULT_UNAVAILABLE);
	case ERRAND_YOURS:
		break;
	}
	r->deadline_ms = 0;
	/* it may have come between the first look and the errand */
	if (answer_again(r, &result)) {
		errand_end(&reuse->errand);
		return result;
	}
	return STEP_NEXT;
}

void
reuse_publish(struct request *r, const struct made *made)
{
	struct reuse *reuse = r->oauth->reuse;
	struct kept kept = { .issued_s = made->issued_s, .expires_s = made->expires_s,
		.kid_n = (uint16_t)made->kid.n, .text_n = (uint16_t)made->text.n };
	char bytes[CACHE_VALUE_MAX];
	struct text t = TEXT_OVER(bytes);

	if (reuse == NULL)
		return;
	memcpy(kept.identity, made->identity, sizeof(kept.identity));
	text_put(&t, span_make(&kept, sizeof(kept)));
	text_put(&t, made->kid);
	text_put(&t, made->text);
	/* a token that is too long for the cache is made anew each time */
	if (!t.cut)
		cache_put(r->gate->shared->reuse, reuse->key, bytes, t.n,
		    (uint64_t)made->expires_s, (uint64_t)loop_wall_s(r->gate->loop));
	errand_end(&reuse->errand);
}

void
reuse_give_up(struct request *r)
{
	if (r->oauth->reuse != NULL)
		errand_end(&r->oauth->reuse->errand);
}

bool
reuse_late(struct request *r, enum step_result *result)
{
	const struct reuse *reuse = r->oauth->reuse;

	if (reuse == NULL || reuse->late.n == 0)
		return false;
	metric_count(METRIC_TOKENS_REUSED, 0);
	*result = answer_token(r, OUTCOME_REUSED, reuse->late, reuse->late_expires_s, SPAN(""));
	return true;
}
