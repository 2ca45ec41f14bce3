#include "gateway/cli/token_text.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/encode.h"
#include "gateway/token/digest.h"
#include "gateway/token/opaque.h"

#define PARTS		3
#define SECONDS_END	253402300800.0		/* the year 10000 */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
trim(struct span *s)
{
	while (s->n > 0 && is_space(s->p[s->n - 1]))
		s->n--;
	while (s->n > 0 && is_space(s->p[0]))
		*s = span_skip(*s, 1);
}

/* Fills `text`; false after a complaint. */
static bool
read_text(struct token_text *t, const char *word, const char *path)
{
	bool standard = path == NULL && strcmp(word, "-") == 0;
	FILE *file = standard ? stdin : path != NULL ? fopen(path, "re") : NULL;
	size_t n;

	if (path != NULL && file == NULL) {
		order_failed("%s can't be read: %m", path);
		return false;
	}
	t->memory = calloc(1, TOKEN_TEXT_MAX);
	if (t->memory == NULL)
		return false;
	if (file != NULL)
		n = fread(t->memory, 1, TOKEN_TEXT_MAX, file);
	else
		n = (size_t)snprintf(t->memory, TOKEN_TEXT_MAX, "%s", word);
	if (file != NULL && !standard)
		fclose(file);
	if (n >= TOKEN_TEXT_MAX) {
		order_failed("that is no token: it is too long");
		return false;
	}
	t->text = span_make(t->memory, n);
	trim(&t->text);
	return true;
}

/* The JSON object of one part of a JWT; NULL: it is none. */
static json_t *
decode(struct span part)
{
	uint8_t *bytes = malloc(BASE64URL_DECODED(part.n));
	json_t *value = NULL;
	size_t n;

	if (bytes != NULL && base64url_decode(part, bytes, &n))
		value = json_loadb((const char *)bytes, n, JSON_REJECT_DUPLICATES, NULL);
	free(bytes);
	if (json_is_object(value))
		return value;
	json_decref(value);
	return NULL;
}

int64_t
token_text_seconds(const json_t *value)
{
	double seconds = json_number_value(value);

	return seconds > 0 && seconds < SECONDS_END ? (int64_t)seconds : 0;
}

static bool
decode_jwt(struct token_text *t)
{
	struct span rest = t->text, part[PARTS];
	size_t n = 0;

	while (n < PARTS && span_next(&rest, '.', &part[n]))
		n++;
	if (n != PARTS || rest.p != NULL)
		return false;
	t->header = decode(part[0]);
	t->claims = decode(part[1]);
	if (t->header == NULL || t->claims == NULL)
		return false;
	t->iss = json_string_value(json_object_get(t->claims, "iss"));
	if (t->iss == NULL)
		t->iss = "";
	t->exp_s = token_text_seconds(json_object_get(t->claims, "exp"));
	t->iat_s = token_text_seconds(json_object_get(t->claims, "iat"));
	t->jti = json_string_value(json_object_get(t->claims, "jti"));
	if (t->jti == NULL || t->jti[0] == '\0') {
		identity_stand_in(span_make(t->text.p, part[0].n + 1 + part[1].n), t->stand_in);
		t->jti = t->stand_in;
	}
	return true;
}

static bool
decode_opaque(struct token_text *t, enum opaque_kind kind)
{
	uint8_t id[UUID_SIZE], digest[32];

	if (!opaque_read(kind, t->text, NULL, id))
		return false;
	uuid_text(id, t->id);
	digest_sha256(t->text, digest);
	store_hex(digest, sizeof(digest), t->digest);
	return true;
}

static bool
take_apart(struct token_text *t)
{
	if (opaque_begins(OPAQUE_ACCESS, t->text)) {
		t->kind = TOKEN_TEXT_ACCESS;
		return decode_opaque(t, OPAQUE_ACCESS);
	}
	if (opaque_begins(OPAQUE_REFRESH, t->text)) {
		t->kind = TOKEN_TEXT_REFRESH;
		return decode_opaque(t, OPAQUE_REFRESH);
	}
	t->kind = TOKEN_TEXT_JWT;
	return decode_jwt(t);
}

int
token_text_read(struct token_text *t, const struct order *order, const char *word,
    const char *file)
{
	*t = (struct token_text){ 0 };
	if ((word == NULL) == (file == NULL))
		return order_wrong(order, "give the token as an argument, by - on standard input, "
		    "or with --token-file");
	if (!read_text(t, word, file))
		return CLI_FAILED;
	if (take_apart(t))
		return CLI_DONE;
	return order_failed("that is no token: neither a JWT nor one that Gatehouse makes");
}

void
token_text_fini(struct token_text *t)
{
	if (t->memory != NULL)
		OPENSSL_cleanse(t->memory, TOKEN_TEXT_MAX);
	free(t->memory);
	json_decref(t->header);
	json_decref(t->claims);
	*t = (struct token_text){ 0 };
}
