/*
 * Facts: what a verified token says, as one block of bytes that can be copied anywhere.
 *
 * Facts, not permissions: a route's own policy (issuers, scopes, audience) is applied to them on
 * every request. They hold no pointers and no part of the raw token, and carry under which rules
 * and by which key they were found. Whatever stands in a header was checked: a claim can't split
 * one, and two different identities never look the same to a backend.
 */
#ifndef GATEWAY_TOKEN_FACTS_H
#define GATEWAY_TOKEN_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/token/identity.h"
#include "gateway/token/verdict.h"

/* No facts are larger: offsets have 16 bits. */
#define FACTS_MAX	65535
/* Changes with struct facts or the meaning of a part: other blocks in a cache are void. */
#define FACTS_VERSION	5

enum facts_name {
	FACTS_ISSUER,		/* iss */
	FACTS_SUBJECT,		/* sub */
	FACTS_CLIENT,		/* client_id, else azp */
	FACTS_CONSUMER,		/* as the issuer's consumer_claim says */
	FACTS_JTI,
	FACTS_KID,		/* of the key that verified it */
	FACTS_SCOPE,		/* words, one space between them */
	FACTS_AUDIENCE,		/* a list: 16-bit length, then the bytes, of each member */
	FACTS_CLAIMS,		/* the same of names and values in turn: see facts_claim() */
	FACTS_HEADERS,		/* identity headers for the backend, "Name: value\r\n" each */
	FACTS_ACT,		/* act, a JSON object: who acts, and before that who acted */
	FACTS_MAY_ACT,		/* may_act as it is, JSON of whatever type */
	FACTS_SESSION,		/* sid */
	FACTS_LINEAGE,		/* what it was exchanged from: see lineage.h */
	FACTS_COUNT
};

struct facts {
	uint32_t	version;	/* of this layout */
	uint32_t	size;		/* of the whole block */
	uint64_t	rules;		/* config_issuer.rules it was judged by */
	uint64_t	issuer;		/* config_issuer.id */
	uint64_t	key;		/* fingerprint of the key that verified it */
	uint64_t	generation;	/* of the key set that key stood in */
	int64_t		exp_s;
	int64_t		nbf_s;		/* FACTS_NO_TIME: none */
	int64_t		iat_s;		/* rounded down; FACTS_NO_TIME: none */
	int64_t		known_s;	/* when somebody last vouched for it */
	/* clock_us() when the question was put to which its issuer last said "active"; 0: never */
	uint64_t	asked_us;
	uint8_t		identity[IDENTITY_SIZE];	/* by which this token can be revoked */
	struct {
		uint16_t	at;	/* from the start of the block */
		uint16_t	n;
	}		part[FACTS_COUNT];
};

#define FACTS_NO_TIME	INT64_MIN

/* What to take from the claims beside the registered ones. */
struct facts_wish {
	const char	 *issuer;		/* iss, whether or not it is said; NULL: it is */
	const char	 *consumer_claim;	/* "": client_id, else azp, else sub */
	const char	 *custom_id_claim;	/* NULL: none is told */
	bool		  lineage;		/* the claim means what ours does */
	const char	 *scope_claim;		/* "": scope, else scp */
	const char	**claims;		/* that routes turn into headers */
	size_t		  n_claims;
};

struct doc_value;

/*
 * Writes the parts, version and size into `room` (FACTS_MAX bytes, aligned to 8); all other fields
 * are the caller's. VERDICT_ACTIVE, or VERDICT_MALFORMED (a claim of the wrong type, control
 * characters or outer spaces in an identity), _NO_CONSUMER or _TOO_LARGE.
 */
enum verdict facts_make(struct facts *room, const struct doc_value *claims,
    struct span kid, const struct facts_wish *wish);

/*
 * Sets the identity: of iss and jti, or, where there is no jti, of what the signature is over.
 */
void facts_identify(struct facts *f, struct span signing_input);

/* Checks bytes (aligned to 8) that came out of a cache; NULL: no facts of this layout. */
const struct facts *facts_view(const void *bytes, size_t n);

/* True if a signature shows them; else they are what somebody who was asked has said. */
static inline bool
facts_are_verified(const struct facts *f)
{
	return f->key != 0;
}

/* One part; n is 0 when the token does not say. */
static inline struct span
facts_get(const struct facts *f, enum facts_name name)
{
	return span_make((const char *)f + f->part[name].at, f->part[name].n);
}

/* True if the scope holds this word, whole (RFC 6749 section 3.3). */
bool facts_has_scope(const struct facts *f, struct span scope);
/* Takes the next member off a part that is a list; false at its end. */
bool facts_next(struct span *rest, struct span *member);
/* True if one member of aud equals this one, byte for byte. */
bool facts_has_audience(const struct facts *f, struct span audience);
/*
 * Value of a claim that some route asks for, fit for a header line: text as it is, with control
 * characters, "%" and outer spaces percent-encoded; members of an array with "," between
 * them (and a comma inside one encoded). False if the token has none.
 */
bool facts_claim(const struct facts *f, struct span claim, struct span *value);

#endif
