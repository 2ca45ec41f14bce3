#include "upstream/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/must.h"

static void
dig(void *conn)
{
	free(conn);
}

/* Closes the socket now and frees the rest when the loop has turned. */
static void
bury(struct conn *c)
{
	struct loop *loop = c->server->loop;

	wire_close(&c->wire);
	inbox_fini(&c->in);
	task_end(loop, &c->task);
	loop_bury(loop, &c->grave, dig, c);
}

static void
unlink_idle(struct conn *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		c->server->idle = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->next = c->prev = NULL;
	c->server->n_idle--;
}

/* True if the server has closed it or sent something while nothing was asked. */
static bool
has_spoken(const struct conn *c)
{
	return (c->wire.watch.ready & (READY_READ | READY_HANGUP)) != 0;
}

static void
run_idle(struct loop *loop, struct task *task)
{
	struct conn *c = (struct conn *)((char *)task - offsetof(struct conn, task));

	/* woken while it waited, but leased before its turn came */
	if (task->deadline_ms == 0)
		return;
	if (!has_spoken(c) && loop_now_ms(loop) < task->deadline_ms)
		return;
	unlink_idle(c);
	bury(c);
}

struct conn *
conn_lease(struct server *s, struct task *task)
{
	while (s->idle != NULL) {
		struct conn *c = s->idle;

		unlink_idle(c);
		if (has_spoken(c) || loop_now_ms(s->loop) >= c->task.deadline_ms) {
			bury(c);
			continue;
		}
		task_deadline(s->loop, &c->task, 0);
		wire_give(&c->wire, task);
		c->reused = true;
		s->n_leased++;
		return c;
	}
	return NULL;
}

static int
open_socket(const struct config_server *config)
{
	int one = 1;
	int fd = socket(config->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

struct conn *
conn_connect(struct server *s, struct task *task)
{
	struct conn *c = calloc(1, sizeof(*c));
	int fd;

	if (c == NULL)
		return NULL;
	c->server = s;
	c->wire.watch.fd = -1;
	inbox_init(&c->in, s->blocks);
	task_init(&c->task, run_idle);
	if ((fd = open_socket(s->config)) < 0) {
		free(c);
		return NULL;
	}
	const struct sockaddr *address = (const struct sockaddr *)&s->config->address;
	if (connect(fd, address, s->config->address_len) != 0 && errno != EINPROGRESS) {
		int error = errno;

		close(fd);
		free(c);
		errno = error;
		return NULL;
	}
	if (!wire_open(&c->wire, s->loop, fd, task)) {
		free(c);
		return NULL;
	}
	s->n_leased++;
	return c;
}

int
conn_error(struct conn *c)
{
	socklen_t n = sizeof(int);
	int error = 0;

	if (getsockopt(c->wire.watch.fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		return errno;
	return error;
}

void
conn_return(struct conn *c, uint64_t idle_ms)
{
	struct server *s = c->server;

	must(s->n_leased > 0);
	s->n_leased--;
	if (s->retired || s->n_idle >= s->upstream->keepalive || idle_ms == 0 || has_spoken(c) ||
	    inbox_bytes(&c->in).n > 0) {
		bury(c);
		return;
	}
	inbox_fini(&c->in);
	wire_give(&c->wire, &c->task);
	task_deadline(s->loop, &c->task, loop_now_ms(s->loop) + idle_ms);
	c->prev = NULL;
	c->next = s->idle;
	if (s->idle != NULL)
		s->idle->prev = c;
	s->idle = c;
	s->n_idle++;
}

void
conn_close(struct conn *c)
{
	must(c->server->n_leased > 0);
	c->server->n_leased--;
	bury(c);
}

void
conn_close_idle(struct server *s)
{
	while (s->idle != NULL) {
		struct conn *c = s->idle;

		unlink_idle(c);
		bury(c);
	}
}
