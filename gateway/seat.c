#include "gateway/seat.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/log.h"

#define QUICK_DEATH_MS	1000
#define PAUSE_STEP_MS	100
#define PAUSE_MAX_MS	5000
#define STOP_MS		2000	/* from the order to stop until it is killed */
#define STILL_MAX_MS	30000	/* without a heartbeat */

static const char *const role_name[] = {
	[SHARED_WORKER] = "worker",
	[SHARED_KEEPER] = "keeper",
};

/* The first death in a row is no reason to wait. */
static void
make_due(struct seat *s, uint64_t now_ms)
{
	uint64_t pause_ms = s->quick_deaths > 1 ? (s->quick_deaths - 1) * PAUSE_STEP_MS : 0;

	s->state = SEAT_EMPTY;
	s->due_ms = now_ms + (pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS);
}

bool
seat_fill(struct seat *s, struct shared *shared, uint64_t generation, uint64_t now_ms,
    const struct seat_child *child)
{
	int slot = shared_claim(shared, getpid(), s->role, generation, now_ms);

	if (slot < 0) {
		s->due_ms = now_ms + PAUSE_STEP_MS;	/* until an old generation has gone */
		return false;
	}
	s->slot = (unsigned)slot;
	s->started_ms = now_ms;
	s->pid = fork();
	if (s->pid == 0)
		exit(child->run(child->argument, s));
	if (s->pid < 0) {
		log_error("cannot fork a %s: %s", role_name[s->role], strerror(errno));
		shared_release(shared, s->slot, getpid());
		s->pid = 0;
		s->quick_deaths++;
		s->failed_starts++;
		make_due(s, now_ms);
		return false;
	}
	atomic_store(&shared->control->slots[slot].pid, s->pid);
	s->state = SEAT_TAKEN;
	return true;
}

static void
log_end(const struct seat *s, int status)
{
	const char *role = role_name[s->role];
	int pid = (int)s->pid;

	if (WIFSIGNALED(status))
		log_error("%s %d was ended by signal %d (%s)", role, pid, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		log_error("%s %d ended with exit status %d", role, pid, WEXITSTATUS(status));
	else if (s->state == SEAT_TAKEN)
		log_notice("%s %d has ended unasked", role, pid);
	else
		log_info("%s %d has ended", role, pid);
}

void
seat_reaped(struct seat *s, struct shared *shared, int status, uint64_t now_ms)
{
	bool refill = s->state == SEAT_TAKEN || s->state == SEAT_STUCK;

	log_end(s, status);
	s->failed_starts = seat_ready(s, shared) ? 0 : s->failed_starts + 1;
	s->quick_deaths = now_ms - s->started_ms < QUICK_DEATH_MS ? s->quick_deaths + 1 : 0;
	shared_release(shared, s->slot, s->pid);
	s->pid = 0;
	s->state = SEAT_CLOSED;
	if (!refill)
		return;
	atomic_fetch_add(&shared->control->restarts, 1);
	make_due(s, now_ms);
}

/* Sends what the state asks for, and remembers by when it must have had effect. */
static void
tell(struct seat *s, enum seat_state state, int signal, uint64_t due_ms)
{
	if (s->pid == 0) {
		s->state = SEAT_CLOSED;
		return;
	}
	s->state = state;
	s->due_ms = due_ms;
	kill(s->pid, signal);
}

void
seat_drain(struct seat *s, uint64_t now_ms, uint64_t limit_ms)
{
	if (s->state == SEAT_EMPTY || s->state == SEAT_TAKEN)
		tell(s, SEAT_LEAVING, SIGQUIT, now_ms + limit_ms);
	else if (s->state == SEAT_STUCK)
		s->state = SEAT_KILLED;
}

void
seat_stop(struct seat *s, uint64_t now_ms)
{
	if (s->state == SEAT_EMPTY || s->state == SEAT_TAKEN || s->state == SEAT_LEAVING)
		tell(s, SEAT_STOPPING, SIGTERM, now_ms + STOP_MS);
	else if (s->state == SEAT_STUCK)
		s->state = SEAT_KILLED;
}

static bool
stands_still(const struct seat *s, const struct shared *shared, uint64_t now_ms)
{
	uint64_t beat_ms = atomic_load(&shared->control->slots[s->slot].heartbeat_ms);

	return now_ms > beat_ms && now_ms - beat_ms > STILL_MAX_MS;
}

void
seat_watch(struct seat *s, const struct shared *shared, uint64_t now_ms)
{
	if (s->state == SEAT_TAKEN && stands_still(s, shared, now_ms)) {
		log_error("%s %d has stood still for %d s: killing it", role_name[s->role],
		    (int)s->pid, STILL_MAX_MS / 1000);
		tell(s, SEAT_STUCK, SIGKILL, 0);
	} else if (s->state == SEAT_LEAVING && now_ms >= s->due_ms) {
		log_warn("%s %d has not drained in time: stopping it", role_name[s->role],
		    (int)s->pid);
		tell(s, SEAT_STOPPING, SIGTERM, now_ms + STOP_MS);
	} else if (s->state == SEAT_STOPPING && now_ms >= s->due_ms) {
		log_warn("%s %d does not stop: killing it", role_name[s->role], (int)s->pid);
		tell(s, SEAT_KILLED, SIGKILL, 0);
	}
}

uint64_t
seat_due_ms(const struct seat *s)
{
	switch (s->state) {
	case SEAT_EMPTY:
	case SEAT_LEAVING:
	case SEAT_STOPPING:
		return s->due_ms;
	case SEAT_TAKEN:
	case SEAT_STUCK:
	case SEAT_KILLED:
	case SEAT_CLOSED:
		break;
	}
	return UINT64_MAX;
}

bool
seat_ready(const struct seat *s, const struct shared *shared)
{
	return s->pid > 0 && atomic_load(&shared->control->slots[s->slot].state) >= SHARED_READY;
}

void
seat_signal(const struct seat *s, int signal)
{
	if (s->pid > 0)
		kill(s->pid, signal);
}
