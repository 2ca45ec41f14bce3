/*
 * Orders: commands that have further words, `gatehouse client add --consumer shop`.
 *
 * A command is a table of verbs; a verb has a table of what it takes. Whatever is wrong about the
 * words is told with the verb's usage, and the exit status is CLI_USAGE.
 */
#ifndef GATEWAY_CLI_ORDER_H
#define GATEWAY_CLI_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/cli/cli.h"

struct order;

struct verb {
	const char	*name;
	const char	*usage;		/* the words that may follow, for people */
	const char	*sentence;
	int		(*run)(const struct order *);
};

/* One thing that a verb takes: "--scopes" and a value, or, without "--", a word by its place. */
struct argument {
	const char	 *name;
	const char	**value;	/* stays as it is when there is none */
	bool		  needed;
};

struct order {
	const struct cli	 *cli;
	const char		 *command;	/* "client" */
	const struct verb	 *verb;
	char			**words;	/* after the verb; ends with NULL */
};

/* Runs the verb that the command line names, or tells what verbs there are. */
int order_run(const struct cli *cli, const char *command, const struct verb *verbs, size_t n);
/* Puts the words where the table says. False after a complaint. */
bool order_read(const struct order *order, const struct argument *arguments, size_t n);
/* Complains of the words, and tells the usage; returns CLI_USAGE. */
int order_wrong(const struct order *order, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Complains of what went wrong otherwise; returns CLI_FAILED. */
int order_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
