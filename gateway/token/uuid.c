#include "gateway/token/uuid.h"

#include <openssl/rand.h>

#include "gateway/base/clock.h"
#include "gateway/base/encode.h"

#define TIME_BYTES	6

/* Bytes of each group between the hyphens. */
static const uint8_t groups[] = { 4, 2, 2, 2, 6 };

#define N_GROUPS	(sizeof(groups) / sizeof(groups[0]))

void
uuid_make(uint8_t out[UUID_SIZE], uint64_t wall_ms, const uint8_t chance[UUID_CHANCE])
{
	for (int i = 0; i < TIME_BYTES; i++)
		out[i] = (uint8_t)(wall_ms >> (8 * (TIME_BYTES - 1 - i)));
	memcpy(out + TIME_BYTES, chance, UUID_CHANCE);
	out[6] = (uint8_t)((out[6] & 0x0f) | 0x70);
	out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

bool
uuid_now(uint8_t out[UUID_SIZE])
{
	uint8_t chance[UUID_CHANCE];

	if (RAND_bytes(chance, sizeof(chance)) != 1)
		return false;
	uuid_make(out, (uint64_t)(clock_wall_us() / 1000), chance);
	return true;
}

bool
uuid_is_v7(const uint8_t uuid[UUID_SIZE])
{
	return (uuid[6] & 0xf0) == 0x70 && (uuid[8] & 0xc0) == 0x80;
}

uint64_t
uuid_wall_ms(const uint8_t uuid[UUID_SIZE])
{
	uint64_t wall_ms = 0;

	for (int i = 0; i < TIME_BYTES; i++)
		wall_ms = wall_ms << 8 | uuid[i];
	return wall_ms;
}

void
uuid_text(const uint8_t uuid[UUID_SIZE], char out[UUID_TEXT])
{
	for (size_t g = 0; g < N_GROUPS; g++) {
		if (g > 0)
			*out++ = '-';
		hex_encode(uuid, groups[g], out);
		uuid += groups[g];
		out += 2 * groups[g];
	}
}

/* Value of a lower-case hexadecimal digit; -1 for every other character. */
static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
uuid_read(struct span text, uint8_t out[UUID_SIZE])
{
	if (text.n != UUID_TEXT)
		return false;
	for (size_t g = 0; g < N_GROUPS; g++) {
		if (g > 0 && *text.p++ != '-')
			return false;
		for (size_t i = 0; i < groups[g]; i++, text.p += 2) {
			int high = digit(text.p[0]), low = digit(text.p[1]);

			if (high < 0 || low < 0)
				return false;
			*out++ = (uint8_t)(high << 4 | low);
		}
	}
	return true;
}
