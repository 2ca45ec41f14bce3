/*
 * A limit as its owner knows it, and what is told of it in headers (`ratelimit_headers`).
 */
#ifndef GATEWAY_ACCESS_LIMIT_H
#define GATEWAY_ACCESS_LIMIT_H

#include "gateway/request/request.h"
#include "shm/rate.h"

struct limit {
	const char	*name;		/* in the IETF's headers */
	uint64_t	 count;		/* so many ...; not 0 */
	uint64_t	 period_us;	/* ... in so long */
	uint64_t	 burst;		/* so many at once; 0: count */
};

/* The same as shm/rate.h wants it. */
struct rate_limit limit_rule(const struct limit *limit);
/* Has the answer tell how much is left. */
void limit_tell(struct request *r, const struct limit *limit, const struct rate_verdict *verdict);

#endif
