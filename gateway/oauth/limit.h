/*
 * The token service's limits: new tokens by consumer, failed authentications by client and
 * address. Exact over all workers (shm/rate.h).
 */
#ifndef GATEWAY_OAUTH_LIMIT_H
#define GATEWAY_OAUTH_LIMIT_H

#include "gateway/request/request.h"

/*
 * Whether one more try to authenticate as this client from this address may be made; *wait_s says
 * how long to wait if not. Counts nothing. An address that keeps naming clients that there are not
 * may try only those that are known, so that it can't have the database asked without end.
 */
bool limit_may_try(const struct request *r, struct span client_id, bool known, uint64_t *wait_s);
/* Counts a failed one. */
void limit_note_failure(const struct request *r, struct span client_id, bool known);

/*
 * Takes one new token out of the consumer's rate; the answer's headers tell what is left. False if
 * it is over; *wait_s says how long to wait. Answers that are given again, of a refresh token, may
 * be as many, and are counted apart: one that was lost can be had once more.
 */
bool limit_take_token(struct request *r, bool repeated, uint64_t *wait_s);

#endif
