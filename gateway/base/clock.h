/*
 * The two clocks. Timers, deadlines and durations use the monotonic one; expiry of tokens uses
 * the wall clock. Mixing them is a bug: names end in _ms or _us (monotonic) or _s with `wall` in
 * the name.
 */
#ifndef GATEWAY_BASE_CLOCK_H
#define GATEWAY_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Microseconds of CLOCK_MONOTONIC. */
uint64_t clock_us(void);
/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t clock_ms(void);
/* Seconds since the epoch, CLOCK_REALTIME. */
int64_t clock_wall_s(void);
/* Microseconds since the epoch, CLOCK_REALTIME. */
int64_t clock_wall_us(void);

/* Writes "2026-01-31T23:59:59.123Z" (24 bytes, no NUL). */
#define CLOCK_ISO_LEN	24
void clock_iso(char out[CLOCK_ISO_LEN], int64_t wall_us);
/* Writes "Sun, 06 Nov 1994 08:49:37 GMT" (29 bytes, no NUL), RFC 9110 section 5.6.7. */
#define CLOCK_HTTP_LEN	29
void clock_http(char out[CLOCK_HTTP_LEN], int64_t wall_s);

#endif
