/*
 * The steps that decide whether a request may pass, in the order of the flow
 * (gateway/flow_table.c).
 *
 * Each does its one thing to the request and answers NEXT, WAIT or END; a refusal names its row
 * of refuse.def.
 */
#ifndef GATEWAY_ACCESS_ACCESS_H
#define GATEWAY_ACCESS_ACCESS_H

#include "gateway/request/step.h"

/*
 * Brings the path into its normal form and finds who is asked: an endpoint of the gateway's own,
 * whose flow takes over, or a route. Refuses what neither allows.
 */
step_function find_route;
/* Finds the bearer token (RFC 6750), and refuses to guess between two. */
step_function find_token;
/* Looks the verdict on the token up in the caches. */
step_function recall_verdict;
/* Looks an opaque token up in the store where the caches know nothing of it. */
step_function look_up_token;
/*
 * Verifies the token where the caches know nothing, waiting once for fresh keys where its key is
 * unknown.
 */
step_function verify_token;
/* Asks the token's issuer, where what is known of it is not enough for the route. */
step_function introspect_token;
/*
 * Turns the verdict on a good token whose consumer is not known here, if its issuer wants that;
 * refuses nothing itself. It may wait for the store, so what may change meanwhile comes after it.
 */
step_function know_consumer;
/* Turns the verdict on a good token that was revoked, or may have been; refuses nothing itself. */
step_function check_revocation;
/* Applies the route's policy to the facts: issuers, audience, scopes, and the size of the body. */
step_function check_policy;
/* Holds the consumer, address or route to its rate. */
step_function limit_rate;
/*
 * Refuses a second token, in a form's body (RFC 6750 section 2); looks at the body's first 16
 * KiB.
 */
step_function check_form;
/* Passes the request on, and the answer back. */
step_function forward;

/* Tells the metadata of a protected resource (resource.h). */
step_function answer_resource;

#endif
