#include "gateway/cli/client_wish.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/span.h"
#include "gateway/conf/config.h"
#include "gateway/conf/value.h"
#include "gateway/token/jwks.h"

/*
 * A list is kept sorted and without doubles, each word checked by its kind, so that the same wish
 * always looks the same.
 */

#define ID_MAX		255
#define WORDS_MAX	256
#define WORD_MAX	512
#define JWKS_FILE_MAX	65536

#define EXCHANGE	"urn:ietf:params:oauth:grant-type:token-exchange"

void
wish_arguments(struct client_wish *wish, struct argument *rows)
{
	const struct argument all[CLIENT_WISH_OPTIONS] = {
		{ "--grants", &wish->grants, false },
		{ "--scopes", &wish->scopes, false },
		{ "--audiences", &wish->audiences, false },
		{ "--format", &wish->format, false },
		{ "--lifetime", &wish->lifetime, false },
		{ "--token-rate", &wish->rate, false },
		{ "--jwks", &wish->jwks_file, false },
		{ "--introspection", &wish->introspection, false },
		{ "--revocation", &wish->revocation, false },
		{ "--exchange-from", &wish->exchange_from, false },
		{ "--impersonation", &wish->impersonation, false },
		{ "--delegation", &wish->delegation, false },
		{ "--recording", &wish->recording, false },
	};

	memcpy(rows, all, sizeof(all));
}

/* RFC 6749 appendix A: visible ASCII; " and \ would have to be escaped wherever an id is shown. */
static bool
is_visible(struct span word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] < '!' || word.p[i] > '~' || word.p[i] == '"' || word.p[i] == '\\')
			return false;
	return word.n > 0;
}

bool
wish_is_id(const char *id)
{
	return strlen(id) <= ID_MAX && is_visible(span_of(id));
}

/* The grant's full name; n is 0 if there is no such grant. */
static struct span
grant_name(struct span word)
{
	static const char *const names[] = { "client_credentials", "refresh_token", EXCHANGE };

	if (span_eq(word, SPAN("token-exchange")))
		return SPAN(EXCHANGE);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq(word, span_of(names[i])))
			return word;
	return span_make(NULL, 0);
}

static struct span
any_name(struct span word)
{
	return is_visible(word) && word.n <= WORD_MAX ? word : span_make(NULL, 0);
}

/*
 * A client's or consumer's name, which may be of any issuer, so any characters but those that
 * would end it, or look as if. A lone "*" would be everybody, which has to be said by issuer.
 */
static struct span
exchange_name(struct span word)
{
	bool good = word.n <= WORD_MAX && !span_eq(word, SPAN("*")) && word.p[0] != '/' &&
	    word.p[word.n - 1] != '/';

	for (size_t i = 0; i < word.n; i++)
		good = good && (uint8_t)word.p[i] > ' ' && word.p[i] != 0x7f;
	return good ? word : span_make(NULL, 0);
}

static int
compare(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	size_t n = x->n < y->n ? x->n : y->n;
	int order = memcmp(x->p, y->p, n);

	return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

/* Words, sorted, each once, with one space between them. NULL without memory. */
static char *
join(struct span *words, size_t n)
{
	size_t size = 1;

	qsort(words, n, sizeof(*words), compare);
	for (size_t i = 0; i < n; i++)
		size += words[i].n + 1;
	char *text = calloc(1, size), *at = text;
	for (size_t i = 0; text != NULL && i < n; i++) {
		if (i > 0 && span_eq(words[i], words[i - 1]))
			continue;
		if (at > text)
			*at++ = ' ';
		memcpy(at, words[i].p, words[i].n);
		at += words[i].n;
	}
	return text;
}

/* Brings a list into its form; false after a complaint. */
static bool
check_list(const struct order *order, const char *name, struct span (*check)(struct span),
    const char *accepted, const char **value, char **made)
{
	struct span rest = span_of(*value), word, words[WORDS_MAX];
	size_t n = 0;

	if (*value == NULL)
		return true;
	while (span_next(&rest, ' ', &word)) {
		if (word.n == 0)
			continue;
		struct span good = n < WORDS_MAX ? check(word) : span_make(NULL, 0);
		if (good.n == 0) {
			order_wrong(order, "%s: \"%.*s\" is not accepted (accepted: %s)", name,
			    SPAN_ARG(word), accepted);
			return false;
		}
		words[n++] = good;
	}
	*value = *made = join(words, n);
	return *made != NULL;
}

static bool
check_choice(const struct order *order, const char *name, const char *value, const char *choices)
{
	if (value == NULL || value_choice(span_of(value), choices) >= 0)
		return true;
	order_wrong(order, "%s: \"%s\" is not accepted (accepted: %s)", name, value, choices);
	return false;
}

static bool
check_lifetime(const struct order *order, const char *value)
{
	uint64_t seconds;

	if (value == NULL || (span_to_u64(span_of(value), &seconds) && seconds > 0 &&
	    seconds <= CONFIG_LIFETIME_MAX_S))
		return true;
	order_wrong(order, "--lifetime: \"%s\" is not accepted (accepted: seconds, 1 to %d)", value,
	    CONFIG_LIFETIME_MAX_S);
	return false;
}

static bool
check_rate(struct client_wish *wish, const struct order *order)
{
	uint64_t count, period_us;

	if (wish->rate == NULL)
		return true;
	if (!value_rate(span_of(wish->rate), &count, &period_us) || count > period_us) {
		order_wrong(order, "--token-rate: \"%s\" is not accepted (accepted: a rate as in "
		    "\"30/s\"; s, m, h or d)", wish->rate);
		return false;
	}
	snprintf(wish->rate_count, sizeof(wish->rate_count), "%" PRIu64, count);
	snprintf(wish->rate_period_us, sizeof(wish->rate_period_us), "%" PRIu64, period_us);
	return true;
}

/* What is wrong with a set of keys that assertions are to be verified with; NULL: nothing. */
static const char *
fault_of(const json_t *set, const char *text)
{
	const char *reason = NULL;
	struct alg_tools *tools = alg_tools_new();
	struct jwks *keys = tools == NULL ? NULL :
	    jwks_parse(tools, span_of(text), NULL, &reason);
	json_t *key;
	size_t i;

	if (keys != NULL && keys->n == 0)
		reason = "there is no key in it that can verify a signature";
	json_array_foreach(json_object_get(set, "keys"), i, key) {
		if (json_object_get(key, "d") != NULL)
			reason = "there is a private key in it; give the public ones only";
		else if (json_object_get(key, "k") != NULL)
			reason = "there is a shared secret in it (accepted: RSA, EC and OKP keys)";
	}
	if (keys == NULL && reason == NULL)
		reason = "there is no memory";
	jwks_free(&keys);
	alg_tools_free(&tools);
	return reason;
}

static bool
read_jwks(struct client_wish *wish)
{
	json_error_t error;
	const char *why = NULL;
	json_t *set;

	if (wish->jwks_file == NULL)
		return true;
	set = json_load_file(wish->jwks_file, JSON_REJECT_DUPLICATES, &error);
	if (set != NULL)
		wish->jwks = json_dumps(set, JSON_COMPACT);
	if (set == NULL)
		why = error.text;
	else if (wish->jwks == NULL || strlen(wish->jwks) > JWKS_FILE_MAX)
		why = "it is too long";
	else
		why = fault_of(set, wish->jwks);
	if (why != NULL)
		order_failed("the keys in %s can't be used: %s", wish->jwks_file, why);
	json_decref(set);
	return why == NULL;
}

int
wish_check(struct client_wish *wish, const struct order *order)
{
	static const char words[] = "visible ASCII without \\ and quotes";

	if (!check_list(order, "--grants", grant_name,
	    "client_credentials, refresh_token, token-exchange", &wish->grants, &wish->lists[0]) ||
	    !check_list(order, "--scopes", any_name, words, &wish->scopes, &wish->lists[1]) ||
	    !check_list(order, "--audiences", any_name, words, &wish->audiences, &wish->lists[2]) ||
	    !check_list(order, "--exchange-from", exchange_name,
	    "NAME, ISSUER/NAME, ISSUER/*", &wish->exchange_from, &wish->lists[3]) ||
	    !check_choice(order, "--format", wish->format, "jwt|opaque") ||
	    !check_choice(order, "--introspection", wish->introspection, "own|any") ||
	    !check_choice(order, "--revocation", wish->revocation, "own|any") ||
	    !check_choice(order, "--impersonation", wish->impersonation, "allowed|denied") ||
	    !check_choice(order, "--delegation", wish->delegation, "allowed|self|denied") ||
	    !check_choice(order, "--recording", wish->recording, "full|none") ||
	    !check_lifetime(order, wish->lifetime) || !check_rate(wish, order))
		return CLI_USAGE;
	return read_jwks(wish) ? CLI_DONE : CLI_FAILED;
}

void
wish_fini(struct client_wish *wish)
{
	for (size_t i = 0; i < sizeof(wish->lists) / sizeof(wish->lists[0]); i++)
		free(wish->lists[i]);
	free(wish->jwks);
	*wish = (struct client_wish){ 0 };
}
