#include "gateway/base/shared.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/bell.h"
#include "shm/board.h"
#include "shm/cache.h"

static const uint8_t boot_key[SHARED_BOOT_KEY_SIZE] = "a key of a test";
static const struct shared_sizes sizes = {
	.token_cache = 1 << 20,
	.negative_cache = 1 << 18,
	.rate_limits = 1 << 16,
	.revocations = 1 << 18,
	.reuse = 1 << 18,
	.replay = 1 << 18,
	.inactive = 1 << 18,
};
static struct shared shared;

static void
setup(void)
{
	ck_assert_ptr_null(shared_create(&shared, &sizes, boot_key, 1000));
}

static void
teardown(void)
{
	shared_close(&shared);
}

/* A child that ends at once, reaped: its process id is nobody's. */
static pid_t
dead_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	return pid;
}

START_TEST(has_every_part)
{
	ck_assert_ptr_nonnull(shared.token_cache);
	ck_assert_ptr_nonnull(shared.negative_cache);
	ck_assert_ptr_nonnull(shared.leases);
	ck_assert_ptr_nonnull(shared.keys);
	ck_assert_ptr_nonnull(shared.rates);
	ck_assert_ptr_nonnull(shared.revocations);
	ck_assert_ptr_nonnull(shared.board);
	ck_assert_ptr_nonnull(shared.counters);
	ck_assert_ptr_nonnull(shared.names);
	ck_assert_mem_eq(shared.control->boot_key, boot_key, SHARED_BOOT_KEY_SIZE);
	ck_assert_int_eq(shared.control->started_wall_s, 1000);
}
END_TEST

START_TEST(says_what_is_too_small)
{
	struct shared_sizes small = sizes;
	struct shared s;

	small.token_cache = 1;
	ck_assert_str_eq(shared_create(&s, &small, boot_key, 0), "a part is too small");
	ck_assert_int_eq(s.region.fd, -1);
}
END_TEST

START_TEST(another_binary_finds_what_was_kept)
{
	uint8_t digest[32] = { 1 };
	char value[8];
	struct shared other;

	ck_assert(cache_put(shared.token_cache, digest, "kept", 4, 2000, 1000));
	ck_assert_ptr_null(shared_attach(&other, dup(shared.region.fd)));
	ck_assert_uint_eq(cache_get(other.token_cache, digest, 1000, value, sizeof(value)), 4);
	ck_assert_mem_eq(value, "kept", 4);
	ck_assert_mem_eq(other.control->boot_key, boot_key, SHARED_BOOT_KEY_SIZE);
	shared_close(&other);
}
END_TEST

START_TEST(refuses_memory_of_another_layout)
{
	const struct region_part_spec one = { "control", 1000, 4096 };
	struct region region;
	struct shared other;
	int fd;

	ck_assert_int_eq(region_create(&region, &one, 1), 0);
	fd = dup(region.fd);
	ck_assert_ptr_nonnull(shared_attach(&other, fd));
	ck_assert_int_lt(write(fd, "x", 1), 0);
	ck_assert_int_eq(errno, EBADF);		/* it was closed */
	region_close(&region);

	fd = memfd_create("not a region", 0);
	ck_assert_ptr_nonnull(shared_attach(&other, fd));
}
END_TEST

START_TEST(slots_are_claimed_and_given_back)
{
	ck_assert_uint_eq(shared_free_slots(&shared), SHARED_SLOTS);
	ck_assert_int_eq(shared_claim(&shared, getpid(), SHARED_KEEPER, 1, 5), 0);
	ck_assert_int_eq(shared_claim(&shared, getpid(), SHARED_WORKER, 1, 5), 1);
	ck_assert_uint_eq(shared_workers(&shared, SHARED_STARTING), 1);
	ck_assert_uint_eq(shared_workers(&shared, SHARED_READY), 0);
	ck_assert_uint_eq(atomic_load(&shared.control->slots[1].heartbeat_ms), 5);
	ck_assert_uint_eq(shared_free_slots(&shared), SHARED_SLOTS - 2);
	shared_release(&shared, 0, getpid() + 1);
	ck_assert_uint_eq(shared_free_slots(&shared), SHARED_SLOTS - 2);
	shared_release(&shared, 0, getpid());
	ck_assert_int_eq(shared_claim(&shared, getpid(), SHARED_WORKER, 2, 6), 0);
}
END_TEST

START_TEST(there_is_an_end_to_slots_but_the_dead_hold_none)
{
	pid_t dead = dead_process();

	for (int i = 0; i < SHARED_SLOTS; i++)
		ck_assert_int_eq(shared_claim(&shared, getpid(), SHARED_WORKER, 1, 0), i);
	ck_assert_int_eq(shared_claim(&shared, getpid(), SHARED_WORKER, 1, 0), -1);
	atomic_store(&shared.control->slots[77].pid, dead);
	ck_assert_int_eq(shared_claim(&shared, getpid(), SHARED_WORKER, 1, 0), 77);
}
END_TEST

/* A master that was killed gives nothing back, and nobody reaps its children. */
START_TEST(what_the_dead_left_is_not_the_next_ones)
{
	struct board_slot *server = board_slot(shared.board, 7);

	ck_assert_int_eq(shared_claim(&shared, getpid(), SHARED_WORKER, 1, 5), 0);
	atomic_store(&shared.control->slots[0].state, SHARED_READY);
	ck_assert_uint_eq(shared_workers(&shared, SHARED_READY), 1);
	board_begin(server, 0);
	atomic_store(&shared.control->slots[0].pid, dead_process());
	ck_assert_uint_eq(shared_workers(&shared, SHARED_READY), 0);
	ck_assert_int_eq(shared_claim(&shared, getpid(), SHARED_WORKER, 2, 6), 0);
	ck_assert_uint_eq(board_load(server), 0);
}
END_TEST

START_TEST(room_is_with_the_ready_and_alive)
{
	struct shared_slot *slots = shared.control->slots;
	size_t least = 0;

	for (int i = 0; i < 4; i++) {
		shared_claim(&shared, getpid(), SHARED_WORKER, 1, 10000);
		atomic_store(&slots[i].clients, 10 + (uint32_t)i);
	}
	ck_assert(!shared_has_room(&shared, 0, 10000, &least));
	atomic_store(&slots[0].state, SHARED_READY);
	ck_assert(!shared_has_room(&shared, 0, 10000, &least));
	for (int i = 1; i < 4; i++)
		atomic_store(&slots[i].state, SHARED_READY);
	ck_assert(shared_has_room(&shared, 0, 10000, &least));
	ck_assert_uint_eq(least, 11);
	atomic_store(&slots[1].crowded, 1);
	atomic_store(&slots[2].heartbeat_ms, 1000);
	ck_assert(shared_has_room(&shared, 0, 10000, &least));
	ck_assert_uint_eq(least, 13);
	atomic_store(&slots[3].state, SHARED_DRAINING);
	ck_assert(!shared_has_room(&shared, 0, 10000, &least));
}
END_TEST

START_TEST(there_is_one_keeper)
{
	int status, ends[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		bool first = shared_become_keeper(&shared);

		if (write(ends[1], "x", 1) != 1 || !first)
			_exit(1);
		pause();
		_exit(0);
	}
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	ck_assert(!shared_become_keeper(&shared));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert(shared_become_keeper(&shared));
}
END_TEST

START_TEST(a_ring_is_heard_once_and_by_its_slot_only)
{
	struct pollfd ear = { bell_open(), POLLIN, 0 };
	int slot = shared_claim(&shared, getpid(), SHARED_WORKER, 1, 0);

	ck_assert_int_ge(ear.fd, 0);
	shared_ring(&shared, (unsigned)slot + 1);
	shared_ring_all(&shared, SHARED_KEEPER);
	ck_assert_int_eq(poll(&ear, 1, 0), 0);
	shared_ring(&shared, (unsigned)slot);
	shared_ring_all(&shared, SHARED_WORKER);
	ck_assert_int_eq(poll(&ear, 1, 1000), 1);
	bell_clear(ear.fd);
	ck_assert_int_eq(poll(&ear, 1, 0), 0);
	bell_ring(dead_process());
	close(ear.fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("shared");
	TCase *parts = tcase_create("parts"), *slots = tcase_create("slots");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(parts, setup, teardown);
	tcase_add_test(parts, has_every_part);
	tcase_add_test(parts, says_what_is_too_small);
	tcase_add_test(parts, another_binary_finds_what_was_kept);
	tcase_add_test(parts, refuses_memory_of_another_layout);
	suite_add_tcase(suite, parts);
	tcase_add_checked_fixture(slots, setup, teardown);
	tcase_add_test(slots, slots_are_claimed_and_given_back);
	tcase_add_test(slots, there_is_an_end_to_slots_but_the_dead_hold_none);
	tcase_add_test(slots, what_the_dead_left_is_not_the_next_ones);
	tcase_add_test(slots, room_is_with_the_ready_and_alive);
	tcase_add_test(slots, there_is_one_keeper);
	tcase_add_test(slots, a_ring_is_heard_once_and_by_its_slot_only);
	suite_add_tcase(suite, slots);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
