#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/encode.h"
#include "gateway/cli/plain.h"
#include "gateway/cli/store.h"

/*
 * How results are shown. A column's type decides about its JSON; for people a JSON array of texts
 * is the texts with spaces between them, and null is "-".
 */

#define COLUMN_GAP	2
#define NOTHING		"-"

/* pg_type.dat of PostgreSQL. */
enum type {
	TYPE_BOOL = 16,
	TYPE_INT8 = 20,
	TYPE_INT4 = 23,
	TYPE_JSON = 114,
};

static json_t *
cell_json(const PGresult *result, int row, int column)
{
	const char *text = PQgetvalue(result, row, column);

	if (PQgetisnull(result, row, column))
		return json_null();
	switch (PQftype(result, column)) {
	case TYPE_BOOL:
		return json_boolean(text[0] == 't');
	case TYPE_INT4:
	case TYPE_INT8:
		return json_integer(strtoll(text, NULL, 10));
	case TYPE_JSON:
		return json_loads(text, JSON_DECODE_ANY, NULL);
	default:
		return json_string(text);
	}
}

static json_t *
row_json(const PGresult *result, int row)
{
	json_t *object = json_object();

	for (int c = 0; c < PQnfields(result); c++)
		json_object_set_new(object, PQfname(result, c), cell_json(result, row, c));
	return object;
}

static void
print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	printf("\n");
	json_decref(value);
}

/* The members of a JSON array of texts with a space between them; the caller frees it. */
static char *
join(const char *text)
{
	json_t *list = json_loads(text, 0, NULL), *member;
	char *joined = calloc(1, strlen(text) + 1);
	size_t i;

	if (joined != NULL)
		json_array_foreach(list, i, member) {
			if (i > 0)
				strcat(joined, " ");
			strcat(joined, json_is_string(member) ? json_string_value(member) : "?");
		}
	json_decref(list);
	return joined;
}

static char *
copy_cell(const PGresult *result, int row, int column)
{
	const char *text = PQgetvalue(result, row, column);
	char *joined;

	if (PQgetisnull(result, row, column))
		return strdup(NOTHING);
	if (PQftype(result, column) == TYPE_BOOL)
		return strdup(text[0] == 't' ? "yes" : "no");
	if (PQftype(result, column) != TYPE_JSON)
		return strdup(text);
	joined = join(text);
	if (joined != NULL && joined[0] != '\0')
		return joined;
	free(joined);
	return strdup(NOTHING);
}

/* A cell as people read it; the caller frees it. */
static char *
cell_text(const PGresult *result, int row, int column)
{
	char *text = copy_cell(result, row, column);

	if (text != NULL)
		plain_text(text);
	return text;
}

/* Columns of a screen that a text takes: its characters. */
static int
width(const char *text)
{
	struct span rest = span_of(text);
	int n = 0;

	for (; rest.n > 0; n++) {
		size_t length = utf8_length(rest);

		rest = span_skip(rest, length == 0 ? 1 : length);
	}
	return n;
}

static void
pad(int from, int to)
{
	printf("%*s", from < to ? to - from : 0, "");
}

/* "client_id" as a heading: "CLIENT ID". */
static void
print_heading(const char *name)
{
	for (; *name != '\0'; name++)
		putchar(*name == '_' ? ' ' :
		    *name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
}

static void
print_table(const PGresult *result, int *widths)
{
	int columns = PQnfields(result), rows = PQntuples(result);

	for (int c = 0; c < columns; c++) {
		widths[c] = width(PQfname(result, c));
		for (int r = 0; r < rows; r++) {
			char *text = cell_text(result, r, c);

			if (text != NULL && width(text) > widths[c])
				widths[c] = width(text);
			free(text);
		}
	}
	for (int r = -1; r < rows; r++) {
		for (int c = 0; c < columns; c++) {
			char *text = r < 0 ? strdup(PQfname(result, c)) : cell_text(result, r, c);

			if (r < 0)
				print_heading(text == NULL ? "" : text);
			else
				printf("%s", text == NULL ? "" : text);
			if (c + 1 < columns)
				pad(width(text == NULL ? "" : text), widths[c] + COLUMN_GAP);
			free(text);
		}
		printf("\n");
	}
}

void
store_show_list(const struct store *s, const PGresult *result, const char *nothing)
{
	int *widths = calloc((size_t)PQnfields(result) + 1, sizeof(*widths));

	if (s->json) {
		json_t *list = json_array();

		for (int r = 0; r < PQntuples(result); r++)
			json_array_append_new(list, row_json(result, r));
		print_json(list);
	} else if (PQntuples(result) == 0) {
		printf("%s\n", nothing);
	} else if (widths != NULL) {
		print_table(result, widths);
	}
	free(widths);
}

void
store_show_row(const struct store *s, const PGresult *result)
{
	int widest = 0;

	if (s->json) {
		print_json(row_json(result, 0));
		return;
	}
	for (int c = 0; c < PQnfields(result); c++)
		if (width(PQfname(result, c)) > widest)
			widest = width(PQfname(result, c));
	for (int c = 0; c < PQnfields(result); c++) {
		char *text = cell_text(result, 0, c);

		printf("%s", PQfname(result, c));
		pad(width(PQfname(result, c)), widest + COLUMN_GAP);
		printf("%s\n", text == NULL ? "" : text);
		free(text);
	}
}
