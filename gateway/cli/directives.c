#include <stdio.h>
#include <string.h>

#include "gateway/base/text.h"
#include "gateway/cli/cli.h"
#include "gateway/conf/directive.h"

/* The longest row is about 500 bytes. */
#define ROW_SIZE	2048

static const char *
changes_name(const struct directive *d)
{
	return d->changes == DIRECTIVE_RELOAD ? "reload" : "restart";
}

static void
put_member(struct text *out, const char *name, const char *value)
{
	text_fmt(out, ", \"%s\": ", name);
	text_json(out, span_of(value));
}

/* A default is written as in the file, which is JSON but for the braces of a list. */
static void
put_default(struct text *out, const struct directive *d)
{
	if (d->fallback == NULL) {
		text_str(out, "null");
		return;
	}
	for (const char *p = d->fallback; *p != '\0'; p++)
		text_char(out, *p == '{' ? '[' : *p == '}' ? ']' : *p);
}

static void
put_row(struct text *out, const struct directive *d)
{
	char accepts[256];
	struct text a = { accepts, 0, sizeof(accepts) - 1, false };

	directive_accepts(d, &a);
	accepts[a.n] = '\0';
	text_str(out, "{\"section\": ");
	text_json(out, span_of(d->section));
	put_member(out, "name", d->name);
	put_member(out, "type", directive_type_name(d));
	put_member(out, "accepts", accepts);
	text_fmt(out, ", \"required\": %s, \"default\": ", d->fallback == NULL ? "true" : "false");
	put_default(out, d);
	put_member(out, "takes_effect", changes_name(d));
	text_fmt(out, ", \"may_weaken\": %s", d->weakens ? "true" : "false");
	put_member(out, "sentence", d->sentence);
	text_char(out, '}');
}

static void
print_json(void)
{
	char row[ROW_SIZE];

	printf("[\n");
	for (size_t i = 0; i < directive_n; i++) {
		struct text out = TEXT_OVER(row);

		put_row(&out, &directive_table[i]);
		printf("  %.*s%s\n", SPAN_ARG(text_span(&out)), i + 1 < directive_n ? "," : "");
	}
	printf("]\n");
}

static void
print_section(const struct directive_section *s)
{
	if (s->name[0] == '\0')
		printf("%s\n", s->sentence);
	else if (s->title[0] == '\0')
		printf("\n%s { }%s%s: %s\n", s->name, s->parent[0] == '\0' ? "" : ", inside of ",
		    s->parent, s->sentence);
	else
		printf("\n%s \"%s\" { }: %s\n", s->name, s->title, s->sentence);
}

static void
print_directive(const struct directive *d)
{
	char accepts[256];
	struct text a = { accepts, 0, sizeof(accepts) - 1, false };

	directive_accepts(d, &a);
	accepts[a.n] = '\0';
	printf("\n  %s%s%s\n      %s.\n      Accepted: %s.%s%s\n", d->name,
	    d->fallback == NULL ? "  (required)" : " = ", d->fallback == NULL ? "" : d->fallback,
	    d->sentence, accepts,
	    d->changes == DIRECTIVE_RELOAD ? "" : " Takes effect at a restart.",
	    d->weakens ? " Can weaken a check." : "");
}

static void
print_table(void)
{
	for (size_t s = 0; s < directive_n_sections; s++) {
		print_section(&directive_sections[s]);
		for (size_t i = 0; i < directive_n; i++)
			if (strcmp(directive_table[i].section, directive_sections[s].name) == 0)
				print_directive(&directive_table[i]);
	}
}

int
cli_directives(const struct cli *cli)
{
	if (cli->json)
		print_json();
	else
		print_table();
	return CLI_DONE;
}
