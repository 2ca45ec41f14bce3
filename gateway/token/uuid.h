/*
 * UUIDs of version 7 (RFC 9562 section 5.7): 48 bits of time, 74 of chance. Ids of tokens: rows
 * that are made together lie together in an index.
 *
 * Their text has one spelling: 36 characters, lower case.
 */
#ifndef GATEWAY_TOKEN_UUID_H
#define GATEWAY_TOKEN_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"

#define UUID_SIZE	16
#define UUID_TEXT	36
#define UUID_CHANCE	10	/* bytes of chance that one takes */

/* Makes one of a time in milliseconds since the epoch and of UUID_CHANCE bytes of chance. */
void uuid_make(uint8_t out[UUID_SIZE], uint64_t wall_ms, const uint8_t chance[UUID_CHANCE]);
/* Makes one of now, by OpenSSL's random numbers. False if it has none. */
bool uuid_now(uint8_t out[UUID_SIZE]);
/* True for version 7 of RFC 9562's variant. */
bool uuid_is_v7(const uint8_t uuid[UUID_SIZE]);
/* When it was made, in milliseconds since the epoch. */
uint64_t uuid_wall_ms(const uint8_t uuid[UUID_SIZE]);

/* Writes UUID_TEXT characters, no NUL. */
void uuid_text(const uint8_t uuid[UUID_SIZE], char out[UUID_TEXT]);
/* Reads a text in exactly that spelling, of any version; false if it is none. */
bool uuid_read(struct span text, uint8_t out[UUID_SIZE]);

#endif
