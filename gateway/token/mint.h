/*
 * Minting: a JWT access token as RFC 9068 has it, from what it shall say to its signature.
 *
 * Header: alg, typ at+jwt, kid. Claims: iss, exp, aud (a string if there is one, else an array),
 * sub, client_id, iat, jti, scope if any; beside those the consumer the client belongs to, in
 * private claims (MINT_CONSUMER, MINT_CUSTOM_ID), and what the caller adds. It is written by hand
 * into the request's memory: nearly all that a token costs is its signature.
 */
#ifndef GATEWAY_TOKEN_MINT_H
#define GATEWAY_TOKEN_MINT_H

#include <stddef.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/span.h"
#include "gateway/base/text.h"
#include "gateway/token/signer.h"

/* The claims that name the consumer; the own issuer's alone have this meaning. */
#define MINT_CONSUMER	"consumer"
#define MINT_CUSTOM_ID	"consumer_custom_id"

/* What a token says. Texts are of any bytes: JSON escapes them. */
struct mint_claims {
	struct span		 issuer;
	struct span		 subject;
	struct span		 client_id;
	struct span		 jti;
	struct span		 scope;		/* empty: no such claim; the next two too */
	struct span		 consumer;	/* its name */
	struct span		 custom_id;	/* and what others call it */
	const struct span	*audience;
	size_t			 n_audience;	/* at least one */
	int64_t			 issued_s;	/* iat, seconds since the epoch */
	int64_t			 expires_s;	/* exp */
	/* further members as they stand in the text, each after a comma; may be empty */
	struct span		 more;
};

enum mint_result {
	MINT_DONE,
	MINT_NO_KEY,		/* there is none to sign with: not published, or not to be opened */
	MINT_NO_MEMORY,
};

/* Makes a signed token; *token lies in the arena. */
enum mint_result mint_jwt(struct signer *signer, const struct mint_claims *claims,
    int64_t now_wall_s, struct arena *arena, struct span *token);

/* Appends the claims alone, as a JSON object: what an opaque token stands for is told so too. */
void mint_claims(struct text *t, const struct mint_claims *claims);

#endif
