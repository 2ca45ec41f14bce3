#include "upstream/upstream.h"

#include <sys/resource.h>

#include "tests/unit/upstream_support.h"

static char content[8192];
static size_t n_content;

#define OK	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* One exchange from its begin to its end; the server's side of the connection. */
static int
exchange(int fd, struct span answer)
{
	begin(METHOD_GET);
	ck_assert_int_eq(settle(call_open(&call)), RUN_DONE);
	if (fd < 0)
		fd = accept_from(0);
	send_request();
	say(fd, answer);
	ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
	ck_assert_int_eq(read_all(content, &n_content), RUN_DONE);
	call_end(&call, true);
	return fd;
}

START_TEST(a_server_that_refuses_gives_way_to_another)
{
	set_up(2);
	close_server(0);
	for (int i = 0; i < 4; i++) {
		begin(METHOD_GET);
		ck_assert_int_eq(settle(call_open(&call)), RUN_DONE);
		ck_assert_ptr_eq(call.server, &upstream->servers[1]);
		call_end(&call, false);
		close(accept_from(1));
	}
	ck_assert_uint_ge(board_failures(upstream->servers[0].board), 2);
	tear_down();
}
END_TEST

START_TEST(nobody_there)
{
	set_up(2);
	close_server(0);
	close_server(1);
	for (int i = 0; i < 3; i++) {
		begin(METHOD_GET);
		ck_assert_int_eq(settle(call_open(&call)), RUN_FAIL);
		ck_assert_int_eq(call.error, CALL_NOT_CONNECTED);
		ck_assert(!call_retry(&call, true));
		call_end(&call, false);
	}
	/* both failed three times in a row: they rest */
	begin(METHOD_GET);
	ck_assert_int_eq(call_open(&call), RUN_FAIL);
	ck_assert_int_eq(call.error, CALL_NO_SERVER);
	call_end(&call, false);
	tear_down();
}
END_TEST

/* That we have no descriptor left says nothing about the server. */
START_TEST(our_own_lack_is_no_failure_of_a_server)
{
	struct rlimit usual, none;

	set_up(1);
	getrlimit(RLIMIT_NOFILE, &usual);
	none = (struct rlimit){ 0, usual.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (int i = 0; i < 5; i++) {
		begin(METHOD_GET);
		ck_assert_int_eq(call_open(&call), RUN_FAIL);
		ck_assert_int_eq(call.error, CALL_NOT_CONNECTED);
		call_end(&call, false);
	}
	ck_assert_uint_eq(board_failures(upstream->servers[0].board), 0);
	ck_assert_ptr_nonnull(upstream_choose(upstream, 0, 0));
	setrlimit(RLIMIT_NOFILE, &usual);
	tear_down();
}
END_TEST

START_TEST(a_rest_has_an_end_and_success_forgets)
{
	set_up(1);
	conf.max_fails = 2;
	conf.fail_timeout_ms = 60;
	struct server *s = &upstream->servers[0];
	upstream_report(s, false);
	ck_assert_ptr_eq(upstream_choose(upstream, 0, 0), s);
	upstream_report(s, true);
	ck_assert_uint_eq(board_failures(s->board), 0);
	upstream_report(s, false);
	upstream_report(s, false);
	ck_assert_ptr_null(upstream_choose(upstream, 0, 0));
	turn_for(90);
	ck_assert_ptr_eq(upstream_choose(upstream, 0, 0), s);
	upstream_report(s, false);	/* one more puts it out again */
	ck_assert_ptr_null(upstream_choose(upstream, 0, 0));
	board_probed(s->board, BOARD_UP);
	ck_assert_ptr_eq(upstream_choose(upstream, 0, 0), s);
	board_probed(s->board, BOARD_DOWN);
	ck_assert_ptr_null(upstream_choose(upstream, 0, 0));
	tear_down();
}
END_TEST

/* The server closes a kept connection just as the next request is sent on it. */
START_TEST(a_stale_connection_is_no_failure)
{
	set_up(1);
	conf.retries = 0;
	int fd = exchange(-1, SPAN(OK));
	ck_assert_uint_eq(upstream->servers[0].n_idle, 1);
	hang_up(fd);			/* and the loop has not turned since */
	begin(METHOD_GET);
	ck_assert_int_eq(call_open(&call), RUN_DONE);
	ck_assert(call.conn->reused);
	send_request();
	ck_assert_int_eq(settle(call_answer(&call)), RUN_FAIL);
	ck_assert_int_eq(call.error, CALL_BROKEN);
	ck_assert(!call_retry(&call, false));
	ck_assert(call_retry(&call, true));
	ck_assert_int_eq(settle(call_open(&call)), RUN_DONE);
	ck_assert(!call.conn->reused);
	fd = accept_from(0);
	send_request();
	/* a fresh connection that breaks is another thing: no retries are left */
	hang_up(fd);
	ck_assert_int_eq(settle(call_answer(&call)), RUN_FAIL);
	ck_assert_int_eq(call.error, CALL_BROKEN);
	ck_assert(!call_retry(&call, true));
	ck_assert_uint_eq(board_failures(upstream->servers[0].board), 1);
	call_end(&call, true);
	tear_down();
}
END_TEST

START_TEST(a_retry_goes_elsewhere_and_only_unheard)
{
	set_up(2);
	begin(METHOD_GET);
	ck_assert_int_eq(settle(call_open(&call)), RUN_DONE);
	struct server *first = call.server;
	send_request();
	hang_up(accept_from((size_t)(first - upstream->servers)));
	ck_assert_int_eq(settle(call_answer(&call)), RUN_FAIL);
	ck_assert(call_retry(&call, true));
	ck_assert_int_eq(settle(call_open(&call)), RUN_DONE);
	ck_assert_ptr_ne(call.server, first);
	int fd = accept_from((size_t)(call.server - upstream->servers));
	send_request();
	say(fd, SPAN("HTTP/1.1 2"));
	hang_up(fd);
	ck_assert_int_eq(settle(call_answer(&call)), RUN_FAIL);
	ck_assert_int_eq(call.error, CALL_CUT);
	ck_assert(!call_retry(&call, true));
	call_end(&call, true);
	tear_down();
}
END_TEST

START_TEST(an_idle_connection_that_speaks_or_ends_is_gone)
{
	set_up(1);
	int fd = exchange(-1, SPAN(OK));
	say(fd, SPAN("HTTP/1.1 200 OK\r\n\r\n"));
	turn_for(20);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
	hang_up(fd);
	fd = exchange(-1, SPAN(OK));
	hang_up(fd);
	turn_for(20);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
	tear_down();
}
END_TEST

START_TEST(keeps_so_many_for_so_long)
{
	int fds[3];
	struct call calls[3];

	set_up(1);
	conf.keepalive = 2;
	conf.keepalive_timeout_ms = 80;
	for (int i = 0; i < 3; i++) {
		begin(METHOD_GET);
		ck_assert_int_eq(settle(call_open(&call)), RUN_DONE);
		fds[i] = accept_from(0);
		send_request();
		say(fds[i], SPAN(OK));
		ck_assert_int_eq(settle(call_answer(&call)), RUN_DONE);
		ck_assert_int_eq(read_all(content, &n_content), RUN_DONE);
		calls[i] = call;
	}
	ck_assert_uint_eq(upstream->servers[0].n_leased, 3);
	for (int i = 0; i < 3; i++)
		call_end(&calls[i], true);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 2);
	turn_for(150);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	tear_down();
}
END_TEST

START_TEST(believes_when_the_server_says_it_will_close)
{
	set_up(1);
	int fd = exchange(-1, SPAN("HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\n"
	    "Content-Length: 2\r\n\r\nok"));
	ck_assert_uint_eq(upstream->servers[0].n_idle, 1);
	turn_for(600);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
	close(fd);
	tear_down();
}
END_TEST

START_TEST(a_retired_one_keeps_nothing)
{
	set_up(1);
	int fd = exchange(-1, SPAN(OK));
	ck_assert_uint_eq(upstream->servers[0].n_idle, 1);
	upstream_retire(upstream);
	ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
	int other = exchange(-1, SPAN(OK));
	ck_assert_uint_eq(upstream->servers[0].n_idle, 0);
	close(fd);
	close(other);
	tear_down();
}
END_TEST

START_TEST(round_robin_is_fair)
{
	unsigned count[SERVERS] = { 0 };

	set_up(3);
	for (int i = 0; i < 30; i++)
		count[upstream_choose(upstream, 0, 0) - upstream->servers]++;
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(count[i], 10);
	for (int i = 0; i < 9; i++)
		ck_assert_ptr_eq(upstream_choose(upstream, 5, 0), &upstream->servers[1]);
	ck_assert_ptr_null(upstream_choose(upstream, 7, 0));
	tear_down();
}
END_TEST

START_TEST(least_connections_evens_out)
{
	conf.balance = BALANCE_LEAST_CONNECTIONS;
	set_up(3);
	for (int i = 0; i < 30; i++)
		upstream_enter(upstream_choose(upstream, 0, 0));
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(board_load(upstream->servers[i].board), 10);
	upstream_leave(&upstream->servers[2]);
	ck_assert_ptr_eq(upstream_choose(upstream, 0, 0), &upstream->servers[2]);
	upstream_enter(&upstream->servers[2]);
	for (int i = 0; i < 30; i++)
		upstream_leave(&upstream->servers[i % 3]);
	tear_down();
}
END_TEST

START_TEST(consistent_hash_moves_only_the_keys_of_the_lost)
{
	enum { KEYS = 3000 };
	static size_t home[KEYS];
	unsigned count[SERVERS] = { 0 };

	conf.balance = BALANCE_CONSISTENT_HASH;
	set_up(3);
	for (size_t key = 0; key < KEYS; key++) {
		home[key] = (size_t)(upstream_choose(upstream, 0, key * 7919) - upstream->servers);
		count[home[key]]++;
	}
	for (int i = 0; i < 3; i++)
		ck_assert(count[i] > KEYS / 3 * 8 / 10 && count[i] < KEYS / 3 * 12 / 10);
	for (size_t key = 0; key < KEYS; key++) {
		struct server *s = upstream_choose(upstream, 2, key * 7919);

		ck_assert_ptr_ne(s, &upstream->servers[1]);
		ck_assert(home[key] == 1 || s == &upstream->servers[home[key]]);
	}
	tear_down();
}
END_TEST

SUITE_RUN("upstream_upstream", a_server_that_refuses_gives_way_to_another, nobody_there,
    our_own_lack_is_no_failure_of_a_server, a_rest_has_an_end_and_success_forgets,
    a_stale_connection_is_no_failure,
    a_retry_goes_elsewhere_and_only_unheard, an_idle_connection_that_speaks_or_ends_is_gone,
    keeps_so_many_for_so_long, believes_when_the_server_says_it_will_close,
    a_retired_one_keeps_nothing, round_robin_is_fair, least_connections_evens_out,
    consistent_hash_moves_only_the_keys_of_the_lost)
