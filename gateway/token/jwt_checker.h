/*
 * What a checker is inside: for jwt.c, which checks, and jwt_checker.c, which makes one.
 *
 * All that a check needs is made once: the sets of algorithms, the claims that routes ask for, and
 * room for the largest token there may be.
 */
#ifndef GATEWAY_TOKEN_JWT_CHECKER_H
#define GATEWAY_TOKEN_JWT_CHECKER_H

#include "gateway/token/doc.h"
#include "gateway/token/jwt.h"

/* Parts of the compact form. */
#define JWT_PARTS	3

struct jwt_checker {
	const struct config	 *conf;
	struct keyring		 *ring;
	struct alg_tools	 *tools;
	uint32_t		 *algorithms;	/* accepted, one set per issuer */
	const char		**claims;	/* that some route asks for */
	size_t			  n_claims;
	size_t			  token_max;	/* bytes; the largest of all issuers */
	uint8_t			 *decoded;	/* room for the parts of the longest token */
	struct doc_value	 *values;	/* of its header and of its claims */
	size_t			  values_max;	/* for each of the two */
	struct facts		 *room;		/* FACTS_MAX bytes */
};

#endif
