#include "gateway/cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "gateway/master.h"

#ifndef GATEHOUSE_CONF
#define GATEHOUSE_CONF	"/etc/gatehouse/gatehouse.conf"
#endif

/* What may follow a command. */
enum takes {
	TAKES_NOTHING,
	TAKES_JSON,		/* --json: it has output for programs */
	TAKES_ARGUMENTS,	/* --json, and arguments that it checks itself */
};

static const struct {
	const char	*name;
	const char	*sentence;
	enum takes	 takes;
	int		(*run)(const struct cli *);
} commands[] = {
	{ "run", "run in the foreground; the same as no command", TAKES_NOTHING, cli_run },
	{ "reload", "have the running gateway read its configuration again", TAKES_NOTHING,
	    cli_reload },
	{ "stop", "have it finish what it holds, and wait until it has ended", TAKES_NOTHING,
	    cli_stop },
	{ "status", "tell whether it runs and is ready", TAKES_JSON, cli_status },
	{ "migrate", "bring the database to this binary's schema; migrate status: compare them",
	    TAKES_ARGUMENTS, cli_migrate },
	{ "consumer", "add, list, show, remove: who is held to limits", TAKES_ARGUMENTS,
	    cli_consumer },
	{ "client", "add, change, rotate, list, show, remove: how consumers get tokens",
	    TAKES_ARGUMENTS, cli_client },
	{ "token", "revoke, list, inspect", TAKES_ARGUMENTS, cli_token },
	{ "keys", "rotate, list, kill: what tokens are signed with", TAKES_ARGUMENTS, cli_keys },
	{ "explain", "why is this token refused on that route? each check, expected and found",
	    TAKES_ARGUMENTS, cli_explain },
	{ "audit", "send any gateway what a tester would, and tell what got through",
	    TAKES_ARGUMENTS, cli_audit },
	{ "directives", "list all directives of the configuration", TAKES_JSON, cli_directives },
};

#define N_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static void
usage(void)
{
	printf("usage: gatehouse [-c FILE] [-t] [-V] [COMMAND [ARGUMENT...] [--json]]\n\n"
	    "  -c FILE      the configuration (default: %s)\n"
	    "  -t           check the configuration, tell what is wrong or weak, and end\n"
	    "  -V           tell the version and those of the libraries\n"
	    "  -h, --help   this text\n\ncommands:\n", GATEHOUSE_CONF);
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-11s  %s%s\n", commands[i].name, commands[i].sentence,
		    commands[i].takes != TAKES_NOTHING ? " (--json: for programs)" : "");
	printf("\nexit status: 0 done, 1 failed, 2 wrong usage\n");
}

int
cli_wrong(const char *what, const char *which)
{
	fprintf(stderr, "gatehouse: %s%s (see gatehouse --help)\n", what, which);
	return CLI_USAGE;
}

struct config *
cli_load(const struct cli *cli, bool warnings)
{
	char error[8192];
	struct config *config = config_load(cli->conf_path, error, sizeof(error));

	if (config == NULL)
		fprintf(stderr, "%s\n", error);
	for (size_t i = 0; config != NULL && warnings && i < config->n_warnings; i++)
		fprintf(stderr, "warning: %s\n", config->warnings[i]);
	return config;
}

int
cli_check(const struct cli *cli)
{
	struct config *config = cli_load(cli, true);

	if (config == NULL)
		return CLI_FAILED;
	printf("configuration %s is fine\n", cli->conf_path);
	config_free(&config);
	return CLI_DONE;
}

int
cli_run(const struct cli *cli)
{
	return master_main(cli->conf_path, cli->argc, cli->argv);
}

/*
 * Takes --json out of what follows a command. False if there is something else that the command
 * doesn't take; *which points to it.
 */
static bool
take_arguments(struct cli *cli, char **rest, enum takes takes, const char **which)
{
	char **out = rest;

	cli->arguments = rest;
	for (; *rest != NULL; rest++) {
		*which = *rest;
		if (takes != TAKES_NOTHING && strcmp(*rest, "--json") == 0)
			cli->json = true;
		else if (takes == TAKES_ARGUMENTS)
			*out++ = *rest;
		else
			return false;
	}
	*out = NULL;
	return true;
}

/* Runs the command that `rest` names. */
static int
command(struct cli *cli, char **rest)
{
	const char *which;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i].name, rest[0]) != 0)
			continue;
		if (!take_arguments(cli, rest + 1, commands[i].takes, &which))
			return cli_wrong("unknown argument: ", which);
		return commands[i].run(cli);
	}
	return cli_wrong("unknown command: ", rest[0]);
}

static int
dispatch(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	struct cli cli = { .conf_path = GATEHOUSE_CONF, .argc = argc, .argv = argv };
	bool check = false;
	int option;

	while ((option = getopt_long(argc, argv, "+:c:tVh", options, NULL)) != -1)
		switch (option) {
		case 'c':
			cli.conf_path = optarg;
			break;
		case 't':
			check = true;
			break;
		case 'V':
			return cli_version();
		case 'h':
			usage();
			return CLI_DONE;
		case ':':
			return cli_wrong("an argument is missing: ", argv[optind - 1]);
		default:
			return cli_wrong("unknown option: ", argv[optind - 1]);
		}
	if (check && optind < argc)
		return cli_wrong("-t takes no command: ", argv[optind]);
	if (check)
		return cli_check(&cli);
	return optind < argc ? command(&cli, argv + optind) : cli_run(&cli);
}

int
cli_main(int argc, char **argv)
{
	int status = dispatch(argc, argv);

	if (fflush(stdout) != 0 && status == CLI_DONE)
		status = CLI_FAILED;
	return status;
}
