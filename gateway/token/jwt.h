/*
 * The check of a JWT access token (RFC 7515, 7519, 9068; RFC 8725 for what to distrust).
 *
 * Everything is checked, always: form, header, issuer, algorithm, type, times, audience, key,
 * signature. Cheap checks come before the costly one, so a refusal seldom costs a signature.
 * Whatever is not plainly right is refused. `exp` is exact: at now >= exp a token is expired;
 * `leeway` forgives an issuer whose clock is fast, in `nbf` and `iat` only.
 */
#ifndef GATEWAY_TOKEN_JWT_H
#define GATEWAY_TOKEN_JWT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/span.h"
#include "gateway/conf/config.h"
#include "gateway/token/facts.h"
#include "gateway/token/keyring.h"
#include "gateway/token/verdict.h"

struct doc_value;
struct jwt_checker;

/* No configured issuer. */
#define JWT_NO_ISSUER	SIZE_MAX

/* What a check found beside its verdict. */
struct jwt_answer {
	struct facts	*facts;		/* for VERDICT_ACTIVE, in the arena; else NULL */
	size_t		 issuer;	/* index in conf->issuers of the one that the token names */
	int64_t		 from_s;	/* a refusal holds from this wall time ... */
	int64_t		 until_s;	/* ... until this one, if rules and keys stay */
};

/* Opens a checker for the issuers of `conf`; all three must outlive it; NULL without memory. */
struct jwt_checker *jwt_checker_new(const struct config *conf, struct keyring *ring,
    struct alg_tools *tools);
/* Frees it; NULL is fine; the pointer becomes NULL. */
void jwt_checker_free(struct jwt_checker **checker);

/* The rule of time for a token of this issuer; FACTS_NO_TIME stands for an absent nbf or iat. */
enum verdict jwt_judge_times(int64_t exp_s, int64_t nbf_s, int64_t iat_s,
    const struct config_issuer *issuer, int64_t now_wall_s);
/* Bytes of the longest token that any issuer accepts. */
size_t jwt_token_max(const struct jwt_checker *checker);

/* Judges a token at a time (seconds since the epoch, wall clock); facts are made in the arena. */
enum verdict jwt_check(struct jwt_checker *checker, struct span token, int64_t now_wall_s,
    struct arena *arena, struct jwt_answer *answer);

/* The checks of a JWT, in their order. */
enum jwt_check {
#define JWT_CHECK(id, name, step, needs)	JWT_CHECK_##id,
#include "gateway/token/jwt_check.def"
#undef JWT_CHECK
	JWT_CHECKS
};

enum jwt_needs {
	JWT_NEEDS_PARTS		= 1 << 0,
	JWT_NEEDS_HEADER_BYTES	= 1 << 1,
	JWT_NEEDS_CLAIMS_BYTES	= 1 << 2,
	JWT_NEEDS_SIGNATURE	= 1 << 3,
	JWT_NEEDS_HEADER	= 1 << 4,
	JWT_NEEDS_CLAIMS	= 1 << 5,
	JWT_NEEDS_ISSUER	= 1 << 6,
	JWT_NEEDS_ALGORITHM	= 1 << 7,
	JWT_NEEDS_KEY		= 1 << 8,
};

/*
 * What each check said, the later ones too: a token may be wrong twice. Those that had nothing to
 * look at did not look. `header`, `claims` and `kid` (NULL: not there, or not readable) and all in
 * them live until the checker's next use.
 */
struct jwt_trace {
	bool			 looked[JWT_CHECKS];
	enum verdict		 verdict[JWT_CHECKS];	/* ACTIVE: it passed, or did not look */
	const struct doc_value	*header;
	const struct doc_value	*claims;
	struct span		 kid;
	/* of the configuration, also if something before was wrong; or JWT_NO_ISSUER */
	size_t			 issuer;
	/* what the token says, true or not; in the arena, NULL: none */
	const struct facts	*facts;
};
/* Judges as jwt_check() does, by the same steps, and goes on after the first that refuses. */
enum verdict jwt_check_trace(struct jwt_checker *checker, struct span token, int64_t now_wall_s,
    struct arena *arena, struct jwt_answer *answer, struct jwt_trace *trace);
/* Its name for people, "audience". */
const char *jwt_check_name(enum jwt_check check);

/*
 * Makes facts of claims that need no signature, since who says them is known: issuer number
 * `issuer` of the configuration, by its own answer or, if it is the token service, from its store.
 * Claims that name another issuer are refused; only the token service must name itself. All else
 * that a claim can spoil is checked as in jwt_check().
 */
struct jwt_claims {
	size_t		 issuer;	/* index in conf->issuers of who says them */
	char		*text;		/* a JSON object, changed in place */
	size_t		 n;		/* its bytes */
	/*
	 * What tells the token from all others if it has no jti: of a JWT "header.payload", of any
	 * other all of it. Empty: claims without jti are malformed.
	 */
	struct span	 stand_in;
	/*
	 * They are the issuer's answer to a question about the token (RFC 7662): `active` must be
	 * true, token_type, if told, Bearer, and exp may be missing, when they last until this
	 * wall time. 0: they are no such answer.
	 */
	int64_t		 lasts_s;
};
/* Bytes of the longest answer about a token that can be read, with all its values. */
#define JWT_ANSWER_MAX	((size_t)64 * 1024)
enum verdict jwt_believe(struct jwt_checker *checker, const struct jwt_claims *claims,
    int64_t now_wall_s, struct arena *arena, struct jwt_answer *answer);
/*
 * What an issuer's answer says of a token whose claims are known: VERDICT_ACTIVE, VERDICT_INACTIVE,
 * or VERDICT_INTROSPECTION_FAILED if it is no such answer. The text is changed in place.
 */
enum verdict jwt_is_active(struct jwt_checker *checker, char *text, size_t n);

#endif
