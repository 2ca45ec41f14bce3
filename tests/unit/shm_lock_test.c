#include "shm/lock.h"
#include "tests/unit/shm_memory.h"

struct shared {
	struct lock lock;
	int value;
};

static void
die_holding(struct shared *shared)
{
	pid_t pid = fork();

	if (pid == 0) {
		lock_take(&shared->lock);
		shared->value++;
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
}

START_TEST(taken_and_dropped)
{
	struct shared *shared = memory_new(sizeof(*shared));

	lock_init(&shared->lock);
	ck_assert_int_eq(lock_owner(&shared->lock), 0);
	ck_assert_int_eq(lock_take(&shared->lock), LOCK_OK);
	ck_assert_int_eq(lock_owner(&shared->lock), getpid());
	lock_drop(&shared->lock);
	ck_assert_int_eq(lock_owner(&shared->lock), 0);
}
END_TEST

START_TEST(dead_owner_is_told_to_the_next_only)
{
	struct shared *shared = memory_new(sizeof(*shared));

	lock_init(&shared->lock);
	die_holding(shared);
	ck_assert_int_ne(lock_owner(&shared->lock), 0);
	ck_assert_int_eq(lock_take(&shared->lock), LOCK_RECOVERED);
	lock_drop(&shared->lock);
	ck_assert_int_eq(lock_take(&shared->lock), LOCK_OK);
	lock_drop(&shared->lock);
	die_holding(shared);
	ck_assert_int_eq(lock_try(&shared->lock), LOCK_RECOVERED);
	lock_drop(&shared->lock);
}
END_TEST

START_TEST(stopped_owner_makes_it_busy)
{
	struct shared *shared = memory_new(sizeof(*shared));
	int pipes[2];
	char byte;
	pid_t pid;

	lock_init(&shared->lock);
	ck_assert_int_eq(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		lock_take(&shared->lock);
		if (write(pipes[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
	ck_assert_int_eq(lock_try(&shared->lock), LOCK_BUSY);
	ck_assert_int_eq(lock_owner(&shared->lock), pid);
	kill(pid, SIGKILL);
	ck_assert_int_eq(lock_take(&shared->lock), LOCK_RECOVERED);
	lock_drop(&shared->lock);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(excludes_others)
{
	struct shared *shared = memory_new(sizeof(*shared));
	int i, n;

	lock_init(&shared->lock);
	for (i = 0; i < 4; i++) {
		if (fork() != 0)
			continue;
		for (n = 0; n < 20000; n++) {
			lock_take(&shared->lock);
			shared->value++;
			lock_drop(&shared->lock);
		}
		_exit(0);
	}
	for (i = 0; i < 4; i++)
		wait(NULL);
	ck_assert_int_eq(shared->value, 80000);
}
END_TEST

MEMORY_RUN("shm_lock", taken_and_dropped, dead_owner_is_told_to_the_next_only,
    stopped_owner_makes_it_busy, excludes_others)
