/*
 * What a stranger's server answers, read as tolerantly as can be: an audit wants to know whether
 * something got through, not whether the answer is well made.
 *
 * Bytes are fed as they come. Of the answers on a connection the first ANSWER_STATUSES final ones
 * leave their status, the first one also its body, at most ANSWER_BODY_MAX bytes of it. An answer
 * that breaks off or turns to garbage after its status line still counts by its status. Nothing
 * that a server sends can make it keep more than that.
 */
#ifndef GATEWAY_CLI_AUDIT_ANSWER_H
#define GATEWAY_CLI_AUDIT_ANSWER_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"

#define ANSWER_BODY_MAX		(256 * 1024)
#define ANSWER_RAW_MAX		(64 * 1024)	/* kept of what is no HTTP/1 */
#define ANSWER_STATUSES		4
#define ANSWER_FIELD_MAX	32

/* How an exchange ended. */
enum answer_end {
	ANSWER_CAME,		/* there is a status, perhaps more than one */
	ANSWER_NO_HTTP,		/* bytes came, but no status line of HTTP/1 */
	ANSWER_CLOSED,		/* closed or reset without a byte */
	ANSWER_SILENT,		/* nothing within the time */
	ANSWER_UNREACHABLE,	/* no connection */
};

struct audit_answer {
	enum answer_end	 end;
	unsigned	 n;			/* final answers, as far as statuses[] goes */
	unsigned	 statuses[ANSWER_STATUSES];	/* or 101 */
	unsigned	 retry_after_s;		/* of the first answer; 0: none */
	struct span	 body;			/* of the first answer */
	struct span	 raw;			/* all that came, from its beginning */
	const char	*reason;		/* when there was no connection */
	/* private from here on */
	llhttp_t	 parser;
	unsigned	 wanted;		/* answers, then it is done */
	unsigned	 complete;		/* final answers read to their end */
	bool		 bodiless;		/* the request's method allows no body */
	bool		 broken;		/* llhttp reads no more */
	bool		 in_final;		/* the message under way is no interim one */
	char		*memory;
	char		 name[ANSWER_FIELD_MAX], value[ANSWER_FIELD_MAX];
	size_t		 name_n, value_n;
};

/* Takes memory for the answers to come; false if there is none. */
bool answer_init(struct audit_answer *a);
/* Forgets what there was, for `wanted` answers to a request; `bodiless` for those to HEAD. */
void answer_begin(struct audit_answer *a, unsigned wanted, bool bodiless);
/* Takes bytes; true while more are wanted. */
bool answer_feed(struct audit_answer *a, struct span bytes);
/* No more bytes come; `silent` when it is only that the time is up. Sets a->end. */
void answer_finish(struct audit_answer *a, bool silent);
/* Lets go of the memory; safe on a zeroed one. */
void answer_fini(struct audit_answer *a);

#endif
