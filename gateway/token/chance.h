/*
 * Random numbers in small portions, for what is made many times a second.
 *
 * OpenSSL takes a microsecond for each call, however little it is asked for. So a reserve is drawn
 * at a time, and given out in parts. No byte is given twice, and none stays behind: each part is
 * wiped as it is given. A reserve belongs to one process and never lives across a fork.
 */
#ifndef GATEWAY_TOKEN_CHANCE_H
#define GATEWAY_TOKEN_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANCE_RESERVE	1024	/* the most that is drawn at a time */

/* All zero is an empty one. */
struct chance {
	size_t	left;
	uint8_t	reserve[CHANCE_RESERVE];
};

/* Gives n bytes, at most CHANCE_RESERVE. False, and nothing given, if OpenSSL has none. */
bool chance_take(struct chance *chance, uint8_t *out, size_t n);
/* Wipes what is left. */
void chance_forget(struct chance *chance);

#endif
