/*
 * The table of directives: what the configuration file may hold, and what each value may be.
 *
 * The rows stand in directive.def. From them come the parser's options, the defaults, the checks,
 * the command `gatehouse directives` and the test of etc/gatehouse.conf; nothing is said twice.
 */
#ifndef GATEWAY_CONF_DIRECTIVE_H
#define GATEWAY_CONF_DIRECTIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/base/text.h"

enum directive_type {
	DIRECTIVE_STRING,
	DIRECTIVE_PATH,			/* relative to the folder of the file */
	DIRECTIVE_NUMBER,		/* kept in an unsigned */
	DIRECTIVE_NUMBER64,
	DIRECTIVE_SECONDS,		/* fractions allowed; kept in milliseconds */
	DIRECTIVE_WHOLE_SECONDS,
	DIRECTIVE_SHARE,		/* "0.5"; kept in thousandths, in an unsigned */
	DIRECTIVE_SIZE,			/* "16K"; kept in bytes */
	DIRECTIVE_BOOL,
	DIRECTIVE_CHOICE,		/* one of `accepts`; kept as its place there */
	DIRECTIVE_RATE,			/* "100/s"; kept as count and period in microseconds */
	DIRECTIVE_SPANS,		/* a list, kept as struct span * and its length */
	DIRECTIVE_STRINGS,		/* a list, kept as const char ** and its length */
};

enum directive_changes {
	DIRECTIVE_RELOAD,		/* a changed value counts from the next reload on */
	DIRECTIVE_RESTART,		/* ... from the next start on */
};

struct directive_section {
	const char	*name;		/* "": the top of the file */
	const char	*title;		/* what the title names; "": it has none */
	const char	*parent;
	const char	*sentence;
};

struct directive {
	const char		*section;
	const char		*name;
	enum directive_type	 type;
	const char		*fallback;	/* the default, as in a file; NULL: required */
	uint64_t		 least;
	uint64_t		 most;		/* not over least: no bounds */
	const char		*accepts;
	enum directive_changes	 changes;
	bool			 weakens;
	bool			 by_hand;	/* no field takes it as it is */
	size_t			 offset;	/* of the field in the section's struct */
	size_t			 width;		/* of the field, bytes */
	const char		*sentence;
};

/* What a text means: numbers in `number`; a rate's period in `period_us`. */
struct directive_value {
	uint64_t	number;
	uint64_t	period_us;
};

extern const struct directive_section directive_sections[];
extern const size_t directive_n_sections;
extern const struct directive directive_table[];
extern const size_t directive_n;

/* The row; NULL if there is none. */
const struct directive *directive_find(const char *section, const char *name);
/* The section's row; NULL if there is none. */
const struct directive_section *directive_section_find(const char *name);
/* Why this directive (value NULL) or value is not there yet; NULL if nothing is known of it. */
const char *directive_later(const char *section, const char *name, const char *value);
/* The row whose name is nearest to a mistyped one, in the same section; NULL if none is near. */
const struct directive *directive_nearest(const char *section, const char *name);

/* True for a type whose value is a list. */
bool directive_is_list(const struct directive *d);
/* True for a type whose values stand in quotes in a file. */
bool directive_is_quoted(const struct directive *d);
/* Name of the type for people: "number", "seconds", "list of strings". */
const char *directive_type_name(const struct directive *d);
/*
 * Writes which values are accepted: "a size from 1K to 1M", "error, warn, notice, info or debug".
 */
void directive_accepts(const struct directive *d, struct text *out);
/*
 * Reads one value, or one member of a list, as it came from the file, quotes and escapes undone.
 * False if it is not accepted; then `why` holds what is wrong, without the accepted values.
 */
bool directive_read(const struct directive *d, const char *value, struct directive_value *out,
    struct text *why);

#endif
