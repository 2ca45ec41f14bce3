#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "gateway/cli/admin_query.h"
#include "gateway/cli/cli.h"

/*
 * Commands to a gateway that runs elsewhere: found by its pid file, spoken to by signals, and,
 * for its readiness, through the admin listener.
 */

/* What a master may take beyond drain_timeout to end. */
#define STOP_GRACE_MS	10000

/*
 * The running master, held by a descriptor: a process id read from a file may have passed to a
 * stranger, so its name is compared; after that, a signal reaches this process or none.
 */
struct master {
	pid_t	pid;
	int	fd;
};

static bool
is_gatehouse(pid_t pid)
{
	char path[64], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	bool got = fgets(name, sizeof(name), file) != NULL;
	fclose(file);
	return got && strncmp(name, "gatehouse", 9) == 0;
}

static pid_t
read_pid(const char *path)
{
	FILE *file = fopen(path, "re");
	int pid = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid;
}

static bool
find_master(const struct config *config, struct master *m)
{
	*m = (struct master){ .pid = read_pid(config->pid_file), .fd = -1 };
	if (m->pid > 0)
		m->fd = pidfd_open(m->pid, 0);
	if (m->fd >= 0 && is_gatehouse(m->pid))
		return true;
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
	return false;
}

/* The master for a command that needs one; false after it has been told why there is none. */
static bool
require_master(const struct config *config, struct master *m)
{
	if (config->pid_file[0] == '\0')
		fprintf(stderr,
		    "%s sets no pid_file, so the running gateway can't be found (set pid_file, "
		    "or send the master a signal yourself: HUP to reload, TERM to stop)\n",
		    config->path);
	else if (find_master(config, m))
		return true;
	else
		fprintf(stderr, "gatehouse does not run (by %s)\n", config->pid_file);
	return false;
}

static bool
send_signal(const struct master *m, int number)
{
	if (pidfd_send_signal(m->fd, number, NULL, 0) == 0)
		return true;
	fprintf(stderr, "process %d can't be sent a signal: %s\n", (int)m->pid, strerror(errno));
	return false;
}

int
cli_reload(const struct cli *cli)
{
	struct config *config = cli_load(cli, true);
	struct master m = { .fd = -1 };
	int status = CLI_FAILED;

	if (config == NULL)
		return CLI_FAILED;
	if (require_master(config, &m) && send_signal(&m, SIGHUP)) {
		printf("process %d reads %s again; the error log tells how it went\n", (int)m.pid,
		    cli->conf_path);
		status = CLI_DONE;
	}
	if (m.fd >= 0)
		close(m.fd);
	config_free(&config);
	return status;
}

/* True when it has ended in time. */
static bool
wait_for_end(const struct master *m, uint64_t timeout_ms)
{
	struct pollfd p = { .fd = m->fd, .events = POLLIN };

	return poll(&p, 1, (int)timeout_ms) > 0;
}

int
cli_stop(const struct cli *cli)
{
	struct config *config = cli_load(cli, false);
	struct master m = { .fd = -1 };
	int status = CLI_FAILED;

	if (config == NULL)
		return CLI_FAILED;
	if (require_master(config, &m) && send_signal(&m, SIGTERM)) {
		if (wait_for_end(&m, config->drain_timeout_ms + STOP_GRACE_MS)) {
			printf("process %d has ended\n", (int)m.pid);
			status = CLI_DONE;
		} else {
			fprintf(stderr, "process %d has not ended yet\n", (int)m.pid);
		}
	}
	if (m.fd >= 0)
		close(m.fd);
	config_free(&config);
	return status;
}

static const char *
answer_name(enum admin_answer answer)
{
	switch (answer) {
	case ADMIN_READY:
		return "ready";
	case ADMIN_NOT_READY:
		return "not ready";
	case ADMIN_SILENT:
		return "no answer";
	case ADMIN_NONE:
		return "unknown";
	}
	return "unknown";
}

static void
print_status(const struct cli *cli, const struct master *m, enum admin_answer answer)
{
	bool runs = m->fd >= 0 || answer == ADMIN_READY || answer == ADMIN_NOT_READY;

	if (cli->json) {
		printf("{\"running\": %s, \"pid\": ", runs ? "true" : "false");
		if (m->fd >= 0)
			printf("%d", (int)m->pid);
		else
			printf("null");
		printf(", \"readiness\": \"%s\"}\n", answer_name(answer));
	} else if (!runs) {
		printf("gatehouse does not run\n");
	} else if (m->fd >= 0) {
		printf("gatehouse runs, process %d, readiness: %s\n", (int)m->pid,
		    answer_name(answer));
	} else {
		printf("gatehouse runs, readiness: %s\n", answer_name(answer));
	}
}

/* Whom a status is about: the pid file decides where there is one, else the admin listener. */
static int
tell_status(const struct cli *cli, const struct config *config)
{
	bool has_admin = config->admin != NULL && admin_reachable(config->admin);
	bool has_file = config->pid_file[0] != '\0';
	enum admin_answer answer = ADMIN_NONE;
	struct master m = { .fd = -1 };

	if (!has_file && !has_admin) {
		fprintf(stderr, "%s sets neither pid_file nor admin (with a port), so the running "
		    "gateway can't be found\n", config->path);
		return CLI_FAILED;
	}
	if (has_file)
		find_master(config, &m);
	if (has_admin && (!has_file || m.fd >= 0))
		answer = admin_query(config->admin);
	print_status(cli, &m, answer);
	if (m.fd >= 0)
		close(m.fd);
	return answer == ADMIN_READY || (answer == ADMIN_NONE && m.fd >= 0) ? CLI_DONE : CLI_FAILED;
}

int
cli_status(const struct cli *cli)
{
	struct config *config = cli_load(cli, false);
	int status;

	if (config == NULL)
		return CLI_FAILED;
	status = tell_status(cli, config);
	config_free(&config);
	return status;
}
