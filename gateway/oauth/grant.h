/*
 * The grants: each is a row of grant.def, with a flow of its own.
 */
#ifndef GATEWAY_OAUTH_GRANT_H
#define GATEWAY_OAUTH_GRANT_H

#include "gateway/request/step.h"

enum grant_id {
#define GRANT(id, name, ...)	GRANT_##id,
#include "gateway/oauth/grant.def"
#undef GRANT
	GRANT_COUNT
};

/* The bit of one grant in a set of them. */
#define GRANT_BIT(id)	(1U << (id))

struct grant {
	enum grant_id	id;
	struct span	name;
	struct flow	flow;
};

/* The grant of this name; NULL: there is none. */
const struct grant *grant_find(struct span name);
/* Counts a token that was issued by it. */
void grant_count(const struct grant *grant);
/* The row of an id. */
const struct grant *grant_row(enum grant_id id);

#endif
