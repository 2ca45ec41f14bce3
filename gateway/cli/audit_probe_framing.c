/*
 * Requests whose end two programs could see in two places. In each body lies a second request, and
 * neither has a token: whatever is answered as if it had one got through.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/cli/audit_probe.h"

#define INNER	(AUDIT_HEADERS_MAX + URL_TARGET_MAX + URL_HOST_MAX + 512)
#define LINES	512

/* Takes what audit_put() writes of a request without a token into other memory. */
static bool
write_inner(struct audit *a, struct text *to)
{
	struct text request = a->request;
	bool good;

	a->request = *to;
	good = audit_put(a, &(struct audit_head){ 0 });
	*to = a->request;
	a->request = request;
	return good;
}

bool
make_framing(struct audit *a, const struct audit_probe *p)
{
	char body_memory[INNER], lines[LINES];
	struct text body = TEXT_OVER(body_memory), t = { lines, 0, sizeof(lines) - 1, false };

	if (strstr(p->argument, "chunked") != NULL)
		text_str(&body, "0\r\n\r\n");
	if (!write_inner(a, &body))
		return false;
	for (const char *c = p->argument; *c != '\0'; c++) {
		if (*c == '%')
			text_u64(&t, body.n);
		else
			text_char(&t, *c);
	}
	lines[t.n] = '\0';
	return audit_put(a, &(struct audit_head){ .lines = lines, .connection = "keep-alive",
		.content = text_span(&body), .framed = true });
}

bool
make_bare_lf(struct audit *a, const struct audit_probe *p)
{
	size_t n = 0;

	(void)p;
	if (!audit_put(a, &(struct audit_head){ 0 }))
		return false;
	for (size_t i = 0; i < a->request.n; i++)
		if (a->request.p[i] != '\r')
			a->request.p[n++] = a->request.p[i];
	a->request.n = n;
	return true;
}

bool
make_second(struct audit *a, const struct audit_probe *p)
{
	(void)p;
	if (!audit_put(a, &(struct audit_head){ .token = a->forge.token,
		.connection = "keep-alive" }))
		return false;
	a->first = a->request.n;
	return audit_put(a, &(struct audit_head){ 0 });
}
