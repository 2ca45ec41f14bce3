#include "gateway/http/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Held by those who asked and, while it runs, by its thread; the last one to let go frees it. */
struct resolve {
	atomic_int		 holders;
	atomic_bool		 done;		/* error and answer are final */
	int			 fd;		/* eventfd the thread writes to; -1: no thread */
	int			 error;		/* of getaddrinfo */
	struct resolve_answer	 answer;
	char			 host[256];
	char			 port[6];
};

static atomic_int running;

static void
let_go(struct resolve *r)
{
	if (atomic_fetch_sub(&r->holders, 1) > 1)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

static void
look_up(struct resolve *r, int flags)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICSERV | flags, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	r->error = getaddrinfo(r->host, r->port, &hints, &list);
	if (r->error != 0)
		return;
	for (struct addrinfo *a = list; a != NULL; a = a->ai_next) {
		struct resolve_address *to = &r->answer.addresses[r->answer.n];

		if (r->answer.n == RESOLVE_ADDRESSES || a->ai_addrlen > sizeof(to->address))
			break;
		memcpy(&to->address, a->ai_addr, a->ai_addrlen);
		to->len = a->ai_addrlen;
		r->answer.n++;
	}
	freeaddrinfo(list);
	if (r->answer.n == 0)
		r->error = EAI_NODATA;
}

static void *
thread_main(void *argument)
{
	struct resolve *r = argument;

	look_up(r, 0);
	atomic_store(&r->done, true);
	(void)eventfd_write(r->fd, 1);	/* can't fail: nothing else was written to it */
	atomic_fetch_sub(&running, 1);
	let_go(r);
	return NULL;
}

/* Signals stay with the process's own thread, which reads them from a signalfd. */
static bool
start_thread(struct resolve *r)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 256 * 1024);
	atomic_store(&r->holders, 2);
	error = pthread_create(&thread, &attributes, thread_main, r);
	if (error != 0)
		atomic_store(&r->holders, 1);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return error == 0;
}

static bool
look_up_later(struct resolve *r)
{
	if (atomic_fetch_add(&running, 1) >= RESOLVE_MAX_RUNNING)
		errno = EAGAIN;
	else if ((r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0 && start_thread(r))
		return true;
	atomic_fetch_sub(&running, 1);
	return false;
}

struct resolve *
resolve_begin(const char *host, const char *port)
{
	struct resolve *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->fd = -1;
	atomic_store(&r->holders, 1);
	snprintf(r->host, sizeof(r->host), "%s", host);
	snprintf(r->port, sizeof(r->port), "%s", port);
	look_up(r, AI_NUMERICHOST);
	if (r->error != EAI_NONAME)
		atomic_store(&r->done, true);
	else if (!look_up_later(r))
		resolve_end(&r);
	return r;
}

struct resolve *
resolve_hold(struct resolve *r)
{
	atomic_fetch_add(&r->holders, 1);
	return r;
}

enum run
resolve_run(struct resolve *r, struct resolve_answer *answer, const char **reason)
{
	if (!atomic_load(&r->done))
		return RUN_WAIT;
	if (r->error != 0) {
		*reason = gai_strerror(r->error);
		return RUN_FAIL;
	}
	*answer = r->answer;
	return RUN_DONE;
}

int
resolve_fd(const struct resolve *r)
{
	return r->fd;
}

void
resolve_end(struct resolve **r)
{
	int saved = errno;

	if (*r != NULL)
		let_go(*r);
	*r = NULL;
	errno = saved;
}
