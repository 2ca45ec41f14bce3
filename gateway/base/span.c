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
