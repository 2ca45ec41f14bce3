#include "gateway/conf/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/must.h"
#include "gateway/conf/directive.h"

/*
 * To libConfuse every directive is a string or a list of strings without a default: types,
 * bounds and defaults are the table's business. What it leaves out is filled in here: the line
 * of each directive, noted when its value comes by, and a directive that is given twice.
 */

/* libConfuse hands its callbacks no argument of ours, and its lexer is global anyway. */
static struct tree *reading;

static int
line_given(const struct tree *t, const cfg_opt_t *option)
{
	for (size_t i = 0; i < t->n_given; i++)
		if (t->given[i].option == option)
			return t->given[i].line;
	return 0;
}

static bool
is_root(const cfg_t *cfg)
{
	return cfg == reading->root;
}

static struct section
describe(cfg_t *cfg)
{
	return (struct section){ reading, cfg, is_root(cfg) ? "" : cfg->name,
		cfg->title == NULL ? "" : cfg->title, cfg->line };
}

static void
note_given(struct tree *t, const cfg_opt_t *option, int line)
{
	must(t->n_given < t->given_size);
	t->given[t->n_given++] = (struct tree_given){ option, line };
}

/*
 * libConfuse calls this with each value and each member of a list. Of a new assignment it has just
 * dropped the old values, so there is one again: that is how a directive given twice shows.
 */
static int
take_value(cfg_t *cfg, cfg_opt_t *option, const char *value, void *result)
{
	struct section s = describe(cfg);
	int before = line_given(reading, option);
	char name[256];

	*(const char **)result = value;
	if (option->nvalues > 1)
		return 0;
	if (before == 0) {
		note_given(reading, option, cfg->line);
		return 0;
	}
	section_name(&s, option->name, name, sizeof(name));
	problems_error(reading->problems, cfg->line,
	    "%s: it is given twice, first on line %d (accepted: once)", name, before);
	return 0;
}

static const char *
section_of_directive(const char *name)
{
	for (size_t i = 0; i < directive_n; i++)
		if (strcmp(directive_table[i].name, name) == 0)
			return directive_table[i].section;
	return NULL;
}

static void
report_unknown(cfg_t *cfg, const char *name)
{
	struct section s = describe(cfg);
	const char *sentence = directive_later(s.kind, name, NULL);
	const struct directive *nearest = directive_nearest(s.kind, name);
	const char *other = section_of_directive(name);
	char full[256];

	section_name(&s, name, full, sizeof(full));
	if (sentence != NULL)
		problems_error(
		    reading->problems, cfg->line, "%s: unknown directive: %s", full, sentence);
	else if (nearest != NULL)
		problems_error(reading->problems, cfg->line,
		    "%s: unknown directive (did you mean %s?)", full, nearest->name);
	else if (other != NULL)
		problems_error(reading->problems, cfg->line,
		    "%s: unknown directive here (it belongs %s%s)", full,
		    other[0] == '\0' ? "outside of any section" : "in a section ", other);
	else
		problems_error(reading->problems, cfg->line,
		    "%s: unknown directive (accepted: those of `gatehouse directives`)", full);
}

static const char accepted[] = "accepted: name = value, name = {\"value\", ...}, "
    "section \"title\" { ... }";

static void __attribute__((format(printf, 2, 0)))
report(cfg_t *cfg, const char *format, va_list ap)
{
	char text[512];

	if (strcmp(format, "no such option '%s'") == 0) {
		report_unknown(cfg, va_arg(ap, const char *));
		return;
	}
	if (strcmp(format, "found duplicate title '%s'") == 0) {
		problems_error(reading->problems, cfg->line,
		    "\"%s\": this section is there already (accepted: each title once)",
		    va_arg(ap, const char *));
		return;
	}
	if (vsnprintf(text, sizeof(text), format, ap) < 0)
		text[0] = '\0';
	problems_error(reading->problems, cfg->line, "%s (%s)", text, accepted);
}

static bool
is_inside(const struct directive_section *section, const char *parent)
{
	return section->name[0] != '\0' && strcmp(section->parent, parent) == 0;
}

/* Options of one section, from the table; the caller frees them with free_options(). */
static cfg_opt_t *
make_options(const char *section)
{
	cfg_opt_t *options = calloc(directive_n + directive_n_sections + 1, sizeof(*options));
	cfg_opt_t *o = options;

	if (options == NULL)
		return NULL;
	for (size_t i = 0; i < directive_n; i++) {
		const struct directive *d = &directive_table[i];

		if (strcmp(d->section, section) == 0)
			*o++ = (cfg_opt_t){ .name = d->name, .type = CFGT_STR,
				.flags = CFGF_NODEFAULT | (directive_is_list(d) ? CFGF_LIST : 0),
				.parsecb = take_value };
	}
	for (size_t i = 0; i < directive_n_sections; i++) {
		const struct directive_section *inner = &directive_sections[i];

		if (!is_inside(inner, section))
			continue;
		*o++ = (cfg_opt_t){ .name = inner->name, .type = CFGT_SEC,
			.flags = inner->title[0] == '\0' ? 0 :
			    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES,
			.subopts = make_options(inner->name) };
	}
	return options;
}

static void
free_options(cfg_opt_t *options)
{
	for (cfg_opt_t *o = options; o != NULL && o->name != NULL; o++)
		free_options(o->subopts);
	free(options);
}

static bool
has_all_options(const cfg_opt_t *options)
{
	if (options == NULL)
		return false;
	for (const cfg_opt_t *o = options; o->name != NULL; o++)
		if (o->type == CFGT_SEC && !has_all_options(o->subopts))
			return false;
	return true;
}

static bool
init(struct tree *t)
{
	cfg_opt_t *options = make_options("");

	/* every directive takes at least three bytes of the file */
	t->given_size = t->source.n / 3 + 1;
	t->given = calloc(t->given_size, sizeof(*t->given));
	if (t->given != NULL && has_all_options(options))
		t->root = cfg_init(options, CFGF_NONE);
	free_options(options);
	if (t->root == NULL)
		problems_error(t->problems, 0, "there is not enough memory");
	return t->root != NULL;
}

bool
tree_read(struct tree *t, struct problems *p)
{
	*t = (struct tree){ .problems = p };
	if (!source_read(&t->source, p) || !init(t))
		return false;
	FILE *file = fmemopen(t->source.text, t->source.n, "r");
	if (file == NULL) {
		problems_error(p, 0, "there is not enough memory");
		return false;
	}
	reading = t;
	cfg_set_error_function(t->root, report);
	int result = cfg_parse_fp(t->root, file);
	reading = NULL;
	fclose(file);
	if (result != CFG_SUCCESS && p->n_errors == 0)
		problems_error(p, 0, "the configuration is malformed");
	return result == CFG_SUCCESS;
}

void
tree_free(struct tree *t)
{
	if (t->root != NULL)
		cfg_free(t->root);
	free(t->given);
	source_free(&t->source);
	*t = (struct tree){ 0 };
}

struct section
tree_root(const struct tree *t)
{
	return (struct section){ t, t->root, "", "", 1 };
}

size_t
section_count(const struct section *s, const char *kind)
{
	return cfg_size(s->cfg, kind);
}

struct section
section_inner(const struct section *s, const char *kind, size_t nth)
{
	cfg_t *cfg = cfg_getnsec(s->cfg, kind, (unsigned)nth);
	int line = s->kind[0] == '\0' ? source_section_line(&s->tree->source, kind, nth) : s->line;

	must(cfg != NULL);
	return (struct section){ s->tree, cfg, kind, cfg->title == NULL ? "" : cfg->title, line };
}

bool
section_has(const struct section *s, const char *name)
{
	const cfg_opt_t *option = cfg_getopt(s->cfg, name);

	must(option != NULL);
	return (option->flags & CFGF_MODIFIED) != 0;
}

int
section_line(const struct section *s, const char *name)
{
	int line = line_given(s->tree, cfg_getopt(s->cfg, name));

	return line == 0 ? s->line : line;
}

size_t
section_size(const struct section *s, const char *name)
{
	return cfg_size(s->cfg, name);
}

const char *
section_value(const struct section *s, const char *name, size_t nth)
{
	return cfg_getnstr(s->cfg, name, (unsigned)nth);
}

struct span
section_name(const struct section *s, const char *name, char *buffer, size_t size)
{
	struct text t = { buffer, 0, size - 1, false };

	if (s->title[0] != '\0')
		text_fmt(&t, "%s \"%.80s\"%s", s->kind, s->title, name[0] == '\0' ? "" : ": ");
	else if (s->kind[0] != '\0')
		text_fmt(&t, "%s%s", s->kind, name[0] == '\0' ? "" : ".");
	text_fmt(&t, "%.80s", name);
	t.p[t.n] = '\0';
	return text_span(&t);
}
