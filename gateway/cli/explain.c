#include "gateway/cli/explain.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/access/inquiry.h"
#include "gateway/base/clock.h"
#include "gateway/cli/order.h"
#include "gateway/token/digest.h"

static const char usage[] =
    "usage: gatehouse explain --route NAME [--token-file FILE] [--admin URL] [--json]\n\n"
    "Tells, check by check, why the gateway passes or refuses a token on this route. The token\n"
    "comes from FILE, or from standard input; it is not shown, and sent nowhere. The running\n"
    "gateway is asked by the address of its admin section, or at the URL given\n"
    "(http://127.0.0.1:8081), by the token's digest; without one the keys are fetched anew.\n\n"
    "exit status: 0 the token would pass, 1 it would not, or that is open, 2 wrong usage, or\n"
    "no such token or configuration\n";

struct words {
	const char	*route;
	const char	*file;
	const char	*admin;
};

static int
wrong(const char *what, const char *which)
{
	fprintf(stderr, "gatehouse explain: %s%s (see gatehouse explain --help)\n", what, which);
	return CLI_USAGE;
}

static int
read_words(char **words, struct words *out)
{
	const struct {
		const char	 *name;
		const char	**value;
	} options[] = { { "--route", &out->route }, { "--token-file", &out->file },
		{ "--admin", &out->admin } };

	for (; *words != NULL; words++) {
		size_t i = 0, n = strcspn(*words, "=");

		while (i < 3 && (strncmp(options[i].name, *words, n) != 0 ||
		    options[i].name[n] != '\0'))
			i++;
		if (i == 3)
			return wrong("unknown argument: ", **words == '-' ? *words : "(a word)");
		if (*options[i].value != NULL)
			return wrong("given twice: ", options[i].name);
		*options[i].value = (*words)[n] == '=' ? *words + n + 1 : words[1];
		if (*options[i].value == NULL)
			return wrong("a value is missing: ", options[i].name);
		if ((*words)[n] != '=')
			words++;
	}
	return out->route == NULL ? wrong("--route is missing", "") : CLI_DONE;
}

/* Fills the memory; what people paste often begins with the scheme. */
static int
read_token(struct explain *e, const char *path, char *memory)
{
	bool standard = path == NULL || strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "re");
	struct span scheme = SPAN("bearer ");

	if (file == NULL)
		return wrong("the token can't be read: ", strerror(errno));
	e->token = span_make(memory, fread(memory, 1, EXPLAIN_TOKEN_MAX, file));
	if (!standard)
		fclose(file);
	while (e->token.n > 0 && strchr(" \t\r\n", e->token.p[e->token.n - 1]) != NULL)
		e->token.n--;
	e->token = span_trim(e->token);
	if (span_starts_nocase(e->token, scheme))
		e->token = span_trim(span_skip(e->token, scheme.n));
	if (e->token.n == 0)
		return wrong("there is no token to explain", "");
	for (size_t i = 0; i < e->token.n; i++)
		if (e->token.p[i] <= ' ' || e->token.p[i] >= 0x7f || e->token.p[i] == ',')
			return wrong("that is no token, which is one word of ASCII", "");
	return e->token.n < EXPLAIN_TOKEN_MAX ? CLI_DONE : wrong("that is too long for a token",
	    "");
}

static int
find_route_named(struct explain *e, const char *name)
{
	for (size_t i = 0; i < e->config->n_routes; i++)
		if (strcmp(e->config->routes[i].name, name) == 0)
			e->route = &e->config->routes[i];
	if (e->route != NULL)
		return CLI_DONE;
	fprintf(stderr, "gatehouse explain: there is no route \"%s\"; there are:", name);
	for (size_t i = 0; i < e->config->n_routes; i++)
		fprintf(stderr, " %s", e->config->routes[i].name);
	fprintf(stderr, "\n");
	return CLI_USAGE;
}

static void
look(struct explain *e)
{
	e->now_s = clock_wall_s();
	digest_sha256(e->token, e->digest);
	e->kind = opaque_begins(OPAQUE_ACCESS, e->token) ? EXPLAIN_OWN :
	    inquiry_is_opaque(e->token) ? EXPLAIN_OPAQUE : EXPLAIN_JWT;
	explain_gateway_open(e);
	explain_token(e);
	explain_policy(e);
}

static int
run(const struct cli *cli, const struct words *words, struct explain *e, char *memory)
{
	int status;

	if ((e->config = cli_load(cli, false)) == NULL)
		return CLI_USAGE;
	if ((status = find_route_named(e, words->route)) != CLI_DONE ||
	    (status = read_token(e, words->file, memory)) != CLI_DONE)
		return status;
	if (words->admin != NULL)
		snprintf(e->admin, sizeof(e->admin), "%s", words->admin);
	arena_init(&e->arena, NULL, 0, (size_t)4 << 20);
	if (!explain_checker_open(e))
		return CLI_USAGE;
	look(e);
	return explain_show(e, cli->json);
}

int
cli_explain(const struct cli *cli)
{
	struct explain *e = calloc(1, sizeof(*e));
	char *memory = calloc(1, EXPLAIN_TOKEN_MAX);
	struct words words = { NULL, NULL, NULL };
	int status;

	for (char **word = cli->arguments; *word != NULL; word++)
		if (strcmp(*word, "--help") == 0 || strcmp(*word, "-h") == 0) {
			printf("%s", usage);
			free(e);
			free(memory);
			return CLI_DONE;
		}
	signal(SIGPIPE, SIG_IGN);
	status = e == NULL || memory == NULL ? order_failed("there is no memory") :
	    read_words(cli->arguments, &words);
	if (status == CLI_DONE)
		status = run(cli, &words, e, memory);
	if (e != NULL) {
		explain_checker_close(e);
		arena_reset(&e->arena);
		json_decref(e->gateway);
		PQfinish(e->conn);
		config_free(&e->config);
		free(e);
	}
	if (memory != NULL)
		OPENSSL_cleanse(memory, EXPLAIN_TOKEN_MAX);
	free(memory);
	return status;
}
