#include "gateway/token/jwt.h"

#include "gateway/base/must.h"
#include "gateway/token/jwt_steps.h"

/*
 * A check is an array of steps (jwt_steps.c), each of which may end it with a verdict. Those of a
 * JWT stand in jwt_check.def, with names; a trace of them is what `gatehouse explain` shows.
 */

static jwt_step *const steps[] = {
#define JWT_CHECK(id, name, step, needs)	jwt_step_##step,
#include "gateway/token/jwt_check.def"
#undef JWT_CHECK
	NULL,
};

static jwt_step *const claims_steps[] = {
	jwt_step_size,
	jwt_step_claims,
	jwt_step_voucher,
	jwt_step_issuer_size,
	jwt_step_purpose,
	jwt_step_binding,
	jwt_step_times,
	jwt_step_audience,
	jwt_step_facts,
	NULL,
};

static jwt_step *const answer_steps[] = {
	jwt_step_size,
	jwt_step_answer,
	jwt_step_voucher,
	jwt_step_issuer_size,
	jwt_step_token_type,
	jwt_step_purpose,
	jwt_step_binding,
	jwt_step_times,
	jwt_step_audience,
	jwt_step_facts,
	NULL,
};

static void
begin(struct check *c)
{
	c->nbf_s = c->iat_s = c->issued_s = FACTS_NO_TIME;
	*c->answer = (struct jwt_answer){
		.issuer = JWT_NO_ISSUER,
		.from_s = INT64_MIN,
		.until_s = INT64_MAX,
	};
}

enum verdict
jwt_run_steps(struct check *c, jwt_step *const *step)
{
	enum verdict verdict = VERDICT_ACTIVE;

	begin(c);
	for (; *step != NULL && verdict == VERDICT_ACTIVE; step++)
		verdict = (*step)(c);
	return verdict;
}

enum verdict
jwt_check(struct jwt_checker *checker, struct span token, int64_t now_wall_s,
    struct arena *arena, struct jwt_answer *answer)
{
	struct check c = { .checker = checker, .answer = answer, .arena = arena,
		.now_s = now_wall_s, .token = token };

	return jwt_run_steps(&c, steps);
}

enum verdict
jwt_believe(struct jwt_checker *checker, const struct jwt_claims *claims, int64_t now_wall_s,
    struct arena *arena, struct jwt_answer *answer)
{
	bool told = claims->lasts_s != 0;
	struct check c = { .checker = checker, .answer = answer, .arena = arena,
		.now_s = now_wall_s, .voucher = claims->issuer, .signed_text = claims->stand_in,
		.lasts_s = claims->lasts_s,
		/* an answer about a token may be longer than tokens are */
		.token = told ? claims->stand_in : span_make(claims->text, claims->n),
		.bytes[JWT_CLAIMS] = { claims->text, claims->n } };

	must(claims->issuer < checker->conf->n_issuers && (!told || claims->n <= JWT_ANSWER_MAX));
	return jwt_run_steps(&c, told ? answer_steps : claims_steps);
}

enum verdict
jwt_is_active(struct jwt_checker *checker, char *text, size_t n)
{
	struct check c = { .checker = checker, .bytes[JWT_CLAIMS] = { text, n } };

	must(n <= JWT_ANSWER_MAX);
	return jwt_step_answer(&c);
}

/* What a step needs to be able to look at all. */
static unsigned
found(const struct check *c)
{
	return (c->part[JWT_CLAIMS].n > 0 ? JWT_NEEDS_PARTS : 0) |
	    (c->bytes[JWT_HEADER].p != NULL ? JWT_NEEDS_HEADER_BYTES : 0) |
	    (c->bytes[JWT_CLAIMS].p != NULL ? JWT_NEEDS_CLAIMS_BYTES : 0) |
	    (c->bytes[JWT_SIGNATURE].p != NULL ? JWT_NEEDS_SIGNATURE : 0) |
	    (c->header != NULL ? JWT_NEEDS_HEADER : 0) |
	    (c->claims != NULL ? JWT_NEEDS_CLAIMS : 0) |
	    (c->issuer != NULL ? JWT_NEEDS_ISSUER : 0) |
	    (c->alg != NULL ? JWT_NEEDS_ALGORITHM : 0) | (c->key != NULL ? JWT_NEEDS_KEY : 0);
}

enum verdict
jwt_check_trace(struct jwt_checker *checker, struct span token, int64_t now_wall_s,
    struct arena *arena, struct jwt_answer *answer, struct jwt_trace *trace)
{
	static const unsigned needs[] = {
#define JWT_CHECK(id, name, step, needs)	needs,
#include "gateway/token/jwt_check.def"
#undef JWT_CHECK
	};
	struct jwt_answer own;
	struct check c = { .checker = checker, .answer = &own, .arena = arena,
		.now_s = now_wall_s, .token = token };
	enum verdict verdict = VERDICT_ACTIVE;

	*trace = (struct jwt_trace){ 0 };
	begin(&c);
	*answer = own;
	for (size_t i = 0; i < JWT_CHECKS; i++) {
		/* what is too large has no room here; the rest may be the issuer's to judge */
		if (trace->verdict[JWT_CHECK_SIZE] != VERDICT_ACTIVE ||
		    trace->verdict[JWT_CHECK_ASK] == VERDICT_ASK_ISSUER)
			break;
		if ((needs[i] & ~found(&c)) != 0)
			continue;
		trace->looked[i] = true;
		trace->verdict[i] = steps[i](&c);
		if (verdict == VERDICT_ACTIVE) {
			verdict = trace->verdict[i];
			*answer = own;
		}
	}
	trace->header = c.header;
	trace->claims = c.claims;
	trace->kid = c.kid;
	trace->issuer = own.issuer;
	trace->facts = own.facts;
	if (verdict != VERDICT_ACTIVE)
		answer->facts = NULL;
	return verdict;
}

const char *
jwt_check_name(enum jwt_check check)
{
	static const char *const names[] = {
#define JWT_CHECK(id, name, step, needs)	name,
#include "gateway/token/jwt_check.def"
#undef JWT_CHECK
	};

	return names[check];
}
