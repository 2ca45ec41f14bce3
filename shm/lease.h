#ifndef SHM_LEASE_H
#define SHM_LEASE_H

/*
 * Leases on work under way, so that of many who need the same look-up or insert one does it and
 * the others wait, over all processes.
 *
 * A lease has a deadline. One that is past it, or whose holder is dead, is broken by the next who
 * asks, who then holds it; its waiters stay with it. Each holding has a ticket of its own, so a
 * holder who overstayed can't release what another holds now. Two may then do the same work: a
 * lease saves work, and must not be what correctness rests on.
 *
 * Waiters are noted as worker numbers, 0 to 127, one bit each. The holder is given them at
 * release and wakes them. Whoever waits needs a deadline too, and asks again when it passes: the
 * holder may die.
 *
 * When a process dies inside a bucket's lock, nothing is lost: each change takes effect by its
 * last store. If a bucket's lock can't be had for some milliseconds, or its 8 places are taken,
 * the answer is LEASE_FULL, and the caller does the work without a lease.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LEASE_WORKERS 128
#define LEASE_VERSION 1

struct lease;

enum lease_result {
	LEASE_YOURS, /* do the work, then lease_release */
	LEASE_WAIT,  /* another does it; this worker will be woken */
	LEASE_FULL,  /* do the work, and wake nobody */
};

/* Who asks, and at what time. */
struct lease_asker {
	pid_t pid;
	int worker;
	uint64_t now_ms;
	bool (*alive)(pid_t pid); /* called without a lock held */
};

/* The bytes to give to lease_init for so many leases at once. */
size_t lease_size_for(size_t leases);

/* Formats zeroed, page-aligned memory; key is 16 random bytes. NULL if it is too small. */
struct lease *lease_init(void *memory, size_t size, const uint8_t key[16]);

/* The leases that lease_init made in this memory, or NULL. */
struct lease *lease_attach(void *memory, size_t size);

/* Asks for the lease on a digest, for ttl_ms from now. *ticket is set with LEASE_YOURS. */
enum lease_result lease_take(struct lease *lease, const uint8_t digest[32],
    const struct lease_asker *asker, uint64_t ttl_ms, uint64_t *ticket);

/*
 * Ends a lease and tells which workers wait for it: bit w % 64 of waiters[w / 64]. False, and
 * nothing happens, if it was broken meanwhile.
 */
bool lease_release(
    struct lease *lease, const uint8_t digest[32], uint64_t ticket, uint64_t waiters[2]);

#endif
