#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/encode.h"
#include "gateway/cli/admin_query.h"
#include "gateway/cli/explain.h"
#include "gateway/cli/fetch_wait.h"
#include "gateway/http/fetch.h"
#include "gateway/token/lineage.h"
#include "gateway/token/revocations.h"

/* Asks the running gateway by its admin address: digests go there, never the token. */

#define TIMEOUT_MS	5000
#define ANSWER_MAX	((size_t)2 << 20)
#define TARGET_MAX	900	/* what the admin listener takes, with room */

bool
explain_get(const char *url, const char *ca_file, struct span *body, char *why, size_t size)
{
	const struct fetch_request request = { .url = url, .accept = "application/json",
		.ca_file = ca_file, .max_bytes = ANSWER_MAX, .timeout_ms = TIMEOUT_MS,
		.redirects = FETCH_REDIRECTS_MAX };
	struct fetch *f = fetch_begin(&request, clock_ms());
	enum run run = f == NULL ? RUN_FAIL : fetch_wait(f);
	const struct fetch_result *result = f == NULL ? NULL : fetch_result(f);
	char *copy = NULL;

	if (run == RUN_FAIL)
		snprintf(why, size, "%s", f == NULL ? "there is no memory" : result->reason);
	else if (result->status != 200)
		snprintf(why, size, "it answers %u", result->status);
	else if ((copy = malloc(result->body.n + 1)) == NULL)
		snprintf(why, size, "there is no memory");
	if (copy != NULL) {
		memcpy(copy, result->body.p, result->body.n);
		*body = span_make(copy, result->body.n);
	}
	fetch_end(&f);
	return copy != NULL;
}

/* Puts text with all but letters and digits escaped. */
static void
put_escaped(struct text *t, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text, low = c | 0x20;

		if ((low >= 'a' && low <= 'z') || (c >= '0' && c <= '9'))
			text_char(t, (char)c);
		else
			text_fmt(t, "%%%02x", c);
	}
}

static void
put_bytes(struct text *t, struct span name, const uint8_t bytes[32])
{
	char encoded[BASE64URL_ENCODED(32)];

	base64url_encode(bytes, 32, encoded);
	text_fmt(t, "&%.*s=", SPAN_ARG(name));
	text_put(t, span_make(encoded, sizeof(encoded)));
}

/* Asks with this query, its leading "&" included; NULL, and why. */
static json_t *
ask(struct explain *e, struct text *query, char *why, size_t size)
{
	char url[EXPLAIN_URL_MAX + TARGET_MAX + 32];
	struct span body;

	snprintf(url, sizeof(url), "%s/api/explain?%.*s", e->admin, (int)query->n - 1,
	    query->p + 1);
	if (query->cut || !explain_get(url, NULL, &body, why, size))
		return NULL;
	json_t *answer = json_loadb(body.p, body.n, 0, NULL);
	free((char *)(uintptr_t)body.p);
	if (json_is_string(json_object_get(answer, "version")))
		return answer;
	json_decref(answer);
	snprintf(why, size, "it answers as no gateway of this version does");
	return NULL;
}

void
explain_gateway_open(struct explain *e)
{
	char memory[TARGET_MAX], why[EXPLAIN_TEXT_MAX] = "";
	struct text query = TEXT_OVER(memory);

	if (e->admin[0] == '\0' && (e->config->admin == NULL ||
	    !admin_url(e->config->admin, e->admin, sizeof(e->admin)))) {
		snprintf(e->alone, sizeof(e->alone),
		    "the configuration has no admin address that could be asked");
		return;
	}
	put_bytes(&query, SPAN("digest"), e->digest);
	text_str(&query, "&route=");
	put_escaped(&query, e->route->name);
	e->gateway = ask(e, &query, why, sizeof(why));
	if (e->gateway == NULL)
		snprintf(e->alone, sizeof(e->alone), "no running gateway answers at %.200s: %.200s",
		    e->admin, why);
	else if (!json_is_true(json_object_get(e->gateway, "has_route")))
		snprintf(e->alone, sizeof(e->alone), "the running gateway at %.200s has no such "
		    "route: it has another configuration", e->admin);
}

json_t *
explain_gateway_keys(struct explain *e, int64_t *age_s)
{
	char memory[TARGET_MAX], why[EXPLAIN_TEXT_MAX];
	struct text query = TEXT_OVER(memory);
	json_t *answer, *set, *keys = NULL;

	if (e->gateway == NULL)
		return NULL;
	text_str(&query, "&issuer=");
	put_escaped(&query, e->issuer->name);
	answer = ask(e, &query, why, sizeof(why));
	set = json_object_get(answer, "key_set");
	if (json_is_object(set)) {
		*age_s = json_integer_value(json_object_get(set, "age_s"));
		keys = json_pack("{s:O}", "keys", json_object_get(set, "keys"));
	}
	json_decref(answer);
	return keys;
}

/* Asks about one token; what is revoked of it, or may be, goes into `all`. */
static bool
ask_about(struct explain *e, const struct revocations_token *token, const char *whose, json_t *all)
{
	char memory[TARGET_MAX], why[EXPLAIN_TEXT_MAX], name[64];
	struct text query = TEXT_OVER(memory);
	uint8_t identity[IDENTITY_SIZE];
	json_t *answer, *value;
	const char *kind, *word;

	for (int i = 0; i < IDENTITY_CHANGE; i++)
		if (revocations_identity(token, (enum identity_kind)i, identity))
			put_bytes(&query, identity_name((enum identity_kind)i), identity);
	if (token->issued_s >= 0)
		text_fmt(&query, "&iat=%lld", (long long)token->issued_s);
	if ((answer = ask(e, &query, why, sizeof(why))) == NULL)
		return false;
	json_object_foreach(json_object_get(answer, "revocations"), kind, value) {
		snprintf(name, sizeof(name), "%s%s", whose, kind);
		if (json_is_string(value) && strcmp(json_string_value(value), "no") != 0)
			json_object_set(all, name, value);
	}
	/* in doubt its issuer is asked first; of an ancestor nobody is */
	word = json_string_value(json_object_get(answer, "suspect"));
	if (whose[0] == '\0' && word != NULL && strcmp(word, "no") != 0)
		json_object_set_new(all, "suspect", json_true());
	else if (word != NULL && strcmp(word, "yes") == 0)
		json_object_set_new(all, "an ancestor's issuer", json_string("yes"));
	json_decref(answer);
	return true;
}

json_t *
explain_gateway_revocations(struct explain *e)
{
	json_t *all = json_object();

	if (e->gateway == NULL || e->facts == NULL) {
		json_decref(all);
		return NULL;
	}
	struct revocations_token token = revocations_token(e->facts);
	struct span rest = facts_get(e->facts, FACTS_LINEAGE);
	struct ancestor a;
	bool good = ask_about(e, &token, "", all);

	while (good && lineage_next(e->facts, &rest, &a)) {
		token = revocations_ancestor(&a);
		good = ask_about(e, &token, "an ancestor's ", all);
	}
	if (good)
		return all;
	json_decref(all);
	return NULL;
}

const json_t *
explain_gateway_cached(const struct explain *e)
{
	const json_t *cached = json_object_get(e->gateway, "cached");

	return json_is_object(cached) ? cached : NULL;
}
