#include <stdlib.h>
#include <string.h>

#include "gateway/cli/explain.h"
#include "gateway/token/doc.h"
#include "shm/keys.h"

/*
 * The rows of the token itself. Outcome and order are the trace's; here each check says in words
 * what it wants and what it has found.
 */

#define VALUE_MAX	320	/* of one claim, shown */

static void
put_count(struct text *t, size_t n, const char *what)
{
	text_u64(t, n);
	text_char(t, ' ');
	text_str(t, what);
}

/* Puts a member of the header or the claims, cut short if it is long; "absent" if there is none. */
static void
put_member(struct text *t, const struct doc_value *object, const char *name)
{
	const struct doc_value *value = doc_get(object, span_of(name));
	char memory[VALUE_MAX];
	struct text json = TEXT_OVER(memory);

	text_str(t, name);
	if (value == NULL) {
		text_str(t, " absent");
		return;
	}
	text_char(t, ' ');
	if (doc_write(&json, value))
		text_put(t, text_span(&json));
	else
		text_str(t, "(too long to be shown)");
}

static void
put_present(struct text *t, const struct doc_value *object, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (doc_get(object, span_of(names[i])) != NULL) {
			text_str(t, t->n > 0 ? ", " : "");
			put_member(t, object, names[i]);
		}
}

static void
tell_size(const struct explain *e, struct explain_row *row)
{
	size_t max = e->issuer == NULL || row->check == jwt_check_name(JWT_CHECK_SIZE) ?
	    jwt_token_max(e->checker) : e->issuer->max_token;

	text_str(&row->expected, "at most ");
	put_count(&row->expected, max, "characters");
	put_count(&row->found, e->token.n, "characters");
}

static void
tell_form(const struct explain *e, struct explain_row *row)
{
	size_t parts = 1;

	for (size_t i = 0; i < e->token.n; i++)
		parts += e->token.p[i] == '.';
	text_str(&row->expected, "three parts with a dot between");
	put_count(&row->found, parts, parts == 1 ? "part" : "parts");
	if (parts == 5)
		text_str(&row->found, ": it is encrypted");
}

static void
tell_encoding(const struct explain *e, struct explain_row *row)
{
	(void)e;
	text_str(&row->expected, "base64url without padding");
	text_str(&row->found, row->state == EXPLAIN_PASSED ? "that" : "something else in a part");
}

static void
tell_header(const struct explain *e, struct explain_row *row)
{
	static const char *const names[] = { "alg", "kid", "enc", "zip", "crit", "b64" };

	text_str(&row->expected, "a JSON object with a known alg, a kid that is text, and no enc, "
	    "zip, crit or b64; a signature");
	if (e->trace.header == NULL)
		text_str(&row->found, "no such object");
	else
		put_present(&row->found, e->trace.header, names, 6);
	if (e->token.p[e->token.n - 1] == '.')
		text_str(&row->found, "; no signature");
}

static void
tell_claims(const struct explain *e, struct explain_row *row)
{
	text_str(&row->expected, "a JSON object, no name twice");
	text_str(&row->found, e->trace.claims != NULL ? "that" : "something else");
}

static void
tell_issuer(const struct explain *e, struct explain_row *row)
{
	for (size_t i = 0; i < e->config->n_issuers; i++) {
		text_str(&row->expected, i > 0 ? ", " : "iss ");
		text_str(&row->expected, e->config->issuers[i].issuer);
	}
	put_member(&row->found, e->trace.claims, "iss");
}

static void
tell_algorithm(const struct explain *e, struct explain_row *row)
{
	for (size_t i = 0; i < e->issuer->n_algorithms; i++) {
		text_str(&row->expected, i > 0 ? ", " : "");
		text_str(&row->expected, e->issuer->algorithms[i]);
	}
	put_member(&row->found, e->trace.header, "alg");
}

static void
tell_type(const struct explain *e, struct explain_row *row)
{
	for (size_t i = 0; i < e->issuer->n_token_types; i++) {
		struct span type = e->issuer->token_types[i];

		text_str(&row->expected, i > 0 ? ", " : "");
		text_put(&row->expected, type.n == 0 ? SPAN("absent") : type);
	}
	put_member(&row->found, e->trace.header, "typ");
}

static void
tell_purpose(const struct explain *e, struct explain_row *row)
{
	static const char *const names[] = { "nonce", "at_hash", "c_hash", "s_hash", "events",
		"typ", "token_use" };

	text_str(&row->expected, "no claim of an ID, refresh or logout token");
	put_present(&row->found, e->trace.claims, names, 7);
	if (row->found.n == 0)
		text_str(&row->found, "none");
}

static void
tell_binding(const struct explain *e, struct explain_row *row)
{
	text_str(&row->expected, "no cnf: the request proves no key");
	text_str(&row->found, doc_get(e->trace.claims, SPAN("cnf")) != NULL ? "cnf" : "none");
}

static void
tell_ask(const struct explain *e, struct explain_row *row)
{
	bool asks = e->issuer->validate == VALIDATE_INTROSPECT;

	text_str(&row->expected, asks ? "validate = introspect: left to the issuer, unless over" :
	    "validate = local or both: checked here");
	text_str(&row->found, row->state == EXPLAIN_PASSED ? "that" : "over by its own exp");
}

static void
put_date(struct text *t, const struct explain *e, const char *name)
{
	const struct doc_value *value = doc_get(e->trace.claims, span_of(name));
	double real;

	if (value == NULL && strcmp(name, "exp") != 0)
		return;
	text_str(t, t->n > 0 ? "; " : "");
	if (!doc_real(value, &real) || real < -6e10 || real > 2.5e11) {
		put_member(t, e->trace.claims, name);
		return;
	}
	text_str(t, name);
	text_char(t, ' ');
	explain_put_time(t, (int64_t)real, e->now_s);
}

static void
tell_times(const struct explain *e, struct explain_row *row)
{
	text_str(&row->expected, "exp to come; nbf and iat past (leeway ");
	put_count(&row->expected, e->issuer->leeway_s, "s)");
	put_date(&row->found, e, "exp");
	put_date(&row->found, e, "nbf");
	put_date(&row->found, e, "iat");
}

static void
tell_audience(const struct explain *e, struct explain_row *row)
{
	if (e->issuer->any_audience) {
		text_str(&row->expected, "any");
	} else {
		text_str(&row->expected, "one of ");
		explain_put_names(&row->expected, e->issuer->audience, e->issuer->n_audience);
	}
	put_member(&row->found, e->trace.claims, "aud");
}

/* The kids of the set that was looked at, and where it is from. */
static void
put_kids(const struct explain *e, struct text *t)
{
	char *bytes = malloc(KEYS_BYTES_MAX);
	uint64_t generation;
	struct keys_slot slot;
	const char *reason;
	size_t n = bytes != NULL && keys_slot(e->keys, e->issuer->id, false, &slot) ?
	    keys_read(&slot, bytes, KEYS_BYTES_MAX, &generation) : 0;
	struct jwks *set = n == 0 ? NULL :
	    jwks_parse(e->tools, span_make(bytes, n), NULL, &reason);

	for (size_t i = 0; set != NULL && i < set->n; i++) {
		text_str(t, i > 0 ? ", " : "kid ");
		text_put(t, set->keys[i].has_kid ? span_make(set->keys[i].kid,
		    set->keys[i].kid_n) : SPAN("(none)"));
	}
	jwks_free(&set);
	if (n > 0)
		explicit_bzero(bytes, n);
	free(bytes);
}

static void
tell_key(const struct explain *e, struct explain_row *row)
{
	if (e->has_keys) {
		put_kids(e, &row->expected);
		text_str(&row->expected, " (");
		text_str(&row->expected, e->keys_from);
		text_char(&row->expected, ')');
	} else {
		text_str(&row->expected, "the issuer's keys");
		text_str(&row->found, "no keys: ");
		text_str(&row->found, e->keys_from);
		text_str(&row->found, "; ");
	}
	put_member(&row->found, e->trace.header, "kid");
	if (row->verdict == VERDICT_ALGORITHM)
		text_str(&row->found, ", which is not for this alg");
}

static void
tell_signature(const struct explain *e, struct explain_row *row)
{
	(void)e;
	text_str(&row->expected, "made with that key");
	text_str(&row->found, row->state == EXPLAIN_PASSED ? "that" :
	    "of another key, or of other content");
}

static void
tell_facts(const struct explain *e, struct explain_row *row)
{
	const char *claim = e->issuer->consumer_claim;

	text_str(&row->expected, "a consumer in ");
	text_str(&row->expected, claim[0] != '\0' ? claim : "client_id, azp or sub");
	text_str(&row->expected, ", claims of their types");
	if (e->facts != NULL) {
		text_str(&row->found, "consumer ");
		text_put(&row->found, facts_get(e->facts, FACTS_CONSUMER));
	} else {
		text_str(&row->found, row->verdict == VERDICT_NO_CONSUMER ? "none" :
		    "a claim of a wrong type, or one that fits no header");
	}
}

static void (*const tell[JWT_CHECKS])(const struct explain *, struct explain_row *) = {
	[JWT_CHECK_SIZE] = tell_size,
	[JWT_CHECK_FORM] = tell_form,
	[JWT_CHECK_ENCODING] = tell_encoding,
	[JWT_CHECK_HEADER] = tell_header,
	[JWT_CHECK_CLAIMS] = tell_claims,
	[JWT_CHECK_ISSUER] = tell_issuer,
	[JWT_CHECK_ISSUER_SIZE] = tell_size,
	[JWT_CHECK_ALGORITHM] = tell_algorithm,
	[JWT_CHECK_TYPE] = tell_type,
	[JWT_CHECK_PURPOSE] = tell_purpose,
	[JWT_CHECK_BINDING] = tell_binding,
	[JWT_CHECK_ASK] = tell_ask,
	[JWT_CHECK_TIMES] = tell_times,
	[JWT_CHECK_AUDIENCE] = tell_audience,
	[JWT_CHECK_KEY] = tell_key,
	[JWT_CHECK_SIGNATURE] = tell_signature,
	[JWT_CHECK_FACTS] = tell_facts,
};

/* What only its issuer can read is judged by nothing but its size. */
static bool
is_for_issuer(const struct explain *e, enum jwt_check check)
{
	return e->kind != EXPLAIN_JWT && check != JWT_CHECK_SIZE;
}

static void
add(struct explain *e, enum jwt_check check)
{
	enum verdict verdict = e->trace.verdict[check];
	struct explain_row *row = explain_row(e, jwt_check_name(check), EXPLAIN_PASSED);

	if (!e->trace.looked[check]) {
		row->state = EXPLAIN_NOT_LOOKED;
		return;
	}
	if (verdict != VERDICT_ACTIVE && verdict != VERDICT_ASK_ISSUER)
		explain_fail(row, verdict);
	tell[check](e, row);
}

static void
trace(struct explain *e)
{
	e->verdict = jwt_check_trace(e->checker, e->token, e->now_s, &e->arena, &e->answer,
	    &e->trace);
	e->issuer = e->trace.issuer != JWT_NO_ISSUER ?
	    &e->config->issuers[e->trace.issuer] : NULL;
}

void
explain_token(struct explain *e)
{
	trace(e);
	if (e->issuer != NULL && e->trace.verdict[JWT_CHECK_ASK] != VERDICT_ASK_ISSUER) {
		explain_keys(e);
		trace(e);
	}
	e->facts = e->trace.facts;
	for (int i = 0; i < JWT_CHECKS; i++)
		if (!is_for_issuer(e, (enum jwt_check)i))
			add(e, (enum jwt_check)i);
}
