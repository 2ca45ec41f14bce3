#include "gateway/conf/directive.h"

#include <string.h>

#include "gateway/conf/config.h"
#include "gateway/conf/value.h"

/*
 * directive.def is read three times: for the sections, for the directives, and for what is not
 * there yet. Everything else looks rows up; there are few enough of them for a plain walk.
 */
#define REQUIRED	NULL
#define HOURS(n)	((uint64_t)(n) * 3600 * 1000)
#define KIB(n)		((uint64_t)(n) << 10)
#define MIB(n)		((uint64_t)(n) << 20)
#define GIB(n)		((uint64_t)(n) << 30)
#define BY_HAND		true, 0, 0
#define FIELD(s, field)	false, offsetof(struct s, field), sizeof(((struct s *)0)->field)

const struct directive_section directive_sections[] = {
#define SECTION(name, title, parent, sentence)	{ name, title, parent, sentence },
#define DIRECTIVE(...)
#define LATER(...)
#include "gateway/conf/directive.def"
#undef SECTION
#undef DIRECTIVE
#undef LATER
};
const size_t directive_n_sections = sizeof(directive_sections) / sizeof(directive_sections[0]);

const struct directive directive_table[] = {
#define SECTION(...)
#define DIRECTIVE(section, name, type, fallback, least, most, accepts, changes, weakens, ...) \
	{ section, name, DIRECTIVE_##type, fallback, least, most, accepts, DIRECTIVE_##changes, \
	    weakens, __VA_ARGS__ },
#define LATER(...)
#include "gateway/conf/directive.def"
#undef SECTION
#undef DIRECTIVE
#undef LATER
};
const size_t directive_n = sizeof(directive_table) / sizeof(directive_table[0]);

static const struct {
	const char	*section;
	const char	*name;
	const char	*value;
	const char	*sentence;
} later[] = {
#define SECTION(...)
#define DIRECTIVE(...)
#define LATER(section, name, value, sentence)	{ section, name, value, sentence },
#include "gateway/conf/directive.def"
};

static const struct {
	const char	*name;
	const char	*singular;	/* "a size", for sentences */
	bool		 list;
	bool		 quoted;
} types[] = {
	[DIRECTIVE_STRING] = { "string", "a string", false, true },
	[DIRECTIVE_PATH] = { "path", "a path", false, true },
	[DIRECTIVE_NUMBER] = { "number", "a number", false, false },
	[DIRECTIVE_NUMBER64] = { "number", "a number", false, false },
	[DIRECTIVE_SECONDS] = { "seconds", "seconds", false, false },
	[DIRECTIVE_WHOLE_SECONDS] = { "whole seconds", "whole seconds", false, false },
	[DIRECTIVE_SHARE] = { "share", "a number", false, false },
	[DIRECTIVE_SIZE] = { "size", "a size", false, true },
	[DIRECTIVE_BOOL] = { "true or false", "true or false", false, false },
	[DIRECTIVE_CHOICE] = { "choice", "a choice", false, true },
	[DIRECTIVE_RATE] = { "rate", "a rate as in \"100/s\"", false, true },
	[DIRECTIVE_SPANS] = { "list of strings", "a list of strings", true, true },
	[DIRECTIVE_STRINGS] = { "list of strings", "a list of strings", true, true },
};

const struct directive *
directive_find(const char *section, const char *name)
{
	for (size_t i = 0; i < directive_n; i++)
		if (strcmp(directive_table[i].name, name) == 0 &&
		    strcmp(directive_table[i].section, section) == 0)
			return &directive_table[i];
	return NULL;
}

const struct directive_section *
directive_section_find(const char *name)
{
	for (size_t i = 0; i < directive_n_sections; i++)
		if (strcmp(directive_sections[i].name, name) == 0)
			return &directive_sections[i];
	return NULL;
}

const char *
directive_later(const char *section, const char *name, const char *value)
{
	if (value == NULL)
		value = "";
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		if (strcmp(later[i].section, section) == 0 && strcmp(later[i].name, name) == 0 &&
		    strcmp(later[i].value, value) == 0)
			return later[i].sentence;
	return NULL;
}

/*
 * Edits (a letter more, less or another one) from a to b; names longer than the row count as far.
 */
static size_t
distance(const char *a, const char *b)
{
	size_t row[33], n = strlen(b);

	if (n > 32)
		return n;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (; *a != '\0'; a++) {
		size_t corner = row[0]++;

		for (size_t j = 1; j <= n; j++) {
			size_t least = corner + (*a != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < least)
				least = row[j] + 1;
			if (row[j - 1] + 1 < least)
				least = row[j - 1] + 1;
			row[j] = least;
		}
	}
	return row[n];
}

const struct directive *
directive_nearest(const char *section, const char *name)
{
	const struct directive *nearest = NULL;
	size_t least = 3;

	for (size_t i = 0; i < directive_n; i++) {
		size_t d = distance(name, directive_table[i].name);

		if (strcmp(directive_table[i].section, section) != 0 || d >= least)
			continue;
		nearest = &directive_table[i];
		least = d;
	}
	return nearest;
}

bool
directive_is_list(const struct directive *d)
{
	return types[d->type].list;
}

bool
directive_is_quoted(const struct directive *d)
{
	return types[d->type].quoted;
}

const char *
directive_type_name(const struct directive *d)
{
	return types[d->type].name;
}

static void
put_number(const struct directive *d, struct text *out, uint64_t number)
{
	if (d->type == DIRECTIVE_SIZE)
		value_put_size(out, number);
	else if (d->type == DIRECTIVE_SECONDS || d->type == DIRECTIVE_SHARE)
		value_put_ms(out, number);
	else
		text_u64(out, number);
}

/* "error, warn or debug". */
static void
put_choices(const char *choices, struct text *out)
{
	struct span rest = span_of(choices), item;
	bool first = true;

	while (span_next(&rest, '|', &item)) {
		if (!first)
			text_str(out, rest.p == NULL ? " or " : ", ");
		text_put(out, item);
		first = false;
	}
}

static bool
has_choices(const struct directive *d)
{
	return strchr(d->accepts, '|') != NULL || d->type == DIRECTIVE_CHOICE;
}

void
directive_accepts(const struct directive *d, struct text *out)
{
	bool counted = d->most > d->least && d->type != DIRECTIVE_STRING &&
		       d->type != DIRECTIVE_PATH && !directive_is_list(d);

	if (directive_is_list(d) && has_choices(d))
		text_str(out, "a list of ");
	if (has_choices(d))
		put_choices(d->accepts, out);
	else if (d->accepts[0] != '\0')
		text_str(out, d->accepts);
	else
		text_str(out, types[d->type].singular);
	if (!counted)
		return;
	text_str(out, d->type == DIRECTIVE_SECONDS || d->type == DIRECTIVE_WHOLE_SECONDS ?
	    ", " : " from ");
	put_number(d, out, d->least);
	text_str(out, " to ");
	put_number(d, out, d->most);
}

/* False if the text is not of the type at all. */
static bool
parse(const struct directive *d, struct span s, struct directive_value *out)
{
	bool truth = false;
	int choice;

	switch (d->type) {
	case DIRECTIVE_NUMBER:
	case DIRECTIVE_NUMBER64:
	case DIRECTIVE_WHOLE_SECONDS:
		return span_to_u64(s, &out->number);
	case DIRECTIVE_SECONDS:
	case DIRECTIVE_SHARE:
		return value_ms(s, &out->number);
	case DIRECTIVE_SIZE:
		return value_size(s, &out->number);
	case DIRECTIVE_BOOL:
		if (!value_bool(s, &truth))
			return false;
		out->number = truth;
		return true;
	case DIRECTIVE_RATE:
		return s.n == 0 || (value_rate(s, &out->number, &out->period_us) &&
		    out->number <= out->period_us);
	case DIRECTIVE_STRING:
	case DIRECTIVE_PATH:
		out->number = s.n;
		return true;
	case DIRECTIVE_CHOICE:
	case DIRECTIVE_SPANS:
	case DIRECTIVE_STRINGS:
		if (!has_choices(d))
			return true;
		choice = value_choice(s, d->accepts);
		out->number = (uint64_t)choice;
		return choice >= 0;
	}
	return false;
}

static bool
is_clean(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

bool
directive_read(const struct directive *d, const char *value, struct directive_value *out,
    struct text *why)
{
	struct span s = span_of(value);

	*out = (struct directive_value){ 0 };
	if (!is_clean(s)) {
		text_str(why, "there is a control character in the value");
		return false;
	}
	if (!parse(d, s, out)) {
		text_fmt(why, "\"%.100s\" is not accepted", value);
		return false;
	}
	if (directive_is_list(d) || d->most <= d->least)
		return true;
	if (out->number >= d->least && out->number <= d->most)
		return true;
	if (s.n == 0)
		text_str(why, "it is empty");
	else if (d->type == DIRECTIVE_STRING || d->type == DIRECTIVE_PATH)
		text_fmt(why, "it is too long, over %llu bytes", (unsigned long long)d->most);
	else
		text_fmt(why, "%.100s is out of bounds", value);
	return false;
}
