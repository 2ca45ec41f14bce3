/*
 * Recall: verdicts that were found once are shared by all workers.
 *
 * The key is SHA-256 of the whole token; the token itself is not kept. Facts of good tokens live in
 * one cache until they expire, refusals in another, so a flood of bad tokens can't push good ones
 * out. A hit is judged again by the clock, by the rules of its issuer as configured now and by
 * the issuer's current keys: what expired is expired, and what was found under other rules or by a
 * key that is gone counts as never found. Nothing here waits or takes a lock to read.
 */
#ifndef GATEWAY_TOKEN_RECALL_H
#define GATEWAY_TOKEN_RECALL_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/arena.h"
#include "gateway/base/span.h"
#include "gateway/conf/config.h"
#include "gateway/token/facts.h"
#include "gateway/token/logout.h"
#include "gateway/token/verdict.h"
#include "shm/cache.h"
#include "shm/keys.h"

struct recall;

/* Where a verdict came from, as the access log says it. */
enum recall_source {
	RECALL_NONE,		/* found without looking: too large, or no memory */
	RECALL_CACHE,
	RECALL_VERIFIED,
	RECALL_LOOKED_UP,	/* an opaque token, in the store */
	RECALL_INTROSPECTED,	/* its issuer was asked */
};

/* All that is known about the token of one request. */
struct judgement {
	enum verdict			 verdict;
	enum recall_source		 source;
	const struct facts		*facts;		/* ACTIVE: in the arena; else NULL */
	const struct config_issuer	*issuer;	/* the token's; NULL: none of ours */
	uint8_t				 digest[32];	/* SHA-256 of the token */
	uint64_t			 ticket;	/* of the cache, taken before looking */
};

/*
 * Opens a worker's recall over the shared parts, with a keyring and a checker of its own. `conf`
 * and the shared memory must outlive it. NULL when OpenSSL or memory fails.
 */
struct recall *recall_open(const struct config *conf, struct cache *good, struct cache *bad,
    struct keys *keys);
/* Closes it; NULL is fine; the pointer becomes NULL. */
void recall_close(struct recall **recall);

/*
 * Looks a token up: one digest, at most two reads of shared memory. True when the verdict is known,
 * and `j` is complete; false when recall_verify() must find it, with the same `j`.
 */
bool recall_find(struct recall *recall, struct span token, int64_t now_wall_s,
    struct arena *arena, struct judgement *j);
/*
 * Judges the token by itself and remembers the verdict where that is allowed (never what is good if
 * something was revoked since recall_find()). Completes `j`. After VERDICT_UNKNOWN_KEY or
 * _KEYS_UNAVAILABLE another call is worth it once the issuer has other keys.
 */
void recall_verify(struct recall *recall, struct span token, int64_t now_wall_s,
    struct arena *arena, struct judgement *j);

/*
 * Takes in what the store says of an opaque token that recall_find() did not know: `claims` is the
 * JSON object that a JWT would hold, n bytes, changed in place; the issuer is the token service
 * itself. Judged, remembered and told as by recall_verify().
 */
void recall_learn(struct recall *recall, char *claims, size_t n, int64_t now_wall_s,
    struct arena *arena, struct judgement *j);
/* The store knows no such token; that is remembered for a few seconds. Completes `j`. */
void recall_unknown(struct recall *recall, int64_t now_wall_s, struct judgement *j);

/* As recall_find(), once more for a token whose digest stands in `j`. */
bool recall_again(struct recall *recall, int64_t now_wall_s, struct arena *arena,
    struct judgement *j);

/* What an issuer answered to a question about a token (RFC 7662). */
struct recall_answer {
	const struct config_issuer	*issuer;	/* of the configuration */
	struct span			 token;
	char				*text;		/* JSON, changed in place */
	size_t				 n;		/* JWT_ANSWER_MAX at most */
	const struct facts		*known;		/* before; NULL: nothing */
	int64_t				 began_s;	/* when the question was put, wall time */
	uint64_t			 began_us;	/* and by clock_us() */
	int64_t				 lasts_s;	/* until then, if it names no exp */
};

/*
 * Judges by an answer, and remembers nothing. ACTIVE: *facts are new ones in the arena; those of a
 * JWT that was verified here stay what its signature covers, and are only known anew. Otherwise
 * the verdict on the token, INTROSPECTION_FAILED if the answer is none, or NO_MEMORY.
 */
enum verdict recall_answered(struct recall *recall, const struct recall_answer *answer,
    int64_t now_wall_s, struct arena *arena, struct facts **facts);
/*
 * Remembers facts of the token of this digest until it expires. False if they are not kept: too
 * long, or something was revoked since the ticket was taken.
 */
bool recall_keep(struct recall *recall, uint64_t ticket, const uint8_t digest[32],
    const struct facts *facts, int64_t now_wall_s);
/* Forgets what this issuer said of the token of this digest; another's word stays. */
void recall_forget(struct recall *recall, const uint8_t digest[32],
    const struct config_issuer *issuer, int64_t now_wall_s);
/*
 * Remembers a refusal by an issuer under a token's digest, or one made of it, and recalls it:
 * VERDICT_ACTIVE if there is none.
 */
void recall_refuse(struct recall *recall, const uint8_t digest[32],
    const struct config_issuer *issuer, enum verdict verdict, int64_t until_s,
    int64_t now_wall_s);
enum verdict recall_refused(struct recall *recall, const uint8_t digest[32], int64_t now_wall_s);

/* Judges a logout token of this issuer (logout.h); that is remembered nowhere. */
enum verdict recall_logout(struct recall *recall, const struct config_issuer *issuer,
    struct span token, int64_t now_wall_s, struct arena *arena, struct logout *logout);

#endif
