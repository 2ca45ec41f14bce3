/*
 * Privileges: the master keeps those it was started with, workers and keeper drop them.
 *
 * Started as root, children become the conf's `user` with that user's groups, can't regain anything
 * (no_new_privs), and leave no core: neither by a crash nor through another process of that user.
 * Their HOME is that user's, since libpq looks for its own files there.
 */
#ifndef GATEWAY_PRIVILEGE_H
#define GATEWAY_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "gateway/conf/config.h"

#define PRIVILEGE_USER_SIZE	64
#define PRIVILEGE_HOME_SIZE	256

struct privilege {
	bool	drop;				/* false: children stay who we are */
	uid_t	uid;
	gid_t	gid;
	char	user[PRIVILEGE_USER_SIZE];
	char	home[PRIVILEGE_HOME_SIZE];
};

/*
 * Finds out whom children shall become. False with a sentence in `error` if the conf names a user
 * that does not exist. A default user that does not exist is replaced by "nobody"; *instead is
 * then true.
 */
bool privilege_resolve(struct privilege *p, const struct config *conf, bool *instead, char *error,
    size_t error_size);
/* Drops for good. False, logged, if the kernel refuses: then the process must end. */
bool privilege_drop(const struct privilege *p);
/*
 * What every process of the gateway needs, the master too: no core dumps, not to be traced by
 * others.
 */
void privilege_harden(void);
/*
 * Sees to it that children can write a log file: creates it, and gives it to their user if it is a
 * regular file of ours and no link. "-" and "off" are left alone. False (errno set) if it can't be
 * opened.
 */
bool privilege_log_file(const struct privilege *p, const char *path);

#endif
