#include "gateway/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TICK_S	2

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool
unchanged(const struct key_file *f, const struct stat *s, int64_t now_wall_s)
{
	return f->device == s->st_dev && f->inode == s->st_ino && f->size == s->st_size &&
	    same_time(f->modified, s->st_mtim) && same_time(f->changed, s->st_ctim) &&
	    s->st_mtim.tv_sec + TICK_S < now_wall_s;
}

static bool
read_all(int fd, char *buf, size_t size, size_t *n)
{
	ssize_t got;

	*n = 0;
	while (*n < size && (got = read(fd, buf + *n, size - *n)) != 0) {
		if (got < 0 && errno != EINTR)
			return false;
		*n += got < 0 ? 0 : (size_t)got;
	}
	return true;
}

/* Reads an open file, if it is one: a pipe would make us wait. */
static enum key_file_result
read_file(struct key_file *f, int fd, char *buf, size_t size, size_t *n, const char **reason)
{
	struct stat s;

	if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) {
		*reason = "it is no regular file";
		return KEY_FILE_FAILED;
	}
	if (s.st_size > (off_t)size) {
		*reason = "it is larger than 256 KiB";
		return KEY_FILE_FAILED;
	}
	if (!read_all(fd, buf, size, n)) {
		*reason = strerror(errno);
		return KEY_FILE_FAILED;
	}
	*f = (struct key_file){ s.st_dev, s.st_ino, s.st_size, s.st_mtim, s.st_ctim };
	return KEY_FILE_READ;
}

enum key_file_result
key_file_look(struct key_file *f, const char *path, int64_t now_wall_s, char *buf,
    size_t size, size_t *n, const char **reason)
{
	enum key_file_result result;
	struct stat s;
	int fd;

	if (stat(path, &s) == 0 && unchanged(f, &s, now_wall_s))
		return KEY_FILE_SAME;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		*reason = strerror(errno);
		return KEY_FILE_FAILED;
	}
	result = read_file(f, fd, buf, size, n, reason);
	close(fd);
	return result;
}
