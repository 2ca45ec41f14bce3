#include "gateway/cli/audit_judge.h"

/* A body shorter than this could be in any text. */
#define BODY_MIN	16

bool
audit_holds(struct span body, struct span text)
{
	return text.n > 0 && body.n >= text.n && memmem(body.p, body.n, text.p, text.n) != NULL;
}

/* True if a name stands here as the name of something: `"name":` or `name:`, in any case. */
static bool
names_here(struct span rest, struct span name)
{
	if (!span_starts_nocase(rest, name))
		return false;
	rest = span_skip(rest, name.n);
	if (rest.n > 0 && rest.p[0] == '"')
		rest = span_skip(rest, 1);
	while (rest.n > 0 && rest.p[0] == ' ')
		rest = span_skip(rest, 1);
	return rest.n > 0 && rest.p[0] == ':';
}

unsigned
audit_identities(struct span body)
{
	unsigned bits = 0;

	for (; body.n > 0; body = span_skip(body, 1)) {
		if (span_lower(body.p[0]) != 'x')
			continue;
		for (unsigned i = 0; i < AUDIT_IDENTITIES; i++)
			if (names_here(body, span_of(audit_identity[i])))
				bits |= 1u << i;
	}
	return bits;
}

unsigned
audit_answers(const struct audit_probe *p)
{
	return p->judge == JUDGE_ANY ? ANSWER_STATUSES : p->judge == JUDGE_SECOND ? 2 : 1;
}

bool
audit_through(const struct audit *a, unsigned status)
{
	/* 101: the connection is a tunnel now, to whoever it leads */
	return status / 100 == a->baseline.status / 100 || status == 101;
}

static struct audit_outcome
passed(unsigned status)
{
	return (struct audit_outcome){ AUDIT_PASSED, status, NULL, NULL };
}

static struct audit_outcome
not_judged(unsigned status, const char *instead, const char *note)
{
	return (struct audit_outcome){ AUDIT_NOT_JUDGED, status, instead, note };
}

static struct audit_outcome
refused(unsigned status)
{
	return (struct audit_outcome){ AUDIT_REFUSED, status, NULL,
		status >= 500 && status != 501 && status != 505 ?
		"an error of the server: refused, but hardly on purpose" : NULL };
}

static struct audit_outcome
judge_one(const struct audit *a, unsigned status)
{
	if (status == 429)
		return not_judged(status, NULL, "a rate limit answered");
	return audit_through(a, status) ? passed(status) : refused(status);
}

static struct audit_outcome
judge_path(const struct audit *a, unsigned status)
{
	struct audit_outcome outcome = judge_one(a, status);

	if (outcome.verdict == AUDIT_PASSED && a->baseline.open_elsewhere &&
	    !span_eq(a->answer.body, a->baseline.body))
		return not_judged(status, NULL, "any path of this host answers without a token");
	return outcome;
}

static struct audit_outcome
judge_preflight(const struct audit *a, unsigned status)
{
	struct audit_outcome outcome = judge_one(a, status);

	if (outcome.verdict == AUDIT_PASSED)
		return not_judged(status, NULL, "it got through: right if browsers of other "
		    "origins may ask, which they do without a token");
	return outcome;
}

static struct audit_outcome
judge_any(const struct audit *a)
{
	for (unsigned i = 0; i < a->answer.n; i++)
		if (audit_through(a, a->answer.statuses[i]))
			return passed(a->answer.statuses[i]);
	return judge_one(a, a->answer.statuses[0]);
}

static struct audit_outcome
judge_second(const struct audit *a)
{
	if (!audit_through(a, a->answer.statuses[0]))
		return not_judged(a->answer.statuses[0], NULL, "the first request was refused");
	if (a->answer.n > 1)
		return judge_one(a, a->answer.statuses[1]);
	return (struct audit_outcome){ AUDIT_REFUSED, 0, "closed", NULL };
}

/* The good token with forged headers: what did the backend get? */
static struct audit_outcome
judge_seen(const struct audit *a, unsigned status)
{
	if (!audit_through(a, status))
		return judge_one(a, status);
	if (audit_holds(a->answer.body, span_make(a->marker, AUDIT_MARKER)))
		return (struct audit_outcome){ AUDIT_PASSED, status, NULL, "the backend got it" };
	if (!a->baseline.echoes)
		return not_judged(status, NULL, "sent; look for the marker among the headers that "
		    "reached the backend");
	return (struct audit_outcome){ AUDIT_REFUSED, status, "removed", NULL };
}

/* The good token, and Connection names what tells the backend who calls. */
static struct audit_outcome
judge_kept(const struct audit *a, unsigned status)
{
	unsigned lost = a->baseline.identities & ~audit_identities(a->answer.body);

	if (!audit_through(a, status))
		return judge_one(a, status);
	if (a->baseline.identities == 0)
		return not_judged(status, NULL, "sent; see whether the backend was told who calls");
	if (lost != 0)
		return (struct audit_outcome){ AUDIT_PASSED, status, NULL,
			"the backend was not told who calls" };
	return (struct audit_outcome){ AUDIT_REFUSED, status, "kept", NULL };
}

static struct audit_outcome
judge_answer(const struct audit *a, const struct audit_probe *p)
{
	unsigned status = a->answer.statuses[0];

	switch (p->judge) {
	case JUDGE_THROUGH:
		return judge_one(a, status);
	case JUDGE_PATH:
		return judge_path(a, status);
	case JUDGE_PREFLIGHT:
		return judge_preflight(a, status);
	case JUDGE_ANY:
		return judge_any(a);
	case JUDGE_SECOND:
		return judge_second(a);
	case JUDGE_SEEN:
		return judge_seen(a, status);
	case JUDGE_KEPT:
		return judge_kept(a, status);
	}
	return not_judged(status, NULL, NULL);
}

struct audit_outcome
audit_judge(const struct audit *a, const struct audit_probe *p)
{
	switch (a->answer.end) {
	case ANSWER_CAME:
		return judge_answer(a, p);
	case ANSWER_CLOSED:
		return (struct audit_outcome){ AUDIT_REFUSED, 0, "closed", NULL };
	case ANSWER_NO_HTTP:
		if (a->baseline.body.n >= BODY_MIN &&
		    audit_holds(a->answer.raw, a->baseline.body))
			return (struct audit_outcome){ AUDIT_PASSED, 0, "no HTTP",
				"what the good token gets came without a head" };
		return not_judged(0, "no HTTP", "the answer is not one of HTTP/1");
	case ANSWER_SILENT:
		return not_judged(0, "silence", "no answer came in time");
	case ANSWER_UNREACHABLE:
		return not_judged(0, "no way", "there was no connection");
	}
	return not_judged(0, "", NULL);
}
