#include "tests/torture/torture.h"

#include <time.h>

#include "shm/hash.h"
#include "shm/rate.h"

/*
 * However many ask and die, no consumer passes more often than the burst and one more each period.
 * Some consumers are there all the time. Others last for a window of 2 ms, so that all processes
 * meet them new at the same time; who was delayed after looking at the clock may let one pass too
 * many there, which the bound allows for. Further keys only come and go, so that cells are taken,
 * past, and taken again.
 */

#define CONSUMERS 16
#define PERIOD_US 5000
#define BURST 200
#define WINDOW_US 2000
#define WINDOWS 131072
#define WINDOW_BURST 20
#define WINDOW_MOST (WINDOW_BURST + 2 + 2 * TORTURE_WORKERS)

struct proof {
	uint64_t begun_us;
	_Atomic uint64_t passed[CONSUMERS];
	_Atomic uint64_t passed_in[WINDOWS];
};

static const struct rate_limit limit = { .period_us = PERIOD_US, .burst = BURST };
static const struct rate_limit in_window = { .period_us = WINDOW_US, .burst = WINDOW_BURST };
static const struct rate_limit fleeting = { .period_us = 1, .burst = 1 };
static struct rate *rate;
static struct proof *proof;

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static size_t
size(void)
{
	return rate_size_for(200) + sizeof(struct proof);
}

static void
init(void *memory, size_t memory_size)
{
	rate = rate_init(memory, memory_size - sizeof(struct proof));
	proof = (struct proof *)((char *)memory + rate_size_for(200));
	proof->begun_us = now_us();
}

static void
ask_for(uint64_t consumer)
{
	if (rate_take(rate, hash_mix64(consumer + 1), &limit, now_us(), NULL))
		atomic_fetch_add(&proof->passed[consumer], 1);
}

static void
ask_in_window(void)
{
	uint64_t now = now_us(), window = (now - proof->begun_us) / WINDOW_US;
	uint64_t key = hash_mix64(2000000 + window), passed;

	if (window >= WINDOWS || !rate_take(rate, key, &in_window, now, NULL))
		return;
	passed = atomic_fetch_add(&proof->passed_in[window], 1) + 1;
	if (passed > WINDOW_MOST)
		torture_wrong(&torture_rate, "a new consumer passed too often");
}

static void
step(struct torture_worker *worker)
{
	uint64_t what = torture_random(worker, 8);

	if (what < 2)
		rate_take(rate, hash_mix64(1000 + torture_random(worker, 1000000)), &fleeting,
		    now_us(), NULL);
	else if (what < 4)
		ask_in_window();
	else
		ask_for(torture_random(worker, CONSUMERS));
}

static void
finish(void)
{
	uint64_t most = BURST + (now_us() - proof->begun_us) / PERIOD_US + 1;
	int i;

	for (i = 0; i < CONSUMERS; i++) {
		if (atomic_load(&proof->passed[i]) > most)
			torture_wrong(&torture_rate, "a consumer passed too often");
		if (atomic_load(&proof->passed[i]) < BURST)
			torture_wrong(&torture_rate, "a consumer was locked out");
	}
}

const struct torture_subject torture_rate = {
	.name = "rate",
	.size = size,
	.init = init,
	.step = step,
	.finish = finish,
};
