/* The same resource by other paths, other methods and other versions, each time without a token. */
#include <string.h>

#include "gateway/cli/audit_probe.h"

#define TARGET_SIZE	(4 * URL_TARGET_MAX)

/* Sends a target without a token; the query of the URL goes after it. */
static bool
put_target(struct audit *a, struct text *t)
{
	text_put(t, a->query);
	if (t->cut) {
		a->why = "the path is too long";
		return false;
	}
	return audit_put(a, &(struct audit_head){ .target = text_span(t) });
}

static bool
changes_nothing(struct audit *a, const char *why)
{
	a->why = why;
	return false;
}

bool
make_path(struct audit *a, const struct audit_probe *p)
{
	char memory[TARGET_SIZE];
	struct text t = TEXT_OVER(memory);

	for (const char *c = p->argument; *c != '\0'; c++) {
		if (*c == '@')
			text_put(&t, a->path);
		else
			text_char(&t, *c);
	}
	return put_target(a, &t);
}

bool
make_path_upper(struct audit *a, const struct audit_probe *p)
{
	char memory[TARGET_SIZE];
	struct text t = TEXT_OVER(memory);

	(void)p;
	for (size_t i = 0; i < a->path.n; i++) {
		char c = a->path.p[i];

		text_char(&t, c >= 'a' && c <= 'z' ? c & ~0x20 : c);
	}
	if (span_eq(text_span(&t), a->path))
		return changes_nothing(a, "the path has no lower-case letter");
	return put_target(a, &t);
}

bool
make_path_escaped(struct audit *a, const struct audit_probe *p)
{
	char memory[TARGET_SIZE];
	struct text t = TEXT_OVER(memory);
	size_t at = 0;

	while (at < a->path.n && (a->path.p[at] == '%' || span_lower(a->path.p[at]) < 'a' ||
	    span_lower(a->path.p[at]) > 'z'))
		at += a->path.p[at] == '%' ? 3 : 1;
	if (at >= a->path.n)
		return changes_nothing(a, "the path has no letter");
	text_put(&t, span_make(a->path.p, at));
	text_fmt(&t, "%s%02X", p->argument, (unsigned char)a->path.p[at]);
	text_put(&t, span_skip(a->path, at + 1));
	return put_target(a, &t);
}

bool
make_path_slash(struct audit *a, const struct audit_probe *p)
{
	char memory[TARGET_SIZE];
	struct text t = TEXT_OVER(memory);
	size_t at = a->path.n - 1;

	while (at > 0 && (a->path.p[at] != '/' || at + 1 == a->path.n))
		at--;
	if (a->path.n == 1)
		return changes_nothing(a, "the path is only a slash");
	/* a target begins with a slash: what is replaced then comes after it */
	text_put(&t, at == 0 ? SPAN("/") : span_make(a->path.p, at));
	text_str(&t, p->argument);
	text_put(&t, span_skip(a->path, at + 1));
	return put_target(a, &t);
}

bool
make_absolute(struct audit *a, const struct audit_probe *p)
{
	char memory[TARGET_SIZE];
	struct text t = TEXT_OVER(memory);

	text_str(&t, a->wish->url.https ? "https://" : "http://");
	text_str(&t, p->argument == NULL ? a->wish->url.authority : p->argument);
	text_put(&t, a->path);
	return put_target(a, &t);
}

bool
make_method(struct audit *a, const struct audit_probe *p)
{
	char lower[32] = "";

	for (size_t i = 0; a->wish->method[i] != '\0' && i + 1 < sizeof(lower); i++)
		lower[i] = span_lower(a->wish->method[i]);
	const char *method = p->argument == NULL ? lower : p->argument;
	if (strcmp(method, a->wish->method) == 0)
		return changes_nothing(a, "that is the method of all the others");
	return audit_put(a, &(struct audit_head){ .method = method });
}

bool
make_connect(struct audit *a, const struct audit_probe *p)
{
	char target[URL_HOST_MAX + 16];
	bool v6 = strchr(a->wish->url.host, ':') != NULL;

	(void)p;
	snprintf(target, sizeof(target), "%s%s%s:%s", v6 ? "[" : "", a->wish->url.host,
	    v6 ? "]" : "", a->wish->url.port);
	return audit_put(a, &(struct audit_head){ .method = "CONNECT", .target = span_of(target) });
}

bool
make_version(struct audit *a, const struct audit_probe *p)
{
	return audit_put(a, &(struct audit_head){ .version = p->argument });
}

bool
make_simple(struct audit *a, const struct audit_probe *p)
{
	(void)p;
	text_str(&a->request, "GET ");
	text_str(&a->request, a->wish->url.target);
	/* the empty line is for those who wait for headers; HTTP/0.9 has none */
	text_str(&a->request, "\r\n\r\n");
	return true;
}
