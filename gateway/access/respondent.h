/*
 * A respondent: an issuer as one worker asks it about tokens. Where, with what proof, how many
 * questions at a time, and what to do while it does not answer.
 *
 * Trouble is told to the error log with what to do about it, once a second at most, and so is its
 * end. Whether the issuer is in trouble is told by questions about tokens that are known: with the
 * others a stranger could make it look so, by tokens that it chokes on.
 */
#ifndef GATEWAY_ACCESS_RESPONDENT_H
#define GATEWAY_ACCESS_RESPONDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/access/proof.h"
#include "gateway/base/span.h"
#include "gateway/conf/config.h"
#include "gateway/http/fetch_pool.h"
#include "gateway/http/fetch_task.h"
#include "gateway/request/gate.h"

/* Bytes of the longest URL, with a NUL. */
#define RESPONDENT_URL	4096

struct inquirer;
struct request;

struct respondent {
	struct gate			*gate;
	const struct config_issuer	*issuer;
	char				 url[RESPONDENT_URL];	/* "": not found yet */
	uint64_t			 url_generation;	/* of the slot it came from */
	struct fetch_pool		*pool;		/* of the worker */
	struct proof			*proof;
	unsigned			 places;	/* for questions under way */
	unsigned			 taken;
	unsigned			 strangers;	/* of these, about tokens nobody knows */
	struct inquirer			*queue;		/* of requests that wait for a place */
	unsigned			 failures;	/* in a row, about known tokens */
	uint64_t			 rest_ms;	/* until then nothing in the background */
	uint64_t			 told_ms;	/* when the log was told last; 0: never */
	bool				 told;		/* and not yet of its end */
	uint64_t			 rate_key;
	int64_t				 stale_max_s;	/* of all routes */
	uint16_t			 label;
};

/* How a question came out, as the metrics tell it. */
enum respondent_result {
	RESPONDENT_ACTIVE,
	RESPONDENT_INACTIVE,
	RESPONDENT_REFUSED,	/* active, but no token for us */
	RESPONDENT_ERROR,
	RESPONDENT_BUSY,
};

/* How many questions to an issuer a worker may have under way: its part of `calls`, at least 1. */
unsigned respondent_places(const struct gate *g, const struct config_issuer *issuer);

/* Id of the slot of shared.keys in which the keeper leaves where an issuer is asked (finder.h). */
uint64_t respondent_slot_id(const struct config_issuer *issuer);

/* Prepares to ask; false: the reason is in the log. */
bool respondent_open(struct respondent *r, struct gate *g, const struct config_issuer *issuer,
    struct fetch_pool *pool, struct alg_tools *tools);
void respondent_close(struct respondent *r);

/* About what a question is. */
enum respondent_cause {
	RESPONDENT_STRANGER,	/* a token nobody knows: that also counts against the rate */
	RESPONDENT_KNOWN,
	RESPONDENT_UNSEEN,	/* a known one, and nobody waits: the last places are not for it */
};

enum respondent_entry {
	RESPONDENT_ENTERED,
	RESPONDENT_NO_PLACE,	/* until another question has ended */
	RESPONDENT_TOO_MANY,	/* strangers, in this time */
};

/* Takes a place for a question. */
enum respondent_entry respondent_enter(struct respondent *r, enum respondent_cause cause);
/* Gives it back; the request that has waited longest for one is woken. */
void respondent_leave(struct respondent *r, bool stranger);
/*
 * Has a request wait for a place; it looks again when woken, and every now and then. False: too
 * many wait.
 */
bool respondent_queue(struct respondent *r, struct inquirer *who, struct request *request);
/* True while it should be left alone unless a request waits. */
bool respondent_rests(const struct respondent *r);

/*
 * Begins to ask about a token; the owner is woken when there is an outcome. False: it can't be
 * asked, and the log says why.
 */
bool respondent_ask(struct respondent *r, struct span token, bool stranger,
    struct fetch_task *fetch, struct task *owner);
/* What its answer amounts to: NULL, or why it is none. */
const char *respondent_fault(const struct fetch_result *result, char *room, size_t size);
/* It has answered, or not: `reason` says why; a stranger's question is no sign of trouble. */
void respondent_answered(struct respondent *r);
void respondent_failed(struct respondent *r, bool stranger, const char *reason);
void respondent_count(const struct respondent *r, enum respondent_result result);
/* How long a question took that was asked, whatever came of it. */
void respondent_time(const struct respondent *r, uint64_t us);

#endif
