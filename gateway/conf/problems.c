#include "gateway/conf/problems.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/must.h"

static const struct span full = SPAN("further errors are left out");

void
problems_init(struct problems *p, const char *path, struct arena *arena, char *error, size_t size)
{
	must(size >= 128);
	*p = (struct problems){ .path = path, .arena = arena };
	p->errors = (struct text){ error, 0, size - full.n - 2, false };
}

/* Writes "file:line: text" into `out`, cut at its end. */
static struct span __attribute__((format(printf, 5, 0)))
compose(const struct problems *p, char *out, size_t size, int line, const char *format, va_list ap)
{
	struct text t = { out, 0, size, false };

	text_str(&t, p->path);
	if (line > 0) {
		text_char(&t, ':');
		text_u64(&t, (uint64_t)line);
	}
	text_str(&t, ": ");
	int n = vsnprintf(out + t.n, size - t.n, format, ap);
	if (n > 0)
		t.n += (size_t)n < size - t.n ? (size_t)n : size - t.n - 1;
	return text_span(&t);
}

void
problems_error(struct problems *p, int line, const char *format, ...)
{
	char buffer[1024];
	va_list ap;

	va_start(ap, format);
	struct span s = compose(p, buffer, sizeof(buffer), line, format, ap);
	va_end(ap);
	p->n_errors++;
	if (p->errors.cut)
		return;
	if (s.n + 1 > p->errors.size - p->errors.n) {
		p->errors.cut = true;
		return;
	}
	if (p->errors.n > 0)
		text_char(&p->errors, '\n');
	text_put(&p->errors, s);
}

void
problems_warn(struct problems *p, int line, const char *format, ...)
{
	char buffer[1024];
	va_list ap;

	if (p->n_warnings == PROBLEMS_WARNINGS_MAX)
		return;
	va_start(ap, format);
	struct span s = compose(p, buffer, sizeof(buffer), line, format, ap);
	va_end(ap);
	char *copy = arena_zalloc(p->arena, s.n + 1);
	if (copy == NULL) {
		problems_error(p, line, "there is not enough memory");
		return;
	}
	memcpy(copy, s.p, s.n);
	p->warnings[p->n_warnings++] = copy;
}

void
problems_finish(struct problems *p)
{
	struct text *t = &p->errors;

	t->size += full.n + 2;
	if (t->cut) {
		t->cut = false;
		if (t->n > 0)
			text_char(t, '\n');
		text_put(t, full);
	}
	t->p[t->n] = '\0';
}
