/*
 * Forging: what somebody makes of a good token who has no key for it. Each forgery is a function of
 * the token and one argument; which there are is audit_probe.def's to say.
 *
 * Forgeries are written without their scheme. What is forged differs from the good token in what
 * the forgery is about and in nothing else, so that a gateway that looks at that alone is caught.
 */
#ifndef GATEWAY_CLI_AUDIT_FORGE_H
#define GATEWAY_CLI_AUDIT_FORGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/base/text.h"
#include "gateway/token/alg.h"
#include "gateway/token/key_make.h"
#include "gateway/token/sign.h"

#define FORGE_TOKEN_MAX		(32 * 1024)	/* bytes of a token to forge from */
#define FORGE_MAX		(256 * 1024)	/* of the longest forgery of such a one */

/* A key that nobody has reason to trust, made when the first forgery wants it. */
struct forge_own {
	bool			 tried;
	struct alg_tools	*tools;
	struct key_make		 made;		/* with its public JWK */
	struct sign_key		 sign;		/* sign.pkey is NULL: there is none */
};

struct forge {
	struct span		 token;
	struct span		 expired;	/* another token; empty: none */
	/* of a JWT; header and claims of an opaque token are NULL: no JWT is forged from it */
	struct span		 part[3];
	json_t			*header;
	json_t			*claims;
	uint8_t			*signature;	/* decoded */
	size_t			 signature_n;
	const struct alg	*alg;		/* NULL: none that we know */
	/* the issuer's key, by whoever found it; NULL: not to be had, and why_no_key says why */
	EVP_PKEY		*public_key;
	const char		*public_jwk;
	const char		*why_no_key;
	struct forge_own	 own;
	const char		*why;		/* a forgery could not be made */
};

/* Takes the token apart. It must outlive the forge. False only when there is no memory. */
bool forge_init(struct forge *f, struct span token);
/* Lets go of all; safe on a zeroed one. */
void forge_fini(struct forge *f);
/* True of a JWT whose header and claims could be read. */
bool forge_is_jwt(const struct forge *f);

/* Appends a forgery; false if it can't be made, and then f->why says why. */
typedef bool forge_maker(struct forge *f, const char *argument, struct text *out);

/* Of any token. */
forge_maker forge_text;		/* this text instead of it */
forge_maker forge_first;	/* its first characters: a number of them, or "half" */
forge_maker forge_without;	/* without that many of its last characters */
forge_maker forge_and;		/* with this text after it */
forge_maker forge_flip;		/* a character in the middle is another */
forge_maker forge_swap_case;	/* lower case for upper case and the reverse */
forge_maker forge_expired;	/* the expired token instead */
/* Of a JWT: parts left out or put in, as in "1.2." of header, claims and nothing. */
forge_maker forge_parts;
/* These members are in the header, or in the claims; null takes one out. The signature stays. */
forge_maker forge_header;
forge_maker forge_claims;
forge_maker forge_later;	/* exp a year later */
forge_maker forge_recode;	/* the claims spelled in another way, with the same meaning */
forge_maker forge_long_kid;
/* This alg and no signature, or, _signed, with the one there was. */
forge_maker forge_none;
forge_maker forge_none_signed;
/* The signature: "bit", "zero", "half", "other" (of the same length), "unused" (bits) */
forge_maker forge_signature;
forge_maker forge_psychic;	/* ECDSA with r = s = 0 (CVE-2022-21449) */
/* HS256 with a secret: the issuer's public key as "pem", "chomped", "der" or "jwk" */
forge_maker forge_confused;
/* HS256 with "SECRET:KID": this secret, and this kid; no kid: the token's own */
forge_maker forge_secret;
/* Signed by our own key, which the header tells of in "jwk", "x5c", "jku", "x5u" or not at all */
forge_maker forge_own_key;

/* For the forgeries: appends base64url; text of JSON; header and claims with a dot between. */
void forge_put_b64(struct text *out, struct span bytes);
void forge_put_json(struct text *out, const json_t *value);
/* The header with members replaced: a new reference, NULL without memory. */
json_t *forge_with(const json_t *from, const char *members);
/* Says why not; returns false. */
bool forge_not(struct forge *f, const char *why);

#endif
