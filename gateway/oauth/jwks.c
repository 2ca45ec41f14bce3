#include "gateway/base/encode.h"
#include "gateway/base/text.h"
#include "gateway/oauth/publish.h"
#include "gateway/request/refuse.h"
#include "gateway/token/digest.h"
#include "shm/keys.h"

#define USUAL_BYTES	((size_t)16 * 1024)	/* of a set; larger ones get more room */
#define TAG_BYTES	16
#define TAG_LEN		(2 * TAG_BYTES + 2)	/* in hexadecimal and quotes */
#define FIELDS_ROOM	256

/* The issuer that the token service is; there is one wherever this flow runs. */
static const struct config_issuer *
own_issuer(const struct config *config)
{
	for (size_t i = 0; i < config->n_issuers; i++)
		if (config->issuers[i].own)
			return &config->issuers[i];
	return NULL;
}

/* Copies the set into the arena; n is 0 if there is none yet. */
static struct span
read_set(struct request *r)
{
	const struct config_issuer *own = own_issuer(r->gate->config);
	struct keys_slot slot;
	uint64_t generation;
	size_t n = 0;

	if (own == NULL || !keys_slot(r->gate->shared->keys, own->id, false, &slot))
		return SPAN("");
	for (size_t room = USUAL_BYTES; n == 0 && room <= KEYS_BYTES_MAX;
	    room *= KEYS_BYTES_MAX / USUAL_BYTES) {
		char *bytes = arena_alloc(&r->arena, room);

		if (bytes == NULL)
			break;
		n = keys_read(&slot, bytes, room, &generation);
		if (n > 0)
			return span_make(bytes, n);
	}
	return SPAN("");
}

/* True if the client has this very set already (RFC 9110 section 13.1.2). */
static bool
is_known(const struct request *r, struct span tag)
{
	for (unsigned i = 0; i < r->head.n_fields; i++) {
		struct span rest = r->head.fields[i].value, item;

		if (!span_eq_nocase(r->head.fields[i].name, SPAN("If-None-Match")))
			continue;
		while (span_next(&rest, ',', &item)) {
			if (item.n > 2 && item.p[0] == 'W' && item.p[1] == '/')
				item = span_skip(item, 2);
			if (span_eq(item, tag) || span_eq(item, SPAN("*")))
				return true;
		}
	}
	return false;
}

static struct span
make_tag(struct span set, char tag[TAG_LEN])
{
	uint8_t digest[32];

	digest_sha256(set, digest);
	tag[0] = tag[TAG_LEN - 1] = '"';
	hex_encode(digest, TAG_BYTES, tag + 1);
	return span_make(tag, TAG_LEN);
}

enum step_result
answer_jwks(struct request *r)
{
	struct span set = read_set(r);
	char *memory = arena_alloc(&r->arena, FIELDS_ROOM);
	struct text fields = { memory, 0, FIELDS_ROOM, false };
	char tag[TAG_LEN];

	if (memory == NULL)
		return refuse(r, REFUSE_NO_MEMORY);
	if (set.n == 0)
		return refuse_because(r, REFUSE_NO_KEYS, (struct refuse_more){
		    .sentence = "there are no keys yet", .retry_after_s = 1 });
	struct span name = make_tag(set, tag);
	text_fmt(&fields, "Content-Type: application/json\r\n"
	    "Cache-Control: public, max-age=%llu\r\nETag: %.*s\r\n"
	    "Access-Control-Allow-Origin: *\r\n",
	    (unsigned long long)r->gate->config->token_service->jwks_max_age_s, SPAN_ARG(name));
	if (is_known(r, name)) {
		request_answer(r, 304, text_span(&fields), SPAN(""));
		r->answer.framing = FRAMING_NONE;
	} else {
		request_answer(r, 200, text_span(&fields), set);
	}
	return STEP_END;
}
