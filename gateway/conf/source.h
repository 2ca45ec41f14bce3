/*
 * The text of a configuration file, looked over before libConfuse reads it.
 *
 * libConfuse counts a comment as several lines, takes the end of the file for a missing closing
 * brace, silently skips characters it doesn't know, and turns an unset environment variable into
 * nothing. source_read() makes all of these errors with their line, and hands on the text with
 * comments blanked out, so every line keeps its number. It also notes where each section begins.
 */
#ifndef GATEWAY_CONF_SOURCE_H
#define GATEWAY_CONF_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/span.h"
#include "gateway/conf/problems.h"

#define SOURCE_SIZE_MAX		((size_t)1 << 20)
#define SOURCE_SECTIONS_MAX	4096

struct source_section {
	struct span	name;		/* into the text */
	int		line;		/* of the opening brace */
};

struct source {
	char			*text;		/* NUL-terminated, ends with a newline */
	size_t			 n;
	struct source_section	*sections;	/* outermost ones, in the order of the file */
	size_t			 n_sections;
};

/* Reads and looks over p->path. False if anything is wrong, and p says what. */
bool source_read(struct source *s, struct problems *p);
/* Line of the nth (from 0) section of this name; 0 if there are not so many. */
int source_section_line(const struct source *s, const char *name, size_t nth);
/* Frees the text; safe after a source_read() that failed. */
void source_free(struct source *s);

#endif
