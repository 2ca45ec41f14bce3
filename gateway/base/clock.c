#include "gateway/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t
read_us(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

uint64_t
clock_us(void)
{
	return (uint64_t)read_us(CLOCK_MONOTONIC);
}

uint64_t
clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t
clock_wall_us(void)
{
	return read_us(CLOCK_REALTIME);
}

int64_t
clock_wall_s(void)
{
	return clock_wall_us() / 1000000;
}

void
clock_iso(char out[CLOCK_ISO_LEN], int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	char text[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    (int)(wall_us / 1000 % 1000));
	memcpy(out, text, CLOCK_ISO_LEN);
}

void
clock_http(char out[CLOCK_HTTP_LEN], int64_t wall_s)
{
	time_t seconds = (time_t)wall_s;
	char text[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	memcpy(out, text, CLOCK_HTTP_LEN);
}
