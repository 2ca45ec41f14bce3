/*
 * A posted write (outbox.c) is in one of three places: in the outbox as a letter, until the turn
 * ends or somebody must know (wire_settle); in the kernel; or, what that had no room for, in a
 * struct late. This has a task of its own, which takes the wire's events, sends on, and gives the
 * events back. Nothing overtakes: whoever writes, pours, or hears of the end settles first.
 */
#include "gateway/http/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "gateway/http/outbox.h"

/* The rest of a letter. Its own task has the events of the wire, until all is sent. */
struct late {
	struct task	 task;
	struct grave	 grave;
	struct wire	*wire;
	struct task	*owner;		/* of the wire's events */
	size_t		 n, at;
	char		 bytes[];
};

bool
wire_open(struct wire *w, struct loop *loop, int fd, struct task *task)
{
	*w = (struct wire){ .loop = loop };
	if (loop_watch(loop, &w->watch, fd, task))
		return true;
	close(fd);
	w->watch.fd = -1;
	return false;
}

static void
end_late(struct wire *w)
{
	struct late *late = w->late;

	if (late == NULL)
		return;
	w->late = NULL;
	w->watch.task = late->owner;
	task_end(w->loop, &late->task);
	loop_bury(w->loop, &late->grave, free, late);
}

static void
close_with_reset(const struct wire *w)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(w->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void
wire_close(struct wire *w)
{
	if (w->watch.fd < 0)
		return;
	wire_settle(w);
	if (wire_owes(w))
		close_with_reset(w);
	end_late(w);
	loop_close(&w->watch);
}

void
wire_reset(struct wire *w)
{
	if (w->watch.fd < 0)
		return;
	wire_settle(w);		/* what counts as written goes before the reset */
	close_with_reset(w);
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
	if (w->late != NULL)
		w->late->owner = task;
	else
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
	if (got == 0) {
		if (wire_settle(w))	/* whoever hears of the end may close */
			return WIRE_END;
		return w->failed ? WIRE_BROKEN : WIRE_AGAIN;
	}
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return WIRE_BROKEN;
	w->watch.ready &= (uint8_t)~READY_READ;
	return WIRE_AGAIN;
}

static ssize_t
write_now(struct wire *w, const struct iovec *iov, int n)
{
	struct msghdr message = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)n };
	ssize_t put;

	if (!(w->watch.ready & READY_WRITE))
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

static size_t
length(const struct iovec *iov, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += iov[i].iov_len;
	return sum;
}

ssize_t
wire_write(struct wire *w, const struct iovec *iov, int n)
{
	struct outbox *o = loop_outbox(w->loop);
	size_t sum = length(iov, n);

	if (!(w->watch.ready & READY_WRITE) || !wire_settle(w))
		return w->failed ? WIRE_BROKEN : WIRE_AGAIN;
	if (sum <= LETTER_MAX && o != NULL) {
		w->letter = outbox_post(o, w, iov, n, sum);
		return (ssize_t)sum;
	}
	if (sum <= LETTER_MAX && task_gather(w->loop, w->watch.task))
		return WIRE_AGAIN;
	return write_now(w, iov, n);
}

/* What counted as written can't be sent any more. */
static void
fail(struct wire *w)
{
	end_late(w);
	w->failed = true;
	close_with_reset(w);
	shutdown(w->watch.fd, SHUT_RD);		/* reads come to an end behind what is there */
	w->watch.ready |= READY_READ | READY_HANGUP;
	if (w->watch.task != NULL)
		task_wake(w->loop, w->watch.task);
}

/* Sends on, and gives the events back to their owner when all is sent. */
static void
run_late(struct loop *loop, struct task *task)
{
	struct late *late = (struct late *)((char *)task - offsetof(struct late, task));
	struct wire *w = late->wire;
	ssize_t put = 0;

	while (late->at < late->n) {
		struct iovec rest = { late->bytes + late->at, late->n - late->at };

		if ((put = write_now(w, &rest, 1)) <= 0)
			break;
		late->at += (size_t)put;
	}
	if (put == WIRE_BROKEN) {
		fail(w);
		return;
	}
	/* the event may have been for it */
	if (late->owner != NULL)
		task_wake(loop, late->owner);
	if (late->at == late->n)
		end_late(w);
}

static void
keep_late(struct wire *w, struct span rest)
{
	struct late *late = malloc(sizeof(*late) + rest.n);

	if (late == NULL) {
		fail(w);
		return;
	}
	*late = (struct late){ .wire = w, .owner = w->watch.task, .n = rest.n };
	memcpy(late->bytes, rest.p, rest.n);
	task_init(&late->task, run_late);
	w->late = late;
	w->watch.task = &late->task;
	task_wake(w->loop, &late->task);	/* which waits for room only if there is none */
}

void
wire_posted(struct wire *w, struct span letter, ssize_t put)
{
	w->letter = 0;
	if (put >= 0 && (size_t)put == letter.n)
		return;
	if (put >= 0 || put == -EAGAIN || put == -EINTR)
		keep_late(w, span_skip(letter, put > 0 ? (size_t)put : 0));
	else
		fail(w);
}

bool
wire_settle(struct wire *w)
{
	if (w->letter != 0) {
		struct span letter = outbox_take(loop_outbox(w->loop), w->letter);
		ssize_t put = send(w->watch.fd, letter.p, letter.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		wire_posted(w, letter, put < 0 ? -errno : put);
	}
	return w->late == NULL && !w->failed;
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

	if (!wire_settle(w))		/* the head goes before the body */
		return w->failed ? WIRE_BROKEN : WIRE_AGAIN;
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

bool
wire_owes(const struct wire *w)
{
	return w->late != NULL;
}

void
wire_shutdown(struct wire *w)
{
	must(w->letter == 0 && w->late == NULL);
	shutdown(w->watch.fd, SHUT_WR);
}
