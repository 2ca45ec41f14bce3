#include <stdio.h>
#include <string.h>

#include "gateway/base/clock.h"
#include "gateway/base/must.h"
#include "gateway/cli/explain.h"

/*
 * Rows are plain ASCII: what a token says is written by strangers, and this goes to a terminal.
 */

static const char *const words[] = {
	[EXPLAIN_PASSED] = "ok",
	[EXPLAIN_FAILED] = "FAILED",
	[EXPLAIN_OPEN] = "open",
	[EXPLAIN_NOT_LOOKED] = "-",
};

static const char *const states[] = {
	[EXPLAIN_PASSED] = "passed",
	[EXPLAIN_FAILED] = "failed",
	[EXPLAIN_OPEN] = "open",
	[EXPLAIN_NOT_LOOKED] = "not looked at",
};

struct explain_row *
explain_row(struct explain *e, const char *check, enum explain_state state)
{
	struct explain_row *row = &e->rows[e->n_rows++];

	must(e->n_rows <= EXPLAIN_ROWS_MAX);
	row->check = check;
	row->state = state;
	row->expected = TEXT_OVER(row->room[0]);
	row->found = TEXT_OVER(row->room[1]);
	return row;
}

void
explain_fail(struct explain_row *row, enum verdict verdict)
{
	row->state = EXPLAIN_FAILED;
	row->verdict = verdict;
	row->refusal = policy_verdict_refusal(verdict);
}

void
explain_put_age(struct text *t, int64_t seconds)
{
	static const struct {
		int64_t		 seconds;
		const char	*name;
	} units[] = { { 2 * 86400, "days" }, { 2 * 3600, "h" }, { 2 * 60, "min" }, { 0, "s" } };
	int64_t one[] = { 86400, 3600, 60, 1 };
	size_t i = 0;

	while (seconds < units[i].seconds && i < 3)
		i++;
	text_u64(t, seconds < 0 ? 0 : (uint64_t)(seconds / one[i]));
	text_char(t, ' ');
	text_str(t, units[i].name);
}

void
explain_put_time(struct text *t, int64_t at_s, int64_t now_s)
{
	char iso[CLOCK_ISO_LEN];

	clock_iso(iso, at_s * 1000000);
	text_put(t, span_make(iso, CLOCK_ISO_LEN - 5));
	text_str(t, at_s > now_s ? "Z, in " : "Z, ");
	explain_put_age(t, at_s > now_s ? at_s - now_s : now_s - at_s);
	text_str(t, at_s > now_s ? "" : " ago");
}

void
explain_put_names(struct text *t, const struct span *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		text_str(t, i > 0 ? ", " : "");
		text_put(t, names[i]);
	}
}

/* What the gateway would answer. */
struct outcome {
	const struct explain_row *why;	/* the first that failed; NULL: it would pass */
	const struct explain_row *open;	/* without which it would not; NULL: none */
	unsigned		  status;
	const char		 *error;
	const char		 *sentence;
	struct span		  challenge;	/* the whole line; empty: none */
};

static struct outcome
find_outcome(const struct explain *e, struct arena *arena, struct text *challenge)
{
	struct outcome o = { .status = 200 };

	for (size_t i = 0; i < e->n_rows && o.why == NULL; i++) {
		const struct explain_row *row = &e->rows[i];

		if (row->state == EXPLAIN_FAILED)
			o.why = row;
		if (row->state == EXPLAIN_OPEN && row->decides && o.open == NULL)
			o.open = row;
	}
	if (o.why == NULL)
		return o;
	o.status = refuse_status(o.why->refusal);
	o.error = refuse_error(o.why->refusal, &o.sentence);
	if (o.why->refusal == REFUSE_INVALID_TOKEN)
		o.sentence = verdict_sentence(o.why->verdict);
	refuse_describe(challenge, o.why->refusal, e->route, (struct refuse_more){
	    .sentence = o.sentence, .scope = o.why->refusal == REFUSE_SCOPE ?
	    policy_scopes(e->route, arena) : SPAN("") });
	o.challenge = text_span(challenge);
	if (o.challenge.n >= 2)
		o.challenge.n -= 2;
	return o;
}

/* Nothing of a stranger's moves the cursor. */
static char *
plain(const struct text *t, char out[EXPLAIN_TEXT_MAX + 8])
{
	for (size_t i = 0; i < t->n; i++)
		out[i] = t->p[i] < ' ' || t->p[i] > '~' ? '?' : t->p[i];
	snprintf(out + t->n, 8, "%s", t->cut ? "..." : "");
	return out;
}

static const char *
kind_name(const struct explain *e)
{
	switch (e->kind) {
	case EXPLAIN_JWT:
		return "JWT";
	case EXPLAIN_OPAQUE:
		return "opaque token";
	case EXPLAIN_OWN:
		break;
	}
	return "opaque token of the token service";
}

/* What passed is told in one line. */
static void
show_row(const struct explain_row *row)
{
	char expected[EXPLAIN_TEXT_MAX + 8], found[EXPLAIN_TEXT_MAX + 8];

	plain(&row->expected, expected);
	plain(&row->found, found);
	printf("%-6s  %-16s  ", words[row->state], row->check);
	if (row->state == EXPLAIN_NOT_LOOKED)
		printf("not looked at\n");
	else if (row->state == EXPLAIN_PASSED)
		printf("%s\n", strcmp(found, "that") == 0 ? expected : found);
	else
		printf("expected  %s\n%26sfound     %s\n", expected, "", found);
}

static void
show_text(const struct explain *e, const struct outcome *o)
{
	printf("%s of %zu characters on route \"%s\"\n", kind_name(e), e->token.n, e->route->name);
	if (e->gateway != NULL)
		printf("asked the running gateway at %s\n", e->admin);
	if (e->alone[0] != '\0')
		printf("%s%s\n", e->gateway == NULL ? "judged without a running gateway: " :
		    "warning: ", e->alone);
	printf("\n");
	for (size_t i = 0; i < e->n_rows; i++)
		show_row(&e->rows[i]);
	printf("\n");
	if (o->why != NULL)
		printf("%u %s: %s\n", o->status, o->error, o->sentence);
	else if (o->open != NULL)
		printf("can't be told here: see \"%s\"\n", o->open->check);
	else
		printf("the token would pass%s\n",
		    e->gateway == NULL ? ", as far as can be told here" : "");
	if (o->challenge.n > 0)
		printf("%.*s\n", SPAN_ARG(o->challenge));
}

static json_t *
tell_row(const struct explain_row *row)
{
	char expected[EXPLAIN_TEXT_MAX + 8], found[EXPLAIN_TEXT_MAX + 8];
	json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "check", row->check, "state",
	    states[row->state], "expected", plain(&row->expected, expected), "found",
	    plain(&row->found, found));

	if (row->state == EXPLAIN_FAILED)
		json_object_set_new(one, "verdict", json_string(row->verdict != VERDICT_ACTIVE ?
		    verdict_name(row->verdict) : "insufficient_scope"));
	return one;
}

static void
show_json(const struct explain *e, const struct outcome *o)
{
	json_t *rows = json_array(), *all;

	for (size_t i = 0; i < e->n_rows; i++)
		json_array_append_new(rows, tell_row(&e->rows[i]));
	all = json_pack("{s:s, s:s, s:b, s:o, s:o, s:s?}", "route", e->route->name, "kind",
	    kind_name(e), "would_pass", o->why == NULL && o->open == NULL,
	    "asked", e->gateway == NULL ? json_null() : json_string(e->admin), "checks", rows,
	    "failed", o->why == NULL ? NULL : o->why->check);
	if (e->alone[0] != '\0')
		json_object_set_new(all, "warning", json_string(e->alone));
	if (o->why != NULL) {
		json_object_set_new(all, "status", json_integer(o->status));
		json_object_set_new(all, "error", json_string(o->error));
		json_object_set_new(all, "error_description", json_string(o->sentence));
		json_object_set_new(all, "challenge", o->challenge.n == 0 ? json_null() :
		    json_stringn(o->challenge.p, o->challenge.n));
	}
	json_object_set_new(all, "open", o->why == NULL && o->open != NULL ?
	    json_string(o->open->check) : json_null());
	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	printf("\n");
	json_decref(all);
}

int
explain_show(const struct explain *e, bool json)
{
	char memory[4096];
	struct text challenge = TEXT_OVER(memory);
	struct arena arena;

	arena_init(&arena, NULL, 0, 65536);
	struct outcome o = find_outcome(e, &arena, &challenge);
	if (json)
		show_json(e, &o);
	else
		show_text(e, &o);
	arena_reset(&arena);
	return o.why == NULL && o.open == NULL ? CLI_DONE : CLI_FAILED;
}
