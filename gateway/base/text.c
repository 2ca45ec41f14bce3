#include "gateway/base/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/base/encode.h"

void
text_str(struct text *t, const char *string)
{
	text_put(t, span_of(string));
}

void
text_u64(struct text *t, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	text_put(t, span_make(digits + at, sizeof(digits) - at));
}

void
text_hex(struct text *t, uint64_t value)
{
	char digits[16];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value > 0);
	text_put(t, span_make(digits + at, sizeof(digits) - at));
}

void
text_fmt(struct text *t, const char *format, ...)
{
	size_t room = t->size - t->n;
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(t->p + t->n, room, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		t->cut = true;
	else
		t->n += (size_t)n;
}

static void
put_escaped(struct text *t, unsigned char c)
{
	switch (c) {
	case '"':
		text_put(t, SPAN("\\\""));
		break;
	case '\\':
		text_put(t, SPAN("\\\\"));
		break;
	case '\n':
		text_put(t, SPAN("\\n"));
		break;
	default:
		text_put(t, SPAN("\\u00"));
		text_char(t, "0123456789abcdef"[c >> 4]);
		text_char(t, "0123456789abcdef"[c & 15]);
	}
}

void
text_json(struct text *t, struct span s)
{
	size_t plain = 0;

	text_char(t, '"');
	while (plain < s.n) {
		unsigned char c = (unsigned char)s.p[plain];
		size_t length = c < 0x80 ? 1 : utf8_length(span_skip(s, plain));

		if (length > 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
			plain += length;
			continue;
		}
		text_put(t, span_make(s.p, plain));
		if (length == 0)
			text_put(t, SPAN("\xEF\xBF\xBD"));
		else
			put_escaped(t, c);
		s = span_skip(s, plain + 1);
		plain = 0;
	}
	text_put(t, s);
	text_char(t, '"');
}

void
text_form(struct text *t, struct span s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-._*";

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == ' ') {
			text_char(t, '+');
		} else if (c != '\0' && strchr(plain, c) != NULL) {
			text_char(t, c);
		} else {
			text_char(t, '%');
			text_char(t, "0123456789ABCDEF"[(unsigned char)c >> 4]);
			text_char(t, "0123456789ABCDEF"[c & 15]);
		}
	}
}
