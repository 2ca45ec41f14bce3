/*
 * What the shared structures cost, in ns of processor time per operation, on one core.
 * Prints one line each.
 *
 * shm_bench [entries]     (default: one million cache entries of 450 bytes)
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "shm/board.h"
#include "shm/cache.h"
#include "shm/counter.h"
#include "shm/hash.h"
#include "shm/keys.h"
#include "shm/lease.h"
#include "shm/rate.h"
#include "shm/set.h"

#define VALUE_SIZE 450
#define ROUNDS 2000000ULL

static const uint8_t key[16] = "benchmark";
static uint64_t sink; /* keeps results alive */

static void *
memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void
report(const char *what, double begin_ns, uint64_t n)
{
	printf("%-44s %8.1f ns\n", what, (now_ns() - begin_ns) / (double)n);
}

static const uint8_t *
digest_of(uint64_t n)
{
	static uint64_t words[4];
	int i;

	for (i = 0; i < 4; i++)
		words[i] = hash_mix64(n * 4 + (uint64_t)i + 1);
	return (const uint8_t *)words;
}

/*
 * The cost of drawing digests is measured apart and can be taken off the lines that draw one
 * each.
 */
static void
bench_digest(void)
{
	double begin = now_ns();
	uint64_t n;

	for (n = 0; n < ROUNDS; n++)
		sink += digest_of(hash_mix64(n))[0];
	report("(drawing a digest, in the lines marked *)", begin, ROUNDS);
}

static void
bench_cache(uint64_t entries)
{
	size_t size = cache_size_for(entries, VALUE_SIZE);
	struct cache *cache = cache_init(memory(size), size, key);
	uint8_t buf[CACHE_VALUE_MAX], value[VALUE_SIZE] = { 0 }, hot[32];
	double begin = now_ns();
	uint64_t n;

	for (n = 0; n < entries; n++)
		cache_put(cache, digest_of(n), value, VALUE_SIZE, 100, 10);
	report("cache_put, into fresh memory *", begin, entries);
	begin = now_ns();
	for (n = 0; n < ROUNDS; n++)
		sink += cache_get(cache, digest_of(hash_mix64(n) % entries), 10, buf, sizeof(buf));
	report("cache_get, hit among all entries *", begin, ROUNDS);
	memcpy(hot, digest_of(1), 32);
	begin = now_ns();
	for (n = 0; n < ROUNDS; n++)
		sink += cache_get(cache, hot, 10, buf, sizeof(buf));
	report("cache_get, hit on one hot entry", begin, ROUNDS);
	begin = now_ns();
	for (n = 0; n < ROUNDS; n++)
		sink += cache_get(cache, digest_of(entries + n), 10, buf, sizeof(buf));
	report("cache_get, miss *", begin, ROUNDS);
	begin = now_ns();
	for (n = 0; n < entries; n++)
		cache_put(cache, digest_of(entries + n), value, VALUE_SIZE, 100, 10);
	report("cache_put, into a cache filling up *", begin, entries);
}

static void
bench_rate(void)
{
	const struct rate_limit limit = { .period_us = 1, .burst = 1000000000 };
	size_t size = rate_size_for(100000);
	struct rate *rate = rate_init(memory(size), size);
	struct rate_verdict verdict;
	double begin = now_ns();
	uint64_t n;

	for (n = 0; n < ROUNDS; n++)
		sink += rate_take(rate, 77, &limit, n, &verdict);
	report("rate_take, one consumer", begin, ROUNDS);
	begin = now_ns();
	for (n = 0; n < ROUNDS; n++)
		sink += rate_take(rate, hash_mix64(n % 100000), &limit, 1, &verdict);
	report("rate_take, 100,000 consumers", begin, ROUNDS);
}

static void
bench_counter(void)
{
	struct counter *counter = counter_init(memory(counter_size()), counter_size());
	struct counter_slab *slab = counter_slab(counter, 0);
	double begin = now_ns();
	uint64_t n;

	for (n = 0; n < ROUNDS; n++)
		counter_add(slab, 42, 1);
	report("counter_add, one series", begin, ROUNDS);
	begin = now_ns();
	for (n = 0; n < ROUNDS; n++)
		counter_add(slab, n % 1000 + 1, 1);
	report("counter_add, 1,000 series", begin, ROUNDS);
}

static void
bench_set(void)
{
	size_t size = set_size_for(100000);
	struct set *set = set_init(memory(size), size, key);
	uint64_t n, before;
	double begin;

	begin = now_ns();
	for (n = 0; n < ROUNDS; n++)
		sink += set_has(set, digest_of(n), 10, &before);
	report("set_has, in an empty set *", begin, ROUNDS);
	begin = now_ns();
	for (n = 0; n < 100000; n++)
		set_put(set, digest_of(n), SET_ANY_TIME, 100, 10);
	report("set_put *", begin, 100000);
	begin = now_ns();
	for (n = 0; n < ROUNDS; n++)
		sink += set_has(set, digest_of(100000 + n), 10, &before);
	report("set_has, no, among 100,000 (90 % full) *", begin, ROUNDS);
	begin = now_ns();
	for (n = 0; n < ROUNDS; n++)
		sink += set_has(set, digest_of(n % 100000), 10, &before);
	report("set_has, yes, among 100,000 *", begin, ROUNDS);
}

static bool
alive(pid_t pid)
{
	return pid != 0;
}

static void
bench_lease(void)
{
	size_t size = lease_size_for(1000);
	struct lease *lease = lease_init(memory(size), size, key);
	struct lease_asker asker = { .pid = getpid(), .alive = alive };
	uint64_t n, ticket, waiters[2];
	double begin = now_ns();

	for (n = 0; n < ROUNDS; n++) {
		lease_take(lease, digest_of(n % 1000), &asker, 1000, &ticket);
		lease_release(lease, digest_of(n % 1000), ticket, waiters);
	}
	report("lease_take and lease_release *", begin, ROUNDS);
}

static void
bench_keys(void)
{
	struct keys *keys = keys_init(memory(keys_size()), keys_size());
	static uint8_t buf[KEYS_BYTES_MAX];
	struct keys_slot slot;
	double begin;
	uint64_t n, generation;

	keys_slot(keys, 1, true, &slot);
	keys_publish(&slot, buf, 3000, 1);
	begin = now_ns();
	for (n = 0; n < ROUNDS; n++)
		sink += keys_generation(&slot);
	report("keys_generation", begin, ROUNDS);
	begin = now_ns();
	for (n = 0; n < ROUNDS / 10; n++)
		sink += keys_read(&slot, buf, sizeof(buf), &generation);
	report("keys_read, a set of 3,000 bytes", begin, ROUNDS / 10);
}

static void
bench_board(void)
{
	struct board *board = board_init(memory(board_size()), board_size());
	struct board_slot *slot = board_slot(board, 1);
	double begin = now_ns();
	uint64_t n;

	for (n = 0; n < ROUNDS; n++) {
		board_begin(slot, 1);
		board_end(slot, 1);
	}
	report("board_begin and board_end", begin, ROUNDS);
	begin = now_ns();
	for (n = 0; n < ROUNDS; n++)
		sink += board_load(slot);
	report("board_load", begin, ROUNDS);
}

int
main(int argc, char **argv)
{
	uint64_t entries = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;

	bench_digest();
	bench_cache(entries);
	bench_rate();
	bench_counter();
	bench_set();
	bench_lease();
	bench_keys();
	bench_board();
	return sink == 1;
}
