/* Upstream servers on loopback that do just what the test says, and an exchange with them. */
#ifndef TESTS_UNIT_UPSTREAM_SUPPORT_H
#define TESTS_UNIT_UPSTREAM_SUPPORT_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "shm/board.h"
#include "tests/unit/loop_support.h"
#include "upstream/call.h"

#define SERVERS		3
#define MAX_FIELDS	20

static struct config_server server_rows[SERVERS];
static struct config_upstream conf = {
	.name = "u", .servers = server_rows, .n_servers = 1, .balance = BALANCE_ROUND_ROBIN,
	.keepalive = 4, .keepalive_timeout_ms = 60000, .connect_timeout_ms = 500,
	.read_timeout_ms = 500, .retries = 1, .max_fails = 3, .fail_timeout_ms = 10000,
};
static int listeners[SERVERS];
static struct board *board;
static struct pool blocks;
static struct upstream *upstream;
static struct call call;
static struct task call_task;
static struct field call_fields[MAX_FIELDS];
static unsigned events;

static inline void
count_event(struct loop *l, struct task *task)
{
	(void)l;
	(void)task;
	events++;
}

/* A server that listens; its port is the kernel's choice. */
static inline void
open_server(size_t i)
{
	struct sockaddr_in *a = (struct sockaddr_in *)&server_rows[i].address;
	socklen_t n = sizeof(*a);

	*a = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(listeners[i], (struct sockaddr *)a, n), 0);
	ck_assert_int_eq(listen(listeners[i], 16), 0);
	ck_assert_int_eq(getsockname(listeners[i], (struct sockaddr *)a, &n), 0);
	server_rows[i].address_len = n;
	server_rows[i].url = "http://upstream.test";
	server_rows[i].authority = "upstream.test";
	server_rows[i].id = 100 + i;
}

static inline void
close_server(size_t i)
{
	close(listeners[i]);
	listeners[i] = -1;
}

static inline void
set_up(size_t servers)
{
	loop_set_up();
	log_open("/dev/null", LOG_LEVEL_ERROR);
	for (size_t i = 0; i < servers; i++)
		open_server(i);
	conf.n_servers = servers;
	void *memory = mmap(NULL, board_size(), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	board = board_init(memory, board_size());
	pool_init(&blocks, 4096, 16);
	task_init(&call_task, count_event);
	upstream = upstream_new(loop, &conf, &blocks, board, 0);
	ck_assert_ptr_nonnull(upstream);
}

static inline void
tear_down(void)
{
	for (size_t i = 0; i < upstream->n_servers; i++)
		ck_assert_uint_eq(upstream->servers[i].n_leased, 0);
	for (size_t i = 0; i < upstream->n_servers; i++)
		ck_assert_uint_eq(board_load(upstream->servers[i].board), 0);
	upstream_free(&upstream);
	ck_assert_ptr_null(upstream);
	turn_once();	/* the dead are buried */
	ck_assert_uint_eq(blocks.leased, 0);
	pool_fini(&blocks);
	task_end(loop, &call_task);
	loop_tear_down();
}

static inline void
begin(enum method method)
{
	call_begin(&call, upstream, &call_task, method, 7,
	    (struct head_limits){ 2048, 512, MAX_FIELDS }, call_fields);
}

/* Runs one of the call's functions until it does not wait. */
#define settle(expression) __extension__ ({ \
	enum run run_; \
	while ((run_ = (expression)) == RUN_WAIT) \
		turn_for(5); \
	run_; \
})

static inline int
accept_from(size_t server)
{
	struct pollfd p = { listeners[server], POLLIN, 0 };

	ck_assert_int_eq(poll(&p, 1, 1000), 1);
	int one = 1, fd = accept4(listeners[server], NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	return fd;
}

/* Ends the server's side. What is not read before would make a reset of it. */
static inline void
hang_up(int fd)
{
	char bin[4096];

	while (recv(fd, bin, sizeof(bin), MSG_DONTWAIT) > 0)
		;
	close(fd);
}

static inline bool
nobody_connects(size_t server)
{
	struct pollfd p = { listeners[server], POLLIN, 0 };

	return poll(&p, 1, 0) == 0;
}

static inline void
say(int fd, struct span s)
{
	ck_assert_int_eq(send(fd, s.p, s.n, MSG_NOSIGNAL), (ssize_t)s.n);
}

/* Sends the request, which is of no concern here. */
static inline void
send_request(void)
{
	out_put(&call.out, SPAN("GET / HTTP/1.1\r\nHost: u\r\n\r\n"));
	ck_assert_int_eq(settle(call_flush(&call)), RUN_DONE);
}

/* All of the body, from the head on: RUN_DONE when it came to its end. */
static inline enum run
read_all(char *out, size_t *n)
{
	struct span piece;
	enum run run;

	for (*n = 0; (run = settle(call_body(&call, &piece))) == RUN_DONE && piece.n > 0; ) {
		memcpy(out + *n, piece.p, piece.n);
		*n += piece.n;
	}
	return run;
}

#endif
