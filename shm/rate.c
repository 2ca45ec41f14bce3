#include "shm/rate.h"

#include <stdatomic.h>

#include "shm/hash.h"
#include "shm/lock.h"

/*
 * Finding and counting are apart. A key that has a cell is counted by compare-and-swap alone; if
 * that fails, somebody else was faster and everything is looked at anew. A key without a cell
 * gets one under a lock chosen by the key, so that two who bring the same key can't both find it
 * missing; the change itself is a compare-and-swap again, since nobody else asks for that lock.
 */

#define RATE_MAGIC 0x31657461524847ULL
#define PAGE ((size_t)4096)
#define LOCKS 256
#define CELLS 8
#define JUMP_US 1000000
#define SPAN_MAX_US (UINT64_MAX / 4)

typedef unsigned __int128 pair_bits;

struct cell {
	_Atomic uint64_t key; /* 0: never used */
	_Atomic uint64_t tat_us;
};

struct bucket {
	_Alignas(16) struct cell cells[CELLS];
};

struct stripe {
	_Alignas(64) struct lock lock;
};

struct rate {
	uint64_t magic;
	uint64_t size;
	uint64_t buckets_n;
	struct stripe stripes[LOCKS];
};

/* A cell as it was read. */
struct seen {
	struct cell *cell;
	uint64_t key;
	uint64_t tat_us;
};

/* What is asked: the request, and what the limit means in microseconds. */
struct question {
	uint64_t key;
	uint64_t now_us;
	uint64_t period_us;
	uint64_t span_us; /* of the whole burst */
};

#if defined(__x86_64__)
__attribute__((target("cx16")))
#endif
static bool
swap(const struct seen *seen, uint64_t key, uint64_t tat_us)
{
	pair_bits old = (pair_bits)seen->tat_us << 64 | seen->key;
	pair_bits new = (pair_bits)tat_us << 64 | key;

	return __sync_bool_compare_and_swap((pair_bits *)seen->cell, old, new);
}

/*
 * Two loads may see two states; a swap finds that out, and for a mere look the second load of the
 * key does nearly always.
 */
static struct seen
look(struct cell *cell)
{
	struct seen seen = { .cell = cell };

	do {
		seen.key = atomic_load_explicit(&cell->key, memory_order_acquire);
		seen.tat_us = atomic_load_explicit(&cell->tat_us, memory_order_acquire);
	} while (atomic_load_explicit(&cell->key, memory_order_relaxed) != seen.key);
	return seen;
}

static struct bucket *
bucket_of(struct rate *rate, uint64_t key)
{
	struct bucket *buckets = (struct bucket *)((char *)rate +
	    ((sizeof(struct rate) + PAGE - 1) & ~(PAGE - 1)));

	return &buckets[(uint64_t)((unsigned __int128)hash_mix64(key) * rate->buckets_n >> 64)];
}

static bool
find(struct bucket *bucket, uint64_t key, struct seen *seen)
{
	int i;

	for (i = 0; i < CELLS; i++) {
		*seen = look(&bucket->cells[i]);
		if (seen->key == key)
			return true;
	}
	return false;
}

/*
 * The cell for a newcomer: one never used, else one that is past, else the one that soonest will
 * be.
 */
static struct seen
choose(struct bucket *bucket)
{
	struct seen best = look(&bucket->cells[0]), next;
	int i;

	for (i = 1; i < CELLS && best.key != 0; i++) {
		next = look(&bucket->cells[i]);
		if (next.key == 0 || next.tat_us < best.tat_us)
			best = next;
	}
	return best;
}

static uint64_t
used_us(const struct question *q, uint64_t tat_us)
{
	return tat_us > q->now_us ? tat_us - q->now_us : 0;
}

/* The TAT after one more request, or false if it does not conform. */
static bool
conform(const struct question *q, uint64_t tat_us, uint64_t *next_us)
{
	uint64_t used = used_us(q, tat_us);

	*next_us = q->now_us + used + q->period_us;
	return used + q->period_us <= q->span_us;
}

enum outcome { OUTCOME_PASS, OUTCOME_REFUSE, OUTCOME_AGAIN };

static enum outcome
count(const struct question *q, struct seen *seen)
{
	uint64_t next_us;

	lock_point("rate:seen");
	if (conform(q, seen->tat_us, &next_us)) {
		if (!swap(seen, q->key, next_us))
			return OUTCOME_AGAIN;
		seen->tat_us = next_us;
		return OUTCOME_PASS;
	}
	if (used_us(q, seen->tat_us) <= q->span_us + JUMP_US)
		return OUTCOME_REFUSE;
	if (!swap(seen, q->key, q->now_us + q->span_us))
		return OUTCOME_AGAIN;
	seen->tat_us = q->now_us + q->span_us;
	return OUTCOME_REFUSE;
}

static enum outcome
count_newcomer(
    struct rate *rate, struct bucket *bucket, const struct question *q, struct seen *seen)
{
	struct lock *lock = &rate->stripes[hash_mix64(q->key) % LOCKS].lock;
	enum outcome outcome = OUTCOME_AGAIN;
	uint64_t next_us;

	lock_point("rate:missing");
	lock_take(lock);
	lock_point("rate:locked");
	if (!find(bucket, q->key, seen)) {
		*seen = choose(bucket);
		outcome = conform(q, 0, &next_us) ? OUTCOME_PASS : OUTCOME_REFUSE;
		if (!swap(seen, q->key, next_us))
			outcome = OUTCOME_AGAIN;
		seen->tat_us = next_us;
		lock_point("rate:taken");
	}
	lock_drop(lock);
	return outcome;
}

static struct question
ask(uint64_t key, const struct rate_limit *limit, uint64_t now_us)
{
	struct question q = { .key = key == 0 ? 1 : key, .now_us = now_us };

	q.period_us = limit->period_us == 0 ? 1 : limit->period_us;
	if (q.period_us > SPAN_MAX_US)
		q.period_us = SPAN_MAX_US;
	if (__builtin_mul_overflow(q.period_us, limit->burst, &q.span_us) ||
	    q.span_us > SPAN_MAX_US)
		q.span_us = SPAN_MAX_US;
	return q;
}

static uint64_t
seconds_up(uint64_t us)
{
	return us / 1000000 + (us % 1000000 != 0);
}

static void
explain(const struct question *q, const struct rate_limit *limit, uint64_t tat_us, bool passed,
    struct rate_verdict *verdict)
{
	uint64_t used = used_us(q, tat_us), wait;

	if (verdict == NULL)
		return;
	wait = used + q->period_us > q->span_us ? used + q->period_us - q->span_us : 0;
	*verdict = (struct rate_verdict){
		.limit = limit->burst,
		.remaining = used < q->span_us ? (q->span_us - used) / q->period_us : 0,
		.reset_s = seconds_up(used),
		.retry_after_s = passed ? 0 : seconds_up(wait),
	};
}

bool
rate_take(struct rate *rate, uint64_t key, const struct rate_limit *limit, uint64_t now_us,
    struct rate_verdict *verdict)
{
	struct question q = ask(key, limit, now_us);
	struct bucket *bucket = bucket_of(rate, q.key);
	enum outcome outcome;
	struct seen seen;

	do {
		outcome = find(bucket, q.key, &seen) ? count(&q, &seen)
						     : count_newcomer(rate, bucket, &q, &seen);
	} while (outcome == OUTCOME_AGAIN);
	explain(&q, limit, seen.tat_us, outcome == OUTCOME_PASS, verdict);
	return outcome == OUTCOME_PASS;
}

bool
rate_peek(struct rate *rate, uint64_t key, const struct rate_limit *limit, uint64_t now_us,
    struct rate_verdict *verdict)
{
	struct question q = ask(key, limit, now_us);
	struct seen seen;
	uint64_t next_us;
	bool passes;

	if (!find(bucket_of(rate, q.key), q.key, &seen))
		seen.tat_us = 0;
	passes = conform(&q, seen.tat_us, &next_us);
	explain(&q, limit, seen.tat_us, passes, verdict);
	return passes;
}

static size_t
base_size(void)
{
	return (sizeof(struct rate) + PAGE - 1) & ~(PAGE - 1);
}

size_t
rate_size_min(void)
{
	return base_size() + sizeof(struct bucket);
}

/* Half of the cells are spare, since keys fall on buckets by chance. */
size_t
rate_size_for(size_t consumers)
{
	return base_size() + (consumers * 2 / CELLS + 1) * sizeof(struct bucket);
}

struct rate *
rate_init(void *memory, size_t size)
{
	struct rate *rate = memory;
	int i;

	if (size < rate_size_min())
		return NULL;
	rate->size = size;
	rate->buckets_n = (size - base_size()) / sizeof(struct bucket);
	for (i = 0; i < LOCKS; i++)
		lock_init(&rate->stripes[i].lock);
	rate->magic = RATE_MAGIC;
	return rate;
}

struct rate *
rate_attach(void *memory, size_t size)
{
	struct rate *rate = memory;

	if (size < rate_size_min() || rate->magic != RATE_MAGIC || rate->size != size ||
	    rate->buckets_n != (size - base_size()) / sizeof(struct bucket))
		return NULL;
	return rate;
}
