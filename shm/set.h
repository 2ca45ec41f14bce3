#ifndef SHM_SET_H
#define SHM_SET_H

/*
 * The set of what is revoked. It never forgets an entry before the entry's own expiry, and it
 * never says "no" when it might have lost one.
 *
 * An entry is an identity (the 32-byte digest of a jti with its issuer, a subject, a client, a
 * key id) that is revoked for all that was issued before a time, until it expires. Putting it
 * again only makes it stronger. Reads take no lock. Memory is bounded: when a neighbourhood is
 * full, set_put says SET_FULL, and from then on every "no" becomes SET_UNSURE, which means: ask
 * the database. The set is unsure, too, after a process died inside its lock, since what that one
 * was putting may be recorded elsewhere and nowhere here. Whoever has then put everything again
 * says so with set_mark_sure; where nobody can, set_outlive waits until all that may be lost has
 * expired.
 *
 * Entries themselves survive any death: each change takes effect by its last store.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SET_VERSION 2
#define SET_ANY_TIME 0 /* revoked whenever it was issued */

struct set;

enum set_put_result {
	SET_OK,
	SET_FULL, /* not kept; the set is now unsure */
};

enum set_answer {
	SET_NO,
	SET_YES,
	SET_UNSURE, /* not found, but it may have been lost */
};

struct set_stats {
	uint64_t entries; /* the expired but not yet swept included */
	uint64_t capacity;
	bool unsure;
};

/* The bytes to give to set_init for so many entries. */
size_t set_size_for(size_t entries);

/* Formats zeroed, page-aligned memory; key is 16 random bytes. NULL if it is too small. */
struct set *set_init(void *memory, size_t size, const uint8_t key[16]);

/* The set that set_init made in this memory, or NULL. */
struct set *set_attach(void *memory, size_t size);

/*
 * Revokes an identity: what was issued before before_s (SET_ANY_TIME: all of it), until
 * expires_s. When it returns SET_OK, every later set_has finds it. When the identity is there
 * already, the later of both times of either kind counts.
 */
enum set_put_result set_put(struct set *set, const uint8_t digest[32], uint64_t before_s,
    uint64_t expires_s, uint64_t now_s);

enum set_add_result {
	SET_ADDED,
	SET_THERE,   /* it was there already, and has not expired */
	SET_NO_ROOM, /* not kept; the set is as sure as before */
};

/*
 * Puts an identity if it is not there, in one step: of all who add the same one, over all
 * processes, one is told SET_ADDED. For sets of what may happen once (replayed assertions), which
 * have no use for times and doubts.
 */
enum set_add_result set_add(struct set *set, const uint8_t digest[32], uint64_t expires_s,
    uint64_t now_s);

/*
 * Whether an identity is revoked at now_s; with SET_YES, *before_s says for what (0:
 * SET_ANY_TIME).
 */
enum set_answer set_has(
    const struct set *set, const uint8_t digest[32], uint64_t now_s, uint64_t *before_s);

/* Frees what has expired. Holds the lock for a small part of the table at a time. */
void set_sweep(struct set *set, uint64_t now_s);

/* Makes the set unsure. */
void set_mark_unsure(struct set *set);

/*
 * 0 if the set is sure, else a number that names its latest doubt: taken before putting
 * everything again.
 */
uint64_t set_doubt(const struct set *set);

/* Makes the set sure, unless a doubt newer than this one has come up. False if it has. */
bool set_mark_sure(struct set *set, uint64_t doubt);

/*
 * Makes the set sure once all that was put before its latest doubt has expired, lost or not; to be
 * called now and then. True if that was now.
 */
bool set_outlive(struct set *set, uint64_t now_s);

/* Tells how full the set is. */
void set_stats(const struct set *set, struct set_stats *stats);

#endif
