#include "gateway/token/mint.h"

#include "gateway/base/encode.h"

#define FIXED_ROOM	256	/* names and numbers of the claims */
#define ESCAPED_MAX	6	/* bytes that a byte becomes in JSON at most */

static void
put_number(struct text *t, int64_t number)
{
	if (number < 0)
		text_char(t, '-');
	text_u64(t, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void
put_audience(struct text *t, const struct span *audience, size_t n)
{
	if (n == 1) {
		text_json(t, audience[0]);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		text_char(t, i == 0 ? '[' : ',');
		text_json(t, audience[i]);
	}
	text_char(t, ']');
}

static void
put_optional(struct text *t, struct span member, struct span value)
{
	if (value.n == 0)
		return;
	text_put(t, member);
	text_json(t, value);
}

void
mint_claims(struct text *t, const struct mint_claims *c)
{
	text_put(t, SPAN("{\"iss\":"));
	text_json(t, c->issuer);
	text_put(t, SPAN(",\"exp\":"));
	put_number(t, c->expires_s);
	text_put(t, SPAN(",\"aud\":"));
	put_audience(t, c->audience, c->n_audience);
	text_put(t, SPAN(",\"sub\":"));
	text_json(t, c->subject);
	text_put(t, SPAN(",\"client_id\":"));
	text_json(t, c->client_id);
	text_put(t, SPAN(",\"iat\":"));
	put_number(t, c->issued_s);
	text_put(t, SPAN(",\"jti\":"));
	text_json(t, c->jti);
	put_optional(t, SPAN(",\"scope\":"), c->scope);
	put_optional(t, SPAN(",\"" MINT_CONSUMER "\":"), c->consumer);
	put_optional(t, SPAN(",\"" MINT_CUSTOM_ID "\":"), c->custom_id);
	text_put(t, c->more);
	text_char(t, '}');
}

/* Bytes of all texts, quotes and commas with them. */
static size_t
texts_of(const struct mint_claims *c)
{
	size_t n = c->issuer.n + c->subject.n + c->client_id.n + c->jti.n + c->scope.n +
	    c->consumer.n + c->custom_id.n;

	for (size_t i = 0; i < c->n_audience; i++)
		n += c->audience[i].n + 3;
	return n;
}

/* Texts seldom need escapes: room for none is tried first. */
static bool
write_claims(const struct mint_claims *claims, struct arena *arena, struct text *t)
{
	size_t n = texts_of(claims);

	for (size_t times = 1; times <= ESCAPED_MAX; times += ESCAPED_MAX - 1) {
		size_t room = n * times + claims->more.n + FIXED_ROOM;

		*t = (struct text){ arena_alloc(arena, room), 0, room, false };
		if (t->p == NULL)
			return false;
		mint_claims(t, claims);
		if (!t->cut)
			return true;
	}
	return false;
}

enum mint_result
mint_jwt(struct signer *signer, const struct mint_claims *claims, int64_t now_wall_s,
    struct arena *arena, struct span *token)
{
	uint8_t signature[SIGN_MAX];
	struct span header;
	struct text json;

	if (!signer_choose(signer, now_wall_s, &header))
		return MINT_NO_KEY;
	if (!write_claims(claims, arena, &json))
		return MINT_NO_MEMORY;
	char *jwt = arena_alloc(arena, header.n + 1 + BASE64URL_ENCODED(json.n) + 1 +
	    BASE64URL_ENCODED((size_t)SIGN_MAX));
	if (jwt == NULL)
		return MINT_NO_MEMORY;
	memcpy(jwt, header.p, header.n);
	size_t n = header.n;
	jwt[n++] = '.';
	n += base64url_encode((const uint8_t *)json.p, json.n, jwt + n);
	size_t signed_n = signer_sign(signer, span_make(jwt, n), signature);
	if (signed_n == 0)
		return MINT_NO_MEMORY;
	jwt[n++] = '.';
	n += base64url_encode(signature, signed_n, jwt + n);
	*token = span_make(jwt, n);
	return MINT_DONE;
}
