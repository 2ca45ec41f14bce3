/*
 * Verifications in turn: whatever a request has to verify, it takes its share of a turn of the loop
 * and no more, and it waits once for keys that may be on their way.
 */
#ifndef GATEWAY_ACCESS_JUDGE_H
#define GATEWAY_ACCESS_JUDGE_H

#include "gateway/request/step.h"

/*
 * Calls `lacks_key`, which verifies and says true if the key was not there, when it is this
 * request's turn: again after the keys of r->judgement.issuer have been fetched, if they can be.
 * STEP_WAIT, or STEP_NEXT when the last call was the last word.
 */
enum step_result judge_patiently(struct request *r, bool (*lacks_key)(struct request *));

#endif
