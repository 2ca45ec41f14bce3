#include "gateway/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/pid_file.h"
#include "tests/unit/suite.h"

#define NOBODY	65534

static char folder[] = "/tmp/gatehouse-test-XXXXXX";
static char log_path[PATH_MAX], secret[PATH_MAX];
static const struct privilege dropping = { .drop = true, .uid = NOBODY, .gid = NOBODY,
	.user = "nobody" };

/* A folder that a worker may write to, and a file in it that is none of its business. */
static void
make_folder(void)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(log_path, sizeof(log_path), "%s/log", folder);
	snprintf(secret, sizeof(secret), "%s/secret", folder);
	int fd = open(secret, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
}

static void
remove_folder(void)
{
	unlink(log_path);
	unlink(secret);
	ck_assert_int_eq(rmdir(folder), 0);
}

static uid_t
owner_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_uid;
}

START_TEST(a_log_file_is_given_to_who_writes_it)
{
	make_folder();
	if (geteuid() == 0) {
		ck_assert(privilege_log_file(&dropping, log_path));
		ck_assert_uint_eq(owner_of(log_path), NOBODY);
		/* one that an earlier start by root has left */
		ck_assert_int_eq(chown(log_path, 0, 0), 0);
		ck_assert(privilege_log_file(&dropping, log_path));
		ck_assert_uint_eq(owner_of(log_path), NOBODY);
	}
	remove_folder();
}
END_TEST

/* Or a worker that somebody has taken over makes root give it any file. */
START_TEST(a_link_in_the_place_of_a_log_gives_nothing_away)
{
	make_folder();
	if (geteuid() == 0) {
		ck_assert_int_eq(symlink(secret, log_path), 0);
		ck_assert(privilege_log_file(&dropping, log_path));
		ck_assert_uint_eq(owner_of(secret), 0);
		ck_assert_int_eq(lchown(log_path, NOBODY, NOBODY), 0);
		ck_assert(!privilege_log_file(&dropping, log_path));
		unlink(log_path);
		ck_assert_int_eq(link(secret, log_path), 0);
		ck_assert(privilege_log_file(&dropping, log_path));
		ck_assert_uint_eq(owner_of(secret), 0);
		unlink(log_path);
		unlink(secret);
		ck_assert_int_eq(symlink(secret, log_path), 0);
		ck_assert(!privilege_log_file(&dropping, log_path));
		ck_assert_int_eq(access(secret, F_OK), -1);
		ck_assert_int_eq(errno, ENOENT);
	}
	remove_folder();
}
END_TEST

START_TEST(a_pid_file_writes_over_no_other)
{
	char pid[PATH_MAX];
	struct stat st;

	make_folder();
	snprintf(pid, sizeof(pid), "%s/log.new", folder);
	ck_assert_int_eq(symlink(secret, pid), 0);
	ck_assert(pid_file_write(log_path));
	ck_assert_int_eq(stat(secret, &st), 0);
	ck_assert_int_eq(st.st_size, 1);
	ck_assert_int_eq(access(pid, F_OK), -1);
	remove_folder();
}
END_TEST

SUITE_RUN("privilege", a_log_file_is_given_to_who_writes_it,
    a_link_in_the_place_of_a_log_gives_nothing_away, a_pid_file_writes_over_no_other)
