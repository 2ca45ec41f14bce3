#include "gateway/base/encode.h"

/* Value of each base64url character plus one; 0 for every other byte. */
static const uint8_t base64url_value[256] = {
	['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6, ['G'] = 7,
	['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63,
	['_'] = 64,
};

/* Decodes four characters; false if one is foreign. */
static bool
decode_quad(const char *in, uint32_t *bits)
{
	uint32_t a = base64url_value[(uint8_t)in[0]], b = base64url_value[(uint8_t)in[1]];
	uint32_t c = base64url_value[(uint8_t)in[2]], d = base64url_value[(uint8_t)in[3]];

	if (a == 0 || b == 0 || c == 0 || d == 0)
		return false;
	*bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
	return true;
}

bool
base64url_decode(struct span in, uint8_t *out, size_t *n)
{
	uint8_t *start = out;
	uint32_t bits;

	for (; in.n >= 4; in = span_skip(in, 4)) {
		if (!decode_quad(in.p, &bits))
			return false;
		*out++ = (uint8_t)(bits >> 16);
		*out++ = (uint8_t)(bits >> 8);
		*out++ = (uint8_t)bits;
	}
	if (in.n == 1)
		return false;
	if (in.n > 1) {
		char tail[4] = { in.p[0], in.p[1], in.n == 3 ? in.p[2] : 'A', 'A' };

		if (!decode_quad(tail, &bits) || (bits & (in.n == 2 ? 0xffff : 0xff)) != 0)
			return false;
		*out++ = (uint8_t)(bits >> 16);
		if (in.n == 3)
			*out++ = (uint8_t)(bits >> 8);
	}
	*n = (size_t)(out - start);
	return true;
}

bool
base64_decode(struct span in, uint8_t *out, size_t *n)
{
	size_t padding = 0, at = 0, got;
	char quad[4];

	if (in.n % 4 != 0)
		return false;
	while (padding < 2 && padding < in.n && in.p[in.n - 1 - padding] == '=')
		padding++;
	in.n -= padding;
	for (*n = 0; at < in.n; at += 4) {
		size_t length = in.n - at < 4 ? in.n - at : 4;

		for (size_t i = 0; i < length; i++) {
			char c = in.p[at + i];

			/* its last two characters are all that differs from base64url */
			quad[i] = c == '+' ? '-' : c == '/' ? '_' : c;
			if (c == '-' || c == '_')
				return false;
		}
		if (!base64url_decode(span_make(quad, length), out + *n, &got))
			return false;
		*n += got;
	}
	return true;
}

size_t
base64url_encode(const uint8_t *in, size_t n, char *out)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *start = out;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t bits = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
		    (left > 2 ? in[i + 2] : 0);

		*out++ = alphabet[bits >> 18];
		*out++ = alphabet[bits >> 12 & 63];
		if (left > 1)
			*out++ = alphabet[bits >> 6 & 63];
		if (left > 2)
			*out++ = alphabet[bits & 63];
	}
	return (size_t)(out - start);
}

size_t
base64_encode(const uint8_t *in, size_t n, char *out)
{
	size_t length = base64url_encode(in, n, out);

	for (size_t i = 0; i < length; i++)
		out[i] = out[i] == '-' ? '+' : out[i] == '_' ? '/' : out[i];
	while (length % 4 != 0)
		out[length++] = '=';
	return length;
}

void
hex_encode(const uint8_t *in, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		*out++ = "0123456789abcdef"[in[i] >> 4];
		*out++ = "0123456789abcdef"[in[i] & 15];
	}
}

size_t
utf8_length(struct span s)
{
	const uint8_t *p = (const uint8_t *)s.p;

	if (s.n == 0)
		return 0;
	size_t length = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
	    p[0] < 0xf5 ? 4 : 0;

	if (length == 0 || length > s.n)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, and what lies beyond U+10FFFF */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return length;
}

bool
utf8_valid(struct span s)
{
	while (s.n > 0) {
		size_t length = utf8_length(s);

		if (length == 0)
			return false;
		s = span_skip(s, length);
	}
	return true;
}
