#include "gateway/cli/explain_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/store.h"
#include "gateway/db/direct.h"
#include "gateway/token/lineage.h"
#include "gateway/token/mint.h"
#include "gateway/token/revocations.h"
#include "gateway/token/seal.h"

#define NUMBER	24

/* The claims that a JWT would have; NULL if the digest ($2) is another's. $3: our iss. */
static const char find_token[] =
    "SELECT CASE WHEN t.digest = $2::bytea THEN (jsonb_strip_nulls(jsonb_build_object("
    "'iss', $3::text, 'exp', extract(epoch FROM t.expires_at)::bigint, "
    "'iat', extract(epoch FROM t.issued_at)::bigint, 'jti', t.id, 'aud', t.audience::jsonb, "
    "'sub', coalesce(t.subject, c.client_id), 'client_id', c.client_id, "
    "'scope', nullif(t.scope, ''), '" MINT_CONSUMER "', k.name, '" MINT_CUSTOM_ID "', "
    "k.custom_id)) || coalesce(t.claims::jsonb, '{}'))::text END FROM tokens t "
    "JOIN clients c ON c.id = t.client JOIN consumers k ON k.id = c.consumer "
    "WHERE t.id = $1::uuid";

/* One statement; NULL, and why. */
static PGresult *
ask(struct explain *e, const char *sql, int n, const char *const *values, char *why, size_t size)
{
	PGconn *conn = explain_database(e, why, size);
	PGresult *result = conn == NULL ? NULL :
	    PQexecParams(conn, sql, n, NULL, values, NULL, NULL, 0);

	if (conn == NULL || PQresultStatus(result) == PGRES_TUPLES_OK)
		return result;
	direct_why(conn, result, why, size);
	PQclear(result);
	return NULL;
}

enum explain_store
explain_store_consumer(struct explain *e, struct span name, char *why, size_t size)
{
	char text[256];
	const char *value = text;
	int rows = 0;

	/* longer names can't be known, and without a database nobody else is */
	if (name.n >= sizeof(text) || e->config->database == NULL)
		return EXPLAIN_STORE_NONE;
	snprintf(text, sizeof(text), "%.*s", SPAN_ARG(name));
	PGresult *result = ask(e, "SELECT 1 FROM consumers WHERE name = $1::text OR "
	    "custom_id = $1::text", 1, &value, why, size);
	if (result == NULL)
		return EXPLAIN_STORE_UNKNOWN;
	rows = PQntuples(result);
	PQclear(result);
	return rows == 1 ? EXPLAIN_STORE_FOUND : EXPLAIN_STORE_NONE;
}

/* Looks for revocations of one token; false, and why. */
static bool
look(struct explain *e, const struct revocations_token *token, const char *whose, json_t *all,
    char *why, size_t size)
{
	char hex[STORE_HEX(IDENTITY_SIZE)], issued[NUMBER], name[64];
	const char *values[] = { hex, token->issued_s == FACTS_NO_TIME ? NULL : issued };
	uint8_t identity[IDENTITY_SIZE];

	snprintf(issued, sizeof(issued), "%lld", (long long)token->issued_s);
	for (int i = 0; i < IDENTITY_CHANGE; i++) {
		if (!revocations_identity(token, (enum identity_kind)i, identity))
			continue;
		store_hex(identity, sizeof(identity), hex);
		PGresult *result = ask(e, "SELECT 1 FROM revocations WHERE identity = $1::bytea "
		    "AND kind <> 'change' AND expires_at > now() AND (before_at IS NULL OR "
		    "$2::bigint IS NULL OR extract(epoch FROM before_at) >= $2::bigint)", 2,
		    values, why, size);
		if (result == NULL)
			return false;
		snprintf(name, sizeof(name), "%s%.*s", whose,
		    SPAN_ARG(identity_name((enum identity_kind)i)));
		if (PQntuples(result) > 0)
			json_object_set_new(all, name, json_string("yes"));
		PQclear(result);
	}
	return true;
}

json_t *
explain_store_revocations(struct explain *e, char *why, size_t size)
{
	struct revocations_token token = revocations_token(e->facts);
	struct span rest = facts_get(e->facts, FACTS_LINEAGE);
	json_t *all = json_object();
	struct ancestor a;
	bool good = look(e, &token, "", all, why, size);

	while (good && lineage_next(e->facts, &rest, &a)) {
		token = revocations_ancestor(&a);
		good = look(e, &token, "an ancestor's ", all, why, size);
	}
	if (good)
		return all;
	json_decref(all);
	return NULL;
}

static size_t
own_issuer(const struct config *config)
{
	for (size_t i = 0; i < config->n_issuers; i++)
		if (config->issuers[i].own)
			return i;
	return JWT_NO_ISSUER;
}

/* Well-formed, and made here; the id goes to `id`. */
static bool
add_form(struct explain *e, uint8_t id[UUID_SIZE])
{
	const struct config_token_service *service = e->config->token_service;
	struct explain_row *row = explain_row(e, "form", EXPLAIN_PASSED);
	struct seal_key key;

	text_str(&row->expected, service == NULL ? "no opaque token: there is no token_service" :
	    "an opaque token of the token_service");
	text_str(&row->found, "that");
	if (service == NULL || !opaque_read(OPAQUE_ACCESS, e->token, NULL, id)) {
		row->found.n = 0;
		text_str(&row->found, "something that begins like one");
		explain_fail(row, VERDICT_MALFORMED);
		return false;
	}
	row = explain_row(e, "tag", EXPLAIN_PASSED);
	text_str(&row->expected, "made for the configured issuer with its encryption_key");
	bool made = opaque_derive_key(span_of(service->issuer), service->encryption_key, &key) &&
	    opaque_read(OPAQUE_ACCESS, e->token, &key, id);
	seal_forget(&key);
	text_str(&row->found, made ? "that" : "made up, or of another issuer or key");
	if (!made)
		explain_fail(row, VERDICT_UNKNOWN_TOKEN);
	return made;
}

/* Judges the row of the store as the gateway does; "" for none of this digest. */
static void
judge(struct explain *e, struct explain_row *row, struct span claims)
{
	struct span text = arena_copy(&e->arena, claims);
	const struct jwt_claims said = { .issuer = own_issuer(e->config),
		.text = (char *)(uintptr_t)text.p, .n = text.n };

	if (claims.n == 0) {
		text_str(&row->found, "no such token: never issued, or swept away after its end");
		explain_fail(row, VERDICT_UNKNOWN_TOKEN);
		return;
	}
	e->verdict = jwt_believe(e->checker, &said, e->now_s, &e->arena, &e->answer);
	e->facts = e->answer.facts;
	text_str(&row->found, verdict_name(e->verdict));
	if (e->answer.from_s != INT64_MIN) {
		text_str(&row->found, ": exp ");
		explain_put_time(&row->found, e->answer.from_s, e->now_s);
	}
	if (e->verdict != VERDICT_ACTIVE)
		explain_fail(row, e->verdict);
}

void
explain_store_token(struct explain *e)
{
	const json_t *cached = json_object_get(explain_gateway_cached(e), "verdict");
	char id_text[UUID_TEXT + 1], hex[STORE_HEX(32)], why[EXPLAIN_TEXT_MAX / 2] = "";
	const char *values[] = { id_text, hex, NULL };
	uint8_t id[UUID_SIZE];

	if (!add_form(e, id))
		return;
	e->issuer = &e->config->issuers[own_issuer(e->config)];
	values[2] = e->issuer->issuer;
	uuid_text(id, id_text);
	id_text[UUID_TEXT] = '\0';
	store_hex(e->digest, sizeof(e->digest), hex);
	struct explain_row *row = explain_row(e, "store", EXPLAIN_PASSED);
	text_str(&row->expected, "a token that the database has, and that is not over");
	PGresult *result = ask(e, find_token, 3, values, why, sizeof(why));
	if (result != NULL) {
		bool found = PQntuples(result) == 1 && !PQgetisnull(result, 0, 0);

		judge(e, row, found ? span_make(PQgetvalue(result, 0, 0),
		    (size_t)PQgetlength(result, 0, 0)) : SPAN(""));
	} else if (json_is_string(cached)) {
		text_str(&row->found, json_string_value(cached));
		text_str(&row->found, ", remembers the gateway");
		if (strcmp(json_string_value(cached), verdict_name(VERDICT_ACTIVE)) != 0)
			explain_fail(row, VERDICT_UNKNOWN_TOKEN);
	} else {
		row->state = EXPLAIN_OPEN;
		row->decides = true;
		text_str(&row->found, "the database can't be asked: ");
		text_str(&row->found, why);
	}
	PQclear(result);
}
