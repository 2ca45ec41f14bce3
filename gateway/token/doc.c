#include "gateway/token/doc.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "gateway/base/encode.h"

/*
 * A reader of one function per rule of the grammar (RFC 8259 section 2 and following). Each
 * leaves `at` behind what it read, or answers false, and then the whole text is refused. Names are
 * compared with those before them by hash and then by bytes; their number is bounded, so
 * that a text made of names costs no more than a signature would.
 */

#define NUMBER_MAX	64	/* characters of a number that is asked for */

struct reader {
	char			*at;
	char			*end;
	struct doc_value	*values;
	size_t			 n, max;
	unsigned		 depth;
};

static bool read_value(struct reader *r, struct span name);

static void
skip_space(struct reader *r)
{
	while (r->at < r->end &&
	    (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
		r->at++;
}

static bool
take(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool
take_word(struct reader *r, struct span word)
{
	if ((size_t)(r->end - r->at) < word.n || memcmp(r->at, word.p, word.n) != 0)
		return false;
	r->at += word.n;
	return true;
}

/* Four hexadecimal digits of a \u escape. */
static bool
read_hex(struct reader *r, unsigned *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, r->at++) {
		if (r->at == r->end)
			return false;
		char c = span_lower(*r->at);
		if (c >= '0' && c <= '9')
			*code = *code << 4 | (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*code = *code << 4 | (unsigned)(c - 'a' + 10);
		else
			return false;
	}
	return true;
}

static char *
put_utf8(char *out, unsigned code)
{
	if (code < 0x80) {
		*out++ = (char)code;
	} else if (code < 0x800) {
		*out++ = (char)(0xc0 | code >> 6);
		*out++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*out++ = (char)(0xe0 | code >> 12);
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	} else {
		*out++ = (char)(0xf0 | code >> 18);
		*out++ = (char)(0x80 | (code >> 12 & 0x3f));
		*out++ = (char)(0x80 | (code >> 6 & 0x3f));
		*out++ = (char)(0x80 | (code & 0x3f));
	}
	return out;
}

/* A code point behind "\u": not NUL, and a surrogate only as the first half of a pair. */
static bool
read_unicode(struct reader *r, char **out)
{
	unsigned code, low;

	if (!read_hex(r, &code) || code == 0 || (code >= 0xdc00 && code <= 0xdfff))
		return false;
	if (code >= 0xd800 && code <= 0xdbff) {
		if (!take(r, '\\') || !take(r, 'u') || !read_hex(r, &low) || low < 0xdc00 ||
		    low > 0xdfff)
			return false;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
	}
	*out = put_utf8(*out, code);
	return true;
}

static bool
read_escape(struct reader *r, char **out)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";

	if (r->at == r->end)
		return false;
	char c = *r->at++;
	if (c == 'u')
		return read_unicode(r, out);
	const char *letter = memchr(letters, c, sizeof(letters) - 1);
	if (letter == NULL)
		return false;
	*(*out)++ = meant[letter - letters];
	return true;
}

/* Passes over plain ASCII eight bytes at a time; what else there is stands in the next eight. */
static void
pass_ascii(struct reader *r)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	uint64_t word;

	for (; r->end - r->at >= 8; r->at += 8) {
		memcpy(&word, r->at, sizeof(word));
		uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
		/* of ASCII, a top bit is set where a byte is a control, a quote or a backslash */
		uint64_t hits = (word - ones * 0x20) | (quote - ones) | (backslash - ones) | word;
		if ((hits & tops) != 0)
			return;
	}
}

/* Passes over characters that stand for themselves; false at one that may not be in a string. */
static bool
pass_plain(struct reader *r)
{
	pass_ascii(r);
	while (r->at < r->end && *r->at != '"' && *r->at != '\\') {
		unsigned char c = (unsigned char)*r->at;
		size_t n = 1;
		if (c < 0x20)
			return false;
		if (c >= 0x80)
			n = utf8_length(span_make(r->at, (size_t)(r->end - r->at)));
		if (n == 0)
			return false;
		r->at += n;
	}
	return true;
}

/* Reads a string behind its first quote; unescaped, it is never longer than it was. */
static bool
read_string(struct reader *r, struct span *string)
{
	char *start = r->at, *out = r->at;

	for (;;) {
		char *run = r->at;
		if (!pass_plain(r))
			return false;
		if (out != run)
			memmove(out, run, (size_t)(r->at - run));
		out += r->at - run;
		if (take(r, '"'))
			break;
		if (!take(r, '\\') || !read_escape(r, &out))
			return false;
	}
	*string = span_make(start, (size_t)(out - start));
	return true;
}

static bool
read_digits(struct reader *r)
{
	char *start = r->at;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return r->at > start;
}

static bool
read_number(struct reader *r)
{
	take(r, '-');
	if (!take(r, '0') && !read_digits(r))
		return false;
	if (take(r, '.') && !read_digits(r))
		return false;
	if (!take(r, 'e') && !take(r, 'E'))
		return true;
	if (!take(r, '-'))
		take(r, '+');
	return read_digits(r);
}

static bool
read_array(struct reader *r)
{
	skip_space(r);
	if (take(r, ']'))
		return true;
	do {
		if (!read_value(r, span_make(NULL, 0)))
			return false;
	} while (take(r, ','));
	return take(r, ']');
}

static uint32_t
hash_name(struct span name)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < name.n; i++)
		hash = (hash ^ (unsigned char)name.p[i]) * 16777619u;
	return hash;
}

/* True if the object, whose members so far are read, has this name already or too many. */
static bool
repeats(const struct reader *r, size_t object, struct span name, uint32_t hash)
{
	size_t names = 0;

	for (size_t i = object + 1; i < r->n; i += r->values[i].count)
		if (++names == DOC_NAMES_MAX ||
		    (r->values[i].name_hash == hash && span_eq(r->values[i].name, name)))
			return true;
	return false;
}

static bool
read_members(struct reader *r, size_t object)
{
	struct span name;

	skip_space(r);
	if (take(r, '}'))
		return true;
	do {
		skip_space(r);
		if (!take(r, '"') || !read_string(r, &name))
			return false;
		uint32_t hash = hash_name(name);
		size_t member = r->n;
		skip_space(r);
		if (repeats(r, object, name, hash) || !take(r, ':') || !read_value(r, name))
			return false;
		r->values[member].name_hash = hash;
	} while (take(r, ','));
	return take(r, '}');
}

/* Reads what stands behind the first character of a value, and tells its type. */
static bool
read_body(struct reader *r, size_t self, enum doc_type *type)
{
	struct doc_value *v = &r->values[self];
	char *start = r->at;

	switch (*r->at++) {
	case '"':
		*type = DOC_STRING;
		return read_string(r, &v->text);
	case '{':
		*type = DOC_OBJECT;
		return read_members(r, self);
	case '[':
		*type = DOC_ARRAY;
		return read_array(r);
	case 't':
		*type = DOC_TRUE;
		return take_word(r, SPAN("rue"));
	case 'f':
		*type = DOC_FALSE;
		return take_word(r, SPAN("alse"));
	case 'n':
		*type = DOC_NULL;
		return take_word(r, SPAN("ull"));
	default:
		*type = DOC_NUMBER;
		r->at = start;
		if (!read_number(r))
			return false;
		v->text = span_make(start, (size_t)(r->at - start));
		return true;
	}
}

/* Reads a value with the space around it. */
static bool
read_value(struct reader *r, struct span name)
{
	enum doc_type type = DOC_NULL;
	size_t self = r->n++;

	skip_space(r);
	if (self >= r->max || r->at == r->end || r->depth == DOC_DEPTH_MAX)
		return false;
	r->values[self] = (struct doc_value){ .name = name };
	r->depth++;
	if (!read_body(r, self, &type))
		return false;
	r->depth--;
	r->values[self].type = type;
	r->values[self].count = (uint32_t)(r->n - self);
	skip_space(r);
	return true;
}

bool
doc_parse(struct doc_value *values, size_t max, char *text, size_t n)
{
	struct reader r = { .at = text, .end = text + n, .values = values, .max = max };

	return read_value(&r, span_make(NULL, 0)) && r.at == r.end &&
	    values[0].type == DOC_OBJECT;
}

const struct doc_value *
doc_first(const struct doc_value *container)
{
	return container != NULL && container->count > 1 ? container + 1 : NULL;
}

const struct doc_value *
doc_next(const struct doc_value *container, const struct doc_value *value)
{
	const struct doc_value *next = value + value->count;

	return next < container + container->count ? next : NULL;
}

const struct doc_value *
doc_get(const struct doc_value *object, struct span name)
{
	if (object == NULL || object->type != DOC_OBJECT)
		return NULL;
	for (const struct doc_value *v = doc_first(object); v != NULL; v = doc_next(object, v))
		if (span_eq(v->name, name))
			return v;
	return NULL;
}

struct span
doc_string(const struct doc_value *value)
{
	if (value == NULL || value->type != DOC_STRING)
		return span_make(NULL, 0);
	return value->text;
}

/* Copies a number as a string for the C library. */
static bool
copy_number(const struct doc_value *value, char out[NUMBER_MAX])
{
	if (value == NULL || value->type != DOC_NUMBER || value->text.n >= NUMBER_MAX)
		return false;
	memcpy(out, value->text.p, value->text.n);
	out[value->text.n] = '\0';
	return true;
}

bool
doc_integer(const struct doc_value *value, int64_t *integer)
{
	char text[NUMBER_MAX], *end;

	if (!copy_number(value, text))
		return false;
	errno = 0;
	*integer = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0;
}

bool
doc_real(const struct doc_value *value, double *real)
{
	char text[NUMBER_MAX], *end;

	if (!copy_number(value, text))
		return false;
	*real = strtod(text, &end);
	return *end == '\0' && isfinite(*real);
}

static void
write_members(struct text *t, const struct doc_value *container)
{
	bool object = container->type == DOC_OBJECT;
	const struct doc_value *first = doc_first(container);

	text_char(t, object ? '{' : '[');
	for (const struct doc_value *v = first; v != NULL; v = doc_next(container, v)) {
		if (v != first)
			text_char(t, ',');
		if (object) {
			text_json(t, v->name);
			text_char(t, ':');
		}
		doc_write(t, v);
	}
	text_char(t, object ? '}' : ']');
}

bool
doc_write(struct text *t, const struct doc_value *value)
{
	switch (value->type) {
	case DOC_NULL:
		text_put(t, SPAN("null"));
		break;
	case DOC_FALSE:
		text_put(t, SPAN("false"));
		break;
	case DOC_TRUE:
		text_put(t, SPAN("true"));
		break;
	case DOC_NUMBER:
		text_put(t, value->text);
		break;
	case DOC_STRING:
		text_json(t, value->text);
		break;
	case DOC_ARRAY:
	case DOC_OBJECT:
		write_members(t, value);
		break;
	}
	return !t->cut;
}
