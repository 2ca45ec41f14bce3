#include "gateway/cli/audit.h"

#include <errno.h>
#include <getopt.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/order.h"

#define TIMEOUT_MS	5000
#define TIMEOUT_MAX_S	60
#define WORDS_MAX	256

static const char usage[] =
    "usage: gatehouse audit URL --token-file FILE [OPTION...] [--json]\n\n"
    "Sends to the URL of any gateway what a tester would, and tells what got through. FILE holds\n"
    "a token that the URL accepts; - is standard input. Only the method given is sent, and ones\n"
    "that change nothing. The token also goes into a query, which logs may keep: take one that\n"
    "is soon expired. Only audit what you may audit.\n\n"
    "  --expired-token-file FILE  a token that was good once\n"
    "  --jwks FILE|URL            the issuer's keys (default: asked of the issuer in the token)\n"
    "  --header 'NAME: VALUE'     sent with every request; may be given several times\n"
    "  --method METHOD            default GET\n"
    "  --ca-file FILE             whose certificates to trust (default: the system's)\n"
    "  --insecure                 trust any certificate of the gateway\n"
    "  --timeout SECONDS          for each answer, 1 to 60 (default: 5)\n\n"
    "exit status: 0 nothing got through, 1 something did, or nothing could be told, 2 wrong\n"
    "usage\n";

static int
wrong(const char *what, const char *which)
{
	fprintf(stderr, "gatehouse audit: %s%s (see gatehouse audit --help)\n", what, which);
	return CLI_USAGE;
}

static bool
is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = span_lower(s.p[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    memchr("!#$%&'*+-.^_`|~", c, 15) == NULL)
			return false;
	}
	return s.n > 0;
}

static int
take_header(struct audit_wish *w, const char *line)
{
	static const char *const ours[] = { "Authorization", "Connection", "Content-Length",
		"Transfer-Encoding" };
	struct text t = { w->headers, strlen(w->headers), sizeof(w->headers) - 1, false };
	struct span rest = span_of(line), name;

	if (!span_next(&rest, ':', &name) || rest.p == NULL || !is_name(name) ||
	    name.p != line || span_has_control(rest))
		return wrong("a header is written 'Name: value', not ", line);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (span_eq_nocase(name, span_of(ours[i])))
			return wrong("that header is the audit's own to send: ", ours[i]);
	w->has_host = w->has_host || span_eq_nocase(name, SPAN("Host"));
	text_str(&t, line);
	text_str(&t, "\r\n");
	if (t.cut)
		return wrong("there are too many headers", "");
	w->headers[t.n] = '\0';
	return CLI_DONE;
}

static int
take_timeout(struct audit_wish *w, const char *text)
{
	uint64_t seconds;

	if (!span_to_u64(span_of(text), &seconds) || seconds == 0 || seconds > TIMEOUT_MAX_S)
		return wrong("--timeout takes 1 to 60 seconds, not ", text);
	w->timeout_ms = seconds * 1000;
	return CLI_DONE;
}

static int
take_option(struct audit_wish *w, int option, const char *value)
{
	switch (option) {
	case 't':
		w->token_file = value;
		break;
	case 'e':
		w->expired_file = value;
		break;
	case 'j':
		w->jwks = value;
		break;
	case 'c':
		w->ca_file = value;
		break;
	case 'k':
		w->insecure = true;
		break;
	case 'm':
		if (!is_name(span_of(value)) || strlen(value) > 16)
			return wrong("that is no method: ", value);
		w->method = value;
		break;
	case 'H':
		return take_header(w, value);
	case 's':
		return take_timeout(w, value);
	}
	return CLI_DONE;
}

static const struct option options[] = {
	{ "token-file", required_argument, NULL, 't' },
	{ "expired-token-file", required_argument, NULL, 'e' },
	{ "jwks", required_argument, NULL, 'j' },
	{ "header", required_argument, NULL, 'H' },
	{ "method", required_argument, NULL, 'm' },
	{ "ca-file", required_argument, NULL, 'c' },
	{ "insecure", no_argument, NULL, 'k' },
	{ "timeout", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

/* Reads the words; *help says that they asked for help alone. */
static int
read_words(struct audit_wish *w, int argc, char **argv, bool *help)
{
	int option, status;

	optind = 0;	/* getopt's way to begin anew */
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (option == 'h') {
			*help = true;
			return CLI_DONE;
		}
		if (option == ':')
			return wrong("a value is missing: ", argv[optind - 1]);
		if (option == '?')
			return wrong("unknown option: ", argv[optind - 1]);
		if ((status = take_option(w, option, optarg)) != CLI_DONE)
			return status;
	}
	if (optind + 1 != argc)
		return optind == argc ? wrong("the URL is missing", "") :
		    wrong("there is one URL to audit, and this is another: ", argv[optind + 1]);
	if (!url_parse(&w->url, span_of(argv[optind])))
		return wrong("that is not an absolute http or https URL: ", argv[optind]);
	if (w->token_file == NULL)
		return wrong("--token-file is missing", "");
	return w->insecure && w->ca_file != NULL ?
	    wrong("--insecure trusts any certificate, so --ca-file makes no sense with it", "") :
	    CLI_DONE;
}

/* Reads a token into memory of FORGE_TOKEN_MAX + 1 bytes. */
static int
read_token(const char *path, char *memory, struct span *token)
{
	bool standard = strcmp(path, "-") == 0;
	FILE *file = standard ? stdin : fopen(path, "re");
	size_t n;

	if (file == NULL)
		return order_failed("%s can't be read: %s", path, strerror(errno));
	n = fread(memory, 1, FORGE_TOKEN_MAX + 1, file);
	if (!standard)
		fclose(file);
	while (n > 0 && strchr(" \t\r\n", memory[n - 1]) != NULL)
		n--;
	*token = span_trim(span_make(memory, n));
	if (token->n == 0 || token->n > FORGE_TOKEN_MAX)
		return order_failed("%s holds no token of at most 32 KiB", path);
	for (size_t i = 0; i < token->n; i++)
		if (token->p[i] <= ' ' || token->p[i] >= 0x7f)
			return order_failed("%s holds more than a token, which has no spaces and "
			    "is ASCII", path);
	return CLI_DONE;
}

/* The expired token must be one, or it would say that a gateway is open. */
static int
check_expired(struct span token, struct span expired)
{
	struct forge f;
	const json_t *exp;
	int status = CLI_DONE;

	if (span_eq(token, expired))
		return order_failed("the expired token is the good one");
	if (!forge_init(&f, expired))
		return order_failed("there is no memory");
	exp = json_object_get(f.claims, "exp");
	if (json_is_number(exp) && json_number_value(exp) > (double)clock_wall_s())
		status = order_failed("the expired token is not expired yet");
	forge_fini(&f);
	return status;
}

static int
read_and_run(const struct audit_wish *w, char *memory)
{
	struct span token, expired = { NULL, 0 };
	int status = read_token(w->token_file, memory, &token);

	if (status == CLI_DONE && w->expired_file != NULL) {
		status = read_token(w->expired_file, memory + FORGE_TOKEN_MAX + 1, &expired);
		if (status == CLI_DONE)
			status = check_expired(token, expired);
	}
	return status == CLI_DONE ? audit_run(w, token, expired) : status;
}

int
cli_audit(const struct cli *cli)
{
	char name[] = "audit", *words[WORDS_MAX + 2] = { name };
	struct audit_wish wish = { .method = "GET", .timeout_ms = TIMEOUT_MS, .json = cli->json };
	const size_t size = 2 * (FORGE_TOKEN_MAX + 1);
	bool help = false;
	int n = 1, status;

	for (char **word = cli->arguments; *word != NULL; word++) {
		if (n > WORDS_MAX)
			return wrong("that is too much", "");
		words[n++] = *word;
	}
	status = read_words(&wish, n, words, &help);
	if (help)
		printf("%s", usage);
	if (help || status != CLI_DONE)
		return status;
	signal(SIGPIPE, SIG_IGN);
	char *memory = calloc(1, size);
	if (memory == NULL)
		return order_failed("there is no memory");
	status = read_and_run(&wish, memory);
	OPENSSL_cleanse(memory, size);
	free(memory);
	return status;
}
