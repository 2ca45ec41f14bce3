/*
 * Text is written into memory of a fixed size: heads, bodies, log lines.
 *
 * A text never grows and never writes past its end: what does not fit is left out and `cut` is set,
 * once and for all, so a writer puts everything and looks at `cut` at the end.
 */
#ifndef GATEWAY_BASE_TEXT_H
#define GATEWAY_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "gateway/base/span.h"

struct text {
	char	*p;
	size_t	 n;		/* bytes written */
	size_t	 size;		/* bytes there are */
	bool	 cut;		/* something did not fit */
};

#define TEXT_OVER(array)	((struct text){ (array), 0, sizeof(array), false })

/* Appends bytes. */
static inline void
text_put(struct text *t, struct span s)
{
	if (s.n > t->size - t->n) {
		t->cut = true;
		return;
	}
	if (s.n > 0)
		memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
}

static inline void
text_char(struct text *t, char c)
{
	text_put(t, (struct span){ &c, 1 });
}

static inline struct span
text_span(const struct text *t)
{
	return (struct span){ t->p, t->n };
}

/* Appends a NUL-terminated string. */
void text_str(struct text *t, const char *string);
/* Appends a decimal number. */
void text_u64(struct text *t, uint64_t value);
/* Appends a number in lower-case hexadecimal. */
void text_hex(struct text *t, uint64_t value);
/* Appends what printf would, and needs room for one byte more; for cold paths. */
void text_fmt(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * Appends a JSON string, quotes included (RFC 8259 section 7). Bytes that are not valid UTF-8
 * come out as U+FFFD, so a log line is always valid JSON whatever a stranger sent.
 */
void text_json(struct text *t, struct span s);

/* Appends a value as application/x-www-form-urlencoded has it; a space becomes "+". */
void text_form(struct text *t, struct span s);

#endif
