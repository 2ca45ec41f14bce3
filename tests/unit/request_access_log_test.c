#include "gateway/request/access_log.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/access_support.h"

static char path[64];
static char bytes[1 << 20];

static struct span
read_log(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ssize_t n = read(fd, bytes, sizeof(bytes));
	close(fd);
	ck_assert_int_ge(n, 0);
	return span_make(bytes, (size_t)n);
}

static struct access_log *
open_log(void)
{
	loop_set_up();
	strcpy(path, "/tmp/gatehouse-access-XXXXXX");
	close(mkstemp(path));
	struct access_log *log = access_log_open(loop, path, 3);
	ck_assert_ptr_nonnull(log);
	return log;
}

static void
close_log(struct access_log *log)
{
	access_log_close(&log);
	ck_assert_ptr_null(log);
	unlink(path);
	loop_tear_down();
}

/* The next line of the log, which is an object of JSON. */
static json_t *
next_line(struct span *log)
{
	const char *end = memchr(log->p, '\n', log->n);

	ck_assert_ptr_nonnull(end);
	json_t *json = json_loadb(log->p, (size_t)(end - log->p), JSON_REJECT_DUPLICATES, NULL);
	ck_assert_msg(json_is_object(json), "%.*s", SPAN_ARG(*log));
	*log = span_skip(*log, (size_t)(end + 1 - log->p));
	return json;
}

static const char *
text_of(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

START_TEST(tells_what_happened)
{
	struct access_log *log = open_log();

	receive("Authorization: Bearer secret.secret.secret\r\n");
	judge_active("{\"client_id\":\"a\\\"b\"}");
	request.judgement.source = RECALL_CACHE;
	request.tally = (struct tally){ .status = 200, .bytes_in = 5, .bytes_out = 7,
		.upstream_us = 1234, .server = "http://be.test:1" };
	access_log_write(log, &request, 5678);
	access_log_flush(log);
	struct span lines = read_log();
	ck_assert(!span_holds(lines, "secret") && !span_holds(lines, "?b"));
	json_t *line = next_line(&lines);
	ck_assert_str_eq(text_of(line, "consumer"), "a\"b");
	ck_assert_str_eq(text_of(line, "client"), "192.0.2.7");
	ck_assert_str_eq(text_of(line, "method"), "GET");
	ck_assert_str_eq(text_of(line, "host"), "a.test");
	ck_assert_str_eq(text_of(line, "path"), "/a");
	ck_assert_str_eq(text_of(line, "route"), "r");
	ck_assert_str_eq(text_of(line, "issuer"), "main");
	ck_assert_str_eq(text_of(line, "verdict"), "active");
	ck_assert_str_eq(text_of(line, "source"), "cache");
	ck_assert_str_eq(text_of(line, "upstream"), "http://be.test:1");
	ck_assert_int_eq(json_integer_value(json_object_get(line, "status")), 200);
	ck_assert(json_real_value(json_object_get(line, "duration_ms")) == 5.678);
	ck_assert(json_real_value(json_object_get(line, "upstream_ms")) == 1.234);
	ck_assert_int_eq(json_integer_value(json_object_get(line, "worker")), 3);
	json_decref(line);
	ck_assert_uint_eq(lines.n, 0);
	close_log(log);
}
END_TEST

/* A request that is too long to be told whole is told all the same. */
START_TEST(no_request_hides_behind_its_length)
{
	static char target[60000], claims[2048];
	struct access_log *log = open_log();

	memset(target, 'a', sizeof(target));
	target[0] = '/';
	memset(claims, '"', sizeof(claims));
	receive("");
	request.target.path = span_make(target, sizeof(target));
	request.client = span_make(claims, sizeof(claims));
	request.head.host = span_make(claims, sizeof(claims));
	request.tally.status = 404;
	for (int i = 0; i < 20; i++)
		access_log_write(log, &request, 1);
	access_log_flush(log);
	struct span lines = read_log();
	for (int i = 0; i < 20; i++) {
		json_t *line = next_line(&lines);

		ck_assert_int_eq(json_integer_value(json_object_get(line, "status")), 404);
		ck_assert_int_eq(memcmp(text_of(line, "path"), "/aaaa", 5), 0);
		json_decref(line);
	}
	ck_assert_uint_eq(lines.n, 0);
	close_log(log);
}
END_TEST

START_TEST(is_written_soon_and_at_its_close)
{
	struct access_log *log = open_log();

	receive("");
	access_log_write(log, &request, 1);
	ck_assert_uint_eq(read_log().n, 0);
	turn_for(200);
	size_t n = read_log().n;
	ck_assert_uint_gt(n, 0);
	access_log_write(log, &request, 1);
	access_log_close(&log);
	ck_assert_uint_gt(read_log().n, n);
	unlink(path);
	loop_tear_down();
}
END_TEST

START_TEST(goes_on_in_a_new_file)
{
	struct access_log *log = open_log();

	receive("");
	access_log_write(log, &request, 1);
	ck_assert_int_eq(unlink(path), 0);
	access_log_reopen(log);
	ck_assert_uint_eq(read_log().n, 0);	/* that line went to the old one */
	access_log_write(log, &request, 1);
	access_log_flush(log);
	ck_assert_uint_gt(read_log().n, 0);
	close_log(log);
}
END_TEST

/* The log on a pipe of which one end stays here. */
static struct access_log *
open_pipe(int ends[2])
{
	int saved = dup(STDOUT_FILENO);
	struct access_log *log;

	loop_set_up();
	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[1], STDOUT_FILENO);
	log = access_log_open(loop, "-", 0);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(ends[1]);
	ck_assert_ptr_nonnull(log);
	return log;
}

START_TEST(a_full_disk_or_pipe_costs_no_time)
{
	int ends[2];
	struct access_log *log;

	loop_set_up();
	log = access_log_open(loop, "/dev/full", 0);
	ck_assert_ptr_nonnull(log);
	receive("");
	for (int i = 0; i < 1000; i++)
		access_log_write(log, &request, 1);
	access_log_close(&log);
	loop_tear_down();
	log = open_pipe(ends);
	for (int i = 0; i < 1000; i++)	/* more than a pipe holds, and nobody reads */
		access_log_write(log, &request, 1);
	access_log_close(&log);
	/* what went in ends with a whole line */
	size_t n = 0;
	for (ssize_t got; (got = read(ends[0], bytes + n, sizeof(bytes) - n)) > 0; )
		n += (size_t)got;
	ck_assert(n > 10000 && bytes[n - 1] == '\n');
	close(ends[0]);
	loop_tear_down();
}
END_TEST

static size_t
count_lines(int fd)
{
	size_t lines = 0;
	ssize_t got;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((got = read(fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < got; i++)
			lines += bytes[i] == '\n';
	return lines;
}

START_TEST(waits_for_a_reader_that_is_busy)
{
	int ends[2];
	struct access_log *log = open_pipe(ends);
	size_t lines, first;

	receive("");
	for (lines = 0; lines < 350; lines++)	/* more than a pipe holds, not more than both */
		access_log_write(log, &request, 1);
	turn_for(50);
	first = count_lines(ends[0]);
	ck_assert_uint_gt(first, 100);
	ck_assert_uint_lt(first, lines);
	turn_for(150);
	ck_assert_uint_eq(first + count_lines(ends[0]), lines);
	access_log_write(log, &request, 1);
	access_log_close(&log);
	ck_assert_uint_eq(count_lines(ends[0]), 1);
	close(ends[0]);
	loop_tear_down();
}
END_TEST

START_TEST(may_be_off_or_impossible)
{
	struct access_log *log;

	loop_set_up();
	log = access_log_open(loop, "off", 0);
	receive("");
	access_log_write(log, &request, 1);
	access_log_flush(log);
	access_log_reopen(log);
	access_log_close(&log);
	access_log_close(&log);
	ck_assert_ptr_null(access_log_open(loop, "/nonexistent/log", 0));
	loop_tear_down();
}
END_TEST

SUITE_RUN("request_access_log", tells_what_happened, no_request_hides_behind_its_length,
    is_written_soon_and_at_its_close, goes_on_in_a_new_file, a_full_disk_or_pipe_costs_no_time,
    waits_for_a_reader_that_is_busy, may_be_off_or_impossible)
