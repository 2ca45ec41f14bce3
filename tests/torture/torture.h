#ifndef TESTS_TORTURE_H
#define TESTS_TORTURE_H

/*
 * The frame of the torture: what a subject (one shared structure with its proof) and the processes
 * that hammer it know of each other. A subject keeps its expectations in shared memory too,
 * written so that a process killed between act and record makes them weaker, never wrong.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TORTURE_WORKERS 4
#define TORTURE_SUBJECTS 8

/* One process at work. Its random numbers are its own. */
struct torture_worker {
	int number;
	uint64_t random;
};

struct torture_subject {
	const char *name;
	/* Formats its part of zeroed memory, whose size `size` tells. */
	size_t (*size)(void);
	void (*init)(void *memory, size_t size);
	/* Begins work in a new process; may be NULL. */
	void (*begin)(const struct torture_worker *worker);
	/* Does one random thing, and calls torture_wrong if the answer is not what it must be. */
	void (*step)(struct torture_worker *worker);
	/* Looks at everything once more after the last worker has ended; may be NULL. */
	void (*finish)(void);
};

extern const struct torture_subject torture_cache;
extern const struct torture_subject torture_set;
extern const struct torture_subject torture_once;
extern const struct torture_subject torture_rate;
extern const struct torture_subject torture_keys;
extern const struct torture_subject torture_counter;
extern const struct torture_subject torture_lease;
extern const struct torture_subject torture_permits;

/* A random number below n. */
uint64_t torture_random(struct torture_worker *worker, uint64_t n);

/* Lets others run, perhaps; called where a delay would hurt most. */
void torture_dawdle(struct torture_worker *worker);

/* Notes a wrong answer of a subject; the first ones are printed. */
void torture_wrong(const struct torture_subject *subject, const char *what);

/* Whether a process lives (or is dead and not yet collected). */
bool torture_alive(pid_t pid);

/*
 * Fills bytes with a pattern that tells what they belong to; and says whether they are just that.
 */
void torture_fill(void *bytes, size_t len, uint64_t what);
bool torture_filled(const void *bytes, size_t len, uint64_t what);

/* A digest as uniform as SHA-256 would make it, of a number. */
void torture_digest(uint8_t digest[32], uint64_t n);

/* The key all structures are made with. */
extern const uint8_t torture_key[16];

#endif
