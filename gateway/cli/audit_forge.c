#include "gateway/cli/audit_forge.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/encode.h"
#include "gateway/cli/audit_forge_own.h"

#define YEAR_S		(365 * 24 * 3600)
#define LONG_KID	6000

/* The JSON object of a part; NULL: it is none. */
static json_t *
decode(struct span part)
{
	uint8_t *bytes = malloc(BASE64URL_DECODED(part.n));
	json_t *value = NULL;
	size_t n;

	if (bytes != NULL && base64url_decode(part, bytes, &n))
		value = json_loadb((const char *)bytes, n, 0, NULL);
	free(bytes);
	if (json_is_object(value))
		return value;
	json_decref(value);
	return NULL;
}

bool
forge_init(struct forge *f, struct span token)
{
	struct span rest = token;
	size_t n = 0;

	*f = (struct forge){ .token = token };
	while (n < 3 && span_next(&rest, '.', &f->part[n]))
		n++;
	if (n != 3 || rest.p != NULL || token.n > FORGE_TOKEN_MAX)
		return true;
	f->signature = malloc(BASE64URL_DECODED(f->part[2].n));
	if (f->signature == NULL)
		return false;
	if (!base64url_decode(f->part[2], f->signature, &f->signature_n))
		return true;
	f->header = decode(f->part[0]);
	f->claims = decode(f->part[1]);
	f->alg = alg_find(span_of(json_string_value(json_object_get(f->header, "alg"))));
	return true;
}

void
forge_fini(struct forge *f)
{
	json_decref(f->header);
	json_decref(f->claims);
	free(f->signature);
	forge_own_fini(&f->own);
	*f = (struct forge){ 0 };
}

bool
forge_is_jwt(const struct forge *f)
{
	return f->header != NULL && f->claims != NULL;
}

bool
forge_not(struct forge *f, const char *why)
{
	f->why = why;
	return false;
}

void
forge_put_b64(struct text *out, struct span bytes)
{
	if (BASE64URL_ENCODED(bytes.n) > out->size - out->n)
		out->cut = true;
	else
		out->n += base64url_encode((const uint8_t *)bytes.p, bytes.n, out->p + out->n);
}

void
forge_put_json(struct text *out, const json_t *value)
{
	char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT);

	if (text == NULL)
		out->cut = true;
	else
		forge_put_b64(out, span_of(text));
	free(text);
}

json_t *
forge_with(const json_t *from, const char *members)
{
	json_t *all = json_deep_copy(from), *changes = json_loads(members, 0, NULL), *value;
	const char *name;

	json_object_foreach(changes, name, value) {
		if (json_is_null(value))
			json_object_del(all, name);
		else
			json_object_set(all, name, value);
	}
	json_decref(changes);
	return all;
}

bool
forge_text(struct forge *f, const char *argument, struct text *out)
{
	(void)f;
	text_str(out, argument);
	return true;
}

bool
forge_first(struct forge *f, const char *argument, struct text *out)
{
	size_t n = strcmp(argument, "half") == 0 ? f->token.n / 2 : strtoul(argument, NULL, 10);

	if (n >= f->token.n)
		return forge_not(f, "the token is too short for that");
	text_put(out, span_make(f->token.p, n));
	return true;
}

bool
forge_without(struct forge *f, const char *argument, struct text *out)
{
	size_t n = strtoul(argument, NULL, 10);

	if (n >= f->token.n)
		return forge_not(f, "the token is too short for that");
	text_put(out, span_make(f->token.p, f->token.n - n));
	return true;
}

bool
forge_and(struct forge *f, const char *argument, struct text *out)
{
	text_put(out, f->token);
	text_str(out, argument);
	return true;
}

bool
forge_flip(struct forge *f, const char *argument, struct text *out)
{
	size_t at = out->n + f->token.n / 2;

	(void)argument;
	text_put(out, f->token);
	if (out->cut)
		return true;
	while (out->p[at] == '.' && at + 1 < out->n)
		at++;
	out->p[at] = out->p[at] == 'A' ? 'B' : 'A';
	return true;
}

bool
forge_swap_case(struct forge *f, const char *argument, struct text *out)
{
	bool letters = false;

	(void)argument;
	for (size_t i = 0; i < f->token.n; i++) {
		char c = f->token.p[i], lower = span_lower(c);
		bool letter = lower >= 'a' && lower <= 'z';

		letters |= letter;
		text_char(out, letter ? c ^ 0x20 : c);
	}
	return letters || forge_not(f, "the token has no letters");
}

bool
forge_expired(struct forge *f, const char *argument, struct text *out)
{
	(void)argument;
	if (f->expired.n == 0)
		return forge_not(f, "no --expired-token-file was given");
	text_put(out, f->expired);
	return true;
}

bool
forge_parts(struct forge *f, const char *argument, struct text *out)
{
	for (const char *p = argument; *p != '\0'; p++) {
		if (*p >= '1' && *p <= '3')
			text_put(out, f->part[*p - '1']);
		else
			text_char(out, *p);
	}
	return true;
}

/* Appends a JWT with another header, whose reference it takes, and the claims byte for byte. */
static bool
put_header(struct forge *f, json_t *header, struct span signature, struct text *out)
{
	forge_put_json(out, header);
	text_char(out, '.');
	text_put(out, f->part[1]);
	text_char(out, '.');
	text_put(out, signature);
	json_decref(header);
	return true;
}

/* Appends one with other claims, and the header byte for byte. */
static bool
put_claims(struct forge *f, json_t *claims, struct text *out)
{
	text_put(out, f->part[0]);
	text_char(out, '.');
	forge_put_json(out, claims);
	text_char(out, '.');
	text_put(out, f->part[2]);
	json_decref(claims);
	return true;
}

bool
forge_header(struct forge *f, const char *argument, struct text *out)
{
	return put_header(f, forge_with(f->header, argument), f->part[2], out);
}

bool
forge_claims(struct forge *f, const char *argument, struct text *out)
{
	return put_claims(f, forge_with(f->claims, argument), out);
}

bool
forge_later(struct forge *f, const char *argument, struct text *out)
{
	json_t *claims = json_deep_copy(f->claims);
	const json_t *exp = json_object_get(claims, "exp");
	json_int_t at = json_is_integer(exp) ? json_integer_value(exp) : clock_wall_s();

	(void)argument;
	if (at > INT64_MAX - YEAR_S)
		at = clock_wall_s();
	json_object_set_new(claims, "exp", json_integer(at + YEAR_S));
	return put_claims(f, claims, out);
}

bool
forge_recode(struct forge *f, const char *argument, struct text *out)
{
	char *text = json_dumps(f->claims, JSON_INDENT(1) | JSON_SORT_KEYS);

	(void)argument;
	text_put(out, f->part[0]);
	text_char(out, '.');
	if (text == NULL)
		out->cut = true;
	else
		forge_put_b64(out, span_of(text));
	free(text);
	text_char(out, '.');
	text_put(out, f->part[2]);
	return true;
}

bool
forge_long_kid(struct forge *f, const char *argument, struct text *out)
{
	char kid[LONG_KID + 1];
	json_t *header = json_deep_copy(f->header);

	memset(kid, argument[0], LONG_KID);
	kid[LONG_KID] = '\0';
	json_object_set_new(header, "kid", json_string(kid));
	return put_header(f, header, f->part[2], out);
}

static json_t *
header_of_alg(const struct forge *f, const char *alg)
{
	json_t *header = json_deep_copy(f->header);

	json_object_set_new(header, "alg", json_string(alg));
	return header;
}

bool
forge_none(struct forge *f, const char *argument, struct text *out)
{
	return put_header(f, header_of_alg(f, argument), SPAN(""), out);
}

bool
forge_none_signed(struct forge *f, const char *argument, struct text *out)
{
	return put_header(f, header_of_alg(f, argument), f->part[2], out);
}

/* Header and claims as they are, and this signature. */
static bool
put_signature(struct forge *f, struct span signature, struct text *out)
{
	text_put(out, span_make(f->token.p, f->part[0].n + 1 + f->part[1].n + 1));
	forge_put_b64(out, signature);
	return true;
}

/* The last character with bits that stand for nothing: the same bytes, spelled otherwise. */
static bool
put_unused_bits(struct forge *f, struct text *out)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *last = strchr(letters, f->token.p[f->token.n - 1]);

	if (f->signature_n % 3 == 0 || last == NULL)
		return forge_not(f, "its signature has no unused bits");
	text_put(out, span_make(f->token.p, f->token.n - 1));
	text_char(out, letters[(last - letters) | 1]);
	return true;
}

bool
forge_signature(struct forge *f, const char *argument, struct text *out)
{
	size_t n = f->signature_n;
	uint8_t *bytes;

	if (n == 0)
		return forge_not(f, "the token has no signature");
	if (strcmp(argument, "unused") == 0)
		return put_unused_bits(f, out);
	bytes = OPENSSL_memdup(f->signature, n);
	if (bytes == NULL)
		return forge_not(f, "there is no memory");
	if (strcmp(argument, "bit") == 0)
		bytes[n / 2] ^= 0x10;
	else if (strcmp(argument, "zero") == 0)
		memset(bytes, 0, n);
	else if (strcmp(argument, "half") == 0)
		n /= 2;
	else
		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)(bytes[i] * 3 + 7 * i + 1);
	put_signature(f, span_make(bytes, n), out);
	OPENSSL_free(bytes);
	return true;
}

bool
forge_psychic(struct forge *f, const char *argument, struct text *out)
{
	static const uint8_t zeroes[256];
	char signature[BASE64URL_ENCODED(sizeof(zeroes))];
	bool fits = f->alg != NULL && f->alg->family == ALG_EC;
	size_t n = fits ? f->alg->size : 64;
	char name[8] = "ES256";

	(void)argument;
	if (fits)
		snprintf(name, sizeof(name), "%.*s", SPAN_ARG(f->alg->name));
	n = base64url_encode(zeroes, n, signature);
	return put_header(f, header_of_alg(f, name), span_make(signature, n), out);
}
