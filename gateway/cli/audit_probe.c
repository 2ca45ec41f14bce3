#include "gateway/cli/audit_probe.h"

#include <string.h>

#define TOKEN(group, name, sent, forge, argument) \
	{ group, name, sent, make_token, forge, argument, false, JUDGE_THROUGH },
#define JWT(group, name, sent, forge, argument) \
	{ group, name, sent, make_token, forge, argument, true, JUDGE_THROUGH },
#define PROBE(group, name, sent, make, argument, judge) \
	{ group, name, sent, make, NULL, argument, false, JUDGE_##judge },

const struct audit_probe audit_probes[] = {
#include "gateway/cli/audit_probe.def"
};

const size_t audit_n_probes = sizeof(audit_probes) / sizeof(audit_probes[0]);

/* True of methods whose requests say how long their body is even if there is none. */
static bool
has_body(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
	    strcmp(method, "PATCH") == 0;
}

static void
put_framing(struct text *t, const struct audit_head *head, const char *method)
{
	if (head->framed || (head->content.n == 0 && !has_body(method)))
		return;
	text_str(t, "Content-Length: ");
	text_u64(t, head->content.n);
	text_str(t, "\r\n");
}

bool
audit_put(struct audit *a, const struct audit_head *head)
{
	struct text *t = &a->request;
	const char *method = head->method == NULL ? a->wish->method : head->method;

	text_str(t, method);
	text_char(t, ' ');
	text_put(t, head->target.n == 0 ? span_of(a->wish->url.target) : head->target);
	text_char(t, ' ');
	text_str(t, head->version == NULL ? "HTTP/1.1" : head->version);
	text_str(t, "\r\n");
	if (!a->wish->has_host) {
		text_str(t, "Host: ");
		text_str(t, a->wish->url.authority);
		text_str(t, "\r\n");
	}
	text_str(t, "User-Agent: gatehouse-audit\r\nAccept: */*\r\n");
	text_str(t, a->wish->headers);
	if (head->token.n > 0) {
		text_str(t, "Authorization: Bearer ");
		text_put(t, head->token);
		text_str(t, "\r\n");
	}
	if (head->lines != NULL)
		text_str(t, head->lines);
	put_framing(t, head, method);
	text_str(t, "Connection: ");
	text_str(t, head->connection == NULL ? "close" : head->connection);
	text_str(t, "\r\n\r\n");
	text_put(t, head->content);
	if (t->cut)
		a->why = "the request would be too long";
	return !t->cut;
}
