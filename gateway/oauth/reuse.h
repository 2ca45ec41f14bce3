/*
 * Reuse: a client that asks again for the same gets the same token while enough of its life is left
 * (`reuse`), on whichever worker, and of many that ask at once one has the token made.
 *
 * The key is the client and its generation, the grant, the scope, the audience, and what else a
 * token depends on. Tokens lie in shared memory only, and only until they expire. A hit is checked
 * against the revocations each time; a change of the client changes its generation, so nothing
 * needs to be dropped.
 */
#ifndef GATEWAY_OAUTH_REUSE_H
#define GATEWAY_OAUTH_REUSE_H

#include "gateway/oauth/made.h"
#include "gateway/request/errand.h"

/* In the arena of the request. */
struct reuse {
	struct errand	errand;
	uint8_t		key[32];
	uint64_t	deadline_ms;	/* of waiting for another's token */
	/* a good token of which too little is left; n is 0: none */
	struct span	late;
	int64_t		late_expires_s;
};

/* Makes a committed token known to all who ask for the same, and wakes those that wait. */
void reuse_publish(struct request *r, const struct made *made);
/* There will be no token from this request: the next may try. */
void reuse_give_up(struct request *r);
/* True if there is a token that lives, if not for long; then the request is answered with it. */
bool reuse_late(struct request *r, enum step_result *result);

#endif
