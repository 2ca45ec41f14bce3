#include "gateway/listener.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/upgrade.h"

static char error[512];

static struct config_listen
on_loopback(const char *name, uint16_t port)
{
	struct config_listen listen = { .name = name, .address_len = sizeof(struct sockaddr_in) };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&listen.address;

	v4->sin_family = AF_INET;
	v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	v4->sin_port = htons(port);
	return listen;
}

static uint16_t
port_of(const struct listener *l)
{
	return ntohs(((const struct sockaddr_in *)&l->address)->sin_port);
}

static bool
can_connect(uint16_t port)
{
	struct config_listen to = on_loopback("", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool good = connect(fd, (struct sockaddr *)&to.address, to.address_len) == 0;

	close(fd);
	return good;
}

START_TEST(opens_for_workers_and_for_the_keeper)
{
	struct config_listen where = on_loopback("127.0.0.1:0", 0), admin = where;
	struct config conf = { .listens = &where, .n_listens = 1, .admin = &admin };
	struct listeners set;
	int value;
	socklen_t n = sizeof(value);

	ck_assert_msg(listeners_open(&set, &conf, NULL, error, sizeof(error)), "%s", error);
	ck_assert_uint_eq(set.n, 2);
	ck_assert(!set.items[0].admin && set.items[1].admin);
	ck_assert(can_connect(port_of(&set.items[0])) && can_connect(port_of(&set.items[1])));
	ck_assert_int_ne(fcntl(set.items[0].fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(fcntl(set.items[0].fd, F_GETFD), FD_CLOEXEC);
	getsockopt(set.items[0].fd, IPPROTO_TCP, TCP_NODELAY, &value, &n);
	ck_assert_int_ne(value, 0);
	listeners_close_kind(&set, true);
	ck_assert_int_eq(set.items[1].fd, -1);
	ck_assert(!can_connect(port_of(&set.items[1])) && can_connect(port_of(&set.items[0])));
	listeners_close(&set);
	ck_assert_uint_eq(set.n, 0);
}
END_TEST

START_TEST(says_which_address_is_taken)
{
	struct config_listen where = on_loopback("127.0.0.1:0", 0), taken[2];
	struct config conf = { .listens = &where, .n_listens = 1 };
	struct listeners set, second;
	char name[32], sentence[128];

	ck_assert(listeners_open(&set, &conf, NULL, error, sizeof(error)));
	snprintf(name, sizeof(name), "127.0.0.1:%u", port_of(&set.items[0]));
	taken[0] = where;
	taken[1] = on_loopback(name, port_of(&set.items[0]));
	conf = (struct config){ .listens = taken, .n_listens = 2 };
	ck_assert(!listeners_open(&second, &conf, NULL, error, sizeof(error)));
	snprintf(sentence, sizeof(sentence), "cannot listen on %s: address already in use", name);
	ck_assert_str_eq(error, sentence);
	ck_assert_uint_eq(second.n, 0);
	listeners_close(&set);
}
END_TEST

START_TEST(a_reload_keeps_the_socket_and_its_queue)
{
	struct config_listen where = on_loopback("127.0.0.1:0", 0);
	struct config conf = { .listens = &where, .n_listens = 1 };
	struct config_listen to;
	struct listeners old, new;
	int client = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert(listeners_open(&old, &conf, NULL, error, sizeof(error)));
	to = on_loopback("", port_of(&old.items[0]));
	ck_assert_int_eq(connect(client, (struct sockaddr *)&to.address, to.address_len), 0);
	ck_assert(listeners_open(&new, &conf, &old, error, sizeof(error)));
	ck_assert_uint_eq(port_of(&new.items[0]), port_of(&old.items[0]));
	ck_assert_int_ne(new.items[0].fd, old.items[0].fd);
	listeners_close(&old);
	ck_assert_int_ge(accept(new.items[0].fd, NULL, NULL), 0);
	close(client);
	listeners_close(&new);
}
END_TEST

START_TEST(a_reload_knows_an_address_that_is_written_otherwise)
{
	struct config_listen where = on_loopback("127.0.0.1:0", 0);
	struct config conf = { .listens = &where, .n_listens = 1 };
	struct listeners old, new;

	ck_assert(listeners_open(&old, &conf, NULL, error, sizeof(error)));
	where = on_loopback("localhost:the same", port_of(&old.items[0]));
	ck_assert_msg(listeners_open(&new, &conf, &old, error, sizeof(error)), "%s", error);
	ck_assert_uint_eq(port_of(&new.items[0]), port_of(&old.items[0]));
	listeners_close(&old);
	listeners_close(&new);
}
END_TEST

START_TEST(the_admin_address_is_not_taken_over_for_clients)
{
	struct config_listen where = on_loopback("127.0.0.1:0", 0);
	struct config admin = { .admin = &where }, public = { .listens = &where, .n_listens = 1 };
	struct listeners old, new;

	ck_assert(listeners_open(&old, &admin, NULL, error, sizeof(error)));
	ck_assert(listeners_open(&new, &public, &old, error, sizeof(error)));
	ck_assert_uint_ne(port_of(&new.items[0]), port_of(&old.items[0]));
	listeners_close(&old);
	listeners_close(&new);
}
END_TEST

START_TEST(writes_addresses_as_people_do)
{
	struct config_listen v4 = on_loopback("", 80);
	struct sockaddr_storage v6 = { .ss_family = AF_INET6 };
	char address[LISTENER_ADDRESS_SIZE];

	listener_address(&v4.address, address);
	ck_assert_str_eq(address, "127.0.0.1:80");
	((struct sockaddr_in6 *)&v6)->sin6_addr = in6addr_loopback;
	((struct sockaddr_in6 *)&v6)->sin6_port = htons(8080);
	listener_address(&v6, address);
	ck_assert_str_eq(address, "[::1]:8080");
}
END_TEST

START_TEST(an_upgrade_takes_what_was_left)
{
	struct config_listen where = on_loopback("127.0.0.1:0", 0);
	struct config conf = { .listens = &where, .n_listens = 1, .admin = &where };
	struct listeners set;
	struct upgrade left;
	char variable[256];

	ck_assert(listeners_open(&set, &conf, NULL, error, sizeof(error)));
	snprintf(variable, sizeof(variable),
	    "master=42 shared=0 listen=%d@127.0.0.1:0 admin=%d@[::1]:0", set.items[0].fd,
	    set.items[1].fd);
	setenv("GATEHOUSE_UPGRADE", variable, 1);
	ck_assert_msg(upgrade_take(&left, error, sizeof(error)), "%s", error);
	ck_assert_ptr_null(getenv("GATEHOUSE_UPGRADE"));
	ck_assert_int_eq(left.old_master, 42);
	ck_assert_int_eq(left.shared, 0);
	ck_assert_uint_eq(left.listeners.n, 2);
	ck_assert_str_eq(left.listeners.items[1].name, "[::1]:0");
	ck_assert(left.listeners.items[1].admin);
	ck_assert_uint_eq(port_of(&left.listeners.items[0]), port_of(&set.items[0]));
	free(left.listeners.items);
	listeners_close(&set);
}
END_TEST

static const char *const foreign[] = {
	"",
	"master=42",
	"master=x shared=0",
	"master=1 shared=99999",
	"master=1 shared=0 listen=0@127.0.0.1:1",
	"master=1 shared=0 listen=-1@127.0.0.1:1",
	"master=1 shared=0 listen=99999999999999999999@127.0.0.1:1",
	"master=1 shared=0 listen=1",
	"master=1 shared=0 listen=1@",
	"master=1 shared=0 tunnel=3@x",
	"=",
	"master",
};

START_TEST(an_upgrade_refuses_what_it_does_not_understand)
{
	struct upgrade left;

	setenv("GATEHOUSE_UPGRADE", foreign[_i], 1);
	ck_assert(!upgrade_take(&left, error, sizeof(error)));
	ck_assert_ptr_nonnull(strstr(error, "GATEHOUSE_UPGRADE"));
	ck_assert_ptr_null(getenv("GATEHOUSE_UPGRADE"));
}
END_TEST

START_TEST(nothing_left_is_no_upgrade)
{
	struct upgrade left;

	unsetenv("GATEHOUSE_UPGRADE");
	ck_assert(upgrade_take(&left, error, sizeof(error)));
	ck_assert_int_eq(left.old_master, 0);
	ck_assert_int_eq(left.shared, -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("listener");
	TCase *sockets = tcase_create("sockets"), *upgrades = tcase_create("upgrades");
	SRunner *runner = srunner_create(suite);

	tcase_add_test(sockets, opens_for_workers_and_for_the_keeper);
	tcase_add_test(sockets, says_which_address_is_taken);
	tcase_add_test(sockets, a_reload_keeps_the_socket_and_its_queue);
	tcase_add_test(sockets, a_reload_knows_an_address_that_is_written_otherwise);
	tcase_add_test(sockets, the_admin_address_is_not_taken_over_for_clients);
	tcase_add_test(sockets, writes_addresses_as_people_do);
	suite_add_tcase(suite, sockets);
	tcase_add_test(upgrades, an_upgrade_takes_what_was_left);
	tcase_add_loop_test(upgrades, an_upgrade_refuses_what_it_does_not_understand, 0,
	    sizeof(foreign) / sizeof(foreign[0]));
	tcase_add_test(upgrades, nothing_left_is_no_upgrade);
	suite_add_tcase(suite, upgrades);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
