#include "gateway/http/target.h"

#include "gateway/base/encode.h"

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of the escape that begins at s, -1 if it is broken. */
static int
escape_value(struct span s)
{
	if (s.n < 3 || hex_value(s.p[1]) < 0 || hex_value(s.p[2]) < 0)
		return -1;
	return hex_value(s.p[1]) << 4 | hex_value(s.p[2]);
}

static bool
is_unreserved(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    c == '-' || c == '.' || c == '_' || c == '~';
}

/* True if no byte of the path needs a second thought. */
static bool
is_plain(struct span path)
{
	for (size_t i = 0; i < path.n; i++) {
		char c = path.p[i];

		if (c == '%' || c == '\\')
			return false;
		if (c == '/' && i + 1 < path.n && (path.p[i + 1] == '/' || path.p[i + 1] == '.'))
			return false;
	}
	return true;
}

/* True if a segment of a rewritten path is "." or "..", with or without parameters. */
static bool
has_dot_segment(struct span path)
{
	struct span segment;

	while (span_next(&path, '/', &segment)) {
		const char *semicolon = segment.n == 0 ? NULL : memchr(segment.p, ';', segment.n);
		const char *escaped = memmem(segment.p, segment.n, "%3B", 3);

		if (semicolon != NULL)
			segment.n = (size_t)(semicolon - segment.p);
		if (escaped != NULL && escaped < segment.p + segment.n)
			segment.n = (size_t)(escaped - segment.p);
		if (span_eq(segment, SPAN(".")) || span_eq(segment, SPAN("..")))
			return true;
	}
	return false;
}

/* Copies the path in normal form to `out`, at least as long; false if it is ambiguous. */
static bool
rewrite(struct span path, char *out, size_t *n)
{
	char bytes[4];		/* of a UTF-8 sequence spelled in escapes */
	size_t gathered = 0, at = 0;

	for (size_t i = 0; i < path.n; i++) {
		int c = (unsigned char)path.p[i];
		bool escaped = c == '%';

		if (escaped && (c = escape_value(span_skip(path, i))) < 0)
			return false;
		if (c < 0x20 || c == 0x7f || c == '\\' || (escaped && c == '/'))
			return false;
		if (gathered > 0 && (c & 0xc0) != 0x80)
			return false;
		if (c >= 0x80) {
			bytes[gathered++] = (char)c;
			if (utf8_length(span_make(bytes, gathered)) == gathered)
				gathered = 0;
			else if (gathered == sizeof(bytes))
				return false;
		}
		if (escaped && !is_unreserved(c)) {
			out[at++] = '%';
			out[at++] = "0123456789ABCDEF"[c >> 4];
			out[at++] = "0123456789ABCDEF"[c & 15];
		} else if (c != '/' || at == 0 || out[at - 1] != '/') {
			out[at++] = (char)c;
		}
		i += escaped ? 2 : 0;
	}
	*n = at;
	return gathered == 0;
}

enum target_result
target_normalize(struct target *t, struct span raw, struct arena *arena)
{
	const char *question = raw.n == 0 ? NULL : memchr(raw.p, '?', raw.n);
	size_t n = question == NULL ? raw.n : (size_t)(question - raw.p);

	t->path = n == 0 ? SPAN("/") : span_make(raw.p, n);
	t->query = question == NULL ? SPAN("") : span_skip(raw, n);
	if (is_plain(t->path))
		return TARGET_FINE;
	char *out = arena_alloc(arena, t->path.n);
	if (out == NULL)
		return TARGET_NO_MEMORY;
	if (!rewrite(t->path, out, &n))
		return TARGET_AMBIGUOUS;
	t->path = span_make(out, n);
	return has_dot_segment(t->path) ? TARGET_AMBIGUOUS : TARGET_FINE;
}

bool
target_covers(struct span prefix, struct span path)
{
	if (!span_starts_nocase(path, prefix))
		return false;
	return path.n == prefix.n || prefix.p[prefix.n - 1] == '/' || path.p[prefix.n] == '/' ||
	    path.p[prefix.n] == ';';
}

/* True if `encoded`, a parameter's name as sent, decodes to `name`. */
static bool
decodes_to(struct span encoded, struct span name)
{
	size_t at = 0;

	for (size_t i = 0; i < encoded.n; i++, at++) {
		int c = (unsigned char)encoded.p[i];

		if (c == '%' && escape_value(span_skip(encoded, i)) >= 0) {
			c = escape_value(span_skip(encoded, i));
			i += 2;
		}
		if (at == name.n || (char)c != name.p[at])
			return false;
	}
	return at == name.n;
}

bool
target_query_has(struct span query, struct span name)
{
	struct span rest = query.n == 0 ? query : span_skip(query, 1), item;

	if (query.n == 0)
		return false;
	while (span_next(&rest, '&', &item)) {
		const char *equals = item.n == 0 ? NULL : memchr(item.p, '=', item.n);

		if (equals != NULL)
			item.n = (size_t)(equals - item.p);
		if (decodes_to(item, name))
			return true;
	}
	return false;
}
