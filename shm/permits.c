#include "shm/permits.h"

#include <stdatomic.h>

#define PERMITS_MAGIC 0x316d7265704c4847ULL
#define WORDS (PERMITS_WAITERS / 64)

struct place {
	_Atomic int32_t pid; /* 0: free */
	_Atomic uint32_t use;
};

struct permits {
	uint64_t magic;
	uint64_t size;
	_Alignas(64) _Atomic uint64_t waiting[WORDS];
	_Alignas(64) struct place places[PERMITS_MAX];
};

size_t
permits_size(void)
{
	return sizeof(struct permits);
}

struct permits *
permits_init(void *memory, size_t size)
{
	struct permits *permits = memory;

	if (size < sizeof(*permits))
		return NULL;
	permits->size = size;
	permits->magic = PERMITS_MAGIC;
	return permits;
}

struct permits *
permits_attach(void *memory, size_t size)
{
	struct permits *permits = memory;

	if (size < sizeof(*permits) || permits->magic != PERMITS_MAGIC || permits->size != size)
		return NULL;
	return permits;
}

void
permits_stop_waiting(struct permits *permits, unsigned number)
{
	atomic_fetch_and(&permits->waiting[number / 64], ~(1ULL << number % 64));
}

/* Takes a place whose holder was `holder`, if it still is. */
static bool
take(struct permits *permits, unsigned n, int32_t holder, pid_t pid)
{
	struct place *place = &permits->places[n];

	if (!atomic_compare_exchange_strong(&place->pid, &holder, pid))
		return false;
	atomic_store(&place->use, PERMITS_COMING_UP);
	return true;
}

/* Looks for a free place first, then for one whose holder is dead. */
static int
find(struct permits *permits, unsigned first, unsigned end, const struct permits_asker *asker)
{
	unsigned n;

	for (n = first; n < end; n++)
		if (atomic_load(&permits->places[n].pid) == 0 && take(permits, n, 0, asker->pid))
			return (int)n;
	for (n = first; n < end; n++) {
		int32_t holder = atomic_load(&permits->places[n].pid);

		if (holder != asker->pid && (holder == 0 || !asker->alive(holder)) &&
		    take(permits, n, holder, asker->pid))
			return (int)n;
	}
	return -1;
}

/* The note comes before the second look: who gives a place back meanwhile sees one of the two. */
int
permits_take(struct permits *permits, unsigned first, unsigned end,
    const struct permits_asker *asker, bool wait)
{
	int place;

	if (end > PERMITS_MAX)
		end = PERMITS_MAX;
	place = find(permits, first, end, asker);
	if (place < 0 && wait) {
		atomic_fetch_or(&permits->waiting[asker->number / 64], 1ULL << asker->number % 64);
		place = find(permits, first, end, asker);
	}
	if (place >= 0)
		permits_stop_waiting(permits, asker->number);
	return place;
}

void
permits_give(struct permits *permits, int place, pid_t pid)
{
	int32_t holder = pid;

	atomic_compare_exchange_strong(&permits->places[place].pid, &holder, 0);
}

void
permits_note(struct permits *permits, int place, enum permits_use use)
{
	atomic_store(&permits->places[place].use, use);
}

void
permits_forget(struct permits *permits, pid_t pid, unsigned number)
{
	int n;

	for (n = 0; n < PERMITS_MAX; n++)
		permits_give(permits, n, pid);
	permits_stop_waiting(permits, number);
}

bool
permits_wanted(const struct permits *permits, unsigned number)
{
	unsigned w;

	for (w = 0; w < WORDS; w++) {
		uint64_t others = atomic_load(&permits->waiting[w]);

		if (number / 64 == w)
			others &= ~(1ULL << number % 64);
		if (others != 0)
			return true;
	}
	return false;
}

int
permits_next(struct permits *permits, unsigned number)
{
	unsigned i;

	for (i = 1; i < PERMITS_WAITERS; i++) {
		unsigned n = (number + i) % PERMITS_WAITERS;
		uint64_t bit = 1ULL << n % 64;

		if ((atomic_load(&permits->waiting[n / 64]) & bit) != 0 &&
		    (atomic_fetch_and(&permits->waiting[n / 64], ~bit) & bit) != 0)
			return (int)n;
	}
	return -1;
}

unsigned
permits_count(const struct permits *permits, enum permits_use use)
{
	unsigned n, count = 0;

	for (n = 0; n < PERMITS_MAX; n++)
		count += atomic_load(&permits->places[n].pid) != 0 &&
		    atomic_load(&permits->places[n].use) == use;
	return count;
}
