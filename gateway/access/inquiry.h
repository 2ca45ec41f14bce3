/*
 * An inquiry: one question to an issuer about one token, under way, and who waits for its answer.
 *
 * It has copies of all it needs, so nothing of the request it was begun for need outlive it; the
 * token is wiped at its end. What an answer says goes into the caches and is told to whoever waits;
 * an error is told, and remembered nowhere.
 */
#ifndef GATEWAY_ACCESS_INQUIRY_H
#define GATEWAY_ACCESS_INQUIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/access/respondent.h"
#include "gateway/base/arena.h"
#include "gateway/base/span.h"
#include "gateway/request/errand.h"
#include "gateway/token/facts.h"
#include "gateway/token/verdict.h"

struct introspector;

/* What is asked, and whom. */
struct question {
	const struct config_issuer	*issuer;
	struct span			 token;
	uint8_t				 digest[32];	/* SHA-256 of the token */
	uint8_t				 key[32];	/* by inquiry_key() */
	const struct facts		*facts;		/* that are known; NULL: none */
};

enum inquiry_end {
	INQUIRY_NONE,
	INQUIRY_UNDER_WAY,
	INQUIRY_ACTIVE,
	INQUIRY_REFUSED,	/* the token is not active, or not for us */
	INQUIRY_FAILED,		/* there is no answer */
};

/* A request that waits for an inquiry; in its arena, zeroed. */
struct inquirer {
	struct request		*request;
	enum inquiry_end	 end;
	enum verdict		 verdict;	/* REFUSED */
	const struct facts	*facts;		/* ACTIVE; in the request's arena */
	uint64_t		 began_us;	/* when the question was put, by clock_us() */
	struct inquirer		*next, **link;
	struct arena_cleanup	 cleanup;
};

/* Owned by the introspector, which runs it. */
struct inquiry {
	struct task		 task;
	struct introspector	*in;
	struct respondent	*whom;
	struct question		 question;	/* its token and facts are copies of our own */
	struct errand_hold	 hold;
	struct fetch_task	 fetch;
	struct inquirer		*waiting;
	uint64_t		 ticket;	/* of the cache, taken before */
	uint64_t		 began_us;
	int64_t			 began_s;
	struct inquiry		*next, **link;
	struct grave		 grave;
};

/* A new one, not yet begun, whose task runs so; NULL without memory. */
struct inquiry *inquiry_new(struct introspector *in, struct respondent *whom,
    const struct question *q, void (*run)(struct loop *, struct task *));
/* Wipes and frees it. */
void inquiry_free(struct inquiry *i);

/* Puts a request in front of a list of those that wait; it leaves by inquiry_leave(). */
void inquiry_stand(struct inquirer **list, struct inquirer *who, struct request *r);
/* The request waits for it. */
void inquiry_join(struct inquiry *i, struct inquirer *who, struct request *r);
/* Whoever waits no more. Safe in any state. */
void inquiry_leave(struct inquirer *who);


/* Takes the issuer's answer: remembers what it says, and tells all who wait. */
enum inquiry_end inquiry_take(struct inquiry *i, struct span body);
/* There is none: `reason` is for the log. */
enum inquiry_end inquiry_fail(struct inquiry *i, const char *reason);

/* True for what has not the form of a JWT (or of a JWE): only its issuer can read it. */
bool inquiry_is_opaque(struct span token);
/* What names a token of which this issuer is asked, in the caches of refusals and among leases. */
void inquiry_key(const uint8_t digest[32], const struct config_issuer *issuer,
    uint8_t key[32]);
/*
 * True if facts that this gateway verified by itself must not pass before the issuer was asked: it
 * said once that their token is not active, or that may have been lost.
 */
bool inquiry_suspects(const struct shared *shared, const struct facts *facts,
    int64_t now_wall_s);

#endif
