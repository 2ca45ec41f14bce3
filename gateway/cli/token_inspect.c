#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/encode.h"
#include "gateway/cli/store.h"
#include "gateway/cli/token.h"
#include "gateway/cli/token_text.h"
#include "gateway/token/identity.h"
#include "gateway/token/lineage.h"

/*
 * What there is to know about a token, as one JSON object; for people the same, member by member.
 * The token itself is never shown: whoever reads over the operator's shoulder could use it.
 */

static const char *const kind_names[] = {
	[TOKEN_TEXT_JWT] = "JWT",
	[TOKEN_TEXT_ACCESS] = "opaque access token",
	[TOKEN_TEXT_REFRESH] = "refresh token",
};

static const char issued[] =
    "SELECT row_to_json(t) FROM (SELECT k.id AS jti, l.client_id, "
    "coalesce(k.subject, l.client_id) AS subject, k.scope, k.audience::json AS audience, "
    STORE_TIME("k.issued_at") " AS issued_at, " STORE_TIME("k.expires_at") " AS expires_at, "
    "k.family, "
    "k.claims::json -> 'act' AS act, k.claims::json -> 'lineage' AS lineage FROM tokens k "
    "LEFT JOIN clients l ON l.id = k.client WHERE k.id = $1::uuid AND "
    "(k.digest = $2::bytea OR $2 IS NULL AND k.digest IS NULL)) t";

static const char refresh[] =
    "SELECT row_to_json(t) FROM (SELECT k.id, l.client_id, l.client_id AS subject, k.scope, "
    "k.audience::json AS audience, " STORE_TIME("k.issued_at") " AS issued_at, "
    STORE_TIME("k.expires_at") " AS expires_at, " STORE_TIME("k.used_at") " AS used_at, "
    "k.family, " STORE_TIME("f.revoked_at") " AS revoked_at FROM refresh_tokens k "
    "JOIN refresh_families f ON f.id = k.family LEFT JOIN clients l ON l.id = k.client "
    "WHERE k.id = $1::uuid AND k.digest = $2::bytea) t";

/* The first value of a statement as JSON; null if there is no row. NULL after a complaint. */
static json_t *
ask(struct store *s, const char *sql, int n, const char *const *values)
{
	PGresult *result = store_ask(s, sql, n, values);
	json_t *value = result == NULL ? NULL : PQntuples(result) == 0 ? json_null() :
	    json_loads(PQgetvalue(result, 0, 0), JSON_DECODE_ANY, NULL);

	PQclear(result);
	return value;
}

/* What the store has of the token itself. */
static json_t *
find_row(struct store *s, const struct token_text *t)
{
	const char *values[] = { t->id, t->digest };
	uint8_t id[UUID_SIZE];

	if (t->kind == TOKEN_TEXT_REFRESH)
		return ask(s, refresh, 2, values);
	if (t->kind == TOKEN_TEXT_JWT) {
		values[0] = t->jti;
		values[1] = NULL;
		if (s->service == NULL || strcmp(t->iss, s->service->issuer) != 0 ||
		    !uuid_read(span_of(t->jti), id))
			return json_null();
	}
	return ask(s, issued, 2, values);
}

/* What a revocation may name of one token, and since when it is. NULL: nothing. */
struct named {
	const char	*issuer;
	const char	*identity;			/* base64url; instead of a jti */
	const char	*value[IDENTITY_CHANGE];	/* by kind */
	const char	*issued_at;
};

/* The identity of a token that another names by it alone; NULL: it is none. */
static const char *
hex_of(const char *text, char hex[STORE_HEX(IDENTITY_SIZE)])
{
	uint8_t bytes[BASE64URL_DECODED(BASE64URL_ENCODED(IDENTITY_SIZE))];
	size_t n;

	if (text == NULL || strlen(text) != BASE64URL_ENCODED(IDENTITY_SIZE) ||
	    !base64url_decode(span_of(text), bytes, &n))
		return NULL;
	store_hex(bytes, n, hex);
	return hex;
}

/* Appends the revocations that name it; false after a complaint. */
static bool
add_revocations(struct store *s, const struct named *t, const char *ancestor, json_t *all)
{
	char hex[IDENTITY_CHANGE][STORE_HEX(IDENTITY_SIZE)];
	const char *values[IDENTITY_CHANGE + 2] = { NULL };
	uint8_t identity[IDENTITY_SIZE];

	for (int kind = IDENTITY_JTI; kind < IDENTITY_CHANGE; kind++) {
		if (t->value[kind] == NULL)
			continue;
		identity_make((enum identity_kind)kind, span_of(t->issuer),
		    span_of(t->value[kind]), identity);
		store_hex(identity, sizeof(identity), hex[kind]);
		values[kind] = hex[kind];
	}
	if (t->value[IDENTITY_JTI] == NULL)
		values[IDENTITY_JTI] = hex_of(t->identity, hex[IDENTITY_JTI]);
	values[IDENTITY_CHANGE] = t->issued_at;
	values[IDENTITY_CHANGE + 1] = ancestor;
	json_t *found = ask(s, "SELECT coalesce(json_agg(json_strip_nulls(row_to_json(r))), '[]') "
	    "FROM (SELECT kind, value, " STORE_TIME("created_at") " AS created_at, "
	    "$7::text AS ancestor FROM revocations WHERE kind <> 'change' AND expires_at > now() "
	    "AND identity IN ($1::bytea, $2::bytea, $3::bytea, $4::bytea, $5::bytea) AND "
	    "(before_at IS NULL OR before_at >= $6::timestamptz) ORDER BY seq) r",
	    IDENTITY_CHANGE + 2, values);
	bool good = found != NULL && json_array_extend(all, found) == 0;
	json_decref(found);
	return good;
}

static const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* The same of one that it was exchanged from, which leaves out what is as in the token. */
static bool
add_of_ancestor(struct store *s, const json_t *ancestor, const struct named *token, json_t *all)
{
	char iat[CLOCK_ISO_LEN + 1] = "";
	struct named t = {
		.issuer = text_of(ancestor, "iss"),
		.identity = text_of(ancestor, "identity"),
		.value = {
			[IDENTITY_JTI] = text_of(ancestor, "jti"),
			[IDENTITY_SUBJECT] = text_of(ancestor, "sub"),
			[IDENTITY_CLIENT] = text_of(ancestor, "client_id"),
			[IDENTITY_KEY] = text_of(ancestor, "kid"),
			[IDENTITY_SESSION] = text_of(ancestor, "sid"),
		},
		.issued_at = iat,
	};

	if (t.issuer == NULL)
		t.issuer = token->issuer;
	if (t.value[IDENTITY_SUBJECT] == NULL)
		t.value[IDENTITY_SUBJECT] = token->value[IDENTITY_SUBJECT];
	clock_iso(iat, token_text_seconds(json_object_get(ancestor, "iat")) * 1000000);
	return add_revocations(s, &t, t.value[IDENTITY_JTI] != NULL ? t.value[IDENTITY_JTI] :
	    t.identity, all);
}

/* The revocations of the token and of those it was exchanged from: kind, value and time of each. */
static json_t *
find_revocations(struct store *s, const struct token_text *t, const json_t *row)
{
	bool jwt = t->kind == TOKEN_TEXT_JWT, good;
	const json_t *source = jwt ? t->claims : row, *ancestor;
	const char *own = s->service == NULL ? "" : s->service->issuer;
	char iat[CLOCK_ISO_LEN + 1] = "";
	struct named token = {
		.issuer = jwt ? t->iss : own,
		.value = {
			[IDENTITY_JTI] = jwt ? t->jti : t->id,
			[IDENTITY_SUBJECT] = text_of(source, jwt ? "sub" : "subject"),
			[IDENTITY_CLIENT] = text_of(source, "client_id"),
			[IDENTITY_KEY] = jwt ? text_of(t->header, "kid") : NULL,
			[IDENTITY_SESSION] = jwt ? text_of(source, "sid") : NULL,
		},
		.issued_at = jwt ? iat : text_of(row, "issued_at"),
	};
	json_t *all = json_array();
	size_t i;

	clock_iso(iat, t->iat_s * 1000000);
	good = add_revocations(s, &token, NULL, all);
	if (good && strcmp(token.issuer, own) == 0)
		json_array_foreach(json_object_get(source, LINEAGE_CLAIM), i, ancestor)
			good = good && (i >= LINEAGE_MAX ||
			    add_of_ancestor(s, ancestor, &token, all));
	if (good)
		return all;
	json_decref(all);
	return NULL;
}

/* Name of the issuer's section; null: it is none of ours. */
static json_t *
issuer_name(const struct store *s, const struct token_text *t)
{
	if (t->kind != TOKEN_TEXT_JWT)
		return json_string(CONFIG_ISSUER_OWN);
	for (size_t i = 0; i < s->config->n_issuers; i++)
		if (strcmp(s->config->issuers[i].issuer, t->iss) == 0)
			return json_string(s->config->issuers[i].name);
	return json_null();
}

static void
show(const struct store *s, json_t *all)
{
	const char *name;
	json_t *value;

	if (s->json) {
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		printf("\n");
		return;
	}
	json_object_foreach(all, name, value) {
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

		if (json_is_boolean(value))
			printf("%-12s %s\n", name, json_is_true(value) ? "yes" : "no");
		else if (json_is_null(value) ||
		    (json_is_array(value) && json_array_size(value) == 0))
			printf("%-12s none\n", name);
		else
			printf("%-12s %s\n", name, text == NULL ? "" : text);
		free(text);
	}
}

static bool
inspect(struct store *s, const struct token_text *t)
{
	json_t *row = find_row(s, t);
	json_t *revocations = row == NULL ? NULL : find_revocations(s, t, row);
	bool jwt = t->kind == TOKEN_TEXT_JWT, good = revocations != NULL;
	bool ended = json_is_string(json_object_get(row, "revoked_at"));

	if (good) {
		json_t *all = json_pack("{s:s, s:i, s:o}", "kind", kind_names[t->kind],
		    "characters", (int)t->text.n, "issuer", issuer_name(s, t));

		if (jwt) {
			json_object_set(all, "header", t->header);
			json_object_set(all, "claims", t->claims);
			json_object_set_new(all, "expired",
			    json_boolean(t->exp_s <= clock_wall_s()));
		}
		json_object_set(all, "store", row);
		json_object_set_new(all, "revoked",
		    json_boolean(ended || json_array_size(revocations) > 0));
		json_object_set(all, "revocations", revocations);
		show(s, all);
		json_decref(all);
	}
	json_decref(row);
	json_decref(revocations);
	return good;
}

int
token_inspect(const struct order *order)
{
	const char *word = NULL, *file = NULL;
	const struct argument arguments[] = { { "TOKEN", &word, false },
		{ "--token-file", &file, false } };
	struct store s = { 0 };
	struct token_text t;

	if (!order_read(order, arguments, 2))
		return CLI_USAGE;
	int status = token_text_read(&t, order, word, file);
	if (status == CLI_DONE && !(store_open(&s, order) && inspect(&s, &t)))
		status = CLI_FAILED;
	token_text_fini(&t);
	store_close(&s);
	return status;
}
