/*
 * Values in PostgreSQL's binary format: big-endian integers, timestamps in microseconds since
 * 2000, uuids of 16 bytes, one-dimensional arrays (src/include/utils/array.h of PostgreSQL).
 */
#ifndef GATEWAY_DB_VALUE_H
#define GATEWAY_DB_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/span.h"

/* Object ids of the built-in types (pg_type.dat). */
enum value_type {
	VALUE_BOOL = 16,
	VALUE_BYTEA = 17,
	VALUE_INT8 = 20,
	VALUE_INT4 = 23,
	VALUE_TEXT = 25,
	VALUE_TIMESTAMPTZ = 1184,
	VALUE_UUID = 2950,
};

/* Writes 8 bytes. */
void value_put_i64(char room[8], int64_t number);
/* Writes 8 bytes: a time in seconds since the epoch as timestamptz. */
void value_put_time(char room[8], int64_t wall_s);

/* Reads an int8, int4 or bool; false if the value has another size. */
bool value_i64(struct span value, int64_t *number);
/* Reads a timestamptz as seconds since the epoch, rounded down. */
bool value_time(struct span value, int64_t *wall_s);

/*
 * Goes through an array: begin with *at = 0; false at its end, or when it is malformed. A null
 * member has p NULL.
 */
bool value_member(struct span array, size_t *at, struct span *member);

/* An array being written. */
struct value_array {
	char	*bytes;
	size_t	 n, room;
	uint32_t count;
	bool	 failed;		/* no memory */
};

void value_array_begin(struct value_array *a, enum value_type type);
/* Adds a member; p NULL: null. */
void value_array_add(struct value_array *a, struct span member);
/* The array as a parameter; valid until the next begin. p NULL: there was no memory. */
struct span value_array_end(struct value_array *a);
void value_array_free(struct value_array *a);

#endif
