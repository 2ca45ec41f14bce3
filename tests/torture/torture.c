/*
 * Kills processes that work on shared structures, and sees whether the structures stand it.
 *
 *	shm_torture [kills]	(default 1,000)
 *
 * Four processes hammer all structures at once. Half of the kills come from outside at a random
 * moment; the other half from inside critical sections: one lock point after the other is armed,
 * and the first process to come by dies right there. The dead are replaced. Built with
 * GATEHOUSE_DEBUG_KILL.
 */

#include "tests/torture/torture.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shm/hash.h"
#include "shm/lock.h"
#include "shm/region.h"

#define HANG_S 20
#define WHOLE_S 300
#define ARMED_MS 2000
#define LAST_STEPS 20000
#define POINTS (sizeof(points) / sizeof(points[0]))
#define POINTS_ARMED (POINTS - 1) /* the last one is armed by another */

/*
 * Every lock point there is. `then` is armed by the death at its point, and passed in its repair
 * only.
 */
static const struct {
	const char *name;
	const char *then;
} points[] = {
	{ "cache:begin", NULL },
	{ "cache:odd", NULL },
	{ "cache:move", NULL },
	{ "cache:fill", "cache:reset" },
	{ "cache:even", NULL },
	{ "cache:found", NULL },
	{ "cache:read", NULL },
	{ "set:put", NULL },
	{ "set:free", NULL },
	{ "set:fill", NULL },
	{ "set:raise", NULL },
	{ "set:sweep", NULL },
	{ "set:done", NULL },
	{ "set:found", NULL },
	{ "rate:seen", NULL },
	{ "rate:missing", NULL },
	{ "rate:locked", NULL },
	{ "rate:taken", NULL },
	{ "keys:give", NULL },
	{ "keys:retain", NULL },
	{ "keys:filled", NULL },
	{ "keys:current", NULL },
	{ "keys:found", NULL },
	{ "keys:read", NULL },
	{ "names:written", NULL },
	{ "names:counted", NULL },
	{ "lease:occupy", NULL },
	{ "lease:hold", NULL },
	{ "lease:wait", NULL },
	{ "lease:release", NULL },
	{ "cache:reset", NULL },
};

static const struct torture_subject *const subjects[TORTURE_SUBJECTS] = {
	&torture_cache,
	&torture_set,
	&torture_once,
	&torture_rate,
	&torture_keys,
	&torture_counter,
	&torture_lease,
	&torture_permits,
};

/* What all processes share about the torture itself. */
struct torture {
	_Atomic int stop;
	_Atomic uint64_t armed; /* 1 + the point at which the next to pass dies; 0: none */
	_Atomic uint64_t deaths[POINTS];
	_Atomic uint64_t steps[TORTURE_WORKERS];
	_Atomic uint64_t wrong[TORTURE_SUBJECTS];
};

const uint8_t torture_key[16] = "a key for tests";
static struct torture *shared;
static pid_t pids[TORTURE_WORKERS];
static struct torture_worker self; /* of the parent; workers get seeds from it */

uint64_t
torture_random(struct torture_worker *worker, uint64_t n)
{
	worker->random += 0x9e3779b97f4a7c15ULL;
	return hash_mix64(worker->random) % n;
}

void
torture_wrong(const struct torture_subject *subject, const char *what)
{
	int i;

	for (i = 0; i < TORTURE_SUBJECTS; i++)
		if (subjects[i] == subject && atomic_fetch_add(&shared->wrong[i], 1) < 3)
			fprintf(stderr, "wrong: %s: %s\n", subject->name, what);
}

bool
torture_alive(pid_t pid)
{
	return kill(pid, 0) == 0 || errno != ESRCH;
}

void
torture_fill(void *bytes, size_t len, uint64_t what)
{
	uint8_t *p = bytes;
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (uint8_t)(hash_mix64(what + i / 8) >> i % 8 * 8);
}

bool
torture_filled(const void *bytes, size_t len, uint64_t what)
{
	const uint8_t *p = bytes;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != (uint8_t)(hash_mix64(what + i / 8) >> i % 8 * 8))
			return false;
	return true;
}

void
torture_digest(uint8_t digest[32], uint64_t n)
{
	uint64_t words[4];
	int i;

	for (i = 0; i < 4; i++)
		words[i] = hash_mix64(n * 4 + (uint64_t)i + 1);
	memcpy(digest, words, 32);
}

static uint64_t
point_number(const char *name)
{
	uint64_t i;

	for (i = 0; i < POINTS; i++)
		if (strcmp(points[i].name, name) == 0)
			return i;
	fprintf(stderr, "lock point %s is not in the table of the torture\n", name);
	abort();
}

static void
nap_us(long us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

void
torture_dawdle(struct torture_worker *worker)
{
	uint64_t what = torture_random(worker, 512);

	if (what < 64)
		sched_yield();
	else if (what < 72)
		nap_us(50);
	else if (what == 72)
		nap_us(1000);
}

static struct torture_worker idler; /* random numbers for lock points, in each process others */

/* Called at every lock point. Now and then it lets others run just there. */
static void
pass_point(const char *name)
{
	uint64_t armed = atomic_load_explicit(&shared->armed, memory_order_relaxed), next = 0;

	torture_dawdle(&idler);
	if (armed == 0 || strcmp(points[armed - 1].name, name) != 0)
		return;
	if (points[armed - 1].then != NULL)
		next = 1 + point_number(points[armed - 1].then);
	if (!atomic_compare_exchange_strong(&shared->armed, &armed, next))
		return;
	atomic_fetch_add(&shared->deaths[armed - 1], 1);
	raise(SIGKILL);
}

static void
work(int number, uint64_t seed)
{
	struct torture_worker worker = { .number = number, .random = seed };
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	lock_debug_hook = pass_point;
	idler.random = ~seed;
	for (i = 0; i < TORTURE_SUBJECTS; i++)
		if (subjects[i]->begin != NULL)
			subjects[i]->begin(&worker);
	while (!atomic_load(&shared->stop)) {
		subjects[torture_random(&worker, TORTURE_SUBJECTS)]->step(&worker);
		atomic_fetch_add_explicit(&shared->steps[number], 1, memory_order_relaxed);
	}
	_exit(0);
}

static void
start(int number)
{
	uint64_t seed = torture_random(&self, UINT64_MAX);

	pids[number] = fork();
	if (pids[number] < 0) {
		perror("fork");
		exit(1);
	}
	if (pids[number] == 0)
		work(number, seed);
}

/* Collects who died, and starts another in its place. Answers how many. */
static int
replace_dead(void)
{
	int i, dead = 0;

	for (i = 0; i < TORTURE_WORKERS; i++) {
		if (waitpid(pids[i], NULL, WNOHANG) != pids[i])
			continue;
		start(i);
		dead++;
	}
	return dead;
}

static int
kill_from_outside(void)
{
	int victim = (int)torture_random(&self, TORTURE_WORKERS);

	nap_us((long)torture_random(&self, 20000));
	kill(pids[victim], SIGKILL);
	waitpid(pids[victim], NULL, 0);
	start(victim);
	return 1;
}

/*
 * Arms a point and waits for the death; a point that nobody passes any more shows up in the count
 * of deaths.
 */
static int
kill_inside(uint64_t point)
{
	int dead = 0, i;

	atomic_store(&shared->armed, point + 1);
	for (i = 0; i < ARMED_MS * 10 && atomic_load(&shared->armed) != 0; i++) {
		nap_us(100);
		dead += replace_dead();
	}
	atomic_store(&shared->armed, 0);
	while (i < ARMED_MS * 10 && dead == 0) {
		nap_us(100);
		dead += replace_dead();
	}
	return dead;
}

/* The workers end with their parent. */
static void
hang(int sig)
{
	static const char text[] = "hang: no end in time\n";

	(void)sig;
	(void)!write(2, text, sizeof(text) - 1);
	_exit(2);
}

/*
 * Every worker must get on with its work; the time is checked each time that as many kills have
 * passed.
 */
static bool
all_alive(uint64_t before[TORTURE_WORKERS])
{
	time_t end = time(NULL) + HANG_S;
	int i;

	for (i = 0; i < TORTURE_WORKERS; i++) {
		while (atomic_load(&shared->steps[i]) == before[i]) {
			if (time(NULL) > end)
				return false;
			nap_us(1000);
			replace_dead();
		}
		before[i] = atomic_load(&shared->steps[i]);
	}
	return true;
}

static bool
torment(int kills)
{
	uint64_t before[TORTURE_WORKERS] = { 0 }, point = 0;
	int done = 0;

	while (done < kills) {
		done += kill_from_outside();
		done += kill_inside(point++ % POINTS_ARMED);
		if (point % POINTS_ARMED == 0 && !all_alive(before))
			return false;
	}
	return all_alive(before);
}

static bool
end_workers(void)
{
	bool clean = true;
	int i, status;

	atomic_store(&shared->stop, 1);
	for (i = 0; i < TORTURE_WORKERS; i++)
		clean &= waitpid(pids[i], &status, 0) == pids[i] && status == 0;
	return clean;
}

static int passed, failed;

static void
verdict(bool good, const char *what, const char *name)
{
	printf("%s: %s%s\n", good ? "pass" : "FAIL", what, name);
	*(good ? &passed : &failed) += 1;
}

/*
 * The parent goes through all structures itself, and so through every lock that a dead one may
 * have held.
 */
static void
finish(void)
{
	int i, n;

	for (i = 0; i < TORTURE_SUBJECTS; i++) {
		if (subjects[i]->begin != NULL)
			subjects[i]->begin(&self);
		for (n = 0; n < LAST_STEPS; n++)
			subjects[i]->step(&self);
		if (subjects[i]->finish != NULL)
			subjects[i]->finish();
		verdict(atomic_load(&shared->wrong[i]) == 0, "no wrong answer from ",
		    subjects[i]->name);
	}
}

static void
set_up(struct region *region)
{
	struct region_part_spec specs[TORTURE_SUBJECTS + 1];
	size_t size;
	int i;

	specs[0] = (struct region_part_spec){ "torture", 1, sizeof(struct torture) };
	for (i = 0; i < TORTURE_SUBJECTS; i++)
		specs[i + 1] = (struct region_part_spec){
			subjects[i]->name, 1, subjects[i]->size()
		};
	if (region_create(region, specs, TORTURE_SUBJECTS + 1) != 0) {
		fprintf(stderr, "no shared memory\n");
		exit(1);
	}
	shared = region_part(region, "torture", 1, NULL);
	for (i = 0; i < TORTURE_SUBJECTS; i++) {
		void *part = region_part(region, subjects[i]->name, 1, &size);

		subjects[i]->init(part, size);
	}
}

int
main(int argc, char **argv)
{
	int kills = argc > 1 ? atoi(argv[1]) : 1000, i;
	struct region region;
	bool living;
	uint64_t n;

	signal(SIGALRM, hang);
	alarm(WHOLE_S);
	self.random = (uint64_t)time(NULL);
	set_up(&region);
	for (i = 0; i < TORTURE_WORKERS; i++)
		start(i);
	living = torment(kills);
	verdict(living, "all workers get on with their work", "");
	if (!living)
		return 2;
	verdict(end_workers(), "they end when told", "");
	finish();
	for (n = 0; n < POINTS; n++)
		if (kills >= 1000 || atomic_load(&shared->deaths[n]) != 0)
			verdict(atomic_load(&shared->deaths[n]) != 0, "deaths at ", points[n].name);
	printf("%d passed, %d failed\n", passed, failed);
	region_close(&region);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
