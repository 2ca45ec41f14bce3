#include "gateway/token/jwt.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "gateway/base/encode.h"

/*
 * A check is an array of steps (see `steps` at the end), each of which may end it with a verdict.
 * Their order is the argument for its cost: lengths, then text, then the header, then the claims,
 * then the key, and the signature last. Nothing is believed before that: facts are made after it.
 *
 * The checker owns the memory that a check needs, so that a refusal takes nothing from the arena;
 * only jansson allocates.
 */

#define HEADER	0
#define CLAIMS	1
#define SIGNATURE 2
#define PARTS	3

#define KID_MAX		256
#define DATE_MAX	253402300799		/* the end of the year 9999 */

struct jwt_checker {
	const struct config	 *conf;
	struct keyring		 *ring;
	struct alg_tools	 *tools;
	uint32_t		 *algorithms;	/* accepted, one set per issuer */
	const char		**claims;	/* that some route asks for */
	size_t			  n_claims;
	size_t			  token_max;	/* bytes; the largest of all issuers */
	uint8_t			 *decoded;	/* room for the parts of the longest token */
	struct facts		 *room;		/* FACTS_MAX bytes */
};

/* One check under way. */
struct check {
	struct jwt_checker		*checker;
	struct jwt_answer		*answer;
	struct arena			*arena;
	int64_t				 now_s;
	struct span			 token;
	struct span			 signed_text;	/* what the signature covers */
	struct span			 part[PARTS];	/* encoded */
	struct span			 bytes[PARTS];	/* decoded */
	json_t				*header;
	json_t				*claims;
	const struct alg		*alg;
	struct span			 kid;		/* p is NULL: none */
	const struct config_issuer	*issuer;
	int64_t				 exp_s, nbf_s, iat_s;
	struct jwk			*key;
};

static struct span
string_of(const json_t *value)
{
	return span_make(json_string_value(value), json_string_length(value));
}

/* Cuts the compact form at its dots (RFC 7515 section 7.1): exactly three parts, none empty. */
static enum verdict
split(struct check *c)
{
	struct span rest = c->token;
	size_t dots = 0;

	for (const char *dot; rest.n > 0 && (dot = memchr(rest.p, '.', rest.n)) != NULL; dots++) {
		if (dots < PARTS - 1) {
			c->part[dots] = span_make(rest.p, (size_t)(dot - rest.p));
			c->signed_text = span_make(c->token.p, (size_t)(dot - c->token.p));
		}
		rest = span_skip(rest, (size_t)(dot - rest.p) + 1);
	}
	if (dots == 4)
		return VERDICT_ENCRYPTED;
	c->part[SIGNATURE] = rest;
	if (dots != PARTS - 1 || c->part[HEADER].n == 0 || c->part[CLAIMS].n == 0 || rest.n == 0)
		return VERDICT_MALFORMED;
	return VERDICT_ACTIVE;
}

static enum verdict
decode(struct check *c)
{
	uint8_t *out = c->checker->decoded;

	for (size_t i = 0; i < PARTS; i++) {
		size_t n;
		if (!base64url_decode(c->part[i], out, &n))
			return VERDICT_MALFORMED;
		c->bytes[i] = span_make(out, n);
		out += BASE64URL_DECODED(c->part[i].n);
	}
	return VERDICT_ACTIVE;
}

/*
 * Reads a JSON object without repeated names, of valid UTF-8 and without NUL. jansson leaves its
 * error text empty when it merely ran out of memory.
 */
static enum verdict
read_object(struct span bytes, json_t **object)
{
	json_error_t error;

	*object = json_loadb(bytes.p, bytes.n, JSON_REJECT_DUPLICATES, &error);
	if (json_is_object(*object))
		return VERDICT_ACTIVE;
	return *object == NULL && error.text[0] == '\0' ? VERDICT_NO_MEMORY : VERDICT_MALFORMED;
}

/*
 * The header may choose among the algorithms of a key and name the key, no more: jku, x5u, jwk and
 * x5c are not looked at, and a token that asks for more than is understood is refused.
 */
static enum verdict
read_header(struct check *c)
{
	enum verdict verdict = read_object(c->bytes[HEADER], &c->header);
	if (verdict != VERDICT_ACTIVE)
		return verdict;

	const json_t *kid = json_object_get(c->header, "kid");
	if (json_object_get(c->header, "enc") != NULL || json_object_get(c->header, "zip") != NULL)
		return VERDICT_ENCRYPTED;
	if (json_object_get(c->header, "crit") != NULL ||
	    json_object_get(c->header, "b64") != NULL)
		return VERDICT_EXTENSION;
	if (kid != NULL) {
		c->kid = string_of(kid);
		if (!json_is_string(kid) || c->kid.n > KID_MAX)
			return VERDICT_MALFORMED;
	}
	c->alg = alg_find(string_of(json_object_get(c->header, "alg")));
	return c->alg != NULL ? VERDICT_ACTIVE : VERDICT_ALGORITHM;
}

static enum verdict
read_claims(struct check *c)
{
	return read_object(c->bytes[CLAIMS], &c->claims);
}

/* The issuer is who the token names, exactly; everything after this is by that issuer's rules. */
static enum verdict
match_issuer(struct check *c)
{
	const struct config *conf = c->checker->conf;
	const json_t *value = json_object_get(c->claims, "iss");

	if (!json_is_string(value))
		return VERDICT_WRONG_ISSUER;
	for (size_t i = 0; i < conf->n_issuers; i++) {
		if (!span_eq(span_of(conf->issuers[i].issuer), string_of(value)))
			continue;
		c->issuer = &conf->issuers[i];
		c->answer->issuer = i;
		return c->token.n <= c->issuer->max_token ? VERDICT_ACTIVE : VERDICT_TOO_LARGE;
	}
	return VERDICT_WRONG_ISSUER;
}

static enum verdict
check_algorithm(struct check *c)
{
	uint32_t accepted = c->checker->algorithms[c->answer->issuer];

	return (accepted & ALG_BIT(c->alg->id)) != 0 ? VERDICT_ACTIVE : VERDICT_ALGORITHM;
}

/* typ is a media type that may leave out "application/" (RFC 7515 section 4.1.9); "" is absent. */
static bool
accepts_type(const struct config_issuer *issuer, struct span type)
{
	struct span prefix = SPAN("application/");

	if (type.n > prefix.n && span_starts_nocase(type, prefix))
		type = span_skip(type, prefix.n);
	for (size_t i = 0; i < issuer->n_token_types; i++)
		if (span_eq_nocase(issuer->token_types[i], type))
			return true;
	return false;
}

/* True for tokens of another purpose, whatever their header says (RFC 8725 section 3.12). */
static bool
is_other_token(const json_t *claims)
{
	static const char *const foreign[] = { "nonce", "at_hash", "c_hash", "s_hash", "events" };
	static const char *const types[] = { "ID", "Refresh", "Offline", "Logout" };
	static const char *const uses[] = { "id", "refresh" };
	struct span type = string_of(json_object_get(claims, "typ"));
	struct span use = string_of(json_object_get(claims, "token_use"));

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (json_object_get(claims, foreign[i]) != NULL)
			return true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (span_eq_nocase(type, span_of(types[i])))
			return true;
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (span_eq_nocase(use, span_of(uses[i])))
			return true;
	return false;
}

static enum verdict
check_type(struct check *c)
{
	const json_t *type = json_object_get(c->header, "typ");

	if (type != NULL && (!json_is_string(type) || json_string_length(type) == 0))
		return VERDICT_MALFORMED;
	if (!accepts_type(c->issuer, string_of(type)) || is_other_token(c->claims))
		return VERDICT_TOKEN_TYPE;
	/* A bearer proves no key, so a token that is bound to one is not for it (RFC 7800, 9449). */
	return json_object_get(c->claims, "cnf") == NULL ? VERDICT_ACTIVE : VERDICT_BOUND;
}

/* A NumericDate, which may have a fraction (RFC 7519 section 2), rounded one way. */
static bool
read_date(const json_t *value, double (*rounded)(double), int64_t *date_s)
{
	if (json_is_real(value)) {
		double real = rounded(json_real_value(value));
		*date_s = fabs(real) <= (double)DATE_MAX ? (int64_t)real : INT64_MAX;
	} else if (json_is_integer(value)) {
		*date_s = json_integer_value(value);
	} else {
		return false;
	}
	return *date_s <= DATE_MAX && *date_s >= -DATE_MAX;
}

enum verdict
jwt_judge_times(int64_t exp_s, int64_t nbf_s, int64_t iat_s, const struct config_issuer *issuer,
    int64_t now_wall_s)
{
	int64_t latest_s = now_wall_s + (int64_t)issuer->leeway_s;

	if (now_wall_s >= exp_s)
		return VERDICT_EXPIRED;
	return nbf_s > latest_s || iat_s > latest_s ? VERDICT_NOT_YET_VALID : VERDICT_ACTIVE;
}

/* Fractions are rounded to the strict side: an earlier end, a later beginning. */
static enum verdict
check_times(struct check *c)
{
	const json_t *nbf = json_object_get(c->claims, "nbf");
	const json_t *iat = json_object_get(c->claims, "iat");

	if (!read_date(json_object_get(c->claims, "exp"), floor, &c->exp_s) ||
	    (nbf != NULL && !read_date(nbf, ceil, &c->nbf_s)) ||
	    (iat != NULL && !read_date(iat, ceil, &c->iat_s)))
		return VERDICT_MALFORMED;
	enum verdict verdict = jwt_judge_times(c->exp_s, c->nbf_s, c->iat_s, c->issuer, c->now_s);
	if (verdict == VERDICT_EXPIRED)
		c->answer->from_s = c->exp_s;
	if (verdict == VERDICT_NOT_YET_VALID)
		c->answer->until_s = (c->nbf_s > c->iat_s ? c->nbf_s : c->iat_s) -
		    (int64_t)c->issuer->leeway_s;
	return verdict;
}

static bool
accepts_audience(const struct config_issuer *issuer, const json_t *member)
{
	for (size_t i = 0; i < issuer->n_audience; i++)
		if (json_is_string(member) && span_eq(issuer->audience[i], string_of(member)))
			return true;
	return false;
}

static enum verdict
check_audience(struct check *c)
{
	const json_t *aud = json_object_get(c->claims, "aud");

	if (c->issuer->any_audience || accepts_audience(c->issuer, aud))
		return VERDICT_ACTIVE;
	for (size_t i = 0; i < json_array_size(aud); i++)
		if (accepts_audience(c->issuer, json_array_get(aud, i)))
			return VERDICT_ACTIVE;
	return VERDICT_WRONG_AUDIENCE;
}

static enum verdict
find_key(struct check *c)
{
	switch (keyring_find(c->checker->ring, c->answer->issuer, c->kid, c->alg, &c->key)) {
	case KEYRING_FOUND:
		return VERDICT_ACTIVE;
	case KEYRING_UNKNOWN:
		return VERDICT_UNKNOWN_KEY;
	case KEYRING_UNFIT:
		return VERDICT_ALGORITHM;
	case KEYRING_UNAVAILABLE:
		return VERDICT_KEYS_UNAVAILABLE;
	}
	return VERDICT_UNKNOWN_KEY;
}

static enum verdict
check_signature(struct check *c)
{
	switch (alg_verify(c->checker->tools, c->alg, &c->key->key, c->signed_text,
	    c->bytes[SIGNATURE])) {
	case ALG_GOOD:
		return VERDICT_ACTIVE;
	case ALG_BAD:
		return VERDICT_BAD_SIGNATURE;
	case ALG_NO_MEMORY:
		return VERDICT_NO_MEMORY;
	}
	return VERDICT_BAD_SIGNATURE;
}

static enum verdict
make_facts(struct check *c)
{
	struct jwt_checker *checker = c->checker;
	struct facts *facts = checker->room;
	struct facts_wish wish = {
		.consumer_claim = c->issuer->consumer_claim,
		.scope_claim = c->issuer->scope_claim,
		.claims = checker->claims,
		.n_claims = checker->n_claims,
	};
	enum verdict verdict = facts_make(facts, c->claims,
	    span_make(c->key->kid, c->key->kid_n), &wish);
	if (verdict != VERDICT_ACTIVE)
		return verdict;

	facts->rules = c->issuer->rules;
	facts->issuer = c->issuer->id;
	facts->key = c->key->fingerprint;
	facts->generation = keyring_parsed(checker->ring, c->answer->issuer);
	facts->exp_s = c->exp_s;
	facts->nbf_s = c->nbf_s;
	facts->iat_s = c->iat_s;
	c->answer->facts = arena_alloc(c->arena, facts->size);
	if (c->answer->facts == NULL)
		return VERDICT_NO_MEMORY;
	memcpy(c->answer->facts, facts, facts->size);
	return VERDICT_ACTIVE;
}

static enum verdict (*const steps[])(struct check *) = {
	split,
	decode,
	read_header,
	read_claims,
	match_issuer,
	check_algorithm,
	check_type,
	check_times,
	check_audience,
	find_key,
	check_signature,
	make_facts,
};

enum verdict
jwt_check(struct jwt_checker *checker, struct span token, int64_t now_wall_s,
    struct arena *arena, struct jwt_answer *answer)
{
	struct check c = {
		.checker = checker,
		.answer = answer,
		.arena = arena,
		.now_s = now_wall_s,
		.token = token,
		.nbf_s = FACTS_NO_TIME,
		.iat_s = FACTS_NO_TIME,
	};
	enum verdict verdict = VERDICT_ACTIVE;

	*answer = (struct jwt_answer){
		.issuer = JWT_NO_ISSUER,
		.from_s = INT64_MIN,
		.until_s = INT64_MAX,
	};
	if (token.n > checker->token_max)
		return VERDICT_TOO_LARGE;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && verdict == VERDICT_ACTIVE; i++)
		verdict = steps[i](&c);
	json_decref(c.header);
	json_decref(c.claims);
	return verdict;
}

size_t
jwt_token_max(const struct jwt_checker *checker)
{
	return checker->token_max;
}

/* Collects the claims that routes ask for, each once. */
static bool
collect_claims(struct jwt_checker *checker)
{
	const struct config *conf = checker->conf;
	size_t n = 0;

	for (size_t i = 0; i < conf->n_routes; i++)
		n += conf->routes[i].n_claim_headers;
	if ((checker->claims = calloc(n + 1, sizeof(*checker->claims))) == NULL)
		return false;
	for (size_t i = 0; i < conf->n_routes; i++)
		for (size_t j = 0; j < conf->routes[i].n_claim_headers; j++) {
			const char *claim = conf->routes[i].claim_headers[j].claim;
			size_t k = 0;
			while (k < checker->n_claims && strcmp(checker->claims[k], claim) != 0)
				k++;
			if (k == checker->n_claims)
				checker->claims[checker->n_claims++] = claim;
		}
	return true;
}

static bool
collect_algorithms(struct jwt_checker *checker)
{
	const struct config *conf = checker->conf;

	checker->algorithms = calloc(conf->n_issuers + 1, sizeof(*checker->algorithms));
	if (checker->algorithms == NULL)
		return false;
	for (size_t i = 0; i < conf->n_issuers; i++) {
		const struct config_issuer *issuer = &conf->issuers[i];
		if (issuer->max_token > checker->token_max)
			checker->token_max = issuer->max_token;
		for (size_t j = 0; j < issuer->n_algorithms; j++) {
			const struct alg *alg = alg_find(span_of(issuer->algorithms[j]));
			if (alg != NULL)
				checker->algorithms[i] |= ALG_BIT(alg->id);
		}
	}
	return true;
}

struct jwt_checker *
jwt_checker_new(const struct config *conf, struct keyring *ring, struct alg_tools *tools)
{
	struct jwt_checker *checker = calloc(1, sizeof(*checker));
	if (checker == NULL)
		return NULL;

	*checker = (struct jwt_checker){ .conf = conf, .ring = ring, .tools = tools };
	bool good = collect_claims(checker) && collect_algorithms(checker);
	checker->decoded = malloc(BASE64URL_DECODED(checker->token_max) + PARTS * 3);
	checker->room = malloc(FACTS_MAX);
	if (!good || checker->decoded == NULL || checker->room == NULL)
		jwt_checker_free(&checker);
	return checker;
}

void
jwt_checker_free(struct jwt_checker **checker)
{
	struct jwt_checker *c = *checker;
	*checker = NULL;
	if (c == NULL)
		return;
	free(c->algorithms);
	free(c->claims);
	free(c->decoded);
	free(c->room);
	free(c);
}
