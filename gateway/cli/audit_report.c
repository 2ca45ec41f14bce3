#include "gateway/cli/audit_report.h"

#include <stdio.h>

static const char *const verdicts[AUDIT_VERDICTS] = {
	[AUDIT_REFUSED] = "refused",
	[AUDIT_PASSED] = "PASSED",
	[AUDIT_NOT_JUDGED] = "not judged",
	[AUDIT_SKIPPED] = "skipped",
};

static const char *const json_verdicts[AUDIT_VERDICTS] = {
	[AUDIT_REFUSED] = "refused",
	[AUDIT_PASSED] = "passed",
	[AUDIT_NOT_JUDGED] = "not_judged",
	[AUDIT_SKIPPED] = "skipped",
};

static const char *
expected(const struct audit_probe *p)
{
	return p->judge == JUDGE_SEEN ? "removed" : p->judge == JUDGE_KEPT ? "kept" : "refused";
}

void
report_begin(struct audit_report *r, const struct audit *a)
{
	const struct audit_baseline *b = &a->baseline;

	*r = (struct audit_report){ .audit = a, .group = "" };
	if (a->wish->json) {
		r->rows = json_array();
		return;
	}
	printf("%s %s://%s%.*s: the good token gets %u, so whatever else gets %uxx got through.\n",
	    a->wish->method, a->wish->url.https ? "https" : "http", a->wish->url.authority,
	    SPAN_ARG(a->path), b->status, b->status / 100);
	if (audit_through(a, b->nobody))
		printf("No token gets %u too: is this URL protected at all?\n", b->nobody);
	if (!b->echoes)
		printf("The answer does not show what headers the backend gets, so what is sent to "
		    "fool it is not\njudged: look for the value %s in the backend's log.\n",
		    a->marker);
	if (!forge_is_jwt(&a->forge))
		printf("The token is opaque: what forges JWTs is skipped.\n");
}

static void
print_row(struct audit_report *r, const struct audit_probe *p, const struct audit_outcome *o)
{
	char status[16] = "-";

	if (strcmp(r->group, p->group) != 0)
		printf("\n%-10s  %-7s  %-8s  %s\n", "verdict", "got", "expected", p->group);
	r->group = p->group;
	if (o->status != 0)
		snprintf(status, sizeof(status), "%u", o->status);
	printf("%-10s  %-7s  %-8s  %s: %s\n", verdicts[o->verdict],
	    o->instead != NULL ? o->instead : status, expected(p), p->name, p->sent);
	if (o->note != NULL)
		printf("%31s%s\n", "", o->note);
	fflush(stdout);
}

static void
add_row(struct audit_report *r, const struct audit_probe *p, const struct audit_outcome *o)
{
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?}", "group", p->group,
	    "name", p->name, "sent", p->sent, "expected", expected(p), "verdict",
	    json_verdicts[o->verdict], "got", o->instead);

	json_object_set_new(row, "status", o->status == 0 ? json_null() :
	    json_integer(o->status));
	json_object_set_new(row, "note", o->note == NULL ? json_null() : json_string(o->note));
	json_array_append_new(r->rows, row);
}

void
report_row(struct audit_report *r, const struct audit_probe *p,
    const struct audit_outcome *outcome)
{
	r->count[outcome->verdict]++;
	if (r->rows == NULL)
		print_row(r, p, outcome);
	else
		add_row(r, p, outcome);
}

static void
dump(struct audit_report *r, const char *trouble, unsigned sent)
{
	const struct audit *a = r->audit;
	char url[URL_HOST_MAX + URL_TARGET_MAX + 32];
	json_t *all;

	snprintf(url, sizeof(url), "%s://%s%.*s", a->wish->url.https ? "https" : "http",
	    a->wish->url.authority, SPAN_ARG(a->path));
	all = json_pack("{s:s, s:s, s:i, s:i, s:b, s:b, s:s, s:s?, s:i, s:i, s:i, s:i, s:i, s:O}",
	    "url", url, "method", a->wish->method, "good_status", (int)a->baseline.status,
	    "no_token_status", (int)a->baseline.nobody, "jwt", (int)forge_is_jwt(&a->forge),
	    "echoes", (int)a->baseline.echoes, "marker", a->marker, "trouble", trouble,
	    "sent", (int)sent, "passed", (int)r->count[AUDIT_PASSED], "refused",
	    (int)r->count[AUDIT_REFUSED], "not_judged", (int)r->count[AUDIT_NOT_JUDGED],
	    "skipped", (int)r->count[AUDIT_SKIPPED], "probes", r->rows);
	json_dumpf(all, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	printf("\n");
	json_decref(all);
	json_decref(r->rows);
	r->rows = NULL;
}

void
report_end(struct audit_report *r, const char *trouble)
{
	unsigned sent = r->count[AUDIT_REFUSED] + r->count[AUDIT_PASSED] +
	    r->count[AUDIT_NOT_JUDGED];

	if (r->rows != NULL) {
		dump(r, trouble, sent);
		return;
	}
	printf("\n");
	if (trouble != NULL)
		printf("%s\n", trouble);
	printf("%u of %u got through", r->count[AUDIT_PASSED], sent);
	if (r->count[AUDIT_NOT_JUDGED] > 0)
		printf(", %u not judged", r->count[AUDIT_NOT_JUDGED]);
	if (r->count[AUDIT_SKIPPED] > 0)
		printf(", %u skipped", r->count[AUDIT_SKIPPED]);
	printf("\n");
}
