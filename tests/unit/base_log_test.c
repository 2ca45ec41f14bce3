#include "gateway/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/suite.h"

static char path[64];
static char bytes[65536];

/* What stands in the log's file. */
static struct span
read_log(void)
{
	FILE *file = fopen(path, "re");

	ck_assert_ptr_nonnull(file);
	size_t n = fread(bytes, 1, sizeof(bytes) - 1, file);
	fclose(file);
	bytes[n] = '\0';
	return span_make(bytes, n);
}

static void
open_log(enum log_level level)
{
	strcpy(path, "/tmp/gatehouse-log-XXXXXX");
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert(log_open(path, level));
	log_role("worker");
}

START_TEST(one_line_an_event)
{
	open_log(LOG_LEVEL_NOTICE);
	log_notice("hello %d", 5);
	log_info("not this");
	ck_assert(log_wants(LOG_LEVEL_ERROR) && log_wants(LOG_LEVEL_NOTICE));
	ck_assert(!log_wants(LOG_LEVEL_INFO) && !log_wants(LOG_LEVEL_DEBUG));
	struct span log = read_log();
	char end[64];
	snprintf(end, sizeof(end), "Z notice worker[%d]: hello 5\n", (int)getpid());
	ck_assert_uint_eq(log.n, 23 + strlen(end));
	ck_assert_str_eq(bytes + 23, end);
	unlink(path);
}
END_TEST

START_TEST(nothing_forges_a_line)
{
	open_log(LOG_LEVEL_DEBUG);
	log_error("a\nb\r\x1b[31m\x7f\t%s", "c\nd");
	read_log();
	ck_assert_ptr_nonnull(strstr(bytes, ": a\\x0ab\\x0d\\x1b[31m\\x7f\\x09c\\x0ad\n"));
	ck_assert_ptr_eq(strchr(bytes, '\n'), bytes + strlen(bytes) - 1);
	unlink(path);
}
END_TEST

START_TEST(a_long_line_is_cut)
{
	static char text[10000];

	open_log(LOG_LEVEL_DEBUG);
	for (int c = 'a'; c != 1; c = c == 'a' ? '\n' : 1) {
		memset(text, c, sizeof(text) - 1);
		log_error("%s", text);
	}
	struct span log = read_log();
	ck_assert_uint_lt(log.n, 5000);
	ck_assert_uint_gt(log.n, 3000);
	ck_assert_int_eq(log.p[log.n - 1], '\n');
	unlink(path);
}
END_TEST

START_TEST(keeps_errno_and_the_old_file)
{
	open_log(LOG_LEVEL_NOTICE);
	errno = EDOM;
	log_error("x");
	log_debug("y");
	ck_assert_int_eq(errno, EDOM);
	ck_assert(!log_open("/nonexistent/log", LOG_LEVEL_DEBUG));
	ck_assert_int_eq(errno, ENOENT);
	log_error("still here");
	read_log();
	ck_assert_ptr_nonnull(strstr(bytes, "still here\n"));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(log_reopen());
	log_error("anew");
	read_log();
	ck_assert_ptr_nonnull(strstr(bytes, "anew\n"));
	ck_assert_ptr_null(strstr(bytes, "still here"));
	unlink(path);
}
END_TEST

START_TEST(a_full_pipe_costs_no_time)
{
	static char text[2000];
	int ends[2], saved = dup(STDERR_FILENO);

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	ck_assert(log_open("-", LOG_LEVEL_NOTICE));
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < 100; i++)	/* far more than a pipe holds, and nobody reads */
		log_error("%s", text);
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	close(ends[0]);
	close(ends[1]);
	close(saved);
}
END_TEST

SUITE_RUN("base_log", one_line_an_event, nothing_forges_a_line, a_long_line_is_cut,
    keeps_errno_and_the_old_file, a_full_pipe_costs_no_time)
