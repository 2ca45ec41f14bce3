/*
 * What is wrong with a configuration: errors, which forbid it, and warnings, which do not.
 *
 * Each is one line, "file:line: what is wrong". Errors go to the caller's buffer; those that no
 * longer fit are counted, and the last line says so. Warnings live in the configuration's arena.
 */
#ifndef GATEWAY_CONF_PROBLEMS_H
#define GATEWAY_CONF_PROBLEMS_H

#include <stddef.h>

#include "gateway/base/arena.h"
#include "gateway/base/text.h"

#define PROBLEMS_WARNINGS_MAX	64

struct problems {
	const char	 *path;		/* of the file */
	struct text	  errors;
	size_t		  n_errors;
	struct arena	 *arena;
	const char	 *warnings[PROBLEMS_WARNINGS_MAX];
	size_t		  n_warnings;
};

/* Starts with none; `error` is the caller's, at least 128 bytes. */
void problems_init(struct problems *p, const char *path, struct arena *arena, char *error,
    size_t size);
/* Adds an error; line 0: it is about the file as a whole. */
void problems_error(struct problems *p, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a warning; those over PROBLEMS_WARNINGS_MAX are left out. */
void problems_warn(struct problems *p, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Ends the buffer of errors with a NUL. */
void problems_finish(struct problems *p);

#endif
