/*
 * Revocations on this node: what the set in shared memory says of a token's facts, and how a
 * revocation gets there.
 *
 * The database is the truth; a revocation is committed there first. Then whoever did it puts it
 * here, so that every worker of this node knows before the answer goes out; other nodes hear of it
 * by the feed (gateway/feed.c). The set is unsure until the feed has loaded all that is in force,
 * and whenever it may have lost something; what is unsure is never "not revoked". Without a
 * database the set is all there is, and whatever was acknowledged stands in it.
 *
 * A token's own identity is looked up on every request. Subjects, clients, keys and sessions are
 * looked up only if one was ever revoked (shared_control.revoked_kinds), since each costs a digest.
 */
#ifndef GATEWAY_TOKEN_REVOCATIONS_H
#define GATEWAY_TOKEN_REVOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/shared.h"
#include "gateway/base/span.h"
#include "gateway/token/facts.h"
#include "gateway/token/identity.h"
#include "shm/set.h"

struct ancestor;

/* Whether the token of these facts is revoked, or one that it was exchanged from (lineage.h). */
enum set_answer revocations_check(const struct shared *shared, const struct facts *facts,
    int64_t now_wall_s);
/*
 * The same of a token that is known by its parts: its identity, and what it was issued to. Empty
 * spans (p NULL) are not looked up. `issued_s` is its iat.
 */
struct revocations_token {
	const uint8_t	*identity;	/* 32 bytes; NULL: none */
	struct span	 issuer;
	struct span	 subject;
	struct span	 client;
	struct span	 kid;
	struct span	 session;
	int64_t		 issued_s;	/* FACTS_NO_TIME: it doesn't say */
};
enum set_answer revocations_check_token(const struct shared *shared,
    const struct revocations_token *token, int64_t now_wall_s);

/* The parts of a token, and of one that it was exchanged from. */
struct revocations_token revocations_token(const struct facts *facts);
struct revocations_token revocations_ancestor(const struct ancestor *ancestor);
/* What a revocation of one kind would name of it; false: nothing. */
bool revocations_identity(const struct revocations_token *token, enum identity_kind kind,
    uint8_t identity[IDENTITY_SIZE]);
/* One of its identities alone. */
enum set_answer revocations_look(const struct shared *shared, enum identity_kind kind,
    const uint8_t identity[IDENTITY_SIZE], int64_t issued_s, int64_t now_wall_s);

/* A row of the table, or a revocation just committed. */
struct revocation {
	enum identity_kind	 kind;
	const uint8_t		*identity;	/* 32 bytes */
	/* revoked is what was issued up to this second; REVOKED_ALWAYS: all of it */
	int64_t			 before_s;
	int64_t			 expires_s;	/* when its last token has expired */
};

#define REVOKED_ALWAYS	INT64_MIN

/*
 * Makes it known to all workers of this node, from their next look on; no verdict that was being
 * found meanwhile is kept. SET_FULL: it is not kept, and the set is unsure from now on, so nothing
 * passes that it might concern. A revocation of a client, and a change, end what is remembered of
 * client records (shared_control.clients_generation).
 */
enum set_put_result revocations_put(const struct shared *shared, const struct revocation *r,
    int64_t now_wall_s);

/*
 * For a master, before workers of a configuration start: where the first database comes into play,
 * the set is unsure until it has been read. What is in the set stays there in any case.
 */
void revocations_begin(const struct shared *shared, bool with_database);
/* And when one without a database serves: whichever comes next has to be read whole. */
void revocations_alone(const struct shared *shared);

#endif
