#ifndef SHM_NAMES_H
#define SHM_NAMES_H

/*
 * Short names for strings: each string of up to 255 bytes gets a number from 1 up that it keeps
 * for as long as the memory lives, so that what was counted under a label before a reload is
 * still counted under it afterwards.
 *
 * Names are only added. Looking up takes no lock; adding does, and if a process dies in there,
 * the next one finishes or drops what it began, and no number changes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_LEN_MAX 255
#define NAMES_MAX 65535
#define NAMES_VERSION 1

struct names;

/* The bytes to give to names_init; some 264 are touched per name. */
size_t names_size(void);

/* Formats zeroed memory; key is 16 random bytes. NULL if it is too small. */
struct names *names_init(void *memory, size_t size, const uint8_t key[16]);

/* The names that names_init made in this memory, or NULL. */
struct names *names_attach(void *memory, size_t size);

/*
 * The number of a string, given to it now if it has none; 0 if it is too long or all 65,535 are
 * taken.
 */
uint16_t names_intern(struct names *names, const void *bytes, size_t len);

/*
 * The string of a number, which stays where it is; *len is its length. NULL if the number was
 * never given.
 */
const char *names_get(const struct names *names, uint16_t id, size_t *len);

#endif
