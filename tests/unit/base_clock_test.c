#include "gateway/base/clock.h"

#include "tests/unit/suite.h"

static struct span
iso(int64_t us)
{
	static char out[CLOCK_ISO_LEN];

	clock_iso(out, us);
	return span_make(out, sizeof(out));
}

static struct span
http(int64_t s)
{
	static char out[CLOCK_HTTP_LEN];

	clock_http(out, s);
	return span_make(out, sizeof(out));
}

START_TEST(writes_dates)
{
	ck_assert_span(iso(0), SPAN("1970-01-01T00:00:00.000Z"));
	ck_assert_span(iso(INT64_C(1769903999123999)), SPAN("2026-01-31T23:59:59.123Z"));
	ck_assert_span(iso(INT64_C(1709164800000999)), SPAN("2024-02-29T00:00:00.000Z"));
	ck_assert_span(http(784111777), SPAN("Sun, 06 Nov 1994 08:49:37 GMT"));
	ck_assert_span(http(0), SPAN("Thu, 01 Jan 1970 00:00:00 GMT"));
}
END_TEST

START_TEST(units_agree)
{
	uint64_t before_ms = clock_ms(), us = clock_us(), after_ms = clock_ms();
	int64_t before_s = clock_wall_s(), wall_us = clock_wall_us(), after_s = clock_wall_s();

	ck_assert(before_ms <= us / 1000 && us / 1000 <= after_ms);
	ck_assert(before_s <= wall_us / 1000000 && wall_us / 1000000 <= after_s);
	ck_assert_int_gt(wall_us, INT64_C(1700000000000000));
}
END_TEST

SUITE_RUN("base_clock", writes_dates, units_agree)
