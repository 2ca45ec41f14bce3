/*
 * After every event the master compares what is with what should be (advance()), so no event needs
 * to be handled in the state it finds: a HUP that comes during a reload, an upgrade asked for
 * while a worker is being replaced, or a child that dies while it drains, only change what the
 * next comparison sees.
 *
 * A reload: read the conf, open its sockets, start its workers beside the serving ones; when all
 * are ready, let the new generation take over: tell the old one to drain, start the new keeper
 * (which waits until the old keeper is gone). At most OLDER_MAX generations may be ending before
 * another reload begins, so a storm of HUPs becomes as many reloads as there is time for, the last
 * of them with the latest conf.
 */
#include "gateway/master.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/generation.h"
#include "gateway/keeper.h"
#include "gateway/notify.h"
#include "gateway/pid_file.h"
#include "gateway/process.h"
#include "gateway/startup.h"
#include "gateway/token/revocations.h"
#include "gateway/worker.h"

#define OLDER_MAX		2	/* ending generations while a reload begins */
#define LOOK_EVERY_MS		1000	/* at heartbeats */
#define ASLEEP_MS		5000	/* a turn longer than this: we were stopped ourselves */
#define KEEPER_READY_MAX_MS	3000	/* the start does not wait longer for keys */
#define HEIR_MAX_MS		60000	/* until a new binary must have taken over */
#define ERROR_SIZE		8192

enum master_state {
	MASTER_RUNNING,
	MASTER_ENDING,
};

struct master {
	struct startup		 start;
	pid_t			 pid;
	struct generation	*newest;
	uint64_t		 last_number;
	enum master_state	 state;
	int			 signals;
	int			 bell;		/* children ring it */
	bool			 wants_reload;
	bool			 wants_upgrade;
	bool			 announced;	/* that all is ready */
	pid_t			 heir;		/* the new binary's master; 0: none */
	uint64_t		 heir_due_ms;	/* when it must have taken over */
	uint64_t		 looked_ms;
	int			 exit_status;
};

static struct generation *
serving(const struct master *m)
{
	struct generation *g = m->newest;

	while (g != NULL && g->state != GENERATION_SERVING)
		g = g->next;
	return g;
}

static unsigned
count_ending(const struct master *m)
{
	unsigned n = 0;

	for (const struct generation *g = m->newest; g != NULL; g = g->next)
		n += g->state == GENERATION_ENDING;
	return n;
}

/* In a fresh fork: leaves behind what is the master's, and lives the life of its seat. */
static int
live(void *argument, const struct seat *seat)
{
	struct master *m = argument;
	struct process p = { .role = seat->role, .slot = seat->slot, .shared = &m->start.shared,
		.master = m->pid, .master_bell = m->bell };
	int status = 1;

	close(m->signals);
	for (struct generation *g = m->newest; g != NULL; g = g->next) {
		if (!generation_has(g, seat)) {
			listeners_close(&g->listeners);
			continue;
		}
		p.config = g->config;
		p.generation = g->number;
		p.listeners = g->listeners;
	}
	if (!process_begin(&p, &m->start.privilege))
		return status;
	if (seat->role == SHARED_WORKER)
		status = worker_main(&p);
	else
		status = process_await_office(&p) ? keeper_main(&p) : 0;
	metric_close();
	return status;
}

static bool
begin_generation(struct master *m, struct config *conf, struct listeners *listeners,
    enum generation_keeper keeper)
{
	struct generation *g = generation_new(m->last_number + 1, conf, listeners, keeper,
	    clock_ms());

	if (g == NULL)
		return false;
	revocations_begin(&m->start.shared, conf->database != NULL);
	m->last_number = g->number;
	g->next = m->newest;
	m->newest = g;
	return true;
}

static void
refuse_reload(struct master *m, const char *why)
{
	const struct generation *g = serving(m);

	log_error("reload refused: %s; generation %llu goes on as before", why,
	    (unsigned long long)g->number);
	atomic_fetch_add(&m->start.shared.control->reloads_bad, 1);
}

static void
reload(struct master *m)
{
	const struct generation *old = serving(m);
	char error[ERROR_SIZE];
	struct listeners listeners;
	struct config *conf = config_load(m->start.conf_path, error, sizeof(error));

	m->wants_reload = false;
	if (conf == NULL) {
		startup_log_lines(error);
		refuse_reload(m, "the configuration has errors");
		return;
	}
	if (!listeners_open(&listeners, conf, &old->listeners, error, sizeof(error))) {
		refuse_reload(m, error);
		config_free(&conf);
		return;
	}
	if (!startup_open_logs(&m->start, conf))
		refuse_reload(m, "a log file cannot be opened");
	else if (!begin_generation(m, conf, &listeners, KEEPER_LATER))
		refuse_reload(m, "there is no memory");
	else {
		startup_warn(conf, old->config);
		return;
	}
	startup_open_logs(&m->start, old->config);
	listeners_close(&listeners);
	config_free(&conf);
}

static void
upgrade(struct master *m)
{
	m->wants_upgrade = false;
	if (m->heir != 0) {
		log_warn("an upgrade is under way already: master %d", (int)m->heir);
		return;
	}
	m->heir = startup_bequeath(&m->start, &serving(m)->listeners);
	if (m->heir > 0) {
		m->heir_due_ms = clock_ms() + HEIR_MAX_MS;
		log_notice("upgrade: the new binary's master is %d", (int)m->heir);
		return;
	}
	log_error("upgrade failed: cannot fork: %s; going on as before", strerror(errno));
	m->heir = 0;
}

static void
finish_at_once(struct master *m)
{
	m->state = MASTER_ENDING;
	for (struct generation *g = m->newest; g != NULL; g = g->next)
		generation_stop(g, clock_ms());
}

static void
finish(struct master *m)
{
	uint64_t now_ms = clock_ms();

	m->state = MASTER_ENDING;
	for (struct generation *g = m->newest; g != NULL; g = g->next) {
		if (g->state == GENERATION_STARTING)
			generation_stop(g, now_ms);
		else
			generation_drain(g, m->heir == 0, now_ms);
	}
}

/* The newest generation has all its workers: it serves, the one before it drains. */
static void
take_over(struct master *m, uint64_t now_ms)
{
	struct generation *g = m->newest, *old = serving(m);
	struct shared_control *control = m->start.shared.control;

	listeners_announce(&g->listeners, old != NULL ? &old->listeners : NULL);
	generation_serve(g, now_ms);
	if (g->config->database == NULL)
		revocations_alone(&m->start.shared);
	atomic_store(&control->generation, g->number);
	m->announced = false;
	if (old != NULL) {
		atomic_fetch_add(&control->reloads_good, 1);
		log_notice("reloaded: generation %llu serves, %llu drains",
		    (unsigned long long)g->number, (unsigned long long)old->number);
		generation_drain(old, false, now_ms);
	} else
		startup_complete(&m->start);
}

static void
give_up(struct master *m, uint64_t now_ms)
{
	const struct generation *old = serving(m);

	generation_stop(m->newest, now_ms);
	if (old != NULL) {
		startup_open_logs(&m->start, old->config);
		refuse_reload(m, "the new workers do not get ready");
		return;
	}
	log_error("the workers do not get ready: giving up");
	m->exit_status = 1;
	finish_at_once(m);
}

static void
announce(struct master *m, uint64_t now_ms)
{
	const struct generation *g = serving(m);
	bool keeper = g != NULL && seat_ready(&g->keeper, &m->start.shared);

	if (g == NULL || m->announced || (!keeper && now_ms < g->began_ms + KEEPER_READY_MAX_MS))
		return;
	m->announced = true;
	if (!keeper)
		log_warn("the keeper is not ready yet: keys and the admin listener come later");
	log_notice("ready, %zu worker%s", g->n_workers, g->n_workers == 1 ? "" : "s");
	notify_ready();
}

static void
bury_generations(struct master *m)
{
	struct generation **link = &m->newest;

	while (*link != NULL) {
		struct generation *g = *link;

		if (g->state != GENERATION_ENDING || !generation_gone(g)) {
			link = &g->next;
			continue;
		}
		*link = g->next;
		log_info("generation %llu is gone", (unsigned long long)g->number);
		generation_free(&g);
	}
}

/* Brings what is in line with what should be. */
static void
advance(struct master *m, uint64_t now_ms)
{
	const struct seat_child child = { live, m };

	for (struct generation *g = m->newest; g != NULL; g = g->next)
		generation_step(g, &m->start.shared, now_ms, &child);
	if (m->newest != NULL && m->newest->state == GENERATION_STARTING) {
		if (generation_ready(m->newest, &m->start.shared))
			take_over(m, now_ms);
		else if (generation_hopeless(m->newest, now_ms))
			give_up(m, now_ms);
	}
	bury_generations(m);
	announce(m, now_ms);
	if (m->state != MASTER_RUNNING || m->newest->state == GENERATION_STARTING)
		return;
	if (m->heir != 0 && now_ms >= m->heir_due_ms) {
		log_error("the new binary's master %d does not take over: killing it",
		    (int)m->heir);
		kill(m->heir, SIGKILL);
		m->heir_due_ms = UINT64_MAX;
	}
	if (m->wants_upgrade)
		upgrade(m);
	else if (m->wants_reload && m->heir == 0 && count_ending(m) < OLDER_MAX)
		reload(m);
}

static void
lose_heir(struct master *m, int status)
{
	m->heir = 0;
	if (m->state != MASTER_RUNNING)
		return;
	if (WIFSIGNALED(status))
		log_error("upgrade failed: the new binary was ended by signal %d; going on as "
		    "before", WTERMSIG(status));
	else
		log_error("upgrade failed: the new binary ended with exit status %d; going on as "
		    "before", WEXITSTATUS(status));
}

static void
reap(struct master *m)
{
	struct shared *shared = &m->start.shared;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct generation *g = m->newest;

		if (pid == m->heir)
			lose_heir(m, status);
		while (g != NULL && !generation_reaped(g, shared, pid, status, clock_ms()))
			g = g->next;
		/* others may wait for what the dead one was about to do */
		if (g != NULL)
			shared_ring_all(shared, SHARED_WORKER);
	}
}

static void
reopen_logs(struct master *m)
{
	if (serving(m) != NULL)
		startup_open_logs(&m->start, serving(m)->config);
	for (struct generation *g = m->newest; g != NULL; g = g->next)
		generation_signal(g, SIGUSR1);
	log_notice("log files reopened");
}

/* What ends us ends the new binary too, as long as it has not taken over. */
static void
hear_end(struct master *m, const struct signalfd_siginfo *signal)
{
	int number = (int)signal->ssi_signo;
	bool running = m->state == MASTER_RUNNING;
	bool at_once = number == SIGINT || (number == SIGTERM && !running);

	log_notice("ending: SIG%s from process %u: %s", sigabbrev_np(number), signal->ssi_pid,
	    at_once ? "stopping at once" : "draining");
	if (running && m->heir != 0 && (pid_t)signal->ssi_pid != m->heir) {
		kill(m->heir, number);
		m->heir = 0;
	}
	if (running)
		notify_ending(m->heir);
	if (at_once)
		finish_at_once(m);
	else if (running)
		finish(m);
}

static void
hear(struct master *m)
{
	struct signalfd_siginfo signal;

	while (read(m->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal))
		switch (signal.ssi_signo) {
		case SIGHUP:
			m->wants_reload = true;
			break;
		case SIGUSR1:
			reopen_logs(m);
			break;
		case SIGUSR2:
			m->wants_upgrade = true;
			break;
		case SIGINT:
		case SIGTERM:
		case SIGQUIT:
			hear_end(m, &signal);
			break;
		default:
			break;		/* SIGCHLD: children are reaped at every turn */
		}
}

static int
wait_ms(const struct master *m, uint64_t now_ms)
{
	uint64_t due_ms = now_ms + LOOK_EVERY_MS;

	for (const struct generation *g = m->newest; g != NULL; g = g->next)
		if (generation_due_ms(g) < due_ms)
			due_ms = generation_due_ms(g);
	return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

/* After we were stopped ourselves, hearts get time to beat again before they are judged. */
static uint64_t
look_at_clock(struct master *m)
{
	uint64_t now_ms = clock_ms();

	if (now_ms - m->looked_ms > ASLEEP_MS)
		for (int i = 0; i < SHARED_SLOTS; i++)
			atomic_store(&m->start.shared.control->slots[i].heartbeat_ms, now_ms);
	m->looked_ms = now_ms;
	return now_ms;
}

static void
run(struct master *m)
{
	struct pollfd events[] = { { m->signals, POLLIN, 0 }, { m->bell, POLLIN, 0 } };
	eventfd_t rings;

	m->looked_ms = clock_ms();
	while (m->newest != NULL) {
		poll(events, 2, wait_ms(m, clock_ms()));
		eventfd_read(m->bell, &rings);
		reap(m);
		hear(m);
		advance(m, look_at_clock(m));
	}
}

/*
 * From here on signals wait until we hear them; children inherit the mask, so none gets lost in a
 * fork.
 */
static bool
open_ears(struct master *m)
{
	static const int heard[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGTERM, SIGQUIT, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++)
		sigaddset(&set, heard[i]);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return false;
	m->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	m->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return m->signals >= 0 && m->bell >= 0;
}

int
master_main(const char *conf_path, int argc, char **argv)
{
	struct master m = { .state = MASTER_RUNNING, .pid = getpid() };
	struct listeners listeners;
	struct config *conf;

	log_role("master");
	conf = startup_begin(&m.start, conf_path, argc, argv, &listeners);
	if (conf == NULL) {
		startup_end(&m.start);
		return 1;
	}
	m.last_number = atomic_load(&m.start.shared.control->generation);
	if (!open_ears(&m) || !begin_generation(&m, conf, &listeners, KEEPER_NOW)) {
		log_error("cannot begin: %s", strerror(errno));
		return 1;
	}
	run(&m);
	pid_file_remove(m.start.pid_file);
	log_notice("ended");
	startup_end(&m.start);
	return m.exit_status;
}
