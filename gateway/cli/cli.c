#include "gateway/cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "gateway/master.h"

#ifndef GATEHOUSE_CONF
#define GATEHOUSE_CONF	"/etc/gatehouse/gatehouse.conf"
#endif

static const struct {
	const char	*name;
	const char	*sentence;
	bool		 json;		/* has output for programs */
	int		(*run)(const struct cli *);
} commands[] = {
	{ "run", "run in the foreground; the same as no command", false, cli_run },
	{ "reload", "have the running gateway read its configuration again", false, cli_reload },
	{ "stop", "have it finish what it holds, and wait until it has ended", false, cli_stop },
	{ "status", "tell whether it runs and is ready", true, cli_status },
	{ "directives", "list all directives of the configuration", true, cli_directives },
};

#define N_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static void
usage(void)
{
	printf("usage: gatehouse [-c FILE] [-t] [-V] [COMMAND [--json]]\n\n"
	    "  -c FILE      the configuration (default: %s)\n"
	    "  -t           check the configuration, tell what is wrong or weak, and end\n"
	    "  -V           tell the version and those of the libraries\n"
	    "  -h, --help   this text\n\ncommands:\n", GATEHOUSE_CONF);
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-11s  %s%s\n", commands[i].name, commands[i].sentence,
		    commands[i].json ? " (--json: for programs)" : "");
	printf("\nexit status: 0 done, 1 failed, 2 wrong usage\n");
}

static int
wrong(const char *what, const char *which)
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

/* Runs the command that `rest` names; only options may follow it. */
static int
command(struct cli *cli, char **rest)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i].name, rest[0]) != 0)
			continue;
		for (char **option = rest + 1; *option != NULL; option++) {
			if (!commands[i].json || strcmp(*option, "--json") != 0)
				return wrong("unknown argument: ", *option);
			cli->json = true;
		}
		return commands[i].run(cli);
	}
	return wrong("unknown command: ", rest[0]);
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
			return wrong("an argument is missing: ", argv[optind - 1]);
		default:
			return wrong("unknown option: ", argv[optind - 1]);
		}
	if (check && optind < argc)
		return wrong("-t takes no command: ", argv[optind]);
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
