/*
 * A revocation on its way: committed first, where there is a database, then known to every worker
 * of this node. Only then it may be answered. Other nodes hear of it by the feed.
 *
 * Without a database it is in shared memory only, from which nothing goes before its expiry: it
 * outlives reloads, workers and a change of the binary, and ends with the memory itself.
 */
#ifndef GATEWAY_OAUTH_REVOKING_H
#define GATEWAY_OAUTH_REVOKING_H

#include "gateway/db/batch.h"
#include "gateway/oauth/answer.h"
#include "gateway/token/revocations.h"

/* The batch that carries the revocations of a worker. NULL without memory. */
struct batch *revoking_batch(struct loop *loop, struct db *db);

/* In the arena of its request, zeroed. */
struct revoking {
	bool			begun;
	struct revocation	revocation;
	uint8_t			identity[IDENTITY_SIZE];
	struct batch_row	row;
	struct arena_cleanup	cleanup;
	char			before[8], expires[8];
};

/*
 * Begins: `what` is copied, its identity too; issuer and value are the same in words, for people,
 * and must stay until the end.
 */
void revoking_begin(struct request *r, struct revoking *v, const struct revocation *what,
    struct span issuer, struct span value);
/* Goes on. DONE: it holds, from the next request on; FAIL: revoking_failed() has the answer. */
enum run revoking_run(struct request *r, struct revoking *v);
enum step_result revoking_failed(struct request *r, const struct revoking *v);

#endif
