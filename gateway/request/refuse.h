/*
 * Refusals: every answer of the gateway's own that says no, from one table (refuse.def).
 *
 * A refusal is JSON {"error", "error_description"}, with a challenge where the token is at fault.
 * A step ends with `return refuse(r, REFUSE_X);`.
 */
#ifndef GATEWAY_REQUEST_REFUSE_H
#define GATEWAY_REQUEST_REFUSE_H

#include "gateway/base/text.h"
#include "gateway/request/request.h"
#include "gateway/request/step.h"

enum refusal {
#define REFUSE(id, status, challenge, error, sentence) REFUSE_##id,
#include "gateway/request/refuse.def"
#undef REFUSE
	REFUSE_COUNT,
};

/* What a refusal may say beyond its row; zero: nothing. */
struct refuse_more {
	unsigned	 status;	/* instead of the row's */
	const char	*sentence;	/* instead of the row's; printable ASCII without quotes */
	struct span	 scope;		/* scope="..." of the challenge */
	struct span	 allow;		/* Allow */
	unsigned	 retry_after_s;	/* Retry-After */
};

/* Answers with a row of the table; always STEP_END. */
enum step_result refuse(struct request *r, enum refusal refusal);
/* The client's body is malformed or too slow, or the client is gone; the connection closes. */
enum step_result refuse_body(struct request *r);
/* The same as refuse(), with more to say. */
enum step_result refuse_because(struct request *r, enum refusal refusal, struct refuse_more more);

/* What a refusal would look like: its status, its error and sentence, and its challenge's line. */
unsigned refuse_status(enum refusal refusal);
const char *refuse_error(enum refusal refusal, const char **sentence);
void refuse_describe(struct text *t, enum refusal refusal, const struct config_route *route,
    struct refuse_more more);

#endif
