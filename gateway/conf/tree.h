/*
 * The configuration file as libConfuse reads it, by the table of directives: sections that hold
 * texts.
 *
 * tree_read() gives libConfuse its options from the table and collects what it complains of, in
 * our own words: unknown directives (with the nearest known one), what is given twice, what is
 * malformed. Values are still texts then; config.c and its companions turn them into numbers.
 */
#ifndef GATEWAY_CONF_TREE_H
#define GATEWAY_CONF_TREE_H

#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>

#include "gateway/conf/problems.h"
#include "gateway/conf/source.h"

struct tree_given {
	const cfg_opt_t	*option;
	int		 line;
};

struct tree {
	cfg_t			*root;
	struct tree_given	*given;		/* the directives that are in the file */
	size_t			 n_given;
	size_t			 given_size;
	struct source		 source;
	struct problems		*problems;
};

struct section {
	const struct tree	*tree;
	cfg_t			*cfg;
	const char		*kind;		/* as in the table: "issuer" */
	const char		*title;		/* "" if it has none */
	int			 line;
};

/* Reads p->path. False if it is malformed, and p says how. */
bool tree_read(struct tree *t, struct problems *p);
/* Frees it; safe after a tree_read() that failed. */
void tree_free(struct tree *t);

/* The outermost section. */
struct section tree_root(const struct tree *t);
/* Number of sections of a kind inside of this one. */
size_t section_count(const struct section *s, const char *kind);
/* The nth of them, from 0; a kind without titles always has one, which may be empty. */
struct section section_inner(const struct section *s, const char *kind, size_t nth);
/* True if the directive is in the file. */
bool section_has(const struct section *s, const char *name);
/* Line of the directive; the section's if it is not in the file. */
int section_line(const struct section *s, const char *name);
/* Number of values the file gives it: 1, or any number for a list. */
size_t section_size(const struct section *s, const char *name);
/* The nth value, from 0; the tree's. */
const char *section_value(const struct section *s, const char *name, size_t nth);
/* Writes how people call it: `client.max_head`, `issuer "a": leeway`, `workers`. */
struct span section_name(const struct section *s, const char *name, char *buffer, size_t size);

#endif
