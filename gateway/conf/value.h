/*
 * The units in which people write values: 16K, 1.5 (seconds), 100/s.
 *
 * Each function reads the whole span or refuses it; nothing is guessed, rounded or cut short. On
 * refusal the result is not touched.
 */
#ifndef GATEWAY_CONF_VALUE_H
#define GATEWAY_CONF_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/base/text.h"

/* Digits and one of K, M, G (of 1,024), in any case, or none: bytes. */
bool value_size(struct span s, uint64_t *bytes);
/* Seconds with at most three digits after the point: milliseconds. */
bool value_ms(struct span s, uint64_t *ms);
/* true, yes, on, false, no, off, in any case. */
bool value_bool(struct span s, bool *value);
/* "100/s", "5/m", "1000/h", "1/d": count and the period it counts for. The count is not 0. */
bool value_rate(struct span s, uint64_t *count, uint64_t *period_us);
/* The place of s in "a|b|c", counted from 0; -1 if it is not there. */
int value_choice(struct span s, const char *choices);

/* Writes bytes in the largest unit that fits without a rest: "16K". */
void value_put_size(struct text *out, uint64_t bytes);
/* Writes milliseconds as seconds: "0.25", "30". */
void value_put_ms(struct text *out, uint64_t ms);

#endif
