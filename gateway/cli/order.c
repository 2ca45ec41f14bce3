#include "gateway/cli/order.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cli/plain.h"

static void
put_usage(FILE *out, const char *command, const struct verb *verb)
{
	fprintf(out, "gatehouse %s %s%s%s", command, verb->name,
	    verb->usage[0] == '\0' ? "" : " ", verb->usage);
}

/* What is complained of may be quoted: out of a token, or by the database. */
static void
complain(const char *format, va_list ap)
{
	char *text;

	if (vasprintf(&text, format, ap) < 0)
		return;
	plain_text(text);
	fputs(text, stderr);
	free(text);
}

int
order_wrong(const struct order *order, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "gatehouse %s %s: ", order->command, order->verb->name);
	va_start(ap, format);
	complain(format, ap);
	va_end(ap);
	fprintf(stderr, "\nusage: ");
	put_usage(stderr, order->command, order->verb);
	fprintf(stderr, " [--json]\n");
	return CLI_USAGE;
}

int
order_failed(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	complain(format, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	return CLI_FAILED;
}

static int
tell_verbs(FILE *out, const char *command, const struct verb *verbs, size_t n)
{
	fprintf(out, "usage:\n");
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "  ");
		put_usage(out, command, &verbs[i]);
		fprintf(out, "\n      %s\n", verbs[i].sentence);
	}
	fprintf(out, "\n--json, anywhere: output for programs\n");
	return out == stdout ? CLI_DONE : CLI_USAGE;
}

static bool
asks_for_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

int
order_run(const struct cli *cli, const char *command, const struct verb *verbs, size_t n)
{
	char **words = cli->arguments;

	if (words[0] == NULL)
		return tell_verbs(stderr, command, verbs, n);
	for (char **word = words; *word != NULL; word++)
		if (asks_for_help(*word))
			return tell_verbs(stdout, command, verbs, n);
	for (size_t i = 0; i < n; i++) {
		struct order order = { cli, command, &verbs[i], words + 1 };

		if (strcmp(verbs[i].name, words[0]) == 0)
			return verbs[i].run(&order);
	}
	fprintf(stderr, "gatehouse %s: there is no \"%s\"\n", command, words[0]);
	return tell_verbs(stderr, command, verbs, n);
}

static bool
is_option(const char *word)
{
	return word[0] == '-' && word[1] != '\0';
}

/* The row of an option, "--scopes" or "--scopes=a"; NULL: there is none. */
static const struct argument *
find_option(const struct argument *arguments, size_t n, const char *word)
{
	size_t length = strcspn(word, "=");

	for (size_t i = 0; i < n; i++)
		if (strncmp(arguments[i].name, word, length) == 0 &&
		    arguments[i].name[length] == '\0')
			return &arguments[i];
	return NULL;
}

/* Takes an option and its value; moves *word to the last word taken. */
static bool
take_option(const struct order *order, const struct argument *arguments, size_t n, char ***word,
    bool *given)
{
	const struct argument *row = find_option(arguments, n, **word);
	const char *equals = strchr(**word, '=');

	if (row == NULL) {
		order_wrong(order, "unknown option: %s", **word);
		return false;
	}
	if (given[row - arguments]) {
		order_wrong(order, "%s is given twice", row->name);
		return false;
	}
	given[row - arguments] = true;
	if (equals == NULL && (*word)[1] == NULL) {
		order_wrong(order, "%s needs a value", row->name);
		return false;
	}
	*row->value = equals != NULL ? equals + 1 : *++*word;
	return true;
}

/* Takes a word by its place. */
static bool
take_word(const struct order *order, const struct argument *arguments, size_t n, const char *word,
    bool *given)
{
	for (size_t i = 0; i < n; i++)
		if (!is_option(arguments[i].name) && !given[i]) {
			*arguments[i].value = word;
			given[i] = true;
			return true;
		}
	order_wrong(order, "unknown argument: %s", word);
	return false;
}

bool
order_read(const struct order *order, const struct argument *arguments, size_t n)
{
	bool given[32] = { false };

	for (char **word = order->words; *word != NULL; word++)
		if (!(is_option(*word) ? take_option(order, arguments, n, &word, given) :
		    take_word(order, arguments, n, *word, given)))
			return false;
	for (size_t i = 0; i < n; i++)
		if (arguments[i].needed && !given[i]) {
			order_wrong(order, "%s is missing", arguments[i].name);
			return false;
		}
	return true;
}
