#ifndef SHM_KEYS_H
#define SHM_KEYS_H

/*
 * The current key set of each issuer, as raw bytes, written by the keeper and read by everyone.
 *
 * A slot belongs to an issuer, named by a 64-bit id (a hash of its name), and holds two buffers:
 * new bytes go into the one not in use, and one store makes them current. So a reader, which
 * takes no lock, sees an old set or a new one and never a mixture, and a writer that dies halfway
 * has changed nothing. What was good stays readable while fetches fail.
 *
 * A generation names one content of one slot and is never given to another: a fact stamped with
 * it is current as long as keys_generation says the same. It changes only when the bytes do.
 *
 * An issuer that a new configuration dropped keeps its slot, for workers that still serve the old
 * one, until a new issuer needs the room. Every access checks that the slot still has its
 * issuer's id, so a worker that outlived its slot reads nothing rather than another issuer's
 * keys.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYS_SLOTS 128
#define KEYS_BYTES_MAX ((size_t)256 * 1024)
#define KEYS_VERSION 2

struct keys;

/* An issuer's slot, as held by one process. */
struct keys_slot {
	struct keys *keys;
	uint64_t id;
	uint32_t index;
};

enum keys_status {
	KEYS_NEVER,  /* no attempt has ended yet */
	KEYS_GOOD,   /* the last attempt brought a set */
	KEYS_FAILED, /* the last attempt failed; an older set may be there */
};

struct keys_info {
	enum keys_status status;
	uint64_t generation; /* 0: no set yet */
	uint64_t fetched_at_s;
	uint64_t tried_at_s;
	bool wanted;
	uint32_t attempts; /* grows when one begins and when it ends; odd: one is under way */
};

/* The bytes to give to keys_init; most of them are never touched. */
size_t keys_size(void);

/* Formats zeroed memory; NULL if it is too small. */
struct keys *keys_init(void *memory, size_t size);

/* The keys that keys_init made in this memory, or NULL. */
struct keys *keys_attach(void *memory, size_t size);

/*
 * Finds the slot of an issuer (id is not 0), or, if claim is set, makes one. False when there is
 * none, or when all slots belong to issuers of the current configuration.
 */
bool keys_slot(struct keys *keys, uint64_t id, bool claim, struct keys_slot *slot);

/* Says which issuers the current configuration has; the slots of all others may be given away. */
void keys_retain(struct keys *keys, const uint64_t *ids, size_t n);

/* Notes that an attempt to fetch begins, which satisfies all wishes up to now. */
void keys_try(const struct keys_slot *slot, uint64_t now_s);

/*
 * Makes a fetched set current. False, and nothing happens, if it is longer than KEYS_BYTES_MAX or
 * the slot is lost.
 */
bool keys_publish(const struct keys_slot *slot, const void *bytes, size_t len, uint64_t now_s);

/* Notes that an attempt failed. The last good set stays. */
void keys_fail(const struct keys_slot *slot, uint64_t now_s);

/*
 * Takes the current set away: it is too old to be believed. The next publish has a new
 * generation.
 */
void keys_withdraw(const struct keys_slot *slot);

/* Asks the keeper to fetch anew; how often it really does is its own business. */
void keys_want(const struct keys_slot *slot);

/*
 * Copies the current set to buf and returns its length; its generation goes to *generation. 0 if
 * there is none, if it is longer than size, or if the slot is lost.
 */
size_t keys_read(const struct keys_slot *slot, void *buf, size_t size, uint64_t *generation);

/* The generation of the current set, 0 if none: one atomic load. */
uint64_t keys_generation(const struct keys_slot *slot);

/* What is known about the slot; false if it is lost. */
bool keys_info(const struct keys_slot *slot, struct keys_info *info);

#endif
