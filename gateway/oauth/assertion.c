#include "gateway/oauth/assertion.h"

#include <stdlib.h>

#include "gateway/base/encode.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/service.h"
#include "gateway/token/alg.h"
#include "gateway/token/digest.h"
#include "gateway/token/doc.h"
#include "gateway/token/jwks.h"
#include "shm/set.h"

#define ASSERTION_MAX	8192		/* bytes */
#define AHEAD_MAX_S	600		/* how far off exp may be */
#define LEEWAY_S	60		/* for clients whose clocks are fast: nbf, iat */
#define JTI_MAX		256
#define PARTS		3

#define TYPE	"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

/* An assertion that was read, in the arena. */
struct assertion {
	struct span		 signed_text;
	struct span		 signature;
	const struct alg	*alg;
	struct span		 kid;		/* p is NULL: none */
	const struct doc_value	*claims;
};

#define member(object, name)	doc_get((object), SPAN(name))

/* Cuts the compact form at its dots and decodes the three parts. */
static bool
split(struct arena *arena, struct span text, struct assertion *a, struct span part[PARTS])
{
	struct span rest = text;

	for (int i = 0; i < PARTS; i++) {
		const char *dot = rest.n == 0 ? NULL : memchr(rest.p, '.', rest.n);
		size_t n = dot == NULL ? rest.n : (size_t)(dot - rest.p), decoded;

		if ((dot == NULL) != (i == PARTS - 1) || n == 0)
			return false;
		if (i == PARTS - 1)
			a->signed_text = span_make(text.p, text.n - n - 1);
		uint8_t *out = arena_alloc(arena, BASE64URL_DECODED(n));
		if (out == NULL || !base64url_decode(span_make(rest.p, n), out, &decoded))
			return false;
		part[i] = span_make(out, decoded);
		rest = dot == NULL ? SPAN("") : span_skip(rest, n + 1);
	}
	a->signature = part[PARTS - 1];
	return true;
}

static const struct doc_value *
read_part(struct arena *arena, struct span part)
{
	size_t max = DOC_VALUES(part.n);
	struct doc_value *values = arena_alloc(arena, max * sizeof(*values));

	return values != NULL && doc_parse(values, max, (char *)part.p, part.n) ? values : NULL;
}

static bool
read_header(struct assertion *a, const struct doc_value *header)
{
	const struct doc_value *kid = member(header, "kid");

	if (member(header, "crit") != NULL || member(header, "b64") != NULL ||
	    member(header, "enc") != NULL || member(header, "zip") != NULL)
		return false;
	a->kid = doc_string(kid);
	if ((kid != NULL && a->kid.p == NULL) || a->kid.n > JWKS_KID_MAX)
		return false;
	a->alg = alg_find(doc_string(member(header, "alg")));
	return a->alg != NULL && a->alg->family != ALG_HMAC;
}

enum fault
assertion_find(struct request *r, struct span type, struct span text)
{
	struct oauth *o = r->oauth;
	struct assertion *a = arena_zalloc(&r->arena, sizeof(*a));
	const struct doc_value *header;
	struct span part[PARTS];

	if (a == NULL)
		return FAULT_NO_MEMORY;
	if (!span_eq(type, SPAN(TYPE)) || text.n > ASSERTION_MAX ||
	    !split(&r->arena, text, a, part) ||
	    (header = read_part(&r->arena, part[0])) == NULL || !read_header(a, header) ||
	    (a->claims = read_part(&r->arena, part[1])) == NULL)
		return FAULT_CLIENT;
	struct span sub = doc_string(member(a->claims, "sub"));
	if (sub.n == 0 || (o->client_id.n > 0 && !span_eq(o->client_id, sub)))
		return FAULT_CLIENT;
	o->client_id = sub;
	o->method = CLIENT_ASSERTION;
	o->assertion = a;
	return FAULT_COUNT;
}

static bool
is_this_service(const struct service *service, const struct doc_value *value)
{
	struct span aud = doc_string(value);

	return aud.n > 0 && (span_eq(aud, span_of(service->config->issuer)) ||
	    span_eq(aud, service->token_endpoint));
}

static bool
is_for_us(const struct service *service, const struct doc_value *aud)
{
	if (aud == NULL || aud->type != DOC_ARRAY)
		return is_this_service(service, aud);
	for (const struct doc_value *v = doc_first(aud); v != NULL; v = doc_next(aud, v))
		if (is_this_service(service, v))
			return true;
	return false;
}

/* True if the date is not there, or has come. */
static bool
has_come(const struct doc_value *date, int64_t now_s)
{
	double at;

	return date == NULL || (doc_real(date, &at) && at <= (double)(now_s + LEEWAY_S));
}

static bool
claims_are_good(const struct request *r, const struct assertion *a, int64_t now_s, int64_t *exp_s)
{
	struct span iss = doc_string(member(a->claims, "iss"));
	struct span jti = doc_string(member(a->claims, "jti"));
	double exp;

	if (!doc_real(member(a->claims, "exp"), &exp) || exp <= (double)now_s ||
	    exp > (double)(now_s + AHEAD_MAX_S))
		return false;
	*exp_s = (int64_t)exp + 1;
	return span_eq(iss, r->oauth->client_id) && jti.n > 0 && jti.n <= JTI_MAX &&
	    is_for_us(r->gate->service, member(a->claims, "aud")) &&
	    has_come(member(a->claims, "nbf"), now_s) && has_come(member(a->claims, "iat"), now_s);
}

/* Reads the client's keys, which then stay with its record. */
static bool
read_keys(struct service *service, struct oauth_client *client)
{
	const char *reason;

	if (client->keys_read)
		return true;
	struct jwks *set = jwks_parse(service->tools, client->jwks, NULL, &reason);
	if (set == NULL)
		return false;
	if (set->n > 0 && (client->keys = malloc(set->n * sizeof(*client->keys))) != NULL) {
		memcpy(client->keys, set->keys, set->n * sizeof(*client->keys));
		client->n_keys = set->n;
		set->n = 0;		/* they are the client's now */
	}
	client->keys_read = client->n_keys > 0;
	jwks_free(&set);
	return client->keys_read;
}

/* The key of that kid; without one, the only key that fits. NULL: none, or it is not clear. */
static struct jwk *
find_key(struct oauth_client *client, const struct assertion *a)
{
	struct jwk *found = NULL;

	for (size_t i = 0; i < client->n_keys; i++) {
		struct jwk *key = &client->keys[i];

		if (!(key->algorithms & ALG_BIT(a->alg->id)))
			continue;
		if (a->kid.p != NULL &&
		    (!key->has_kid || !span_eq(span_make(key->kid, key->kid_n), a->kid)))
			continue;
		if (found != NULL)
			return NULL;
		found = key;
	}
	return found;
}

/* Of all who send the same assertion, one is the first. */
static enum fault
use_once(const struct request *r, const struct assertion *a, int64_t exp_s, int64_t now_s)
{
	const struct span parts[] = { r->oauth->client_id, { "", 1 },
		doc_string(member(a->claims, "jti")) };
	uint8_t digest[32];

	digest_sha256_parts(parts, 3, digest);
	switch (set_add(r->gate->shared->replays, digest, (uint64_t)exp_s, (uint64_t)now_s)) {
	case SET_ADDED:
		return FAULT_COUNT;
	case SET_THERE:
		return FAULT_CLIENT;
	case SET_NO_ROOM:
		break;
	}
	return FAULT_REPLAYS_FULL;
}

enum fault
assertion_check(struct request *r, struct oauth_client *client)
{
	struct service *service = r->gate->service;
	const struct assertion *a = r->oauth->assertion;
	int64_t now_s = loop_wall_s(r->gate->loop), exp_s;
	struct jwk *key;

	if (client == NULL || client->jwks.n == 0 || !claims_are_good(r, a, now_s, &exp_s) ||
	    !read_keys(service, client) || (key = find_key(client, a)) == NULL)
		return FAULT_CLIENT;
	switch (alg_verify(service->tools, a->alg, &key->key, a->signed_text, a->signature)) {
	case ALG_GOOD:
		return use_once(r, a, exp_s, now_s);
	case ALG_NO_MEMORY:
		return FAULT_NO_MEMORY;
	case ALG_BAD:
		break;
	}
	return FAULT_CLIENT;
}
