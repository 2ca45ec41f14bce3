/*
 * What all processes of the gateway share: one region of memory, and what lies in it.
 *
 * The master makes it, its children inherit it, and a new binary that takes over (USR2) attaches
 * to it by its descriptor. A part whose layout the new binary doesn't know makes it start with a
 * region of its own, empty caches included. Beside the structures of shm/ there is a small part
 * of process state: the boot key, and a table of slots, one a living worker or keeper, in which
 * each says how it is.
 *
 * A slot is claimed by a master before it forks and given back when the child was reaped. Two
 * masters may claim at the same time during an upgrade.
 */
#ifndef GATEWAY_BASE_SHARED_H
#define GATEWAY_BASE_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/region.h"

struct board;
struct cache;
struct counter;
struct keys;
struct lease;
struct names;
struct permits;
struct rate;
struct set;

#define SHARED_SLOTS		128
#define SHARED_BOOT_KEY_SIZE	16

/* What a process is. */
enum shared_role {
	SHARED_WORKER,
	SHARED_KEEPER,
};

enum shared_state {
	SHARED_STARTING,
	SHARED_READY,		/* a worker accepts; a keeper has tried every issuer's keys once */
	SHARED_DRAINING,
};

/* One process, in a cache line of its own. Written by that process, read by anybody. */
struct shared_slot {
	_Alignas(64) _Atomic int32_t	pid;		/* 0: free; the master's while it forks */
	_Atomic uint32_t		role;		/* enum shared_role */
	_Atomic uint32_t		state;		/* enum shared_state */
	_Atomic uint32_t		clients;	/* open client connections */
	/* 1: takes no further clients for want of room */
	_Atomic uint32_t		crowded;
	_Atomic uint64_t		generation;	/* of the configuration it runs on */
	_Atomic uint64_t		heartbeat_ms;	/* clock_ms() of its latest turn */
};

struct shared_control {
	uint8_t			 boot_key[SHARED_BOOT_KEY_SIZE];
	int64_t			 started_wall_s;
	_Atomic uint64_t	 generation;		/* of the configuration in force */
	_Atomic uint64_t	 reloads_good;
	_Atomic uint64_t	 reloads_bad;
	_Atomic uint64_t	 restarts;		/* children that died and were replaced */
	/* counted up whenever some client or consumer has changed or gone */
	_Atomic uint64_t	 clients_generation;
	/* bits of enum identity_kind: of which kinds something was ever revoked */
	_Atomic uint32_t	 revoked_kinds;
	/* which database was read; 0: none yet, or none any more */
	_Atomic uint64_t	 feed_source;
	/* the latest row of the feed that is in force here */
	_Atomic int64_t		 feed_seq;
	/* clock_ms() when all that stood in the feed was in force here; 0: never */
	_Atomic uint64_t	 feed_known_ms;
	struct shared_slot	 slots[SHARED_SLOTS];
};

struct shared {
	struct region		 region;
	struct shared_control	*control;
	struct cache		*token_cache;
	struct cache		*negative_cache;
	struct lease		*leases;
	struct keys		*keys;
	struct rate		*rates;
	struct set		*revocations;
	struct cache		*reuse;		/* tokens to be handed out again */
	struct set		*replays;	/* client assertions that were used */
	/* tokens that their issuer once called not active: it is asked before they pass */
	struct set		*inactive;
	struct board		*board;
	struct counter		*counters;
	struct names		*names;
	struct permits		*permits;	/* of connections to the database */
};

/* Bytes of the parts whose size is the operator's choice. */
struct shared_sizes {
	size_t	token_cache;
	size_t	negative_cache;
	size_t	rate_limits;
	size_t	revocations;
	size_t	reuse;
	size_t	replay;
	size_t	inactive;
};

/*
 * Makes the region and formats every part; `boot_key` is random. Returns NULL or a sentence that
 * says what is wrong (a part too small, no memory).
 */
const char *shared_create(struct shared *s, const struct shared_sizes *sizes,
    const uint8_t boot_key[SHARED_BOOT_KEY_SIZE], int64_t now_wall_s);
/*
 * Takes over the region behind a descriptor, which then belongs to it. NULL, or a sentence that
 * says why it can't be used; then the descriptor is closed.
 */
const char *shared_attach(struct shared *s, int fd);
/* Unmaps it; the memory goes when the last process has done so. */
void shared_close(struct shared *s);

/* Claims a free slot for a process about to be forked by `master`; -1 when there is none. */
int shared_claim(struct shared *s, pid_t master, enum shared_role role, uint64_t generation,
    uint64_t now_ms);
/* Gives a slot back, if it is still that process's. */
void shared_release(struct shared *s, unsigned slot, pid_t pid);
/* Number of slots that could be claimed. */
unsigned shared_free_slots(const struct shared *s);
/* Number of living workers in this state, of all generations. */
unsigned shared_workers(const struct shared *s, enum shared_state state);

/*
 * True if another worker than `own` looks alive and has room for clients; *least is the fewest
 * any such has.
 */
bool shared_has_room(const struct shared *s, unsigned own, uint64_t now_ms, size_t *least);

/* Wakes the process of a slot (bell.h). */
void shared_ring(const struct shared *s, unsigned slot);
/* Wakes all workers, or the keeper. */
void shared_ring_all(const struct shared *s, enum shared_role role);

/*
 * Makes this process the one keeper of the region until it ends: only one may write key sets. False
 * while another process is (one that is about to end, or belongs to a binary being replaced).
 */
bool shared_become_keeper(const struct shared *s);

#endif
