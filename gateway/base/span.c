#include "gateway/base/span.h"

struct span
span_trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static bool
has_control_slowly(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return true;
	return false;
}

bool
span_has_control(struct span s)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;

	/* eight bytes at a time: a top bit is set where a byte is below 0x20, or is 0x7f */
	for (; s.n >= 8; s = span_skip(s, 8)) {
		uint64_t word;

		memcpy(&word, s.p, sizeof(word));
		uint64_t del = word ^ ones * 0x7f;
		uint64_t hits = ((word - ones * 0x20) & ~word) | ((del - ones) & ~del);
		if ((hits & tops) != 0 && has_control_slowly(span_make(s.p, 8)))
			return true;
	}
	return has_control_slowly(s);
}

bool
span_next(struct span *rest, char separator, struct span *item)
{
	if (rest->p == NULL)
		return false;
	const char *end = rest->n == 0 ? NULL : memchr(rest->p, separator, rest->n);
	if (end == NULL) {
		*item = span_trim(*rest);
		*rest = (struct span){ NULL, 0 };
	} else {
		*item = span_trim(span_make(rest->p, (size_t)(end - rest->p)));
		rest->n -= (size_t)(end + 1 - rest->p);
		rest->p = end + 1;
	}
	return true;
}

bool
span_to_u64(struct span s, uint64_t *value)
{
	uint64_t sum = 0;

	if (s.n == 0 || (s.n > 1 && s.p[0] == '0'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, (uint64_t)(s.p[i] - '0'), &sum))
			return false;
	}
	*value = sum;
	return true;
}
