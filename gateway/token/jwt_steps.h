/*
 * The steps of a check: for jwt.c, which puts them in order, and logout.c, which checks logout
 * tokens by some of them.
 *
 * A step looks at one thing and says VERDICT_ACTIVE, or what is wrong with it. It may look only at
 * what earlier ones have found: `needs` in jwt_check.def says what that is.
 */
#ifndef GATEWAY_TOKEN_JWT_STEPS_H
#define GATEWAY_TOKEN_JWT_STEPS_H

#include "gateway/token/doc.h"
#include "gateway/token/jwt.h"
#include "gateway/token/jwt_checker.h"

#define JWT_HEADER	0
#define JWT_CLAIMS	1
#define JWT_SIGNATURE	2

/* One check under way. */
struct check {
	struct jwt_checker		*checker;
	struct jwt_answer		*answer;
	struct arena			*arena;
	int64_t				 now_s;
	size_t				 voucher;	/* issuer that says the claims are good */
	int64_t				 lasts_s;	/* where exp may be missing; else 0 */
	struct span			 token;
	struct span			 signed_text;	/* covered by the signature */
	struct span			 part[JWT_PARTS];	/* encoded */
	struct {
		char	*p;
		size_t	 n;
	}				 bytes[JWT_PARTS];	/* decoded */
	const struct doc_value		*header;
	const struct doc_value		*claims;
	const struct alg		*alg;
	struct span			 kid;		/* p is NULL: none */
	const struct config_issuer	*issuer;
	int64_t				 exp_s, nbf_s, iat_s, issued_s;	/* iat up and down */
	struct jwk			*key;
};

typedef enum verdict jwt_step(struct check *);

jwt_step jwt_step_size;
jwt_step jwt_step_form;
jwt_step jwt_step_decode;
jwt_step jwt_step_header;
jwt_step jwt_step_claims;
jwt_step jwt_step_answer;
jwt_step jwt_step_issuer;
jwt_step jwt_step_voucher;
jwt_step jwt_step_issuer_size;
jwt_step jwt_step_algorithm;
/* The same where the signature is checked here, whatever is asked of the issuer. */
jwt_step jwt_step_own_algorithm;
jwt_step jwt_step_type;
jwt_step jwt_step_token_type;
jwt_step jwt_step_purpose;
jwt_step jwt_step_binding;
jwt_step jwt_step_ask;
jwt_step jwt_step_times;
jwt_step jwt_step_audience;
jwt_step jwt_step_key;
jwt_step jwt_step_signature;
jwt_step jwt_step_facts;

/* Begins the answer and runs steps, of which NULL is the last, until one finds something wrong. */
enum verdict jwt_run_steps(struct check *c, jwt_step *const *step);

/* A NumericDate, which may have a fraction (RFC 7519 section 2), rounded one way. */
bool jwt_read_date(const struct doc_value *value, double (*rounded)(double), int64_t *date_s);
/*
 * True if the header's typ is one of a list: a media type that may leave out "application/"
 * (RFC 7515 section 4.1.9); "" is absent.
 */
bool jwt_is_type(struct span type, const struct span *list, size_t n);
/* True if aud, a string or an array of them, holds one of a list. */
bool jwt_is_for(const struct doc_value *aud, const struct span *list, size_t n);

#endif
