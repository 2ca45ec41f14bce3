/*
 * Revoking a family: a refresh token, all that came before it and after it, and their access
 * tokens.
 */
#ifndef GATEWAY_OAUTH_FAMILY_H
#define GATEWAY_OAUTH_FAMILY_H

#include "gateway/db/db.h"
#include "gateway/request/request.h"
#include "gateway/token/uuid.h"

/* In the arena of its request, zeroed. */
struct family_end {
	struct db_query		query;
	struct arena_cleanup	cleanup;
};

/*
 * Begins or goes on. DONE: it is committed, and known to all workers of this node. `family` must
 * stay meanwhile.
 */
enum run family_revoke(struct request *r, struct family_end *end,
    const uint8_t family[UUID_SIZE]);

#endif
