/* A wire and its peer, for tests of what reads and writes through one. */
#ifndef TESTS_UNIT_WIRE_SUPPORT_H
#define TESTS_UNIT_WIRE_SUPPORT_H

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/http/wire.h"
#include "tests/unit/loop_support.h"

static struct wire wire;
static int peer;
static unsigned wire_events;

static inline void
count_wire_event(struct loop *l, struct task *task)
{
	(void)l;
	(void)task;
	wire_events++;
}

static struct task wire_task;

static inline void
wire_set_up(void)
{
	int fds[2];

	loop_set_up();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	task_init(&wire_task, count_wire_event);
	ck_assert(wire_open(&wire, loop, fds[0], &wire_task));
	peer = fds[1];
	turn_once();
}

static inline void
wire_tear_down(void)
{
	wire_close(&wire);
	if (peer >= 0)
		close(peer);
	loop_tear_down();
}

static inline void
peer_says(struct span s)
{
	ck_assert_int_eq(write(peer, s.p, s.n), (ssize_t)s.n);
	turn_once();
}

static inline void
peer_closes(void)
{
	close(peer);
	peer = -1;
	turn_once();
}

#endif
