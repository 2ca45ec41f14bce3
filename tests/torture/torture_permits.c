#include "tests/torture/torture.h"

#include <unistd.h>

#include "shm/permits.h"

/* No place has two living holders, and whoever lives loses none. */

#define PLACES 3

struct proof {
	_Atomic int64_t holder[PLACES];
};

static struct permits *permits;
static struct proof *proof;

static size_t
size(void)
{
	return permits_size() + sizeof(struct proof);
}

static void
init(void *memory, size_t memory_size)
{
	permits = permits_init(memory, permits_size());
	proof = (struct proof *)((char *)memory + memory_size - sizeof(struct proof));
}

static void
step(struct torture_worker *worker)
{
	const struct permits_asker asker = { getpid(), (unsigned)worker->number, torture_alive };
	int place = permits_take(permits, 0, PLACES, &asker, torture_random(worker, 2) == 0);
	int64_t before;

	if (place < 0)
		return;
	before = atomic_exchange(&proof->holder[place], getpid());
	if (before != 0 && torture_alive((pid_t)before))
		torture_wrong(&torture_permits, "two living holders");
	torture_dawdle(worker);
	before = getpid();
	if (!atomic_compare_exchange_strong(&proof->holder[place], &before, 0))
		torture_wrong(&torture_permits, "a place lost while its holder lived");
	permits_give(permits, place, getpid());
	if (permits_next(permits, (unsigned)worker->number) >= TORTURE_WORKERS)
		torture_wrong(&torture_permits, "a waiter that does not exist");
}

const struct torture_subject torture_permits = {
	.name = "permits",
	.size = size,
	.init = init,
	.step = step,
};
