#include "gateway/token/logout.h"

#include <math.h>

#include "gateway/base/must.h"
#include "gateway/token/digest.h"
#include "gateway/token/jwt_steps.h"

/* A member of the header or the claims; NULL: there is none. */
#define member(object, name)	doc_get((object), SPAN(name))

#define EVENT	"http://schemas.openid.net/event/backchannel-logout"

/* The check of a logout token: that of a JWT, first in the structure, and what comes of it. */
struct logout_check {
	struct check	 jwt;
	struct logout		*logout;
};

static struct logout_check *
check_of(struct check *jwt)
{
	return (struct logout_check *)jwt;
}

static enum verdict
refuse(struct check *c, enum verdict verdict, const char *why)
{
	check_of(c)->logout->why = why;
	return verdict;
}

/* Nobody can end the sessions of another issuer. */
static enum verdict
match_endpoint(struct check *c)
{
	const struct config_issuer *issuer = &c->checker->conf->issuers[c->voucher];
	struct span iss = doc_string(member(c->claims, "iss"));

	if (iss.p == NULL || !span_eq(iss, span_of(issuer->issuer)))
		return refuse(c, VERDICT_WRONG_ISSUER,
		    "its iss is not the issuer of this endpoint");
	return VERDICT_ACTIVE;
}

static enum verdict
check_type(struct check *c)
{
	static const struct span types[] = { { "logout+jwt", 10 }, { "jwt", 3 }, { "", 0 } };
	const struct doc_value *type = member(c->header, "typ");

	if (type != NULL && doc_string(type).n == 0)
		return VERDICT_MALFORMED;
	return jwt_is_type(doc_string(type), types, sizeof(types) / sizeof(types[0])) ?
	    VERDICT_ACTIVE : refuse(c, VERDICT_TOKEN_TYPE, "its typ is not logout+jwt");
}

/* What makes it a logout token, and what would make it an ID token. */
static enum verdict
check_event(struct check *c)
{
	const struct doc_value *events = member(c->claims, "events");
	const struct doc_value *event = NULL;

	if (events != NULL && events->type == DOC_OBJECT)
		event = member(events, EVENT);
	if (event == NULL || event->type != DOC_OBJECT)
		return refuse(c, VERDICT_TOKEN_TYPE,
		    "its events hold no back-channel logout with an object");
	return member(c->claims, "nonce") == NULL ? VERDICT_ACTIVE :
	    refuse(c, VERDICT_TOKEN_TYPE, "it has a nonce, as only ID tokens have");
}

/* True if a claim is missing, or text that is not empty. */
static bool
is_text(const struct doc_value *claim)
{
	return claim == NULL || doc_string(claim).n > 0;
}

/* With a session only that one has ended, whoever's it is (section 2.4). */
static enum verdict
check_names(struct check *c)
{
	const struct doc_value *sid = member(c->claims, "sid");
	const struct doc_value *sub = member(c->claims, "sub");

	if (doc_string(member(c->claims, "jti")).n == 0)
		return refuse(c, VERDICT_MALFORMED, "its jti is missing, empty or no text");
	if (sid == NULL && sub == NULL)
		return refuse(c, VERDICT_MALFORMED, "it names neither a session nor a subject");
	if (!is_text(sid) || !is_text(sub))
		return refuse(c, VERDICT_MALFORMED, "its sid or sub is empty or no text");
	return VERDICT_ACTIVE;
}

/* Fractions are rounded to the strict side. */
static enum verdict
check_times(struct check *c)
{
	const struct doc_value *iat = member(c->claims, "iat");
	const struct doc_value *nbf = member(c->claims, "nbf");
	const struct doc_value *exp = member(c->claims, "exp");
	struct logout *logout = check_of(c)->logout;

	c->exp_s = INT64_MAX;
	if (!jwt_read_date(iat, ceil, &c->iat_s) || !jwt_read_date(iat, floor, &c->issued_s) ||
	    (nbf != NULL && !jwt_read_date(nbf, ceil, &c->nbf_s)) ||
	    (exp != NULL && !jwt_read_date(exp, floor, &c->exp_s)))
		return refuse(c, VERDICT_MALFORMED,
		    "its iat is missing, or its iat, nbf or exp is no time");
	logout->stale_s = c->issued_s + LOGOUT_AGE_MAX_S + (int64_t)c->issuer->leeway_s;
	if (c->now_s >= logout->stale_s)
		return refuse(c, VERDICT_EXPIRED, "it was issued too long ago");
	return jwt_judge_times(c->exp_s, c->nbf_s, c->iat_s, c->issuer, c->now_s);
}

static enum verdict
check_audience(struct check *c)
{
	return jwt_is_for(member(c->claims, "aud"), c->issuer->logout_audience,
	    c->issuer->n_logout_audience) ? VERDICT_ACTIVE : VERDICT_WRONG_AUDIENCE;
}

/* What is said is copied: the checker's memory is for the next token. */
static enum verdict
take_names(struct check *c)
{
	struct logout *logout = check_of(c)->logout;
	struct span iss = span_of(c->issuer->issuer);
	struct span sid = doc_string(member(c->claims, "sid"));
	struct span said = sid.n > 0 ? sid : doc_string(member(c->claims, "sub"));
	const struct span parts[] = { SPAN("logout"), { "", 1 }, iss, { "", 1 },
		doc_string(member(c->claims, "jti")) };
	char *value = arena_alloc(c->arena, said.n);

	if (value == NULL)
		return VERDICT_NO_MEMORY;
	logout->value = span_make(memcpy(value, said.p, said.n), said.n);
	logout->kind = sid.n > 0 ? IDENTITY_SESSION : IDENTITY_SUBJECT;
	identity_make(logout->kind, iss, said, logout->identity);
	digest_sha256_parts(parts, sizeof(parts) / sizeof(parts[0]), logout->once);
	logout->issued_s = c->issued_s;
	return VERDICT_ACTIVE;
}

static jwt_step *const steps[] = {
	jwt_step_size,
	jwt_step_form,
	jwt_step_decode,
	jwt_step_header,
	jwt_step_claims,
	match_endpoint,
	jwt_step_voucher,
	jwt_step_issuer_size,
	jwt_step_own_algorithm,
	check_type,
	check_event,
	check_names,
	check_times,
	check_audience,
	jwt_step_key,
	jwt_step_signature,
	take_names,
	NULL,
};

enum verdict
logout_check(struct jwt_checker *checker, size_t issuer, struct span token, int64_t now_wall_s,
    struct arena *arena, struct logout *logout)
{
	struct jwt_answer answer;
	struct logout_check c = { .jwt = { .checker = checker, .answer = &answer, .arena = arena,
		.now_s = now_wall_s, .voucher = issuer, .token = token }, .logout = logout };

	must(issuer < checker->conf->n_issuers);
	*logout = (struct logout){ .kind = IDENTITY_KINDS };
	enum verdict verdict = jwt_run_steps(&c.jwt, steps);
	if (verdict != VERDICT_ACTIVE && logout->why == NULL)
		logout->why = verdict_sentence(verdict);
	return verdict;
}
