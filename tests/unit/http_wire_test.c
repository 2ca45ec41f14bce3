#include "gateway/http/wire.h"

#include <errno.h>
#include <netinet/in.h>

#include "tests/unit/wire_support.h"

static char bytes[256];

START_TEST(reads_until_there_is_nothing)
{
	wire_set_up();
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), WIRE_AGAIN);
	peer_says(SPAN("hello"));
	ck_assert_int_eq(wire_read(&wire, bytes, 3), 3);
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), 2);
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), WIRE_AGAIN);
	peer_says(SPAN("12345"));
	ck_assert_int_eq(wire_read(&wire, bytes, 5), 5);	/* exactly all there is */
	ck_assert_int_eq(wire_read(&wire, bytes, 5), WIRE_AGAIN);
	peer_says(SPAN("x"));
	ck_assert_int_eq(wire_read(&wire, bytes, 5), 1);
	wire_tear_down();
}
END_TEST

/* What was sent before the end is read first, and the end is told as often as it is asked for. */
START_TEST(an_end_comes_behind_the_last_byte)
{
	wire_set_up();
	ck_assert_int_eq(write(peer, "bye", 3), 3);
	peer_closes();
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), 3);
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), WIRE_END);
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), WIRE_END);
	wire_tear_down();
}
END_TEST

/* The bytes are seen in one turn, the end only in the next. */
START_TEST(an_end_that_comes_later_is_seen)
{
	wire_set_up();
	peer_says(SPAN("bye"));
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), 3);
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), WIRE_AGAIN);
	ck_assert_int_eq(shutdown(peer, SHUT_WR), 0);
	turn_once();
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), WIRE_END);
	ck_assert_int_eq(wire_write(&wire, &(struct iovec){ bytes, 1 }, 1), 1);
	wire_tear_down();
}
END_TEST

START_TEST(writes_until_the_peer_must_read)
{
	static char many[1 << 16];
	struct iovec iov[2] = { { many, sizeof(many) }, { many, sizeof(many) } };
	ssize_t put;
	size_t sum = 0, read_sum = 0;

	wire_set_up();
	while ((put = wire_write(&wire, iov, 2)) > 0)
		sum += (size_t)put;
	ck_assert_int_eq(put, WIRE_AGAIN);
	ck_assert_int_eq(wire_write(&wire, iov, 2), WIRE_AGAIN);
	while ((put = read(peer, many, sizeof(many))) > 0)
		read_sum += (size_t)put;
	ck_assert_uint_eq(read_sum, sum);
	unsigned events = wire_events;
	turn_once();
	turn_once();
	ck_assert_uint_gt(wire_events, events);
	ck_assert_int_gt(wire_write(&wire, iov, 1), 0);
	wire_tear_down();
}
END_TEST

static ssize_t puts_of_turn[4];
static size_t n_puts;

static void
write_in_turn(struct loop *l, struct task *task)
{
	(void)l;
	(void)task;
	ck_assert_uint_lt(n_puts, 4);
	puts_of_turn[n_puts++] = wire_write(&wire, &(struct iovec){ bytes, 1 }, 1);
}

START_TEST(a_write_waits_for_the_end_of_the_turn)
{
	struct task writer;

	wire_set_up();
	task_init(&writer, write_in_turn);
	wire_give(&wire, &writer);
	task_wake(loop, &writer);
	turn_once();
	ck_assert_uint_eq(n_puts, 2);
	ck_assert_int_eq(puts_of_turn[0], WIRE_AGAIN);
	ck_assert_int_eq(puts_of_turn[1], 1);
	ck_assert_int_eq(read(peer, bytes, sizeof(bytes)), 1);
	wire_tear_down();
}
END_TEST

static void
write_much_in_turn(struct loop *l, struct task *task)
{
	static char piece[8192];
	struct iovec iov[2] = { { bytes, 1 }, { piece, sizeof(piece) } };

	(void)l;
	(void)task;
	ck_assert_uint_lt(n_puts, 4);
	puts_of_turn[n_puts++] = wire_write(&wire, iov, 2);
}

START_TEST(a_large_write_does_not_wait)
{
	struct task writer;

	wire_set_up();
	task_init(&writer, write_much_in_turn);
	wire_give(&wire, &writer);
	task_wake(loop, &writer);
	turn_once();
	ck_assert_uint_eq(n_puts, 1);
	ck_assert_int_eq(puts_of_turn[0], 8193);
	wire_tear_down();
}
END_TEST

START_TEST(a_peer_that_is_gone_breaks_it)
{
	wire_set_up();
	peer_closes();
	ck_assert_int_eq(wire_write(&wire, &(struct iovec){ bytes, 1 }, 1), WIRE_BROKEN);
	wire_tear_down();
}
END_TEST

START_TEST(says_that_we_are_done)
{
	wire_set_up();
	wire_shutdown(&wire);
	ck_assert_int_eq(read(peer, bytes, 1), 0);
	peer_says(SPAN("yet"));
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), 3);
	wire_tear_down();
}
END_TEST

START_TEST(owns_its_descriptor)
{
	int fds[2];

	wire_set_up();
	int fd = wire.watch.fd;
	wire_close(&wire);
	ck_assert(!wire_is_open(&wire));
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	wire_close(&wire);
	wire_reset(&wire);
	/* a descriptor epoll doesn't take is closed, too */
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	close(fds[1]);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ck_assert(!wire_open(&wire, loop, fd, &wire_task));
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert(!wire_is_open(&wire));
	close(fds[0]);
	wire_tear_down();
}
END_TEST

static unsigned others;

static void
count_other(struct loop *l, struct task *task)
{
	(void)l;
	(void)task;
	others++;
}

START_TEST(events_go_to_its_present_owner)
{
	struct task other;

	wire_set_up();
	task_init(&other, count_other);
	wire_give(&wire, &other);
	unsigned events = wire_events;
	peer_says(SPAN("x"));
	turn_once();
	ck_assert_uint_eq(wire_events, events);
	ck_assert_uint_ge(others, 1);
	wire_tear_down();
}
END_TEST

/* A TCP connection whose other end is `peer`. */
static int
connect_peer(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, n), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&a, &n), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, n), 0);
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(peer, 0);
	close(listener);
	return fd;
}

START_TEST(a_reset_does_not_look_like_an_end)
{
	loop_set_up();
	task_init(&wire_task, count_wire_event);
	ck_assert(wire_open(&wire, loop, connect_peer(), &wire_task));
	turn_once();
	ck_assert_int_eq(wire_write(&wire, &(struct iovec){ bytes, 4 }, 1), 4);
	wire_reset(&wire);
	ssize_t got;
	while ((got = read(peer, bytes, sizeof(bytes))) > 0)
		;
	ck_assert(got < 0 && errno == ECONNRESET);
	wire_tear_down();
}
END_TEST

START_TEST(a_reset_by_the_peer_breaks_it)
{
	struct linger now = { 1, 0 };

	loop_set_up();
	task_init(&wire_task, count_wire_event);
	ck_assert(wire_open(&wire, loop, connect_peer(), &wire_task));
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	peer_closes();
	turn_once();
	ck_assert_int_eq(wire_read(&wire, bytes, sizeof(bytes)), WIRE_BROKEN);
	wire_tear_down();
}
END_TEST

SUITE_RUN("http_wire", reads_until_there_is_nothing, an_end_comes_behind_the_last_byte,
    an_end_that_comes_later_is_seen, writes_until_the_peer_must_read,
    a_write_waits_for_the_end_of_the_turn, a_large_write_does_not_wait,
    a_peer_that_is_gone_breaks_it, says_that_we_are_done, owns_its_descriptor, events_go_to_its_present_owner,
    a_reset_does_not_look_like_an_end, a_reset_by_the_peer_breaks_it)
