/*
 * What the database knows of a token, for `gatehouse explain`: opaque tokens of our own, consumers,
 * and, where no gateway runs, revocations. Reads only.
 */
#ifndef GATEWAY_CLI_EXPLAIN_STORE_H
#define GATEWAY_CLI_EXPLAIN_STORE_H

#include "gateway/cli/explain.h"

enum explain_store {
	EXPLAIN_STORE_FOUND,
	EXPLAIN_STORE_NONE,
	EXPLAIN_STORE_UNKNOWN,	/* it can't be asked: `why` is a sentence */
};

/* Whether exactly one consumer has this for its name or custom id. */
enum explain_store explain_store_consumer(struct explain *e, struct span name, char *why,
    size_t size);
/* As explain_gateway_revocations(); NULL: it can't be asked. */
json_t *explain_store_revocations(struct explain *e, char *why, size_t size);
/* The rows of an opaque token of the token service; sets e->facts where they are found. */
void explain_store_token(struct explain *e);

#endif
