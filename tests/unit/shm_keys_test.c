#include "shm/keys.h"
#include "tests/unit/shm_memory.h"

static uint8_t buf[KEYS_BYTES_MAX];

static struct keys *
keys_new(void)
{
	return keys_init(memory_new(keys_size()), keys_size());
}

START_TEST(a_set_is_read_as_published)
{
	struct keys *keys = keys_new();
	struct keys_slot slot;
	uint64_t first, second;

	ck_assert(!keys_slot(keys, 7, false, &slot));
	ck_assert(keys_slot(keys, 7, true, &slot));
	ck_assert_uint_eq(keys_generation(&slot), 0);
	ck_assert_uint_eq(keys_read(&slot, buf, sizeof(buf), &first), 0);
	ck_assert(keys_publish(&slot, "{\"keys\":[]}", 11, 50));
	ck_assert_uint_eq(keys_read(&slot, buf, sizeof(buf), &first), 11);
	ck_assert_mem_eq(buf, "{\"keys\":[]}", 11);
	ck_assert_uint_eq(keys_generation(&slot), first);
	ck_assert(keys_publish(&slot, "{}", 2, 60));
	ck_assert_uint_eq(keys_read(&slot, buf, sizeof(buf), &second), 2);
	ck_assert_uint_gt(second, first);
	ck_assert_uint_eq(keys_read(&slot, buf, 1, &second), 0);
}
END_TEST

START_TEST(the_same_bytes_keep_their_generation)
{
	struct keys *keys = keys_new();
	struct keys_info info;
	struct keys_slot slot;
	uint64_t generation;

	keys_slot(keys, 7, true, &slot);
	keys_publish(&slot, "set", 3, 50);
	generation = keys_generation(&slot);
	ck_assert(keys_publish(&slot, "set", 3, 80));
	ck_assert_uint_eq(keys_generation(&slot), generation);
	ck_assert(keys_info(&slot, &info));
	ck_assert_uint_eq(info.fetched_at_s, 80);
}
END_TEST

START_TEST(a_failure_keeps_the_last_good_set)
{
	struct keys *keys = keys_new();
	struct keys_info info;
	struct keys_slot slot;
	uint64_t generation;

	keys_slot(keys, 7, true, &slot);
	ck_assert(keys_info(&slot, &info));
	ck_assert_int_eq(info.status, KEYS_NEVER);
	keys_publish(&slot, "set", 3, 50);
	keys_fail(&slot, 90);
	ck_assert(keys_info(&slot, &info));
	ck_assert_int_eq(info.status, KEYS_FAILED);
	ck_assert_uint_eq(info.tried_at_s, 90);
	ck_assert_uint_eq(info.fetched_at_s, 50);
	ck_assert_uint_eq(keys_read(&slot, buf, sizeof(buf), &generation), 3);
}
END_TEST

START_TEST(wishes_last_until_an_attempt_begins)
{
	struct keys *keys = keys_new();
	struct keys_info info;
	struct keys_slot slot;

	keys_slot(keys, 7, true, &slot);
	keys_want(&slot);
	keys_want(&slot);
	keys_info(&slot, &info);
	ck_assert(info.wanted);
	keys_try(&slot, 10);
	keys_info(&slot, &info);
	ck_assert(!info.wanted);
	keys_want(&slot);
	keys_publish(&slot, "set", 3, 10);
	keys_info(&slot, &info);
	ck_assert(info.wanted);
}
END_TEST

START_TEST(a_lost_slot_reads_nothing)
{
	struct keys *keys = keys_new();
	struct keys_slot slot, other;
	struct keys_info info;
	uint64_t id, generation;

	for (id = 1; id <= KEYS_SLOTS; id++) {
		ck_assert(keys_slot(keys, id, true, &slot));
		keys_publish(&slot, &id, sizeof(id), 1);
	}
	ck_assert(!keys_slot(keys, 1000, true, &other));
	keys_slot(keys, 3, false, &slot);
	generation = keys_generation(&slot);
	keys_retain(keys, (const uint64_t[]){ 1, 2 }, 2);
	ck_assert_uint_eq(keys_read(&slot, buf, sizeof(buf), &generation), 8);
	ck_assert(keys_slot(keys, 1000, true, &other));
	ck_assert_uint_eq(other.index, slot.index);
	ck_assert_uint_eq(keys_generation(&other), 0);
	keys_publish(&other, "new", 3, 1);
	ck_assert_uint_eq(keys_read(&slot, buf, sizeof(buf), &generation), 0);
	ck_assert_uint_ne(keys_generation(&slot), generation);
	ck_assert(!keys_info(&slot, &info));
	ck_assert(!keys_publish(&slot, "old", 3, 1));
	ck_assert_uint_eq(keys_read(&other, buf, sizeof(buf), &generation), 3);
}
END_TEST

START_TEST(a_withdrawn_set_is_gone_until_the_next)
{
	struct keys *keys = keys_new();
	struct keys_slot slot;
	uint64_t before, after;

	keys_slot(keys, 5, true, &slot);
	keys_publish(&slot, "set", 3, 1);
	before = keys_generation(&slot);
	keys_withdraw(&slot);
	ck_assert_uint_eq(keys_generation(&slot), 0);
	ck_assert_uint_eq(keys_read(&slot, buf, sizeof(buf), &after), 0);
	keys_publish(&slot, "set", 3, 2);
	ck_assert_uint_eq(keys_read(&slot, buf, sizeof(buf), &after), 3);
	ck_assert_uint_gt(after, before);
}
END_TEST

START_TEST(a_dropped_issuer_that_returns_has_its_slot)
{
	struct keys *keys = keys_new();
	struct keys_slot slot, again;
	uint64_t generation;

	keys_slot(keys, 5, true, &slot);
	keys_publish(&slot, "set", 3, 1);
	keys_retain(keys, NULL, 0);
	ck_assert(keys_slot(keys, 5, true, &again));
	ck_assert_uint_eq(again.index, slot.index);
	ck_assert_uint_eq(keys_read(&again, buf, sizeof(buf), &generation), 3);
}
END_TEST

static void
publish_forever(struct keys_slot *slot)
{
	size_t len;
	int n;

	for (n = 0;; n++) {
		len = 1000 + (size_t)(n % 7) * 1000;
		memset(buf, n, len);
		keys_publish(slot, buf, len, 1);
	}
}

START_TEST(readers_see_whole_sets_only)
{
	struct keys *keys = keys_new();
	struct keys_slot slot;
	size_t i, len, mixed = 0, reads;
	uint64_t generation;
	pid_t writer;

	keys_slot(keys, 5, true, &slot);
	writer = fork();
	if (writer == 0)
		publish_forever(&slot);
	for (reads = 0; reads < 20000; reads++) {
		len = keys_read(&slot, buf, sizeof(buf), &generation);
		for (i = 1; i < len; i++)
			mixed += buf[i] != buf[0];
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	ck_assert_uint_eq(mixed, 0);
	ck_assert(keys_publish(&slot, "after", 5, 1));
	ck_assert_uint_eq(keys_read(&slot, buf, sizeof(buf), &generation), 5);
}
END_TEST

MEMORY_RUN("shm_keys", a_set_is_read_as_published, the_same_bytes_keep_their_generation,
    a_failure_keeps_the_last_good_set, wishes_last_until_an_attempt_begins,
    a_lost_slot_reads_nothing, a_withdrawn_set_is_gone_until_the_next,
    a_dropped_issuer_that_returns_has_its_slot,
    readers_see_whole_sets_only)
