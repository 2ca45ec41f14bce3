#include "gateway/token/jwt_steps.h"

#include <math.h>

#include "gateway/base/encode.h"
#include "gateway/token/jwt_checker.h"
#include "gateway/token/mint.h"
#include "gateway/token/purpose.h"

/*
 * Each step looks at one thing, and says VERDICT_ACTIVE or what is wrong with it. Nothing is
 * believed before the signature: facts are made last.
 *
 * The checker owns the memory that a check needs: a refusal allocates nothing, and a good token its
 * facts.
 */

#define KID_MAX		256
#define DATE_MAX	253402300799		/* the end of the year 9999 */

/* A member of the header or the claims; NULL: there is none. */
#define member(object, name)	doc_get((object), SPAN(name))

enum verdict
jwt_step_size(struct check *c)
{
	return c->token.n <= c->checker->token_max ? VERDICT_ACTIVE : VERDICT_TOO_LARGE;
}

/*
 * Cuts the compact form at its dots (RFC 7515 section 7.1): exactly three parts. The last may be
 * empty until the header has told why: "none" is a better reason to refuse it.
 */
enum verdict
jwt_step_form(struct check *c)
{
	struct span rest = c->token;
	size_t dots = 0;

	for (const char *dot; rest.n > 0 && (dot = memchr(rest.p, '.', rest.n)) != NULL; dots++) {
		if (dots < JWT_PARTS - 1) {
			c->part[dots] = span_make(rest.p, (size_t)(dot - rest.p));
			c->signed_text = span_make(c->token.p, (size_t)(dot - c->token.p));
		}
		rest = span_skip(rest, (size_t)(dot - rest.p) + 1);
	}
	if (dots == 4)
		return VERDICT_ENCRYPTED;
	c->part[JWT_SIGNATURE] = rest;
	if (dots != JWT_PARTS - 1 || c->part[JWT_HEADER].n == 0 || c->part[JWT_CLAIMS].n == 0)
		return VERDICT_MALFORMED;
	return VERDICT_ACTIVE;
}

enum verdict
jwt_step_decode(struct check *c)
{
	uint8_t *out = c->checker->decoded;

	for (size_t i = 0; i < JWT_PARTS; i++) {
		c->bytes[i].p = (char *)out;
		if (!base64url_decode(c->part[i], out, &c->bytes[i].n)) {
			c->bytes[i].p = NULL;
			return VERDICT_MALFORMED;
		}
		out += BASE64URL_DECODED(c->part[i].n);
	}
	return VERDICT_ACTIVE;
}

/* Reads a decoded part in place; NULL if it is no object. */
static const struct doc_value *
read_part(struct check *c, size_t part)
{
	struct doc_value *values = c->checker->values + part * c->checker->values_max;

	return doc_parse(values, c->checker->values_max, c->bytes[part].p, c->bytes[part].n) ?
	    values : NULL;
}

/*
 * The header may choose among the algorithms of a key and name the key, no more: jku, x5u, jwk and
 * x5c are not looked at, and a token that asks for more than is understood is refused.
 */
enum verdict
jwt_step_header(struct check *c)
{
	if ((c->header = read_part(c, JWT_HEADER)) == NULL)
		return VERDICT_MALFORMED;

	const struct doc_value *kid = member(c->header, "kid");
	if (member(c->header, "enc") != NULL || member(c->header, "zip") != NULL)
		return VERDICT_ENCRYPTED;
	if (member(c->header, "crit") != NULL || member(c->header, "b64") != NULL)
		return VERDICT_EXTENSION;
	c->kid = doc_string(kid);
	if ((kid != NULL && c->kid.p == NULL) || c->kid.n > KID_MAX)
		return VERDICT_MALFORMED;
	c->alg = alg_find(doc_string(member(c->header, "alg")));
	if (c->alg == NULL)
		return VERDICT_ALGORITHM;
	return c->part[JWT_SIGNATURE].n > 0 ? VERDICT_ACTIVE : VERDICT_MALFORMED;
}

enum verdict
jwt_step_claims(struct check *c)
{
	c->claims = read_part(c, JWT_CLAIMS);
	return c->claims != NULL ? VERDICT_ACTIVE : VERDICT_MALFORMED;
}

/* Everything after this is by this issuer's rules. */
static enum verdict
take_issuer(struct check *c, size_t index)
{
	c->issuer = &c->checker->conf->issuers[index];
	c->answer->issuer = index;
	return VERDICT_ACTIVE;
}

enum verdict
jwt_step_issuer_size(struct check *c)
{
	return c->token.n <= c->issuer->max_token ? VERDICT_ACTIVE : VERDICT_TOO_LARGE;
}

/* An answer of an issuer: it says "active", or "not active", or nothing (RFC 7662 section 2.2). */
enum verdict
jwt_step_answer(struct check *c)
{
	const struct doc_value *active;

	c->claims = read_part(c, JWT_CLAIMS);
	if ((active = member(c->claims, "active")) == NULL ||
	    (active->type != DOC_TRUE && active->type != DOC_FALSE))
		return VERDICT_INTROSPECTION_FAILED;
	return active->type == DOC_TRUE ? VERDICT_ACTIVE : VERDICT_INACTIVE;
}

/* What an issuer is asked about may be bound to a key, or be no access token. */
enum verdict
jwt_step_token_type(struct check *c)
{
	const struct doc_value *type = member(c->claims, "token_type");

	if (type == NULL || span_eq_nocase(doc_string(type), SPAN("Bearer")))
		return VERDICT_ACTIVE;
	return span_eq_nocase(doc_string(type), SPAN("DPoP")) ? VERDICT_BOUND :
	    VERDICT_TOKEN_TYPE;
}

/* The issuer is who the token names, exactly. */
enum verdict
jwt_step_issuer(struct check *c)
{
	const struct config *conf = c->checker->conf;
	struct span name = doc_string(member(c->claims, "iss"));

	for (size_t i = 0; i < conf->n_issuers; i++)
		if (name.p != NULL && span_eq(span_of(conf->issuers[i].issuer), name))
			return take_issuer(c, i);
	return VERDICT_WRONG_ISSUER;
}

/* Who vouches for the claims is known; nobody can do so for another's. */
enum verdict
jwt_step_voucher(struct check *c)
{
	const struct config_issuer *issuer = &c->checker->conf->issuers[c->voucher];
	const struct doc_value *iss = member(c->claims, "iss");

	if (iss == NULL ? issuer->own : !span_eq(doc_string(iss), span_of(issuer->issuer)))
		return VERDICT_WRONG_ISSUER;
	return take_issuer(c, c->voucher);
}

enum verdict
jwt_step_own_algorithm(struct check *c)
{
	uint32_t accepted = c->checker->algorithms[c->answer->issuer];

	return (accepted & ALG_BIT(c->alg->id)) != 0 ? VERDICT_ACTIVE : VERDICT_ALGORITHM;
}

enum verdict
jwt_step_algorithm(struct check *c)
{
	/* who checks the signature decides */
	return c->issuer->validate == VALIDATE_INTROSPECT ? VERDICT_ACTIVE :
	    jwt_step_own_algorithm(c);
}

bool
jwt_is_type(struct span type, const struct span *list, size_t n)
{
	struct span prefix = SPAN("application/");

	if (type.n > prefix.n && span_starts_nocase(type, prefix))
		type = span_skip(type, prefix.n);
	for (size_t i = 0; i < n; i++)
		if (span_eq_nocase(list[i], type))
			return true;
	return false;
}

enum verdict
jwt_step_type(struct check *c)
{
	const struct doc_value *type = member(c->header, "typ");

	if (type != NULL && doc_string(type).n == 0)
		return VERDICT_MALFORMED;
	return jwt_is_type(doc_string(type), c->issuer->token_types, c->issuer->n_token_types) ?
	    VERDICT_ACTIVE : VERDICT_TOKEN_TYPE;
}

enum verdict
jwt_step_purpose(struct check *c)
{
	return purpose_is_other(c->claims) ? VERDICT_TOKEN_TYPE : VERDICT_ACTIVE;
}

/* A bearer proves no key, so a token that is bound to one is not for it (RFC 7800). */
enum verdict
jwt_step_binding(struct check *c)
{
	return member(c->claims, "cnf") == NULL ? VERDICT_ACTIVE : VERDICT_BOUND;
}

bool
jwt_read_date(const struct doc_value *value, double (*rounded)(double), int64_t *date_s)
{
	double real;

	if (doc_integer(value, date_s))
		return *date_s <= DATE_MAX && *date_s >= -DATE_MAX;
	if (!doc_real(value, &real) || fabs(rounded(real)) > (double)DATE_MAX)
		return false;
	*date_s = (int64_t)rounded(real);
	return true;
}

/*
 * What only the issuer can say is left to it, but for a token that is over by its own account: so
 * one that was not active for this reason is refused without a question.
 */
enum verdict
jwt_step_ask(struct check *c)
{
	int64_t exp_s;

	if (c->issuer->validate != VALIDATE_INTROSPECT)
		return VERDICT_ACTIVE;
	if (!jwt_read_date(member(c->claims, "exp"), floor, &exp_s) || c->now_s < exp_s)
		return VERDICT_ASK_ISSUER;
	c->answer->from_s = exp_s;
	return VERDICT_EXPIRED;
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

/* Fractions are rounded to the strict side: an earlier end, a later beginning, an earlier issue. */
enum verdict
jwt_step_times(struct check *c)
{
	const struct doc_value *nbf = member(c->claims, "nbf"), *iat = member(c->claims, "iat");
	const struct doc_value *exp = member(c->claims, "exp");
	bool lasts = exp == NULL && c->lasts_s != 0;

	if (lasts)
		c->exp_s = c->lasts_s;
	if ((!lasts && !jwt_read_date(exp, floor, &c->exp_s)) ||
	    (nbf != NULL && !jwt_read_date(nbf, ceil, &c->nbf_s)) ||
	    (iat != NULL && (!jwt_read_date(iat, ceil, &c->iat_s) ||
	    !jwt_read_date(iat, floor, &c->issued_s))))
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
is_listed(const struct doc_value *value, const struct span *list, size_t n)
{
	struct span name = doc_string(value);

	for (size_t i = 0; i < n; i++)
		if (name.p != NULL && span_eq(list[i], name))
			return true;
	return false;
}

bool
jwt_is_for(const struct doc_value *aud, const struct span *list, size_t n)
{
	if (aud == NULL || aud->type != DOC_ARRAY)
		return is_listed(aud, list, n);
	for (const struct doc_value *v = doc_first(aud); v != NULL; v = doc_next(aud, v))
		if (is_listed(v, list, n))
			return true;
	return false;
}

enum verdict
jwt_step_audience(struct check *c)
{
	const struct config_issuer *issuer = c->issuer;

	return issuer->any_audience || jwt_is_for(member(c->claims, "aud"), issuer->audience,
	    issuer->n_audience) ? VERDICT_ACTIVE : VERDICT_WRONG_AUDIENCE;
}

enum verdict
jwt_step_key(struct check *c)
{
	struct jwk *key;

	switch (keyring_find(c->checker->ring, c->answer->issuer, c->kid, c->alg, &key)) {
	case KEYRING_FOUND:
		c->key = key;
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

enum verdict
jwt_step_signature(struct check *c)
{
	struct span signature = span_make(c->bytes[JWT_SIGNATURE].p, c->bytes[JWT_SIGNATURE].n);

	switch (alg_verify(c->checker->tools, c->alg, &c->key->key, c->signed_text, signature)) {
	case ALG_GOOD:
		return VERDICT_ACTIVE;
	case ALG_BAD:
		return VERDICT_BAD_SIGNATURE;
	case ALG_NO_MEMORY:
		return VERDICT_NO_MEMORY;
	}
	return VERDICT_BAD_SIGNATURE;
}

enum verdict
jwt_step_facts(struct check *c)
{
	struct jwt_checker *checker = c->checker;
	struct facts *facts = checker->room;
	struct facts_wish wish = {
		.consumer_claim = c->issuer->consumer_claim, .scope_claim = c->issuer->scope_claim,
		.custom_id_claim = c->issuer->own ? MINT_CUSTOM_ID : NULL,
		.issuer = c->issuer->issuer, .lineage = c->issuer->own,
		.claims = checker->claims, .n_claims = checker->n_claims,
	};
	struct span kid = c->key == NULL ? SPAN("") : span_make(c->key->kid, c->key->kid_n);
	enum verdict verdict = facts_make(facts, c->claims, kid, &wish);
	if (verdict != VERDICT_ACTIVE)
		return verdict;
	/* nobody could revoke it alone */
	if (facts->part[FACTS_JTI].n == 0 && c->signed_text.n == 0)
		return VERDICT_MALFORMED;

	facts->rules = c->issuer->rules;
	facts->issuer = c->issuer->id;
	if (c->key != NULL) {
		facts->key = c->key->fingerprint;
		facts->generation = keyring_parsed(checker->ring, c->answer->issuer);
	}
	facts->exp_s = c->exp_s;
	facts->nbf_s = c->nbf_s;
	facts->iat_s = c->issued_s;
	facts->known_s = c->now_s;
	facts_identify(facts, c->signed_text);
	c->answer->facts = arena_alloc(c->arena, facts->size);
	if (c->answer->facts == NULL)
		return VERDICT_NO_MEMORY;
	memcpy(c->answer->facts, facts, facts->size);
	return VERDICT_ACTIVE;
}
