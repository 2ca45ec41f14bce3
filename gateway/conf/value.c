#include "gateway/conf/value.h"

#include <stddef.h>

bool
value_size(struct span s, uint64_t *bytes)
{
	static const char units[] = "kmg";
	uint64_t unit = 1, number;

	for (size_t i = 0; s.n > 0 && units[i] != '\0'; i++)
		if (span_lower(s.p[s.n - 1]) == units[i])
			unit = (uint64_t)1024 << (10 * i);
	if (unit > 1)
		s.n--;
	if (!span_to_u64(s, &number) || __builtin_mul_overflow(number, unit, &number))
		return false;
	*bytes = number;
	return true;
}

bool
value_ms(struct span s, uint64_t *ms)
{
	const char *point = s.n == 0 ? NULL : memchr(s.p, '.', s.n);
	struct span whole = point == NULL ? s : span_make(s.p, (size_t)(point - s.p));
	struct span rest = span_skip(s, whole.n);
	uint64_t number, unit = 100, fraction = 0;

	if (!span_to_u64(whole, &number) || rest.n == 1 || rest.n > 4)
		return false;
	for (size_t i = 1; i < rest.n; i++, unit /= 10) {
		if (rest.p[i] < '0' || rest.p[i] > '9')
			return false;
		fraction += unit * (uint64_t)(rest.p[i] - '0');
	}
	if (__builtin_mul_overflow(number, 1000, &number) ||
	    __builtin_add_overflow(number, fraction, &number))
		return false;
	*ms = number;
	return true;
}

bool
value_bool(struct span s, bool *value)
{
	if (span_eq_nocase(s, SPAN("true")) || span_eq_nocase(s, SPAN("yes")) ||
	    span_eq_nocase(s, SPAN("on")))
		*value = true;
	else if (span_eq_nocase(s, SPAN("false")) || span_eq_nocase(s, SPAN("no")) ||
	    span_eq_nocase(s, SPAN("off")))
		*value = false;
	else
		return false;
	return true;
}

bool
value_rate(struct span s, uint64_t *count, uint64_t *period_us)
{
	static const struct {
		char		unit;
		uint64_t	seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	uint64_t number;

	if (s.n < 3 || s.p[s.n - 2] != '/' || !span_to_u64(span_make(s.p, s.n - 2), &number) ||
	    number == 0)
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (s.p[s.n - 1] != units[i].unit)
			continue;
		*count = number;
		*period_us = units[i].seconds * 1000000;
		return true;
	}
	return false;
}

int
value_choice(struct span s, const char *choices)
{
	struct span rest = span_of(choices), item;

	for (int i = 0; span_next(&rest, '|', &item); i++)
		if (span_eq(item, s))
			return i;
	return -1;
}

void
value_put_size(struct text *out, uint64_t bytes)
{
	const char *unit = "";
	static const char *const units[] = { "K", "M", "G" };

	for (size_t i = 0; i < 3 && bytes > 0 && bytes % 1024 == 0; i++) {
		bytes /= 1024;
		unit = units[i];
	}
	text_u64(out, bytes);
	text_str(out, unit);
}

void
value_put_ms(struct text *out, uint64_t ms)
{
	uint64_t fraction = ms % 1000;

	text_u64(out, ms / 1000);
	if (fraction == 0)
		return;
	text_char(out, '.');
	for (uint64_t unit = 100; fraction > 0; unit /= 10) {
		text_char(out, (char)('0' + fraction / unit));
		fraction %= unit;
	}
}
