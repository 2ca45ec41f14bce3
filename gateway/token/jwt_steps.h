/*
 * The steps of a check: for jwt.c, which puts them in order.
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

#endif
