/*
 * The command line: options first, then a command with its own.
 *
 *	gatehouse [-c FILE] [-t] [-V] [COMMAND [ARGUMENT...] [--json]]
 *
 * Without a command the gateway runs in the foreground. What a command finds out goes to standard
 * output, complaints go to standard error. Commands are one table, in cli.c.
 */
#ifndef GATEWAY_CLI_CLI_H
#define GATEWAY_CLI_CLI_H

#include <stdbool.h>

#include "gateway/conf/config.h"

enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
};

struct cli {
	const char	 *conf_path;
	bool		  json;		/* output for programs */
	char		**arguments;	/* of the command, without --json; ends with NULL */
	int		  argc;		/* all of the command line, for the master's next binary */
	char		**argv;
};

/* Does what the command line says; returns the exit status. */
int cli_main(int argc, char **argv);
/* Reads the configuration; NULL after the errors, and the warnings, have been told. */
struct config *cli_load(const struct cli *cli, bool warnings);
/* Complains of the command line; the exit status for that. */
int cli_wrong(const char *what, const char *which);

/* The commands; each returns the exit status. */
int cli_run(const struct cli *cli);
int cli_check(const struct cli *cli);
int cli_version(void);
int cli_directives(const struct cli *cli);
int cli_reload(const struct cli *cli);
int cli_stop(const struct cli *cli);
int cli_status(const struct cli *cli);
int cli_migrate(const struct cli *cli);
int cli_consumer(const struct cli *cli);
int cli_client(const struct cli *cli);
int cli_token(const struct cli *cli);
int cli_keys(const struct cli *cli);
int cli_explain(const struct cli *cli);
int cli_audit(const struct cli *cli);

#endif
