#include "gateway/schema.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "gateway/db/direct.h"

/* The child: asks, writes its sentence into the pipe, and ends with the verdict. */
static _Noreturn void
ask(const struct config *conf, const struct privilege *privilege, int pipe)
{
	unsigned timeout_s = (unsigned)(conf->database->timeout_ms + 999) / 1000;
	enum schema_verdict verdict = SCHEMA_UNSEEN;
	char why[512] = "";
	PGconn *conn;

	alarm(timeout_s);
	conn = privilege_drop(privilege) ?
	    direct_open(conf->database, timeout_s, why, sizeof(why)) : NULL;
	if (conn != NULL)
		switch (direct_schema(conn, why, sizeof(why))) {
		case SCHEMA_CURRENT:
			verdict = SCHEMA_FINE;
			break;
		case SCHEMA_OLD:
		case SCHEMA_NEW:
			verdict = SCHEMA_WRONG;
			break;
		case SCHEMA_UNKNOWN:
			break;
		}
	_exit(write(pipe, why, strlen(why)) < 0 ? SCHEMA_UNSEEN : verdict);
}

/* What the child has written, until it closes the pipe by ending. */
static void
read_all(int pipe, char *why, size_t size)
{
	size_t n = 0;

	for (;;) {
		ssize_t got = read(pipe, why + n, size - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	why[n] = '\0';
}

enum schema_verdict
schema_check(const struct config *conf, const struct privilege *privilege, char *why,
    size_t why_size)
{
	int ends[2], status;
	pid_t pid;

	must(why_size > 64);
	why[0] = '\0';
	if (conf->database == NULL)
		return SCHEMA_FINE;
	strcpy(why, "no process could be made that asks the database");
	if (pipe(ends) != 0)
		return SCHEMA_UNSEEN;
	pid = fork();
	if (pid == 0)
		ask(conf, privilege, ends[1]);
	close(ends[1]);
	if (pid > 0)
		read_all(ends[0], why, why_size);
	close(ends[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return SCHEMA_UNSEEN;
	if (pid < 0)
		return SCHEMA_UNSEEN;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > SCHEMA_WRONG) {
		strcpy(why, "the database does not answer in time");
		return SCHEMA_UNSEEN;
	}
	return (enum schema_verdict)WEXITSTATUS(status);
}
