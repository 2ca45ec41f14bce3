/*
 * The variable is a list of words: "master=PID shared=FD listen=FD@NAME admin=FD@NAME ...". Words
 * that a later version adds are an error to an earlier one: a downgrade that would lose something
 * fails before it harms.
 */
#include "gateway/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/span.h"
#include "gateway/base/text.h"

#define VARIABLE	"GATEHOUSE_UPGRADE"
#define VARIABLE_SIZE	16384
#define DELETED		" (deleted)"

static bool
take_listener(struct upgrade *u, bool admin, struct span value)
{
	char name[LISTENER_NAME_SIZE];
	struct span number;
	uint64_t fd;

	if (!span_next(&value, '@', &number) || !span_to_u64(number, &fd) || fd > INT_MAX ||
	    value.n == 0 || value.n >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(value));
	return listeners_adopt(&u->listeners, name, admin, (int)fd);
}

static bool
take_word(struct upgrade *u, struct span word)
{
	struct span key, value = word;
	uint64_t number;

	if (!span_next(&value, '=', &key))
		return false;
	if (span_eq(key, SPAN("listen")))
		return take_listener(u, false, value);
	if (span_eq(key, SPAN("admin")))
		return take_listener(u, true, value);
	if (!span_to_u64(value, &number) || number > INT_MAX)
		return false;
	if (span_eq(key, SPAN("master")))
		u->old_master = (pid_t)number;
	else if (span_eq(key, SPAN("shared")))
		u->shared = (int)number;
	else
		return false;
	return true;
}

bool
upgrade_take(struct upgrade *u, char *error, size_t error_size)
{
	const char *variable = getenv(VARIABLE);
	struct span rest = span_of(variable), word;
	bool good = true;

	*u = (struct upgrade){ .shared = -1 };
	if (variable == NULL)
		return true;
	while (good && span_next(&rest, ' ', &word))
		good = take_word(u, word);
	if (good && (u->shared < 0 || fcntl(u->shared, F_SETFD, FD_CLOEXEC) != 0))
		good = false;
	if (!good)
		snprintf(error, error_size, "cannot take over what %s says: \"%s\"", VARIABLE,
		    variable);
	unsetenv(VARIABLE);
	return good;
}

/* The file we were started from, as a path at which a new one may have been put meanwhile. */
static const char *
find_binary(const char *name, char path[4096])
{
	ssize_t n;
	char *deleted;

	if (strchr(name, '/') != NULL)
		return name;
	n = readlink("/proc/self/exe", path, 4095);
	if (n <= 0)
		return name;
	path[n] = '\0';
	deleted = path + n - (sizeof(DELETED) - 1);
	if (deleted > path && strcmp(deleted, DELETED) == 0)
		*deleted = '\0';
	return path;
}

static bool
bequeath(const struct upgrade *u)
{
	char memory[VARIABLE_SIZE];
	struct text t = TEXT_OVER(memory);

	text_fmt(&t, "master=%d shared=%d", (int)u->old_master, u->shared);
	for (size_t i = 0; i < u->listeners.n; i++) {
		const struct listener *l = &u->listeners.items[i];

		text_fmt(&t, " %s=%d@%s", l->admin ? "admin" : "listen", l->fd, l->name);
		if (fcntl(l->fd, F_SETFD, 0) != 0)
			return false;
	}
	text_char(&t, '\0');
	errno = E2BIG;
	return !t.cut && fcntl(u->shared, F_SETFD, 0) == 0 && setenv(VARIABLE, memory, 1) == 0;
}

/* In the child: signals as a fresh program expects them, then the program. */
static _Noreturn void
become(const struct upgrade *u, const char *binary, char **argv)
{
	sigset_t none;

	sigemptyset(&none);
	if (bequeath(u)) {
		signal(SIGPIPE, SIG_DFL);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execv(binary, argv);
	}
	log_error("cannot start %s: %s", binary, strerror(errno));
	_exit(1);
}

pid_t
upgrade_start(struct upgrade *u, char **argv)
{
	char path[4096];
	const char *binary = find_binary(argv[0], path);
	pid_t pid;

	u->old_master = getpid();
	pid = fork();
	if (pid == 0)
		become(u, binary, argv);
	return pid;
}
