/*
 * What the master does once, before it has children: everything that can fail while a person is
 * watching.
 *
 * Errors of the configuration go to standard error as they are, "file:line: ..."; whatever else
 * stops the start is one sentence in the error log, and on standard error too if the log is a
 * file.
 */
#ifndef GATEWAY_STARTUP_H
#define GATEWAY_STARTUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "gateway/base/shared.h"
#include "gateway/conf/config.h"
#include "gateway/listener.h"
#include "gateway/privilege.h"

/* What stays as it is until the master ends. */
struct startup {
	char			 *conf_path;
	char			**argv;		/* as we were started, for the next binary */
	struct privilege	  privilege;
	struct shared		  shared;
	char			 *pid_file;
	pid_t			  old_master;	/* whom we replace; 0: nobody, or done */
};

/*
 * Reads the conf, opens logs and sockets, and makes the shared memory, or takes sockets and memory
 * over from the binary we replace. Returns the configuration and fills in `listeners`; NULL after
 * telling why not.
 */
struct config *startup_begin(struct startup *s, const char *conf_path, int argc, char **argv,
    struct listeners *listeners);
/* The first workers serve: writes the pid file anew, and tells the binary we replace to drain. */
void startup_complete(struct startup *s);
/* Starts the binary anew with these sockets; its process id, or -1 with errno set. */
pid_t startup_bequeath(struct startup *s, const struct listeners *listeners);
/* Lets go of the shared memory and the rest. */
void startup_end(struct startup *s);

/* Makes log files the children's and opens the error log. False, logged, if one can't be opened. */
bool startup_open_logs(const struct startup *s, const struct config *conf);
/* Logs the configuration's warnings, and what a reload from `old` (or NULL) can't change. */
void startup_warn(const struct config *conf, const struct config *old);
/* Logs each line of a text as an error. */
void startup_log_lines(const char *text);

#endif
