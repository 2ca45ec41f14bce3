/*
 * What the running gateway knows of one token, for `gatehouse explain`:
 * GET /api/explain?NAME=VALUE&...
 *
 *	digest=...	SHA-256 of the token: what the caches say of it, and whether what they know
 *			of it meets the policy of ...
 *	route=...	this route
 *	issuer=...	name of an issuer: the public part of the key set in use
 *	jti=... subject=... client=... key=... session=...
 *			identities of revocations (identity.h): whether each stands
 *	iat=...		when the token was issued, for those of them that end at a time
 *
 * Digest and identities are base64url. The token itself never comes here, and none of its claims go
 * out: who has no token learns nothing of it. Secret keys stay here too. Asking changes nothing.
 */
#ifndef GATEWAY_ADMIN_EXPLAIN_H
#define GATEWAY_ADMIN_EXPLAIN_H

#include <jansson.h>

#include "gateway/base/span.h"
#include "gateway/process.h"

/*
 * The answer to a query (without "?"), a JSON object; NULL without memory. *wrong is a sentence for
 * a query that is not as above.
 */
json_t *admin_explain(const struct process *process, struct span query, const char **wrong);

#endif
