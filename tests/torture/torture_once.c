#include "tests/torture/torture.h"

#include "shm/set.h"

/*
 * What may happen once happens once: of all who add the same identity, over all processes and
 * whoever dies on his way, one at most is told that it was new. Who dies before he could tell leaves
 * the identity used up or free.
 */

#define IDS 200000
#define SET_SIZE ((size_t)4096 + 16384 * 1024)
#define NOW_S 1000
#define UNTIL_S 2000

struct proof {
	_Atomic uint64_t next;
	_Atomic uint32_t added[IDS];
};

static struct set *set;
static struct proof *proof;

static size_t
size(void)
{
	return SET_SIZE + sizeof(struct proof);
}

static void
init(void *memory, size_t memory_size)
{
	set = set_init(memory, memory_size - sizeof(struct proof), torture_key);
	proof = (struct proof *)((char *)memory + SET_SIZE);
}

/* All go for the same few identities at the same time, then for the next. */
static void
step(struct torture_worker *worker)
{
	uint64_t at = atomic_load(&proof->next), id = (at + torture_random(worker, 4)) % IDS;
	uint8_t digest[32];

	torture_digest(digest, id);
	switch (set_add(set, digest, UNTIL_S, NOW_S)) {
	case SET_ADDED:
		if (atomic_fetch_add(&proof->added[id], 1) != 0)
			torture_wrong(&torture_once, "an identity was new twice");
		atomic_compare_exchange_strong(&proof->next, &at, at + 1);
		break;
	case SET_THERE:
		break;
	case SET_NO_ROOM:
		torture_wrong(&torture_once, "no room where there is plenty");
		break;
	}
}

/* Who was told that it is there must find it, and so must everybody else from then on. */
static void
finish(void)
{
	uint8_t digest[32];

	for (uint64_t id = 0; id < IDS; id++) {
		if (atomic_load(&proof->added[id]) == 0)
			continue;
		torture_digest(digest, id);
		if (set_add(set, digest, UNTIL_S, NOW_S) != SET_THERE)
			torture_wrong(&torture_once, "an identity was forgotten");
	}
}

const struct torture_subject torture_once = {
	.name = "once",
	.size = size,
	.init = init,
	.step = step,
	.finish = finish,
};
