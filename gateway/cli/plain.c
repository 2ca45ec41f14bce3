#include "gateway/cli/plain.h"

#include <string.h>

#include "gateway/base/encode.h"

/* The code point of well-formed UTF-8 of two or three bytes; 0 for others. */
static unsigned
decode(const unsigned char *p, size_t n)
{
	if (n == 2)
		return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	return n == 3 ? (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu) : 0;
}

/* C0, DEL, C1; marks, separators, embeddings and isolates of the direction (Unicode 15, 23.2). */
static bool
is_obeyed(const char *text, size_t n)
{
	unsigned char c = (unsigned char)text[0];
	unsigned code = decode((const unsigned char *)text, n);

	if (n == 1)
		return (c < 0x20 && c != '\n') || c == 0x7f;
	return (code >= 0x80 && code < 0xa0) || code == 0x61c || code == 0x200e ||
	    code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
	    (code >= 0x2066 && code <= 0x2069);
}

void
plain_text(char *text)
{
	for (size_t n; *text != '\0'; text += n) {
		n = (unsigned char)*text < 0x80 ? 1 : utf8_length(span_of(text));
		if (n == 0 || is_obeyed(text, n)) {
			n += n == 0;
			memset(text, '?', n);
		}
	}
}
