#include "shm/lease.h"
#include "tests/unit/shm_memory.h"

#define TTL_MS 100

static uint8_t digest[32];
static uint64_t waiters[2];

/* Processes with odd numbers are dead. */
static bool
even_live(pid_t pid)
{
	return pid % 2 == 0;
}

static struct lease *
lease_new(size_t leases)
{
	size_t size = lease_size_for(leases);

	return lease_init(memory_new(size), size, memory_key);
}

static enum lease_result
take(struct lease *lease, uint64_t n, pid_t pid, int worker, uint64_t now_ms, uint64_t *ticket)
{
	struct lease_asker asker = {
		.pid = pid, .worker = worker, .now_ms = now_ms, .alive = even_live
	};

	return lease_take(lease, memory_digest(digest, n), &asker, TTL_MS, ticket);
}

static bool
release(struct lease *lease, uint64_t n, uint64_t ticket)
{
	return lease_release(lease, memory_digest(digest, n), ticket, waiters);
}

START_TEST(one_works_and_the_others_wait)
{
	struct lease *lease = lease_new(10);
	uint64_t ticket, other;

	ck_assert_int_eq(take(lease, 1, 10, 0, 0, &ticket), LEASE_YOURS);
	ck_assert_int_eq(take(lease, 1, 12, 1, 1, &other), LEASE_WAIT);
	ck_assert_int_eq(take(lease, 1, 14, 127, 2, &other), LEASE_WAIT);
	ck_assert_int_eq(take(lease, 2, 14, 127, 2, &other), LEASE_YOURS);
	ck_assert(!release(lease, 1, other));
	ck_assert(release(lease, 1, ticket));
	ck_assert_uint_eq(waiters[0], 2);
	ck_assert_uint_eq(waiters[1], 1ULL << 63);
	ck_assert(!release(lease, 1, ticket));
	ck_assert_int_eq(take(lease, 1, 12, 1, 3, &other), LEASE_YOURS);
	ck_assert(release(lease, 1, other));
	ck_assert_uint_eq(waiters[0] | waiters[1], 0);
}
END_TEST

START_TEST(a_late_holder_is_replaced)
{
	struct lease *lease = lease_new(10);
	uint64_t first, second, third;

	ck_assert_int_eq(take(lease, 1, 10, 0, 0, &first), LEASE_YOURS);
	ck_assert_int_eq(take(lease, 1, 12, 5, TTL_MS - 1, &second), LEASE_WAIT);
	ck_assert_int_eq(take(lease, 1, 14, 6, TTL_MS, &second), LEASE_YOURS);
	ck_assert_int_eq(take(lease, 1, 16, 7, TTL_MS, &third), LEASE_WAIT);
	ck_assert(!release(lease, 1, first));
	ck_assert(release(lease, 1, second));
	ck_assert_uint_eq(waiters[0], 1 << 5 | 1 << 7);
}
END_TEST

START_TEST(a_dead_holder_is_replaced_at_once)
{
	struct lease *lease = lease_new(10);
	uint64_t first, second;

	ck_assert_int_eq(take(lease, 1, 11, 0, 0, &first), LEASE_YOURS);
	ck_assert_int_eq(take(lease, 1, 12, 5, 1, &second), LEASE_YOURS);
	ck_assert(!release(lease, 1, first));
	ck_assert(release(lease, 1, second));
}
END_TEST

START_TEST(a_full_bucket_says_so_until_a_deadline_passes)
{
	struct lease *lease = lease_new(0);
	uint64_t n, ticket;

	for (n = 0; n < 8; n++)
		ck_assert_int_eq(take(lease, n, 10, 0, n, &ticket), LEASE_YOURS);
	ck_assert_int_eq(take(lease, 8, 10, 0, 50, &ticket), LEASE_FULL);
	ck_assert_int_eq(take(lease, 8, 10, 0, TTL_MS, &ticket), LEASE_YOURS);
	ck_assert(release(lease, 8, ticket));
}
END_TEST

START_TEST(attaches_to_what_fits)
{
	size_t size = lease_size_for(100);
	void *memory = memory_new(size);

	ck_assert_ptr_null(lease_attach(memory, size));
	ck_assert_ptr_null(lease_init(memory, lease_size_for(0) - 1, memory_key));
	ck_assert_ptr_nonnull(lease_init(memory, size, memory_key));
	ck_assert_ptr_nonnull(lease_attach(memory, size));
	ck_assert_ptr_null(lease_attach(memory, size - 1));
}
END_TEST

MEMORY_RUN("shm_lease", one_works_and_the_others_wait, a_late_holder_is_replaced,
    a_dead_holder_is_replaced_at_once, a_full_bucket_says_so_until_a_deadline_passes,
    attaches_to_what_fits)
