#include "tests/torture/torture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shm/counter.h"
#include "shm/names.h"

/*
 * A total lies between the adds that were ended and those that were begun. A name has one number,
 * and the number gives back the name.
 */

#define SERIES 50
#define NAMES 20000

struct proof {
	_Atomic uint64_t begun[SERIES];
	_Atomic uint64_t ended[SERIES];
	_Atomic uint32_t number_of[NAMES];
};

static struct counter *counter;
static struct names *names;
static struct proof *proof;
static struct counter_slab *slab;

static size_t
size(void)
{
	return counter_size() + names_size() + sizeof(struct proof);
}

static void
init(void *memory, size_t memory_size)
{
	char *at = memory;

	(void)memory_size;
	counter = counter_init(at, counter_size());
	names = names_init(at + counter_size(), names_size(), torture_key);
	proof = (struct proof *)(at + counter_size() + names_size());
}

static void
begin(const struct torture_worker *worker)
{
	int claimed = counter_claim(counter, getpid(), torture_alive);

	(void)worker;
	if (claimed < 0 || claimed > 2 * TORTURE_WORKERS)
		torture_wrong(&torture_counter, "slabs of the dead are not given away");
	else
		slab = counter_slab(counter, claimed);
}

static void
count(struct torture_worker *worker)
{
	uint64_t series = torture_random(worker, SERIES);

	atomic_fetch_add(&proof->begun[series], 1);
	counter_add(slab, series + 1, 1);
	atomic_fetch_add(&proof->ended[series], 1);
}

static void
name(struct torture_worker *worker)
{
	uint64_t which = torture_random(worker, NAMES);
	uint32_t known = 0, number;
	const char *bytes;
	char text[40];
	size_t len, got = 0;

	/* new names come up slowly, so that there are some until the end */
	if (torture_random(worker, 50) != 0)
		which %= 100;
	len = (size_t)snprintf(text, sizeof(text), "name-%lu", (unsigned long)which);
	number = names_intern(names, text, len);
	bytes = names_get(names, (uint16_t)number, &got);
	if (bytes == NULL || got != len || memcmp(bytes, text, len) != 0)
		torture_wrong(&torture_counter, "a number that does not give back its name");
	if (!atomic_compare_exchange_strong(&proof->number_of[which], &known, number) &&
	    known != number)
		torture_wrong(&torture_counter, "a name with two numbers");
}

static void
step(struct torture_worker *worker)
{
	if (torture_random(worker, 2) == 0)
		count(worker);
	else
		name(worker);
}

/* No number was lost between a name's being written and its being found. */
static void
check_numbers(void)
{
	const char *bytes;
	uint16_t number;
	size_t len;

	for (number = 1; (bytes = names_get(names, number, &len)) != NULL; number++)
		if (names_intern(names, bytes, len) != number)
			torture_wrong(&torture_counter, "a number that its name does not have");
}

static void
finish(void)
{
	uint64_t i, total;

	for (i = 0; i < SERIES; i++) {
		total = counter_total(counter, i + 1);
		if (total < atomic_load(&proof->ended[i]) || total > atomic_load(&proof->begun[i]))
			torture_wrong(&torture_counter, "a total that can't be");
	}
	check_numbers();
}

const struct torture_subject torture_counter = {
	.name = "counter",
	.size = size,
	.init = init,
	.begin = begin,
	.step = step,
	.finish = finish,
};
