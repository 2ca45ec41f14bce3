/*
 * An audit: first what the other side does with the good token and with none, then each probe on a
 * connection of its own, then the good token once more, since refusals prove nothing if by then
 * everything is refused.
 */
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/encode.h"
#include "gateway/cli/audit.h"
#include "gateway/cli/audit_judge.h"
#include "gateway/cli/audit_probe.h"
#include "gateway/cli/audit_report.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/order.h"

#define LIMITED_WAITS	2	/* of a probe that a rate limit answers */
#define LIMITED_MAX_S	5	/* waited for it each time */

static const struct audit_probe good = { .make = make_good };
static const struct audit_probe nobody = { .make = make_bare };

static bool
starts_with(const struct text *t, struct span what)
{
	return t->n >= what.n && memcmp(t->p, what.p, what.n) == 0;
}

/* Sends what a->request holds; a->answer is what came. */
static void
exchange(struct audit *a, unsigned answers)
{
	struct span request = text_span(&a->request);
	size_t first = a->first == 0 ? request.n : a->first;
	bool bodiless = starts_with(&a->request, SPAN("HEAD ")) ||
	    starts_with(&a->request, SPAN("CONNECT "));

	answer_begin(&a->answer, answers, bodiless);
	link_exchange(&a->link, span_make(request.p, first), span_skip(request, first),
	    &a->answer);
}

/* True if a rate limit answers; one that was not over once is not waited for again. */
static bool
is_limited(const struct audit *a)
{
	return a->answer.end == ANSWER_CAME && a->answer.statuses[0] == 429 && !a->limited;
}

/* Makes and sends a probe, and waits where a rate limit says so; false after a->why. */
static bool
fire(struct audit *a, const struct audit_probe *p)
{
	a->request.n = 0;
	a->request.cut = false;
	a->first = 0;
	if (!p->make(a, p))
		return false;
	exchange(a, audit_answers(p));
	for (int waits = 0; is_limited(a); waits++) {
		unsigned wait_s = a->answer.retry_after_s == 0 ? 1 : a->answer.retry_after_s;

		if (waits == LIMITED_WAITS) {
			a->limited = true;
			break;
		}
		sleep(wait_s > LIMITED_MAX_S ? LIMITED_MAX_S : wait_s);
		exchange(a, audit_answers(p));
	}
	return true;
}

/* What came instead of the good token's answer, for a complaint. */
static int
good_failed(const struct audit *a)
{
	const json_t *exp = json_object_get(a->forge.claims, "exp");
	unsigned status = a->answer.statuses[0];

	switch (a->answer.end) {
	case ANSWER_UNREACHABLE:
		return order_failed("there is no connection to %s: %s", a->wish->url.authority,
		    a->answer.reason);
	case ANSWER_CLOSED:
	case ANSWER_SILENT:
	case ANSWER_NO_HTTP:
		return order_failed("%s gives the good token no answer of HTTP/1: is that the "
		    "right port, and %s the right scheme?", a->wish->url.authority,
		    a->wish->url.https ? "https" : "http");
	case ANSWER_CAME:
		break;
	}
	if (json_is_number(exp) && json_number_value(exp) <= (double)clock_wall_s())
		return order_failed("the good token gets %u: it is expired", status);
	return order_failed("the good token gets %u, so nothing can be told from what others "
	    "get: %s", status, status == 401 || status == 403 ? "is it meant for this URL?" :
	    "give a URL (and --method) that it is answered 2xx or 3xx");
}

/* A path that leads nowhere: is it open nevertheless? */
static bool
make_elsewhere(struct audit *a, const struct audit_probe *p)
{
	char target[64];

	(void)p;
	snprintf(target, sizeof(target), "/gatehouse-audit-%s", a->marker);
	return audit_put(a, &(struct audit_head){ .target = span_of(target) });
}

static bool
make_echo(struct audit *a, const struct audit_probe *p)
{
	char line[64];

	(void)p;
	snprintf(line, sizeof(line), "X-Gatehouse-Audit: %s\r\n", a->marker);
	return audit_put(a, &(struct audit_head){ .token = a->forge.token, .lines = line });
}

static unsigned
status_of(const struct audit *a)
{
	return a->answer.end == ANSWER_CAME ? a->answer.statuses[0] : 0;
}

/* Learns what to compare answers with; CLI_DONE, or another status after a complaint. */
static int
learn(struct audit *a)
{
	static const struct audit_probe echo = { .make = make_echo };
	static const struct audit_probe elsewhere = { .make = make_elsewhere };
	struct audit_baseline *b = &a->baseline;

	if (!fire(a, &good))
		return order_failed("%s", a->why);
	b->status = status_of(a);
	if (b->status / 100 != 2 && b->status / 100 != 3)
		return good_failed(a);
	memcpy(a->body, a->answer.body.p, a->answer.body.n);
	b->body = span_make(a->body, a->answer.body.n);
	b->identities = audit_identities(b->body);
	fire(a, &nobody);
	b->nobody = status_of(a);
	if (b->status / 100 == 3 && b->nobody / 100 == 3)
		return order_failed("the good token gets %u and no token %u: nothing can be told "
		    "from redirects; give the URL they lead to", b->status, b->nobody);
	fire(a, &elsewhere);
	b->open_elsewhere = audit_through(a, status_of(a));
	fire(a, &echo);
	b->echoes = a->answer.end == ANSWER_CAME &&
	    audit_holds(a->answer.body, span_make(a->marker, AUDIT_MARKER));
	return CLI_DONE;
}

static struct audit_outcome
probe(struct audit *a, const struct audit_probe *p)
{
	if (p->jwt && !forge_is_jwt(&a->forge))
		return (struct audit_outcome){ AUDIT_SKIPPED, 0, NULL, NULL };
	if (!fire(a, p))
		return (struct audit_outcome){ AUDIT_SKIPPED, 0, NULL, a->why };
	return audit_judge(a, p);
}

static int
run_all(struct audit *a)
{
	struct audit_report report;
	const char *trouble = NULL;

	report_begin(&report, a);
	for (size_t i = 0; i < audit_n_probes; i++) {
		struct audit_outcome outcome = probe(a, &audit_probes[i]);

		report_row(&report, &audit_probes[i], &outcome);
	}
	if (!fire(a, &good) || !audit_through(a, status_of(a)))
		trouble = "After all this the good token is refused too, so that refusals may have "
		    "had other reasons.";
	report_end(&report, trouble);
	return report.count[AUDIT_PASSED] > 0 || trouble != NULL ? CLI_FAILED : CLI_DONE;
}

static bool
prepare(struct audit *a, const struct audit_wish *wish, struct span token, struct span expired)
{
	const char *target = wish->url.target, *query = strchr(target, '?');
	uint8_t random[AUDIT_MARKER / 2];

	*a = (struct audit){ .wish = wish };
	a->query = query == NULL ? SPAN("") : span_of(query);
	a->path = span_make(target, strlen(target) - a->query.n);
	a->request = (struct text){ malloc(AUDIT_REQUEST_MAX), 0, AUDIT_REQUEST_MAX, false };
	a->forged = (struct text){ malloc(FORGE_MAX), 0, FORGE_MAX, false };
	a->body = malloc(ANSWER_BODY_MAX);
	if (a->request.p == NULL || a->forged.p == NULL || a->body == NULL ||
	    !answer_init(&a->answer) || !forge_init(&a->forge, token) ||
	    RAND_bytes(random, sizeof(random)) != 1)
		return false;
	hex_encode(random, sizeof(random), a->marker);
	a->forge.expired = expired;
	return true;
}

static void
release(struct audit *a)
{
	if (a->request.p != NULL)
		OPENSSL_cleanse(a->request.p, AUDIT_REQUEST_MAX);
	free(a->request.p);
	free(a->forged.p);
	free(a->body);
	answer_fini(&a->answer);
	forge_fini(&a->forge);
	audit_keys_fini(&a->keys);
	link_close(&a->link);
}

static void
find_keys(struct audit *a)
{
	if (!forge_is_jwt(&a->forge))
		return;
	audit_keys_find(&a->keys, a->wish->jwks, a->forge.header, a->forge.claims,
	    a->wish->ca_file, a->wish->timeout_ms);
	a->forge.public_key = a->keys.pkey;
	a->forge.public_jwk = a->keys.jwk;
	a->forge.why_no_key = a->keys.why;
}

int
audit_run(const struct audit_wish *wish, struct span token, struct span expired)
{
	struct audit a;
	const char *wrong;
	int status;

	if (!prepare(&a, wish, token, expired)) {
		status = order_failed("there is no memory");
	} else if ((wrong = link_open(&a.link, &wish->url, wish->ca_file, wish->insecure,
	    wish->timeout_ms)) != NULL) {
		status = order_failed("%s can't be reached: %s", wish->url.authority, wrong);
	} else if ((status = learn(&a)) == CLI_DONE) {
		find_keys(&a);
		status = run_all(&a);
	}
	release(&a);
	return status;
}
