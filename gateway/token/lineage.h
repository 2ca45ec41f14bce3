/*
 * Lineage: the tokens that a token was exchanged from, one after the other, the oldest first.
 *
 * A token is revoked if any of its ancestors is, by whatever kind of revocation, so each is kept
 * with all that a revocation can name. Tokens of our own issuer say it in a private claim, an array
 * of one object per ancestor: "jti" (or, of a token without, "identity": its revocation identity in
 * base64url), "iss" if it isn't our own, "sub" if it isn't this token's, "client_id", "kid", "sid"
 * and "iat" where the ancestor has one. In tokens of other issuers a claim of that name means
 * nothing. Nothing is left out or cut short: a lineage that can't be read whole makes its token
 * malformed.
 */
#ifndef GATEWAY_TOKEN_LINEAGE_H
#define GATEWAY_TOKEN_LINEAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/base/text.h"
#include "gateway/token/doc.h"
#include "gateway/token/facts.h"

#define LINEAGE_CLAIM	"lineage"
/* No token has more ancestors; as many actors may stand in act, each a level deeper. */
#define LINEAGE_MAX	16

/* One ancestor. Texts that it hasn't have n 0; issuer and subject are always there. */
struct ancestor {
	const uint8_t	*identity;	/* IDENTITY_SIZE bytes: by which it can be revoked */
	struct span	 jti;
	struct span	 issuer;	/* iss */
	struct span	 subject;
	struct span	 client;
	struct span	 kid;
	struct span	 session;	/* sid */
	int64_t		 issued_s;	/* iat, rounded down; FACTS_NO_TIME: it didn't say */
};

/* Takes the next ancestor off the part FACTS_LINEAGE of these facts; false at its end. */
bool lineage_next(const struct facts *f, struct span *rest, struct ancestor *ancestor);
/* How many ancestors there are: exchanges that lie behind the token. */
size_t lineage_depth(const struct facts *f);

/*
 * Appends the value of the claim for a token that is being exchanged from `subject`, whose subject
 * it keeps: the lineage of `subject`, then `subject` itself. `own` is the iss of our own issuer.
 * Look at t->cut.
 */
void lineage_write(struct text *t, const struct facts *subject, struct span own);
/* Bytes that are enough for it, whatever must be escaped. */
size_t lineage_room(const struct facts *subject);

/*
 * Appends the part of facts: for facts_make(), which knows what an ancestor leaves out. False if
 * the claim is malformed.
 */
bool lineage_read(struct text *t, const struct doc_value *claim, struct span issuer,
    struct span subject);

#endif
