/*
 * A span is a run of bytes that somebody else owns: pointer and length, never NUL-terminated.
 *
 * Everything that comes from the network is compared by length and bytes, so a NUL inside
 * a name can't shorten it. Case folding is ASCII only.
 */
#ifndef GATEWAY_BASE_SPAN_H
#define GATEWAY_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char	*p;
	size_t		 n;
};

/* A span over a string literal. */
#define SPAN(literal)	((struct span){ "" literal, sizeof(literal) - 1 })
/* Arguments for printf's %.*s. */
#define SPAN_ARG(s)	(int)(s).n, (s).p

/* A span over a NUL-terminated string; NULL gives the empty span. */
static inline struct span
span_of(const char *string)
{
	return (struct span){ string, string == NULL ? 0 : strlen(string) };
}

static inline struct span
span_make(const void *p, size_t n)
{
	return (struct span){ p, n };
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline char
span_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool
span_eq_nocase(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (span_lower(a.p[i]) != span_lower(b.p[i]))
			return false;
	return true;
}

static inline bool
span_starts_nocase(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_eq_nocase((struct span){ s.p, prefix.n }, prefix);
}

/* Drops the first n bytes. */
static inline struct span
span_skip(struct span s, size_t n)
{
	return (struct span){ s.p + n, s.n - n };
}

/* Cuts spaces and tabs off both ends (optional white space, RFC 9110 section 5.6.3). */
struct span span_trim(struct span s);

/* True if a byte is a control character (below 0x20 or 0x7f) other than a tab. */
bool span_has_control(struct span s);

/*
 * Takes the next item of a list separated by one character from *rest, trimmed.
 * False at the end; empty items are handed out, so the caller decides about them.
 */
bool span_next(struct span *rest, char separator, struct span *item);

/*
 * Decimal digits only, no sign, no leading zero (but "0"); false if malformed or over UINT64_MAX.
 */
bool span_to_u64(struct span s, uint64_t *value);

#endif
