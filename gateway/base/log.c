#include "gateway/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/clock.h"

#define LINE_MAX_LEN	2048

/* A process has one error log, so this is the one place for state of the process. */
static struct {
	int		 fd;
	enum log_level	 level;
	const char	*role;
	char		 path[512];
} the_log = { STDERR_FILENO, LOG_LEVEL_NOTICE, "gatehouse", "-" };

static const char *const level_name[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static bool
open_path(const char *path, int *fd)
{
	if (strcmp(path, "-") == 0) {
		*fd = STDERR_FILENO;
		return true;
	}
	*fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	return *fd >= 0;
}

bool
log_open(const char *path, enum log_level level)
{
	int fd;

	if (strlen(path) >= sizeof(the_log.path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	if (!open_path(path, &fd))
		return false;
	if (the_log.fd != STDERR_FILENO)
		close(the_log.fd);
	the_log.fd = fd;
	the_log.level = level;
	if (path != the_log.path)
		snprintf(the_log.path, sizeof(the_log.path), "%s", path);
	return true;
}

bool
log_reopen(void)
{
	return log_open(the_log.path, the_log.level);
}

void
log_role(const char *role)
{
	the_log.role = role;
}

bool
log_wants(enum log_level level)
{
	return level <= the_log.level;
}

/* Copies text with control characters made visible; returns the length. */
static size_t
put_visible(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && n + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c != 0x7f)
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
	}
	return n;
}

void
log_write(enum log_level level, const char *format, ...)
{
	char text[LINE_MAX_LEN], line[LINE_MAX_LEN + 128];
	struct pollfd writable = { the_log.fd, POLLOUT, 0 };
	int saved = errno;
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);

	clock_iso(line, clock_wall_us());
	size_t n = CLOCK_ISO_LEN;
	n += (size_t)snprintf(line + n, sizeof(line) - n, " %s %s[%d]: ", level_name[level],
	    the_log.role, (int)getpid());
	n += put_visible(line + n, sizeof(line) - n - 1, text);
	line[n++] = '\n';
	/* a pipe whose reader sleeps must not stop the gateway; files always poll as writable */
	if (poll(&writable, 1, 0) == 1 && write(the_log.fd, line, n) < 0)
		errno = saved;
	errno = saved;
}
