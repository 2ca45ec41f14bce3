#include "tests/torture/torture.h"

#include <unistd.h>

#include "shm/lease.h"

/*
 * No deadline passes here, so a lease may go to another only when its holder has released it or is
 * dead.
 */

#define LEASES 12

struct proof {
	_Atomic int64_t holder[LEASES];
};

static struct lease *lease;
static struct proof *proof;

static size_t
size(void)
{
	return lease_size_for(8) + sizeof(struct proof);
}

static void
init(void *memory, size_t memory_size)
{
	lease = lease_init(memory, lease_size_for(8), torture_key);
	proof = (struct proof *)((char *)memory + memory_size - sizeof(struct proof));
}

static void
step(struct torture_worker *worker)
{
	uint64_t n = torture_random(worker, LEASES), ticket, waiters[2] = { 0 };
	struct lease_asker asker = {
		.pid = getpid(), .worker = worker->number, .alive = torture_alive
	};
	uint8_t digest[32];
	int64_t before;

	torture_digest(digest, n);
	if (lease_take(lease, digest, &asker, 1, &ticket) != LEASE_YOURS)
		return;
	before = atomic_exchange(&proof->holder[n], getpid());
	if (before != 0 && torture_alive((pid_t)before))
		torture_wrong(&torture_lease, "two living holders");
	torture_dawdle(worker);
	atomic_store(&proof->holder[n], 0);
	if (!lease_release(lease, digest, ticket, waiters))
		torture_wrong(&torture_lease, "a lease lost while its holder lived");
	if ((waiters[0] >> TORTURE_WORKERS) != 0 || waiters[1] != 0)
		torture_wrong(&torture_lease, "a waiter that does not exist");
}

const struct torture_subject torture_lease = {
	.name = "lease",
	.size = size,
	.init = init,
	.step = step,
};
