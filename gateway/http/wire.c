#include "gateway/http/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/must.h"

#define GATHER_BYTES	8192	/* more in one write is sent at once */

bool
wire_open(struct wire *w, struct loop *loop, int fd, struct task *task)
{
	w->loop = loop;
	if (loop_watch(loop, &w->watch, fd, task))
		return true;
	close(fd);
	w->watch.fd = -1;
	return false;
}

void
wire_close(struct wire *w)
{
	if (w->watch.fd >= 0)
		loop_close(&w->watch);
}

void
wire_reset(struct wire *w)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (w->watch.fd >= 0)
		setsockopt(w->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	wire_close(w);
}

bool
wire_is_open(const struct wire *w)
{
	return w->watch.fd >= 0;
}

void
wire_give(struct wire *w, struct task *task)
{
	w->watch.task = task;
}

ssize_t
wire_read(struct wire *w, void *buf, size_t n)
{
	ssize_t got;

	if (!(w->watch.ready & READY_READ))
		return WIRE_AGAIN;
	do
		got = recv(w->watch.fd, buf, n, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		/* a short read has emptied the socket: what comes later makes a new event */
		if ((size_t)got < n && !(w->watch.ready & READY_HANGUP))
			w->watch.ready &= (uint8_t)~READY_READ;
		return got;
	}
	if (got == 0)
		return WIRE_END;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return WIRE_BROKEN;
	w->watch.ready &= (uint8_t)~READY_READ;
	return WIRE_AGAIN;
}

/*
 * Few bytes may wait for others of their turn. Many had better leave while the processor's cache
 * still has them from being read.
 */
static bool
may_wait(const struct iovec *iov, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum <= GATHER_BYTES;
}

ssize_t
wire_write(struct wire *w, const struct iovec *iov, int n)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)n };
	ssize_t put;

	if (!(w->watch.ready & READY_WRITE) ||
	    (may_wait(iov, n) && task_gather(w->loop, w->watch.task)))
		return WIRE_AGAIN;
	do
		put = sendmsg(w->watch.fd, &message, MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	if (put >= 0)
		return put;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return WIRE_BROKEN;
	w->watch.ready &= (uint8_t)~READY_WRITE;
	return WIRE_AGAIN;
}

ssize_t
wire_pour(struct wire *w, struct conduit *c, size_t n)
{
	ssize_t got;

	must(c->held == 0);
	if (!(w->watch.ready & READY_READ))
		return WIRE_AGAIN;
	do
		got = splice(w->watch.fd, NULL, c->in, NULL, n, SPLICE_F_NONBLOCK);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		/* however few came, the socket may hold more: the pipe counts pages, not bytes */
		c->held = (size_t)got;
		return got;
	}
	if (got == 0)
		return WIRE_END;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return WIRE_BROKEN;
	w->watch.ready &= (uint8_t)~READY_READ;
	return WIRE_AGAIN;
}

ssize_t
wire_drain(struct wire *w, struct conduit *c)
{
	ssize_t put;

	if (!(w->watch.ready & READY_WRITE))
		return WIRE_AGAIN;
	do
		put = splice(c->out, NULL, w->watch.fd, NULL, c->held, SPLICE_F_NONBLOCK);
	while (put < 0 && errno == EINTR);
	if (put > 0) {
		c->held -= (size_t)put;
		return put;
	}
	if (put == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
		return WIRE_BROKEN;
	w->watch.ready &= (uint8_t)~READY_WRITE;
	return WIRE_AGAIN;
}

void
wire_shutdown(struct wire *w)
{
	shutdown(w->watch.fd, SHUT_WR);
}
