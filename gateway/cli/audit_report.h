/*
 * What an audit tells: a table for people, which grows as answers come, or one JSON object.
 *
 * Of what the server sends only numbers are shown, so it can put nothing on anybody's terminal.
 */
#ifndef GATEWAY_CLI_AUDIT_REPORT_H
#define GATEWAY_CLI_AUDIT_REPORT_H

#include <jansson.h>

#include "gateway/cli/audit.h"
#include "gateway/cli/audit_judge.h"

struct audit_report {
	const struct audit	*audit;
	unsigned		 count[AUDIT_VERDICTS];
	const char		*group;		/* of the last row */
	json_t			*rows;		/* NULL: a table */
};

/* Tells what is known before the first probe. */
void report_begin(struct audit_report *r, const struct audit *a);
void report_row(struct audit_report *r, const struct audit_probe *p,
    const struct audit_outcome *outcome);
/* The last line, or all of the JSON. `trouble` is what casts doubt on it all; NULL: nothing. */
void report_end(struct audit_report *r, const char *trouble);

#endif
