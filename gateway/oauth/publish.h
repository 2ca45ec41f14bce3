/*
 * What the token service publishes about itself: its keys and its metadata. Both are for everybody
 * and may be kept in caches for a while.
 */
#ifndef GATEWAY_OAUTH_PUBLISH_H
#define GATEWAY_OAUTH_PUBLISH_H

#include "gateway/request/step.h"

/*
 * Answers with the JWK Set of the token service (RFC 7517), just as the keeper published it, with a
 * strong ETag that is the same on all nodes; 304 to who has it already.
 */
step_function answer_jwks;
/* Answers with the metadata of the token service (RFC 8414). */
step_function answer_metadata;

#endif
