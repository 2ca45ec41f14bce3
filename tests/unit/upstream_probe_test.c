/* A server whose health is checked by a process of its own, and seen on the shared board. */
#include "upstream/probe.h"

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "shm/board.h"
#include "tests/unit/shm_memory.h"

#define PATIENCE_MS	3000

static struct board *board;
static struct config_server server = { .url = "http://api.test:80", .authority = "api.test:80",
	.id = 42 };
static const struct config_upstream upstream = {
	.name = "api",
	.servers = &server,
	.n_servers = 1,
	.health_check = { .path = "/healthz", .interval_ms = 20, .timeout_ms = 200 },
};
static pid_t child;
static int listener;

static void
probe_forever(void)
{
	struct loop *loop = loop_new();
	struct probe *probe = probe_new(loop, &upstream, &server, board);

	loop_run(loop);
	probe_free(&probe);
	loop_free(&loop);
}

static void
setup(void)
{
	struct sockaddr_in *a = (struct sockaddr_in *)&server.address;

	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.address_len = sizeof(*a);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)a, sizeof(*a)), 0);
	ck_assert_int_eq(listen(listener, 16), 0);
	getsockname(listener, (struct sockaddr *)a, &server.address_len);
	board = board_init(memory_new(board_size()), board_size());
	log_open("-", LOG_LEVEL_ERROR);
	child = fork();
	if (child == 0) {
		close(listener);
		probe_forever();
		_exit(0);
	}
}

static void
teardown(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(listener);
}

/* Answers one check; returns what was asked. */
static const char *
answer(const char *text)
{
	static char head[1024];
	int fd = accept(listener, NULL, NULL);
	ssize_t got = recv(fd, head, sizeof(head) - 1, 0);

	ck_assert_int_gt(got, 0);
	head[got] = '\0';
	(void)!send(fd, text, strlen(text), MSG_NOSIGNAL);
	close(fd);
	return head;
}

#define GOOD	"HTTP/1.1 204 No Content\r\n\r\n"
#define MOVED	"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2/\r\nContent-Length: 0\r\n\r\n"
#define POOR	"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"

/* Answers like this until the board says so. */
static void
answer_until(const char *text, enum board_probe wanted)
{
	struct board_slot *slot = board_slot(board, server.id);
	uint64_t end_ms = clock_ms() + PATIENCE_MS;

	while (board_probe(slot) != wanted) {
		struct pollfd p = { listener, POLLIN, 0 };

		ck_assert_uint_lt(clock_ms(), end_ms);
		if (poll(&p, 1, 10) == 1)
			answer(text);
	}
}

START_TEST(asks_for_the_path_at_the_address)
{
	const char *head = answer(GOOD);

	ck_assert_ptr_nonnull(strstr(head, "GET /healthz HTTP/1.1\r\n"));
	ck_assert_ptr_nonnull(strstr(head, "\r\nHost: api.test\r\n"));
}
END_TEST

START_TEST(goes_down_and_up)
{
	struct board_slot *slot = board_slot(board, server.id);

	answer_until(GOOD, BOARD_UP);
	answer_until(POOR, BOARD_DOWN);
	ck_assert(board_is_down(slot, clock_ms()));
	answer_until(MOVED, BOARD_UP);
	ck_assert(!board_is_down(slot, clock_ms()));
	answer_until("rubbish\r\n\r\n", BOARD_DOWN);
}
END_TEST

START_TEST(one_bad_answer_is_forgiven)
{
	struct board_slot *slot = board_slot(board, server.id);

	answer_until(GOOD, BOARD_UP);
	for (int i = 0; i < 3; i++) {
		answer(POOR);
		answer(GOOD);
		ck_assert_int_eq(board_probe(slot), BOARD_UP);
	}
}
END_TEST

START_TEST(silence_is_down)
{
	struct board_slot *slot = board_slot(board, server.id);
	uint64_t end_ms = clock_ms() + PATIENCE_MS;

	while (board_probe(slot) != BOARD_DOWN) {
		ck_assert_uint_lt(clock_ms(), end_ms);
		poll(NULL, 0, 5);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("upstream_probe");
	TCase *t = tcase_create("probe");
	SRunner *runner = srunner_create(suite);

	signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, asks_for_the_path_at_the_address);
	tcase_add_test(t, goes_down_and_up);
	tcase_add_test(t, one_bad_answer_is_forgiven);
	tcase_add_test(t, silence_is_down);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
