/*
 * What a revocation names: a token by its jti, or all tokens of a subject, a client, a key or a
 * session (OpenID Connect's sid), each of one issuer. Never a hash of a raw JWT, which can be
 * spelled in several ways.
 *
 * An identity is the SHA-256 of: kind in words, NUL, iss, NUL, value. These 32 bytes stand in the
 * database (revocations.identity) and are the key in shared memory, so all nodes agree.
 */
#ifndef GATEWAY_TOKEN_IDENTITY_H
#define GATEWAY_TOKEN_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"

#define IDENTITY_SIZE	32

enum identity_kind {
	IDENTITY_JTI,
	IDENTITY_SUBJECT,
	IDENTITY_CLIENT,
	IDENTITY_KEY,
	IDENTITY_SESSION,
	IDENTITY_CHANGE,	/* revokes nothing: the record of this client has changed */
	IDENTITY_KINDS
};

/* The bit of one kind in a set of them. */
#define IDENTITY_BIT(kind)	(UINT32_C(1) << (kind))

/* As the database writes it: "jti", "subject", "client", "key", "session", "change". */
struct span identity_name(enum identity_kind kind);
/* The kind of this name; false if there is none. */
bool identity_find(struct span name, enum identity_kind *kind);

void identity_make(enum identity_kind kind, struct span iss, struct span value,
    uint8_t out[IDENTITY_SIZE]);

/*
 * The stand-in for the jti of a JWT that has none: base64url of the SHA-256 of what its signature
 * is over ("header.payload"), which the issuer alone can spell anew.
 */
#define IDENTITY_STAND_IN	43
void identity_stand_in(struct span signing_input, char out[IDENTITY_STAND_IN]);

#endif
