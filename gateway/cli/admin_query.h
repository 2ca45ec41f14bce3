/*
 * Asks the admin listener of a running gateway whether it is ready. One question, at most a few
 * seconds; only for commands, since it blocks.
 */
#ifndef GATEWAY_CLI_ADMIN_QUERY_H
#define GATEWAY_CLI_ADMIN_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/conf/config.h"

enum admin_answer {
	ADMIN_READY,
	ADMIN_NOT_READY,
	ADMIN_SILENT,		/* nobody there, or no sensible answer */
	ADMIN_NONE,		/* there is no such listener to ask */
};

/* True if the listener has a port of its own that can be asked (not one the kernel chose). */
bool admin_reachable(const struct config_listen *admin);
/* Writes its URL as reached from this machine, without a path; false if it can't be asked. */
bool admin_url(const struct config_listen *admin, char *url, size_t size);
/* Asks for /readyz. */
enum admin_answer admin_query(const struct config_listen *admin);

#endif
