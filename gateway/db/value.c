#include "gateway/db/value.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* Seconds from 1970 to 2000, where PostgreSQL's time begins. */
#define EPOCH_S		INT64_C(946684800)
#define MICROSECONDS	INT64_C(1000000)

/* Of an array: dimensions, whether it has nulls, type of its members, their number, lower bound. */
#define HEAD_SIZE	20
#define FLAGS_AT	4
#define TYPE_AT		8
#define COUNT_AT	12
#define BOUND_AT	16
/* Of an array without members. */
#define EMPTY_SIZE	12
#define NULL_LENGTH	UINT32_MAX

static void
put_u32(char *room, uint32_t number)
{
	uint32_t big = htonl(number);

	memcpy(room, &big, sizeof(big));
}

static uint32_t
get_u32(const char *p)
{
	uint32_t big;

	memcpy(&big, p, sizeof(big));
	return ntohl(big);
}

void
value_put_i64(char room[8], int64_t number)
{
	uint64_t big = htobe64((uint64_t)number);

	memcpy(room, &big, sizeof(big));
}

void
value_put_time(char room[8], int64_t wall_s)
{
	value_put_i64(room, (wall_s - EPOCH_S) * MICROSECONDS);
}

bool
value_i64(struct span value, int64_t *number)
{
	uint64_t big;

	switch (value.n) {
	case 1:
		*number = value.p[0] != 0;
		return true;
	case sizeof(uint32_t):
		*number = (int32_t)get_u32(value.p);
		return true;
	case sizeof(big):
		memcpy(&big, value.p, sizeof(big));
		*number = (int64_t)be64toh(big);
		return true;
	default:
		return false;
	}
}

bool
value_time(struct span value, int64_t *wall_s)
{
	int64_t us;

	if (value.n != sizeof(us) || !value_i64(value, &us))
		return false;
	int64_t s = us / MICROSECONDS;
	if (us % MICROSECONDS < 0)
		s--;
	*wall_s = s + EPOCH_S;
	return true;
}

bool
value_member(struct span array, size_t *at, struct span *member)
{
	if (*at == 0) {
		/* an array without members has no dimension */
		if (array.n < HEAD_SIZE || get_u32(array.p) != 1)
			return false;
		*at = HEAD_SIZE;
	}
	if (array.n - *at < sizeof(uint32_t))
		return false;
	uint32_t n = get_u32(array.p + *at);
	*at += sizeof(uint32_t);
	if (n == NULL_LENGTH) {
		*member = span_make(NULL, 0);
		return true;
	}
	if (n > array.n - *at)
		return false;
	*member = span_make(array.p + *at, n);
	*at += n;
	return true;
}

static bool
make_room(struct value_array *a, size_t more)
{
	if (a->room - a->n >= more)
		return true;
	size_t room = a->room * 2 + more + HEAD_SIZE;
	char *bytes = realloc(a->bytes, room);
	if (bytes == NULL) {
		a->failed = true;
		return false;
	}
	a->bytes = bytes;
	a->room = room;
	return true;
}

void
value_array_begin(struct value_array *a, enum value_type type)
{
	a->n = 0;
	a->count = 0;
	a->failed = false;
	if (!make_room(a, HEAD_SIZE))
		return;
	put_u32(a->bytes, 1);
	put_u32(a->bytes + FLAGS_AT, 0);
	put_u32(a->bytes + TYPE_AT, (uint32_t)type);
	put_u32(a->bytes + BOUND_AT, 1);
	a->n = HEAD_SIZE;
}

void
value_array_add(struct value_array *a, struct span member)
{
	if (a->failed || !make_room(a, sizeof(uint32_t) + member.n))
		return;
	if (member.p == NULL)
		put_u32(a->bytes + FLAGS_AT, 1);
	put_u32(a->bytes + a->n, member.p == NULL ? NULL_LENGTH : (uint32_t)member.n);
	a->n += sizeof(uint32_t);
	if (member.n > 0)
		memcpy(a->bytes + a->n, member.p, member.n);
	a->n += member.n;
	a->count++;
}

struct span
value_array_end(struct value_array *a)
{
	if (a->failed)
		return span_make(NULL, 0);
	if (a->count == 0) {
		put_u32(a->bytes, 0);
		return span_make(a->bytes, EMPTY_SIZE);
	}
	put_u32(a->bytes + COUNT_AT, a->count);
	return span_make(a->bytes, a->n);
}

void
value_array_free(struct value_array *a)
{
	free(a->bytes);
	*a = (struct value_array){ 0 };
}
