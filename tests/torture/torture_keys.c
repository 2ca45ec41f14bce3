#include "tests/torture/torture.h"

#include "shm/hash.h"
#include "shm/keys.h"

/*
 * A set that is read must be whole and its issuer's own, also while slots pass from one issuer to
 * another; and a generation must always name the same bytes, over all slots and all time.
 */

#define ISSUERS (KEYS_SLOTS * 3 / 2)	/* more than there is room for */
#define SET_BYTES_MAX 3000
#define GENERATIONS 65536

struct set {
	uint64_t issuer;
	uint64_t number;
	uint64_t len;
	uint8_t rest[SET_BYTES_MAX];
};

struct proof {
	_Atomic uint64_t next;
	_Atomic uint64_t number_of[GENERATIONS]; /* what a set of this generation holds */
};

static struct keys *keys;
static struct proof *proof;

static size_t
size(void)
{
	return keys_size() + sizeof(struct proof);
}

static void
init(void *memory, size_t memory_size)
{
	keys = keys_init(memory, memory_size - sizeof(struct proof));
	proof = (struct proof *)((char *)memory + keys_size());
}

static void
publish(struct torture_worker *worker, const struct keys_slot *slot)
{
	struct set set = { .issuer = slot->id };
	size_t rest = torture_random(worker, SET_BYTES_MAX);

	set.number = atomic_fetch_add(&proof->next, 1) + 1;
	set.len = offsetof(struct set, rest) + rest;
	torture_fill(set.rest, rest, slot->id * 1000000 + set.number);
	keys_publish(slot, &set, set.len, 1);
}

static void
check(const struct set *set, size_t len, uint64_t issuer, uint64_t generation)
{
	uint64_t known = 0;

	if (len < offsetof(struct set, rest) || set->issuer != issuer || set->len != len ||
	    !torture_filled(set->rest, len - offsetof(struct set, rest),
		issuer * 1000000 + set->number)) {
		torture_wrong(&torture_keys, "a set that is not whole or another issuer's");
		return;
	}
	if (generation >= GENERATIONS)
		return;
	if (!atomic_compare_exchange_strong(&proof->number_of[generation], &known, set->number) &&
	    known != set->number)
		torture_wrong(&torture_keys, "one generation with two contents");
}

static void
retain_some(struct torture_worker *worker)
{
	uint64_t ids[ISSUERS / 2];
	size_t i;

	for (i = 0; i < ISSUERS / 2; i++)
		ids[i] = 1 + torture_random(worker, ISSUERS);
	keys_retain(keys, ids, ISSUERS / 2);
}

static void
step(struct torture_worker *worker)
{
	uint64_t issuer = 1 + torture_random(worker, ISSUERS), generation;
	uint64_t what = torture_random(worker, 100);
	struct keys_slot slot;
	struct set set;
	size_t len;

	if (!keys_slot(keys, issuer, what < 20, &slot))
		return;
	if (what < 15)
		publish(worker, &slot);
	else if (what == 16)
		retain_some(worker);
	else if (what == 17)
		keys_try(&slot, 1);
	else if (what == 18)
		keys_fail(&slot, 1);
	len = keys_read(&slot, &set, sizeof(set), &generation);
	if (len != 0)
		check(&set, len, issuer, generation);
}

const struct torture_subject torture_keys = {
	.name = "keys",
	.size = size,
	.init = init,
	.step = step,
};
