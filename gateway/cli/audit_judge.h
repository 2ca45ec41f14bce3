/*
 * Judging an answer: did the request get through? Nothing is sent here.
 */
#ifndef GATEWAY_CLI_AUDIT_JUDGE_H
#define GATEWAY_CLI_AUDIT_JUDGE_H

#include "gateway/cli/audit.h"
#include "gateway/cli/audit_probe.h"

enum audit_verdict {
	AUDIT_REFUSED,
	AUDIT_PASSED,		/* it got through, and should not have */
	AUDIT_NOT_JUDGED,	/* it was sent, but nothing can be told from outside */
	AUDIT_SKIPPED,		/* it could not be sent */
	AUDIT_VERDICTS
};

struct audit_outcome {
	enum audit_verdict	 verdict;
	unsigned		 status;	/* that decided; 0: there was none */
	const char		*instead;	/* of a status, in a word */
	const char		*note;		/* a sentence; NULL: none */
};

/* True if this status means that a request got through: it is of the good token's class. */
bool audit_through(const struct audit *a, unsigned status);
/* Judges a->answer to a probe. */
struct audit_outcome audit_judge(const struct audit *a, const struct audit_probe *p);
/* How many answers on its connection a probe is about. */
unsigned audit_answers(const struct audit_probe *p);

/* True if the answer holds this text. */
bool audit_holds(struct span body, struct span text);
/* Bits of the identity headers that an answer tells of, as JSON members or as lines. */
unsigned audit_identities(struct span body);

#endif
