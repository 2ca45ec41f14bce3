#include "gateway/oauth/form.h"

#include "gateway/base/encode.h"

#define EACH_BYTE(byte)	(UINT64_C(0x0101010101010101) * (byte))

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = span_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Top bits where a byte of the word is zero; above such a byte perhaps where none is. */
static uint64_t
zeros_of(uint64_t word)
{
	return (word - EACH_BYTE(0x01)) & ~word & EACH_BYTE(0x80);
}

/* How many bytes at the start stand for themselves and are ASCII, eight at a time. */
static size_t
plain_bytes(const char *bytes, size_t n)
{
	size_t at = 0;

	for (; n - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, bytes + at, sizeof(word));
		if ((zeros_of(word) | zeros_of(word ^ EACH_BYTE('%')) |
		    zeros_of(word ^ EACH_BYTE('+')) | (word & EACH_BYTE(0x80))) != 0)
			break;
	}
	return at;
}

/* A token, most of a form, is nothing but plain bytes and stays where it is. */
bool
form_decode(char *bytes, size_t *n)
{
	size_t length = *n, plain = plain_bytes(bytes, length), at = plain;
	bool ascii = true;

	for (size_t i = plain; i < length; i++) {
		char c = bytes[i];

		if (c == '%') {
			if (length - i < 3 || hex_value(bytes[i + 1]) < 0 ||
			    hex_value(bytes[i + 2]) < 0)
				return false;
			c = (char)(hex_value(bytes[i + 1]) << 4 | hex_value(bytes[i + 2]));
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		if (c == '\0')
			return false;
		ascii &= (unsigned char)c < 0x80;
		bytes[at++] = c;
	}
	*n = at;
	return ascii || utf8_valid(span_make(bytes, at));
}

static bool
may_repeat(struct span name)
{
	return span_eq(name, SPAN("audience")) || span_eq(name, SPAN("resource"));
}

static enum form_result
add(struct form *form, const struct form_param *param)
{
	if (!may_repeat(param->name))
		for (unsigned i = 0; i < form->n; i++)
			if (span_eq(form->params[i].name, param->name))
				return FORM_REPEATED;
	if (form->n == FORM_PARAMS_MAX)
		return FORM_TOO_MANY;
	form->params[form->n++] = *param;
	return FORM_FINE;
}

/* One "name=value" of the form. */
static enum form_result
parse_param(struct form *form, char *bytes, size_t n)
{
	char *equals = memchr(bytes, '=', n);
	size_t name_n = equals == NULL ? n : (size_t)(equals - bytes);
	char *value = equals == NULL ? bytes + n : equals + 1;
	size_t value_n = (size_t)(bytes + n - value);

	if (!form_decode(bytes, &name_n) || !form_decode(value, &value_n))
		return FORM_MALFORMED;
	return add(form, &(struct form_param){ span_make(bytes, name_n),
	    span_make(value, value_n) });
}

enum form_result
form_parse(struct form *form, char *bytes, size_t n)
{
	enum form_result result = FORM_FINE;

	form->n = 0;
	for (size_t i = 0; i < n && result == FORM_FINE; ) {
		const char *ampersand = memchr(bytes + i, '&', n - i);
		size_t length = ampersand == NULL ? n - i : (size_t)(ampersand - (bytes + i));

		if (length > 0)
			result = parse_param(form, bytes + i, length);
		i += length + 1;
	}
	return result;
}

struct span
form_get(const struct form *form, struct span name)
{
	for (unsigned i = 0; i < form->n; i++)
		if (span_eq(form->params[i].name, name))
			return form->params[i].value;
	return SPAN("");
}

bool
form_next(const struct form *form, struct span name, unsigned *at, struct span *value)
{
	while (*at < form->n) {
		const struct form_param *param = &form->params[(*at)++];

		if (param->value.n > 0 && span_eq(param->name, name)) {
			*value = param->value;
			return true;
		}
	}
	return false;
}
