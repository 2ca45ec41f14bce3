#include "gateway/admin.h"

#include <arpa/inet.h>
#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/admin_page.h"
#include "gateway/base/clock.h"
#include "gateway/base/metric.h"
#include "shm/board.h"
#include "shm/keys.h"

/* A keeper with one issuer, one upstream of two servers, and nothing but an admin listener. */
static struct shared shared;
static struct config_issuer issuer = { .name = "main", .needs_keys = true, .issuer = "https://id.test", .id = 77,
	.backchannel_logout = "" };
static struct config_server servers[2] = {
	{ .url = "http://127.0.0.1:1", .id = 101 },
	{ .url = "http://127.0.0.1:2", .id = 102 },
};
static struct config_upstream upstream = { .name = "api", .servers = servers, .n_servers = 2 };
static const struct config config = {
	.issuers = &issuer,
	.n_issuers = 1,
	.upstreams = &upstream,
	.n_upstreams = 1,
};
static struct process process = { .role = SHARED_KEEPER, .config = &config, .shared = &shared };
static pid_t child;
static uint16_t port;

static int
listen_somewhere(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(listen(fd, 128), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	port = a.sin_port;
	return fd;
}

static void
serve(int listener)
{
	struct loop *loop = loop_new();
	struct admin *admin = admin_new(loop, &process, listener);

	loop_run(loop);
	admin_free(&admin);
	loop_free(&loop);
}

static void
setup(void)
{
	static const struct shared_sizes sizes = { 1 << 20, 1 << 20, 1 << 20, 1 << 20,
	    1 << 20, 1 << 20, 1 << 20 };
	static const uint8_t key[SHARED_BOOT_KEY_SIZE] = { 1 };
	int listener = listen_somewhere();

	ck_assert_ptr_null(shared_create(&shared, &sizes, key, clock_wall_s() - 10));
	ck_assert(metric_open(shared.counters, shared.names, getpid()));
	child = fork();
	if (child == 0) {
		serve(listener);
		_exit(0);
	}
	close(listener);
}

static void
teardown(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	metric_close();
	shared_close(&shared);
}

static int
dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = port };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* Sends the bytes and returns all that comes until the end. */
static const char *
ask(const char *bytes, size_t n)
{
	static char answer[64 * 1024];
	size_t have = 0;
	ssize_t got;
	int fd = dial();

	ck_assert_int_eq(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
	while ((got = recv(fd, answer + have, sizeof(answer) - 1 - have, 0)) > 0)
		have += (size_t)got;
	answer[have] = '\0';
	close(fd);
	return answer;
}

static const char *
get(const char *target)
{
	char head[256];
	int n = snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);

	return ask(head, (size_t)n);
}

static const struct {
	const char	*request;
	const char	*status;
} requests[] = {
	{ "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "200" },
	{ "GET /healthz HTTP/1.0\r\n\r\n", "200" },
	{ "GET /healthz?x=y HTTP/1.1\r\nHost: a\r\n\r\n", "200" },
	{ "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "200" },
	{ "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "200" },
	{ "GET /healthz/ HTTP/1.1\r\nHost: a\r\n\r\n", "404" },
	{ "GET /HEALTHZ HTTP/1.1\r\nHost: a\r\n\r\n", "404" },
	{ "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "405" },
	{ "DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", "405" },
	{ "GET /healthz HTTP/1.1\r\n\r\n", "400" },
	{ "GET /healthz HTTP/1.1\nHost: a\n\n", "400" },
	{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	    "400" },
	{ "GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n", "505" },
	{ "NONSENSE\r\n\r\n", "400" },
};

START_TEST(requests_are_judged)
{
	const char *answer = ask(requests[_i].request, strlen(requests[_i].request));

	ck_assert_msg(strncmp(answer, "HTTP/1.1 ", 9) == 0 &&
	    strncmp(answer + 9, requests[_i].status, 3) == 0, "%s: %s", requests[_i].request,
	    answer);
	ck_assert_ptr_nonnull(strstr(answer, "\r\nConnection: close\r\n"));
	if (strncmp(requests[_i].request, "HEAD", 4) == 0)
		ck_assert_str_eq(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}
END_TEST

START_TEST(a_head_has_an_end)
{
	char *flood = malloc(20000);

	memset(flood, 'a', 20000);
	memcpy(flood, "GET /healthz HTTP/1.1\r\nX: ", 26);
	ck_assert(strncmp(ask(flood, ADMIN_HEAD_MAX), "HTTP/1.1 431 ", 13) == 0);
	free(flood);
}
END_TEST

START_TEST(idle_ones_do_not_keep_others_out)
{
	int fds[ADMIN_CONNECTIONS_MAX + 10];

	for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX + 10; i++)
		fds[i] = dial();
	for (size_t i = 0; i < ADMIN_CONNECTIONS_MAX / 2; i++)
		close(fds[i]);
	ck_assert_ptr_nonnull(strstr(get("/healthz"), "\r\n\r\nok\n"));
	for (size_t i = ADMIN_CONNECTIONS_MAX / 2; i < ADMIN_CONNECTIONS_MAX + 10; i++)
		close(fds[i]);
}
END_TEST

START_TEST(ready_means_that_somebody_serves)
{
	int slot;

	ck_assert_ptr_nonnull(strstr(get("/readyz"), "503 Service Unavailable"));
	slot = shared_claim(&shared, getpid(), SHARED_WORKER, 1, clock_ms());
	ck_assert_int_ge(slot, 0);
	atomic_store(&shared.control->slots[slot].state, SHARED_READY);
	const char *answer = get("/readyz");
	ck_assert_ptr_nonnull(strstr(answer, "200 OK"));
	ck_assert_ptr_nonnull(strstr(answer, "\"main\""));
}
END_TEST

START_TEST(metrics_are_measured)
{
	struct keys_slot slot;
	struct board_slot *server = board_slot(shared.board, 102);

	ck_assert(keys_slot(shared.keys, issuer.id, true, &slot));
	ck_assert_ptr_null(strstr(get("/metrics"), "jwks_age_seconds{"));
	ck_assert(keys_publish(&slot, "{}", 2, (uint64_t)clock_wall_s() - 5));
	board_probed(server, BOARD_DOWN);
	metric_count(METRIC_REQUESTS, metric_name(SPAN("r")), 200, metric_name(SPAN("active")));
	const char *page = get("/metrics");
	ck_assert_ptr_nonnull(strstr(page, "\r\nContent-Type: text/plain; version=0.0.4"));
	ck_assert_ptr_nonnull(strstr(page, "\ngatehouse_jwks_age_seconds{issuer=\"main\"} "));
	ck_assert_ptr_nonnull(strstr(page,
	    "\ngatehouse_upstream_server_up{upstream=\"api\",server=\"http://127.0.0.1:1\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(page,
	    "\ngatehouse_upstream_server_up{upstream=\"api\",server=\"http://127.0.0.1:2\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(page,
	    "\ngatehouse_requests_total{route=\"r\",status=\"200\",verdict=\"active\"} 1\n"));
	ck_assert_ptr_nonnull(strstr(page, "\ngatehouse_reloads_total{result=\"done\"} 0\n"));
}
END_TEST

START_TEST(status_is_json)
{
	const char *body = strstr(get("/api/status"), "\r\n\r\n") + 4;
	json_t *root = json_loads(body, JSON_REJECT_DUPLICATES, NULL);

	ck_assert_ptr_nonnull(root);
	ck_assert_int_ge(json_integer_value(json_object_get(root, "uptime_s")), 10);
	json_t *first = json_array_get(json_object_get(root, "issuers"), 0);
	ck_assert_str_eq(json_string_value(json_object_get(first, "status")), "never");
	ck_assert(json_is_null(json_object_get(first, "keys_age_s")));
	json_decref(root);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("admin");
	TCase *t = tcase_create("admin");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, requests_are_judged, 0,
	    (int)(sizeof(requests) / sizeof(requests[0])));
	tcase_add_test(t, a_head_has_an_end);
	tcase_add_test(t, idle_ones_do_not_keep_others_out);
	tcase_add_test(t, ready_means_that_somebody_serves);
	tcase_add_test(t, metrics_are_measured);
	tcase_add_test(t, status_is_json);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
