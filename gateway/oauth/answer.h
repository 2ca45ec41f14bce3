/*
 * What the token service's endpoints answer: JSON that no cache may keep (RFC 6749 section 5).
 *
 * A refusal is a row of fault.def; a step ends with `return fault(r, FAULT_X);`. What came of a
 * request is told to the log and the metrics as the verdict.
 */
#ifndef GATEWAY_OAUTH_ANSWER_H
#define GATEWAY_OAUTH_ANSWER_H

#include "gateway/db/db.h"
#include "gateway/request/step.h"
#include "gateway/token/verdict.h"

enum fault {
#define FAULT(id, status, error, verdict, sentence)	FAULT_##id,
#include "gateway/oauth/fault.def"
#undef FAULT
	FAULT_COUNT
};

/* What a request came to when it was not refused. */
enum outcome {
	OUTCOME_ISSUED,
	OUTCOME_REUSED,
	OUTCOME_ACTIVE,
	OUTCOME_INACTIVE,
	OUTCOME_REVOKED,
	OUTCOME_LOGOUT,
	OUTCOME_COUNT
};

/* What a refusal may say beyond its row; zero: nothing. */
struct fault_more {
	const char	*sentence;
	unsigned	 retry_after_s;		/* 0: 1 where the status asks for one */
};

/* Refuses; always STEP_END. */
enum step_result fault(struct request *r, enum fault fault);
enum step_result fault_because(struct request *r, enum fault fault, struct fault_more more);
/*
 * Refuses after a query or a batch that failed. What the server itself refused (a full disk, a
 * store that is read-only) is told to the error log, once a second at most.
 */
enum step_result fault_store(struct request *r, enum db_outcome outcome, const char *sqlstate);
/*
 * What there is to say when a token could not be judged, for want of keys, store or memory;
 * FAULT_COUNT: the verdict is one on the token.
 */
enum fault fault_of_verdict(enum verdict verdict);
/* 200 with this JSON, which lives in the arena or is static; always STEP_END. */
enum step_result answer_json(struct request *r, enum outcome outcome, struct span json);
/* 200 with nothing in it; always STEP_END. */
enum step_result answer_nothing(struct request *r, enum outcome outcome);

#endif
