/*
 * A new access token: its text, and what the store is told of it.
 *
 * A JWT (RFC 9068), or an opaque token if the client's are so. Its id is its jti and its row's key.
 * The store gets the digest of an opaque token and nothing else of its text, and of a JWT nothing.
 */
#ifndef GATEWAY_OAUTH_MADE_H
#define GATEWAY_OAUTH_MADE_H

#include "gateway/oauth/answer.h"
#include "gateway/token/chance.h"
#include "gateway/token/identity.h"
#include "gateway/token/opaque.h"
#include "gateway/token/uuid.h"

struct made {
	uint8_t		id[UUID_SIZE];
	uint8_t		secret[OPAQUE_SECRET];	/* of an opaque token */
	char		jti[UUID_TEXT];
	uint8_t		identity[IDENTITY_SIZE];
	struct span	text;
	struct span	kid;			/* of the key that signed it; empty: opaque */
	int64_t		issued_s;
	int64_t		expires_s;
	/* columns of its row, in the database's format */
	uint8_t		digest[32];
	char		client[8];
	char		issued[8];
	char		expires[8];
};

/*
 * Makes the token that the request has settled, of this id and secret: FAULT_COUNT, or what is
 * wrong. All of it lies in the arena.
 */
enum fault made_token(struct request *r, struct made *made, int64_t issued_s);
/* Fills in a fresh id and secret. False if OpenSSL has no random numbers. */
bool made_by_chance(struct chance *source, struct made *made);
/* The digest column: null for a JWT. */
struct span made_digest(const struct made *made);

/* Answers with an access token, and a refresh token if there is one. */
enum step_result answer_token(struct request *r, enum outcome outcome, struct span token,
    int64_t expires_s, struct span refresh_token);

#endif
