/* Connections to a server that wait, are leased and come back, over a socket of this machine. */
#include "upstream/conn.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/suite.h"

#define IDLE_MS	60000

static struct pool blocks;
static struct loop *loop;
static struct config_server address = { .url = "http://api.test:80" };
static const struct config_upstream upstream = { .name = "api", .keepalive = 8 };
static struct server server;
static struct turn_end stop;
static struct task user;	/* of the leased connection */
static int listener;

static void
stop_turning(struct loop *l, void *argument)
{
	(void)argument;
	loop_stop(l);
}

static void
run_nothing(struct loop *l, struct task *task)
{
	(void)l;
	(void)task;
}

/* The loop as fresh as the fixture left it, and a connection that waits. */
static struct conn *
waiting(void)
{
	struct sockaddr_in *a = (struct sockaddr_in *)&address.address;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.address_len = sizeof(*a);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)a, sizeof(*a)), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	getsockname(listener, (struct sockaddr *)a, &address.address_len);
	loop = loop_new();
	loop_at_turn_end(loop, &stop, stop_turning, NULL);
	pool_init(&blocks, 1024, 8);
	server = (struct server){ .config = &address, .upstream = &upstream, .loop = loop,
		.blocks = &blocks };
	task_init(&user, run_nothing);
	struct conn *c = conn_connect(&server, &user);
	ck_assert_ptr_nonnull(c);
	conn_return(c, IDLE_MS);
	ck_assert_uint_eq(server.n_idle, 1);
	return c;
}

static void
finish(void)
{
	conn_close_idle(&server);
	loop_free(&loop);
	pool_fini(&blocks);
	close(listener);
}

START_TEST(comes_back_and_is_leased_again)
{
	struct conn *c = waiting();

	ck_assert_ptr_eq(conn_lease(&server, &user), c);
	ck_assert(c->reused);
	ck_assert_uint_eq(server.n_idle, 0);
	ck_assert_uint_eq(server.n_leased, 1);
	ck_assert_ptr_null(conn_lease(&server, &user));
	conn_close(c);
	finish();
}
END_TEST

/* Room in the socket's buffer is news too, and may come in the turn that leases it. */
START_TEST(a_wake_of_its_waiting_does_not_end_it_once_leased)
{
	struct conn *c = waiting();

	task_wake(loop, &c->task);
	ck_assert_ptr_eq(conn_lease(&server, &user), c);
	loop_run(loop);
	ck_assert(wire_is_open(&c->wire));
	ck_assert_uint_eq(server.n_idle, 0);
	conn_close(c);
	finish();
}
END_TEST

START_TEST(a_server_that_closes_ends_it)
{
	waiting();
	close(accept(listener, NULL, NULL));
	loop_run(loop);		/* takes the event; the task runs in this turn */
	ck_assert_uint_eq(server.n_idle, 0);
	ck_assert_ptr_null(conn_lease(&server, &user));
	finish();
}
END_TEST

SUITE_RUN("upstream_conn", comes_back_and_is_leased_again,
    a_wake_of_its_waiting_does_not_end_it_once_leased, a_server_that_closes_ends_it)
