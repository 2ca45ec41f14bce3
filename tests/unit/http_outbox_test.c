#include "gateway/http/outbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "gateway/loop/ring.h"
#include "tests/unit/wire_support.h"

static struct outbox *outbox;
static char bytes[1 << 16];

static void
set_up(void)
{
	int fds[2];

	loop_set_up();
	outbox = outbox_new(loop);
	ck_assert_ptr_nonnull(outbox);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	task_init(&wire_task, count_wire_event);
	ck_assert(wire_open(&wire, loop, fds[0], &wire_task));
	peer = fds[1];
	turn_once();
}

static void
tear_down(void)
{
	wire_close(&wire);
	if (peer >= 0)
		close(peer);
	outbox_free(&outbox);
	ck_assert_ptr_null(outbox);
	loop_tear_down();
}

static void
say(struct wire *w, struct span s)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)s.p, 1 },
		{ (void *)(uintptr_t)(s.p + 1), s.n - 1 } };

	ck_assert_int_eq(wire_write(w, iov, 2), (ssize_t)s.n);
}

static void
hears(int fd, struct span s)
{
	ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), (ssize_t)s.n);
	ck_assert_mem_eq(bytes, s.p, s.n);
}

/* Fills the connection to the brim; gives the number of bytes in it. */
static size_t
fill(void)
{
	size_t sum = 0;
	ssize_t put;

	while ((put = write(wire.watch.fd, bytes, sizeof(bytes))) > 0)
		sum += (size_t)put;
	while ((put = write(wire.watch.fd, bytes, 1)) > 0)
		sum++;
	return sum;
}

static void
drain_peer(size_t n)
{
	while (n > 0) {
		ssize_t got = read(peer, bytes, n < sizeof(bytes) ? n : sizeof(bytes));

		ck_assert_int_gt(got, 0);
		n -= (size_t)got;
	}
}

START_TEST(letters_leave_at_the_end_of_the_turn)
{
	struct wire others[3];
	int peers[3];

	set_up();
	for (int i = 0; i < 3; i++) {
		int fds[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
		ck_assert(wire_open(&others[i], loop, fds[0], &wire_task));
		peers[i] = fds[1];
	}
	turn_once();
	say(&wire, SPAN("one"));
	say(&others[0], SPAN("two"));
	say(&others[1], SPAN("three"));
	say(&others[2], SPAN("at once"));
	wire_reset(&others[2]);
	hears(peers[2], SPAN("at once"));
	ck_assert(read(peer, bytes, 1) < 0 && errno == EAGAIN);
	turn_once();
	hears(peer, SPAN("one"));
	hears(peers[0], SPAN("two"));
	hears(peers[1], SPAN("three"));
	ck_assert_int_eq(read(peers[2], bytes, 1), 0);
	for (int i = 0; i < 3; i++) {
		wire_close(&others[i]);
		close(peers[i]);
	}
	tear_down();
}
END_TEST

/* Many more than the outbox holds, and some too long for it. */
START_TEST(order_is_kept_whatever_the_length)
{
	char text[3 * LETTER_MAX];

	set_up();
	for (int i = 0; i < 100; i++) {
		size_t n = i % 10 == 9 ? sizeof(text) : (size_t)i + 2;

		memset(text, 'a' + i % 26, sizeof(text));
		say(&wire, span_make(text, n));
		if (i % 3 == 0)
			turn_once();
		else
			ck_assert(wire_settle(&wire));
		hears(peer, span_make(text, n));
	}
	say(&wire, SPAN("first "));
	say(&wire, SPAN("second"));
	turn_once();
	hears(peer, SPAN("first second"));
	say(&wire, SPAN("x "));		/* the long one is not posted, and does not overtake */
	say(&wire, span_make(text, sizeof(text)));
	ck_assert_int_eq(read(peer, bytes, 2), 2);
	ck_assert_mem_eq(bytes, "x ", 2);
	hears(peer, span_make(text, sizeof(text)));
	tear_down();
}
END_TEST

START_TEST(a_full_outbox_is_sent_at_once)
{
	enum { MANY = 300 };
	static struct wire wires[MANY];
	static int peers[MANY];

	set_up();
	for (int i = 0; i < MANY; i++) {
		int fds[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
		ck_assert(wire_open(&wires[i], loop, fds[0], &wire_task));
		peers[i] = fds[1];
	}
	for (int i = 0; i < MANY; i++)
		while (!(wires[i].watch.ready & READY_WRITE))
			turn_once();
	for (int i = 0; i < MANY; i++)
		say(&wires[i], SPAN("letter"));
	hears(peers[0], SPAN("letter"));
	ck_assert(read(peers[MANY - 1], bytes, 1) < 0);
	turn_once();
	for (int i = 1; i < MANY; i++)
		hears(peers[i], SPAN("letter"));
	for (int i = 0; i < MANY; i++) {
		wire_close(&wires[i]);
		close(peers[i]);
	}
	tear_down();
}
END_TEST

/* What does not fit waits for room, and with it the end and further writes. */
START_TEST(the_rest_is_sent_when_there_is_room)
{
	set_up();
	size_t n = fill();
	say(&wire, SPAN("late"));
	turn_once();
	turn_once();
	ck_assert(wire_owes(&wire));
	ck_assert(!wire_settle(&wire));
	ck_assert_int_eq(wire_write(&wire, &(struct iovec){ bytes, 1 }, 1), WIRE_AGAIN);
	shutdown(peer, SHUT_WR);
	turn_once();
	ck_assert_int_eq(wire_read(&wire, bytes, 1), WIRE_AGAIN);
	drain_peer(n);
	unsigned events = wire_events;
	turn_once();
	turn_once();
	ck_assert_uint_gt(wire_events, events);
	hears(peer, SPAN("late"));
	ck_assert(!wire_owes(&wire));
	ck_assert(wire_settle(&wire));
	ck_assert_ptr_eq(wire.watch.task, &wire_task);
	wire_shutdown(&wire);
	ck_assert_int_eq(read(peer, bytes, 1), 0);
	ck_assert_int_eq(wire_read(&wire, bytes, 1), WIRE_END);
	tear_down();
}
END_TEST

START_TEST(a_rest_is_no_obstacle_to_closing)
{
	set_up();
	fill();
	say(&wire, SPAN("late"));
	turn_once();
	wire_close(&wire);
	turn_once();
	tear_down();
}
END_TEST

/* Over TCP, which unlike a pair of Unix sockets knows resets. */
START_TEST(closing_with_a_rest_is_a_reset)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(any);
	int door = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ssize_t got;

	set_up();
	ck_assert_int_eq(bind(door, (struct sockaddr *)&any, len), 0);
	ck_assert_int_eq(listen(door, 1), 0);
	ck_assert_int_eq(getsockname(door, (struct sockaddr *)&any, &len), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&any, len), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	wire_close(&wire);
	close(peer);
	ck_assert(wire_open(&wire, loop, fd, &wire_task));
	peer = accept(door, NULL, NULL);
	turn_once();
	fill();
	say(&wire, SPAN("late"));
	turn_once();
	ck_assert(wire_owes(&wire));
	wire_close(&wire);
	while ((got = read(peer, bytes, sizeof(bytes))) > 0)
		;
	ck_assert(got < 0 && errno == ECONNRESET);
	close(door);
	tear_down();
}
END_TEST

START_TEST(closing_sends_what_was_posted)
{
	set_up();
	say(&wire, SPAN("last words"));
	wire_close(&wire);
	hears(peer, SPAN("last words"));
	ck_assert_int_eq(read(peer, bytes, 1), 0);
	tear_down();
}
END_TEST

START_TEST(a_failure_breaks_the_wire)
{
	set_up();
	say(&wire, SPAN("to nobody"));
	close(peer);
	peer = -1;
	unsigned events = wire_events;
	turn_once();
	turn_once();
	ck_assert_uint_gt(wire_events, events);
	ck_assert_int_eq(wire_write(&wire, &(struct iovec){ bytes, 1 }, 1), WIRE_BROKEN);
	ck_assert_int_eq(wire_read(&wire, bytes, 1), WIRE_BROKEN);
	tear_down();
}
END_TEST

/* The ring by itself: each send has its own result, in the order of the queue. */
START_TEST(each_send_has_its_result)
{
	struct ring *ring = ring_new(4);
	int fds[2], results[4];

	ck_assert_ptr_nonnull(ring);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	for (int i = 0; i < 3; i++) {
		ring_send(ring, fds[0], "abc", 3);
		ring_send(ring, -1, "abc", 3);
		ring_send(ring, fds[0], "de", 2);
		ring_run(ring, results);
		ck_assert_int_eq(results[0], 3);
		ck_assert_int_eq(results[1], -EBADF);
		ck_assert_int_eq(results[2], 2);
		hears(fds[1], SPAN("abcde"));
	}
	/* a full connection, though its socket would block */
	int fd = fds[0];
	do {
		ring_send(ring, fd, bytes, sizeof(bytes));
		ring_run(ring, results);
	} while (results[0] > 0);
	ck_assert_int_eq(results[0], -EAGAIN);
	ring_free(&ring);
	ck_assert_ptr_null(ring);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/*
 * As in a container that forbids one of the two system calls: there is no outbox, and the loop does
 * without.
 */
START_TEST(what_forbids_io_uring_is_noticed)
{
	static const unsigned forbidden[] = { SYS_io_uring_setup, SYS_io_uring_enter };
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, forbidden[_i], 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	loop_set_up();
	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	ck_assert_ptr_null(outbox_new(loop));
	ck_assert_int_eq(errno, _i == 0 ? EPERM : ENOTSUP);
	ck_assert_ptr_null(loop_outbox(loop));
	loop_tear_down();
}
END_TEST

static bool
has_io_uring(void)
{
	struct ring *ring = ring_new(4);
	bool has = ring != NULL;

	if (!has)
		printf("no io_uring on this host: %s\n", strerror(errno));
	ring_free(&ring);
	return has;
}

static void
add_tests_of_io_uring(TCase *c)
{
	tcase_add_test(c, letters_leave_at_the_end_of_the_turn);
	tcase_add_test(c, order_is_kept_whatever_the_length);
	tcase_add_test(c, a_full_outbox_is_sent_at_once);
	tcase_add_test(c, the_rest_is_sent_when_there_is_room);
	tcase_add_test(c, a_rest_is_no_obstacle_to_closing);
	tcase_add_test(c, closing_with_a_rest_is_a_reset);
	tcase_add_test(c, closing_sends_what_was_posted);
	tcase_add_test(c, a_failure_breaks_the_wire);
	tcase_add_test(c, each_send_has_its_result);
	tcase_add_loop_test(c, what_forbids_io_uring_is_noticed, 0, 2);
}

int
main(void)
{
	Suite *s = suite_create("http_outbox");
	TCase *c = tcase_create("outbox");

	suite_add_tcase(s, c);
	if (has_io_uring())
		add_tests_of_io_uring(c);

	SRunner *runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
