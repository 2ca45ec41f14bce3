#include "gateway/base/metric_page.h"

#include <stdio.h>
#include <stdlib.h>

#include "shm/counter.h"
#include "shm/names.h"

struct sample {
	enum metric	metric;
	uint16_t	label[METRIC_LABELS];
	double		value;
};

struct metric_page {
	const struct names	*names;
	bool			 short_of_memory;
	size_t			 n;
	size_t			 size;
	struct sample		*samples;
};

void
metric_page_add(struct metric_page *page, enum metric m, double value,
    const uint16_t label[METRIC_LABELS])
{
	if (page->n == page->size) {
		size_t size = page->size == 0 ? 256 : page->size * 2;
		struct sample *more = realloc(page->samples, size * sizeof(*more));

		if (more == NULL) {
			page->short_of_memory = true;
			return;
		}
		page->samples = more;
		page->size = size;
	}
	page->samples[page->n++] = (struct sample){ m, { label[0], label[1], label[2] }, value };
}

static void
take_sum(void *argument, uint64_t key, uint64_t total)
{
	uint16_t label[METRIC_LABELS] = { 0 };
	enum metric m = METRIC_SERIES_OVERFLOW;

	if (key != COUNTER_OVERFLOW)
		m = metric_of(key, label);
	if (m != METRIC_NONE)
		metric_page_add(argument, m, (double)total, label);
}

/* A metric without labels is there from the start, so that its rate can be taken. */
static void
start_from_zero(struct metric_page *page)
{
	for (int m = METRIC_NONE + 1; m < METRIC_END; m++)
		if (metric_table[m].labels[0] == '\0' && metric_table[m].type != METRIC_MEASURED)
			metric_page_set(page, (enum metric)m, 0, 0);
}

struct metric_page *
metric_page_new(const struct counter *c, const struct names *n)
{
	struct metric_page *page = calloc(1, sizeof(*page));

	if (page == NULL)
		return NULL;
	page->names = n;
	start_from_zero(page);
	counter_sum(c, take_sum, page);
	return page;
}

void
metric_page_free(struct metric_page **page)
{
	if (*page != NULL)
		free((*page)->samples);
	free(*page);
	*page = NULL;
}

static int
by_series(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	if (x->metric != y->metric)
		return x->metric < y->metric ? -1 : 1;
	for (int i = 0; i < METRIC_LABELS; i++)
		if (x->label[i] != y->label[i])
			return x->label[i] < y->label[i] ? -1 : 1;
	return 0;
}

/* Adds up samples of one series: the zero it started from, and what was counted. */
static void
merge(struct metric_page *page)
{
	size_t kept = 0;

	for (size_t i = 0; i < page->n; i++) {
		if (kept > 0 && by_series(&page->samples[kept - 1], &page->samples[i]) == 0)
			page->samples[kept - 1].value += page->samples[i].value;
		else
			page->samples[kept++] = page->samples[i];
	}
	page->n = kept;
}

static void
write_escaped(FILE *out, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			fputs("\\n", out);
		else {
			if (p[i] == '"' || p[i] == '\\')
				fputc('\\', out);
			fputc(p[i], out);
		}
	}
}

static void
write_label_value(FILE *out, const struct names *names, uint16_t label, bool number)
{
	size_t n = 0;
	const char *name = number ? NULL : names_get(names, label, &n);

	if (number)
		fprintf(out, "%u", label);
	else if (name != NULL)
		write_escaped(out, name, n);
}

/* Writes `{route="a",le="0.1"}`; `le` is NULL but for a bucket. */
static void
write_labels(FILE *out, const struct metric_page *page, const struct sample *s, const char *le)
{
	struct span rest = span_of(metric_table[s->metric].labels), name;
	char before = '{';

	for (int i = 0; span_next(&rest, ',', &name) && name.n > 0; i++) {
		bool number = name.p[0] == '#';

		name = span_skip(name, number ? 1 : 0);
		fprintf(out, "%c%.*s=\"", before, SPAN_ARG(name));
		write_label_value(out, page->names, s->label[i], number);
		fputc('"', out);
		before = ',';
	}
	if (le != NULL) {
		fprintf(out, "%cle=\"%s\"", before, le);
		before = ',';
	}
	if (before == ',')
		fputc('}', out);
}

static void
write_value(FILE *out, const struct metric_page *page, const struct sample *s, const char *suffix,
    const char *le, double value)
{
	fprintf(out, "gatehouse_%s%s", metric_table[s->metric].name, suffix);
	write_labels(out, page, s, le);
	fprintf(out, " %.15g\n", value);
}

/* Writes one histogram out of the n samples that are its parts. */
static void
write_histogram(FILE *out, const struct metric_page *page, const struct sample *s, size_t n)
{
	double count[METRIC_BOUNDS + 1] = { 0 }, so_far = 0, sum_us = 0;
	char le[32];

	for (size_t i = 0; i < n; i++) {
		if (s[i].label[2] == 0)
			sum_us = s[i].value;
		else if (s[i].label[2] <= METRIC_BOUNDS + 1)
			count[s[i].label[2] - 1] = s[i].value;
	}
	for (int i = 0; i < METRIC_BOUNDS; i++) {
		so_far += count[i];
		snprintf(le, sizeof(le), "%g", metric_bounds_us[i] / 1e6);
		write_value(out, page, s, "_bucket", le, so_far);
	}
	so_far += count[METRIC_BOUNDS];
	write_value(out, page, s, "_bucket", "+Inf", so_far);
	write_value(out, page, s, "_sum", NULL, sum_us / 1e6);
	write_value(out, page, s, "_count", NULL, so_far);
}

static void
write_head(FILE *out, const struct metric_row *row)
{
	static const char *const type[] = {
		[METRIC_COUNTER] = "counter",
		[METRIC_HISTOGRAM] = "histogram",
		[METRIC_MEASURED] = "gauge",
		[METRIC_COUNTED] = "counter",
	};

	fprintf(out, "# HELP gatehouse_%s %s\n# TYPE gatehouse_%s %s\n", row->name, row->help,
	    row->name, type[row->type]);
}

/* How many samples from here on are parts of one histogram. */
static size_t
histogram_parts(const struct sample *s, size_t n)
{
	size_t parts = 1;

	while (parts < n && s[parts].label[0] == s->label[0] && s[parts].label[1] == s->label[1])
		parts++;
	return parts;
}

/*
 * Writes all samples of one metric; its head also when there are none yet, so that it can be
 * found.
 */
static void
write_metric(FILE *out, const struct metric_page *page, enum metric m, const struct sample *s,
    size_t n)
{
	size_t parts = 1;

	write_head(out, &metric_table[m]);
	for (size_t i = 0; i < n; i += parts) {
		if (metric_table[m].type != METRIC_HISTOGRAM) {
			write_value(out, page, &s[i], "", NULL, s[i].value);
			continue;
		}
		parts = histogram_parts(&s[i], n - i);
		write_histogram(out, page, &s[i], parts);
	}
}

static void
write_all(FILE *out, const struct metric_page *page)
{
	size_t at = 0;

	for (int m = METRIC_NONE + 1; m < METRIC_END; m++) {
		size_t end = at;

		while (end < page->n && (int)page->samples[end].metric == m)
			end++;
		write_metric(out, page, (enum metric)m, &page->samples[at], end - at);
		at = end;
	}
}

bool
metric_page_write(struct metric_page *page, char **text, size_t *n)
{
	FILE *out = open_memstream(text, n);
	bool fine;

	if (out == NULL)
		return false;
	qsort(page->samples, page->n, sizeof(*page->samples), by_series);
	merge(page);
	write_all(out, page);
	fine = !ferror(out) && !page->short_of_memory;
	if (fclose(out) == 0 && fine)
		return true;
	free(*text);
	*text = NULL;
	return false;
}
