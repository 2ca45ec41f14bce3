#include "tests/torture/torture.h"

#include "shm/set.h"

/*
 * What was acknowledged must be found until it expires; what was never put must not be. Time is a
 * shared number that goes on by itself, and old entries are swept, so that their room is used
 * again.
 */

#define IDS 65536
#define SET_SIZE ((size_t)4096 + 64 * 1024)
#define LIFE_S 40

struct proof {
	_Atomic uint64_t now_s;
	_Atomic uint64_t next;
	_Atomic uint64_t until_s[IDS]; /* 0 while not acknowledged; id modulo IDS */
	_Atomic uint64_t id[IDS];
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
	atomic_store(&proof->now_s, 1000);
}

static uint64_t
before_of(uint64_t id)
{
	return id % 7 == 0 ? SET_ANY_TIME : id * 3;
}

static enum set_put_result
put(uint64_t id, uint64_t before_s, uint64_t until_s, uint64_t now_s)
{
	uint8_t digest[32];

	torture_digest(digest, id);
	return set_put(set, digest, before_s, until_s, now_s);
}

/* Some are put weaker first, so that the second put has to raise both times. */
static void
insert(struct torture_worker *worker)
{
	uint64_t id = atomic_fetch_add(&proof->next, 1), now_s = atomic_load(&proof->now_s);
	uint64_t until_s = now_s + 1 + torture_random(worker, LIFE_S);

	atomic_store(&proof->until_s[id % IDS], 0);
	atomic_store(&proof->id[id % IDS], id);
	if (id % 3 == 0)
		put(id, 1, until_s - 1, now_s);
	if (put(id, before_of(id), until_s, now_s) == SET_OK)
		atomic_store(&proof->until_s[id % IDS], until_s);
}

/*
 * Whether an entry of this id may have these times: its own, or, for a while, the weaker ones put
 * first.
 */
static bool
may_be(uint64_t id, uint64_t before_s)
{
	return before_s == before_of(id) || (id % 3 == 0 && before_s == 1);
}

/*
 * An entry that expired while it was asked about may be gone already; hence the second look at the
 * time.
 */
static void
ask(uint64_t at)
{
	uint64_t until_s = atomic_load(&proof->until_s[at]), id = atomic_load(&proof->id[at]);
	uint64_t now_s = atomic_load(&proof->now_s), before_s = 0;
	enum set_answer answer;
	uint8_t digest[32];

	torture_digest(digest, id);
	answer = set_has(set, digest, now_s, &before_s);
	if (answer == SET_YES && !may_be(id, before_s))
		torture_wrong(&torture_set, "an entry with the times of another");
	if (until_s <= atomic_load(&proof->now_s) || atomic_load(&proof->id[at]) != id)
		return;
	if (answer != SET_YES)
		torture_wrong(&torture_set, "an acknowledged entry is not there");
	else if (before_s != before_of(id))
		torture_wrong(&torture_set, "an entry with weaker times than acknowledged");
}

static void
ask_unknown(uint64_t n)
{
	uint64_t before_s;
	uint8_t digest[32];

	torture_digest(digest, n + (1ULL << 40));
	if (set_has(set, digest, atomic_load(&proof->now_s), &before_s) == SET_YES)
		torture_wrong(&torture_set, "an entry that was never put");
}

static void
pass_time(struct torture_worker *worker)
{
	uint64_t now_s = atomic_fetch_add(&proof->now_s, 1);

	if (torture_random(worker, 4) == 0)
		set_sweep(set, now_s);
	if (torture_random(worker, 4) == 0)
		set_mark_sure(set, set_doubt(set));
}

static void
step(struct torture_worker *worker)
{
	uint64_t next = atomic_load(&proof->next), recent = next < 2000 ? next + 1 : 2000;
	uint64_t what = torture_random(worker, 100);

	if (what < 30)
		insert(worker);
	else if (what < 80)
		ask((next - torture_random(worker, recent)) % IDS);
	else if (what < 99)
		ask_unknown(torture_random(worker, UINT64_MAX >> 24));
	else
		pass_time(worker);
}

static void
finish(void)
{
	uint64_t at;

	for (at = 0; at < IDS; at++)
		ask(at);
}

const struct torture_subject torture_set = {
	.name = "set",
	.size = size,
	.init = init,
	.step = step,
	.finish = finish,
};
