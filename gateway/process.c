#include "gateway/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "gateway/base/bell.h"
#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/base/metric.h"
#include "gateway/privilege.h"
#include "gateway/title.h"

#define OFFICE_RETRY_MS	5

static const struct role {
	const char	*name;
	const char	*title;
	bool		 admin;		/* which listeners it serves */
} role_table[] = {
	[SHARED_WORKER] = { "worker", "gatehouse: worker", false },
	[SHARED_KEEPER] = { "keeper", "gatehouse: keeper", true },
};

static struct shared_slot *
own_slot(const struct process *p)
{
	return &p->shared->control->slots[p->slot];
}

/*
 * The master has blocked all its signals before the fork, so an order that comes before this still
 * waits. What a terminal sends to everybody (INT, HUP) is the master's business.
 */
static bool
hear_orders(struct process *p)
{
	static const int deaf_to[] = { SIGINT, SIGHUP, SIGUSR2, SIGPIPE };
	sigset_t orders;

	for (size_t i = 0; i < sizeof(deaf_to) / sizeof(deaf_to[0]); i++)
		signal(deaf_to[i], SIG_IGN);
	sigemptyset(&orders);
	sigaddset(&orders, SIGQUIT);
	sigaddset(&orders, SIGTERM);
	sigaddset(&orders, SIGUSR1);
	if (sigprocmask(SIG_SETMASK, &orders, NULL) != 0)
		return false;
	p->orders = signalfd(-1, &orders, SFD_NONBLOCK | SFD_CLOEXEC);
	p->bell = bell_open();
	return p->orders >= 0 && p->bell >= 0;
}

/* Changing the user clears the death signal, so it is asked for afterwards. */
static bool
follow_master(const struct process *p)
{
	if (prctl(PR_SET_PDEATHSIG, SIGQUIT, 0, 0, 0) != 0) {
		log_error("cannot ask to be told of the master's death: %s", strerror(errno));
		return false;
	}
	if (getppid() == p->master)
		return true;
	log_notice("the master is gone already");
	return false;
}

bool
process_begin(struct process *p, const struct privilege *privilege)
{
	const struct role *role = &role_table[p->role];

	log_role(role->name);
	title_set(role->title);
	atomic_store(&own_slot(p)->pid, getpid());
	if (!hear_orders(p)) {
		log_error("cannot hear signals: %s", strerror(errno));
		return false;
	}
	listeners_close_kind(&p->listeners, !role->admin);
	if (!privilege_drop(privilege) || !follow_master(p))
		return false;
	if (!metric_open(p->shared->counters, p->shared->names, getpid()))
		log_warn("no counters are free: this process counts nothing");
	process_beat(p, clock_ms());
	return true;
}

/* True unless one of the orders is to end. */
static bool
may_stay(const struct process *p)
{
	for (;;)
		switch (process_order(p)) {
		case ORDER_NONE:
			return true;
		case ORDER_DRAIN:
		case ORDER_STOP:
			return false;
		case ORDER_REOPEN:
			log_reopen();
			break;
		}
}

bool
process_await_office(const struct process *p)
{
	struct pollfd orders = { p->orders, POLLIN, 0 };

	while (!shared_become_keeper(p->shared)) {
		process_beat(p, clock_ms());
		poll(&orders, 1, OFFICE_RETRY_MS);
		if (!may_stay(p))
			return false;
	}
	return true;
}

enum process_order
process_order(const struct process *p)
{
	struct signalfd_siginfo signal;

	while (read(p->orders, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
		if (signal.ssi_signo == SIGQUIT) {
			if (getppid() != p->master)
				log_warn("the master is gone: ending");
			return ORDER_DRAIN;
		}
		if (signal.ssi_signo == SIGTERM)
			return ORDER_STOP;
		if (signal.ssi_signo == SIGUSR1)
			return ORDER_REOPEN;
	}
	return ORDER_NONE;
}

void
process_ready(const struct process *p)
{
	atomic_store(&own_slot(p)->state, SHARED_READY);
	eventfd_write(p->master_bell, 1);
}

void
process_draining(const struct process *p)
{
	atomic_store(&own_slot(p)->state, SHARED_DRAINING);
}

void
process_beat(const struct process *p, uint64_t now_ms)
{
	atomic_store_explicit(&own_slot(p)->heartbeat_ms, now_ms, memory_order_relaxed);
}
