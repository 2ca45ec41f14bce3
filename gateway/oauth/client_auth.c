/*
 * Client authentication (RFC 6749 section 2.3): HTTP Basic, a secret in the form, or an assertion
 * signed with the client's key (assertion.c). Exactly one of them.
 *
 * Secrets are made by us with 256 random bits, so one SHA-256 with a salt is enough at rest. Its
 * comparison takes constant time, and an unknown client costs the same as a wrong secret. Failures
 * are limited by client and address; above the limit the right secret is not looked at either.
 */
#include <openssl/crypto.h>

#include "gateway/base/encode.h"
#include "gateway/oauth/answer.h"
#include "gateway/oauth/assertion.h"
#include "gateway/oauth/limit.h"
#include "gateway/oauth/oauth.h"
#include "gateway/oauth/service.h"
#include "gateway/token/digest.h"

#define BASIC_MAX	4096	/* characters of credentials */

/* Takes id and secret out of "id:secret" in base64, each form-encoded before (section 2.3.1). */
static bool
split_basic(struct request *r, struct span encoded)
{
	struct oauth *o = r->oauth;
	char *text = encoded.n > BASIC_MAX ? NULL :
	    arena_alloc(&r->arena, BASE64URL_DECODED(encoded.n));
	size_t n;

	if (text == NULL || !base64_decode(encoded, (uint8_t *)text, &n))
		return false;
	char *colon = memchr(text, ':', n);
	if (colon == NULL)
		return false;
	size_t id_n = (size_t)(colon - text), secret_n = n - id_n - 1;
	if (!form_decode(text, &id_n) || !form_decode(colon + 1, &secret_n))
		return false;
	o->client_id = span_make(text, id_n);
	o->secret = span_make(colon + 1, secret_n);
	return true;
}

static enum fault
find_basic(struct request *r, const struct field *field)
{
	struct span value = field->value, scheme = SPAN("basic ");
	struct span named = form_get(&r->oauth->form, SPAN("client_id"));

	if (head_count(&r->head, FIELD_AUTHORIZATION) != 1)
		return FAULT_CREDENTIALS;
	if (!span_starts_nocase(value, scheme))
		return FAULT_CLIENT;
	if (!split_basic(r, span_trim(span_skip(value, scheme.n))))
		return FAULT_CREDENTIALS;
	r->oauth->method = CLIENT_BASIC;
	return named.n == 0 || span_eq(named, r->oauth->client_id) ? FAULT_COUNT : FAULT_CLIENT;
}

/* Finds what the client says it is, and how it means to prove it. */
static enum fault
find_credentials(struct request *r)
{
	struct oauth *o = r->oauth;
	const struct field *field = head_find(&r->head, FIELD_AUTHORIZATION);
	struct span secret = form_get(&o->form, SPAN("client_secret"));
	struct span type = form_get(&o->form, SPAN("client_assertion_type"));
	struct span assertion = form_get(&o->form, SPAN("client_assertion"));
	bool asserts = type.n > 0 || assertion.n > 0;

	if ((field != NULL) + (secret.n > 0) + asserts > 1)
		return FAULT_TWO_METHODS;
	if (field != NULL)
		return find_basic(r, field);
	o->client_id = form_get(&o->form, SPAN("client_id"));
	if (asserts)
		return assertion_find(r, type, assertion);
	if (secret.n == 0 || o->client_id.n == 0)
		return FAULT_NO_CLIENT;
	o->method = CLIENT_POST;
	o->secret = secret;
	return FAULT_COUNT;
}

/* True if the secret is the client's; takes as long for no client. */
static bool
secret_is_right(const struct oauth_client *client, struct span secret)
{
	static const uint8_t nothing[32];
	bool known = client != NULL && client->has_secret;
	const struct span parts[] = { known ? client->salt : span_make(nothing, 16), secret };
	uint8_t digest[32];

	digest_sha256_parts(parts, 2, digest);
	bool same = CRYPTO_memcmp(digest, known ? client->secret_hash : nothing,
	    sizeof(digest)) == 0;
	OPENSSL_cleanse(digest, sizeof(digest));
	return same && known;
}

static void
wipe_secret(struct oauth *o)
{
	OPENSSL_cleanse((char *)o->secret.p, o->secret.n);
	o->secret = SPAN("");
}

static enum step_result
refuse_client(struct request *r)
{
	limit_note_failure(r, r->oauth->client_id, r->oauth->search.record != NULL);
	return fault(r, FAULT_CLIENT);
}

/* Says who it is; whether that is true comes next. */
static enum step_result
begin(struct request *r)
{
	struct oauth *o = r->oauth;
	enum fault wrong = find_credentials(r);
	uint64_t wait_s;

	if (wrong != FAULT_COUNT)
		return fault(r, wrong);
	if (o->client_id.n == 0 || o->client_id.n > CLIENT_ID_MAX)
		return fault(r, FAULT_CLIENT);
	bool known = book_knows(r->gate->service->book, o->client_id);
	if (!limit_may_try(r, o->client_id, known, &wait_s))
		return fault_because(r, FAULT_CLIENT_RATE,
		    (struct fault_more){ .retry_after_s = (unsigned)wait_s });
	o->search.id = o->client_id;
	o->search.task = r->task;
	return STEP_NEXT;
}

static void
end_search(void *search)
{
	book_search_end(search);
}

static enum step_result
check(struct request *r)
{
	struct oauth *o = r->oauth;
	struct oauth_client *client = o->search.record;
	enum fault wrong = FAULT_COUNT;

	if (o->method == CLIENT_ASSERTION)
		wrong = assertion_check(r, client);
	else if (!secret_is_right(client, o->secret))
		wrong = FAULT_CLIENT;
	wipe_secret(o);
	if (wrong == FAULT_CLIENT)
		return refuse_client(r);
	if (wrong != FAULT_COUNT)
		return fault(r, wrong);
	o->client = client;
	r->consumer = client->consumer;
	return STEP_NEXT;
}

enum step_result
authenticate_client(struct request *r)
{
	struct oauth *o = r->oauth;

	if (o->search.task == NULL) {
		enum step_result result = begin(r);

		if (result != STEP_NEXT)
			return result;
		arena_defer(&r->arena, &o->cleanup, end_search, &o->search);
	}
	switch (book_find(r->gate->service->book, &o->search)) {
	case BOOK_WAIT:
		return STEP_WAIT;
	case BOOK_UNAVAILABLE:
		return fault(r, FAULT_UNAVAILABLE);
	case BOOK_FOUND:
	case BOOK_UNKNOWN:
		break;
	}
	return check(r);
}
