#include "gateway/base/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/bell.h"
#include "shm/board.h"
#include "shm/cache.h"
#include "shm/counter.h"
#include "shm/keys.h"
#include "shm/lease.h"
#include "shm/names.h"
#include "shm/permits.h"
#include "shm/rate.h"
#include "shm/set.h"

#define CONTROL_VERSION	2
#define LEASES		8192	/* lookups and inserts under way at the same time */
#define STILL_MS	2000	/* a worker without a heartbeat for so long may be stopped */

enum part {
	PART_CONTROL,
	PART_TOKEN_CACHE,
	PART_NEGATIVE_CACHE,
	PART_LEASES,
	PART_KEYS,
	PART_RATES,
	PART_REVOCATIONS,
	PART_REUSE,
	PART_REPLAYS,
	PART_INACTIVE,
	PART_BOARD,
	PART_COUNTERS,
	PART_NAMES,
	PART_PERMITS,
	PART_END
};

static const struct {
	const char	*name;
	uint32_t	 version;
} part_table[PART_END] = {
	[PART_CONTROL] = { "control", CONTROL_VERSION },
	[PART_TOKEN_CACHE] = { "token_cache", CACHE_VERSION },
	[PART_NEGATIVE_CACHE] = { "negative_cache", CACHE_VERSION },
	[PART_LEASES] = { "leases", LEASE_VERSION },
	[PART_KEYS] = { "keys", KEYS_VERSION },
	[PART_RATES] = { "rate_limits", RATE_VERSION },
	[PART_REVOCATIONS] = { "revocations", SET_VERSION },
	[PART_REUSE] = { "reuse", CACHE_VERSION },
	[PART_REPLAYS] = { "replays", SET_VERSION },
	[PART_INACTIVE] = { "inactive", SET_VERSION },
	[PART_BOARD] = { "board", BOARD_VERSION },
	[PART_COUNTERS] = { "counters", COUNTER_VERSION },
	[PART_NAMES] = { "names", NAMES_VERSION },
	[PART_PERMITS] = { "permits", PERMITS_VERSION },
};

/* Where the parts lie, in the order of the enum. */
struct place {
	void	*at;
	size_t	 size;
};

static void
find_places(const struct region *region, struct place place[PART_END])
{
	for (int i = 0; i < PART_END; i++)
		place[i].at = region_part(region, part_table[i].name, part_table[i].version,
		    &place[i].size);
}

static bool
is_complete(const struct shared *s)
{
	return s->control != NULL && s->token_cache != NULL && s->negative_cache != NULL &&
	    s->leases != NULL && s->keys != NULL && s->rates != NULL && s->revocations != NULL &&
	    s->reuse != NULL && s->replays != NULL && s->inactive != NULL && s->board != NULL &&
	    s->counters != NULL && s->names != NULL && s->permits != NULL;
}

static void
format(struct shared *s, const struct place p[PART_END], const uint8_t *key)
{
	s->control = p[PART_CONTROL].at;
	s->token_cache = cache_init(p[PART_TOKEN_CACHE].at, p[PART_TOKEN_CACHE].size, key);
	s->negative_cache = cache_init(p[PART_NEGATIVE_CACHE].at, p[PART_NEGATIVE_CACHE].size, key);
	s->leases = lease_init(p[PART_LEASES].at, p[PART_LEASES].size, key);
	s->keys = keys_init(p[PART_KEYS].at, p[PART_KEYS].size);
	s->rates = rate_init(p[PART_RATES].at, p[PART_RATES].size);
	s->revocations = set_init(p[PART_REVOCATIONS].at, p[PART_REVOCATIONS].size, key);
	s->reuse = cache_init(p[PART_REUSE].at, p[PART_REUSE].size, key);
	s->replays = set_init(p[PART_REPLAYS].at, p[PART_REPLAYS].size, key);
	s->inactive = set_init(p[PART_INACTIVE].at, p[PART_INACTIVE].size, key);
	s->board = board_init(p[PART_BOARD].at, p[PART_BOARD].size);
	s->counters = counter_init(p[PART_COUNTERS].at, p[PART_COUNTERS].size);
	s->names = names_init(p[PART_NAMES].at, p[PART_NAMES].size, key);
	s->permits = permits_init(p[PART_PERMITS].at, p[PART_PERMITS].size);
}

const char *
shared_create(struct shared *s, const struct shared_sizes *sizes,
    const uint8_t boot_key[SHARED_BOOT_KEY_SIZE], int64_t now_wall_s)
{
	const size_t size[PART_END] = {
		[PART_CONTROL] = sizeof(struct shared_control),
		[PART_TOKEN_CACHE] = sizes->token_cache,
		[PART_NEGATIVE_CACHE] = sizes->negative_cache,
		[PART_LEASES] = lease_size_for(LEASES),
		[PART_KEYS] = keys_size(),
		[PART_RATES] = sizes->rate_limits,
		[PART_REVOCATIONS] = sizes->revocations,
		[PART_REUSE] = sizes->reuse,
		[PART_REPLAYS] = sizes->replay,
		[PART_INACTIVE] = sizes->inactive,
		[PART_BOARD] = board_size(),
		[PART_COUNTERS] = counter_size(),
		[PART_NAMES] = names_size(),
		[PART_PERMITS] = permits_size(),
	};
	struct region_part_spec spec[PART_END];
	struct place place[PART_END];
	int error;

	memset(s, 0, sizeof(*s));
	for (int i = 0; i < PART_END; i++)
		spec[i] = (struct region_part_spec){ part_table[i].name, part_table[i].version,
			size[i] };
	error = region_create(&s->region, spec, PART_END);
	if (error != 0)
		return strerror(-error);
	find_places(&s->region, place);
	format(s, place, boot_key);
	if (!is_complete(s)) {
		shared_close(s);
		return "a part is too small";
	}
	memcpy(s->control->boot_key, boot_key, SHARED_BOOT_KEY_SIZE);
	s->control->started_wall_s = now_wall_s;
	return NULL;
}

static void *
control_attach(const struct place *p)
{
	return p->size >= sizeof(struct shared_control) ? p->at : NULL;
}

const char *
shared_attach(struct shared *s, int fd)
{
	struct place p[PART_END];
	int error;

	memset(s, 0, sizeof(*s));
	error = region_attach(&s->region, fd);
	if (error != 0) {
		close(fd);
		return error == -EPROTO ? "it has another layout" : strerror(-error);
	}
	find_places(&s->region, p);
	for (int i = 0; i < PART_END; i++)
		if (p[i].at == NULL) {
			shared_close(s);
			return "it lacks a part, or has one of another layout";
		}
	s->control = control_attach(&p[PART_CONTROL]);
	s->token_cache = cache_attach(p[PART_TOKEN_CACHE].at, p[PART_TOKEN_CACHE].size);
	s->negative_cache = cache_attach(p[PART_NEGATIVE_CACHE].at, p[PART_NEGATIVE_CACHE].size);
	s->leases = lease_attach(p[PART_LEASES].at, p[PART_LEASES].size);
	s->keys = keys_attach(p[PART_KEYS].at, p[PART_KEYS].size);
	s->rates = rate_attach(p[PART_RATES].at, p[PART_RATES].size);
	s->revocations = set_attach(p[PART_REVOCATIONS].at, p[PART_REVOCATIONS].size);
	s->reuse = cache_attach(p[PART_REUSE].at, p[PART_REUSE].size);
	s->replays = set_attach(p[PART_REPLAYS].at, p[PART_REPLAYS].size);
	s->inactive = set_attach(p[PART_INACTIVE].at, p[PART_INACTIVE].size);
	s->board = board_attach(p[PART_BOARD].at, p[PART_BOARD].size);
	s->counters = counter_attach(p[PART_COUNTERS].at, p[PART_COUNTERS].size);
	s->names = names_attach(p[PART_NAMES].at, p[PART_NAMES].size);
	s->permits = permits_attach(p[PART_PERMITS].at, p[PART_PERMITS].size);
	if (is_complete(s))
		return NULL;
	shared_close(s);
	return "a part of it is damaged";
}

void
shared_close(struct shared *s)
{
	region_close(&s->region);
	memset(s, 0, sizeof(*s));
	s->region.fd = -1;
}

static bool
is_dead(pid_t pid)
{
	return kill(pid, 0) != 0 && errno == ESRCH;
}

/* A slot whose master or child ended without giving it back is free too. */
static bool
take_slot(struct shared_slot *slot, pid_t master)
{
	int32_t pid = atomic_load(&slot->pid);

	return (pid == 0 || is_dead(pid)) &&
	    atomic_compare_exchange_strong(&slot->pid, &pid, master);
}

int
shared_claim(struct shared *s, pid_t master, enum shared_role role, uint64_t generation,
    uint64_t now_ms)
{
	for (int i = 0; i < SHARED_SLOTS; i++) {
		struct shared_slot *slot = &s->control->slots[i];

		if (!take_slot(slot, master))
			continue;
		board_forget(s->board, i);
		atomic_store(&slot->state, SHARED_STARTING);
		atomic_store(&slot->role, role);
		atomic_store(&slot->clients, 0);
		atomic_store(&slot->crowded, 0);
		atomic_store(&slot->generation, generation);
		atomic_store(&slot->heartbeat_ms, now_ms);
		return i;
	}
	return -1;
}

void
shared_release(struct shared *s, unsigned slot, pid_t pid)
{
	struct shared_slot *own = &s->control->slots[slot];
	int32_t expected = pid;

	if (atomic_load(&own->pid) != pid)
		return;
	/* what a dead worker had under way is no more; done while the slot is still its own */
	board_forget(s->board, (int)slot);
	permits_forget(s->permits, pid, slot);
	atomic_store(&own->clients, 0);
	atomic_compare_exchange_strong(&own->pid, &expected, 0);
}

unsigned
shared_free_slots(const struct shared *s)
{
	unsigned n = 0;

	for (int i = 0; i < SHARED_SLOTS; i++)
		n += atomic_load(&s->control->slots[i].pid) == 0;
	return n;
}

unsigned
shared_workers(const struct shared *s, enum shared_state state)
{
	unsigned n = 0;

	for (int i = 0; i < SHARED_SLOTS; i++) {
		const struct shared_slot *slot = &s->control->slots[i];

		n += atomic_load(&slot->pid) != 0 && atomic_load(&slot->role) == SHARED_WORKER &&
		    atomic_load(&slot->state) == state && !is_dead(atomic_load(&slot->pid));
	}
	return n;
}

bool
shared_has_room(const struct shared *s, unsigned own, uint64_t now_ms, size_t *least)
{
	bool any = false;

	for (unsigned i = 0; i < SHARED_SLOTS; i++) {
		const struct shared_slot *slot = &s->control->slots[i];
		uint32_t clients;

		if (i == own || atomic_load(&slot->pid) == 0 ||
		    atomic_load(&slot->role) != SHARED_WORKER ||
		    atomic_load(&slot->state) != SHARED_READY || atomic_load(&slot->crowded) != 0 ||
		    atomic_load(&slot->heartbeat_ms) + STILL_MS < now_ms)
			continue;
		clients = atomic_load(&slot->clients);
		if (!any || clients < *least)
			*least = clients;
		any = true;
	}
	return any;
}

void
shared_ring(const struct shared *s, unsigned slot)
{
	bell_ring(atomic_load(&s->control->slots[slot].pid));
}

void
shared_ring_all(const struct shared *s, enum shared_role role)
{
	for (unsigned i = 0; i < SHARED_SLOTS; i++)
		if (atomic_load(&s->control->slots[i].role) == role)
			shared_ring(s, i);
}

bool
shared_become_keeper(const struct shared *s)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

	return fcntl(s->region.fd, F_SETLK, &lock) == 0;
}
