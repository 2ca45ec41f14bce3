/*
 * Binary upgrade: another binary takes over the sockets and the shared memory while we go on.
 *
 * The old master forks and executes the file it was started from, with its descriptors open and
 * named in an environment variable. The new master reads the conf, starts its own workers, and
 * when they serve it tells the old one to drain. As the new master is a child of the old one until
 * that ends, its failure is seen at once.
 */
#ifndef GATEWAY_UPGRADE_H
#define GATEWAY_UPGRADE_H

#include <stdbool.h>
#include <sys/types.h>

#include "gateway/listener.h"

/* What one master leaves to the next. */
struct upgrade {
	pid_t			 old_master;	/* 0: nobody leaves us anything */
	int			 shared;	/* descriptor of the region; -1: none */
	struct listeners	 listeners;
};

/*
 * Takes what an old master left, and the variable out of the environment. False with a sentence in
 * `error` if there is something but not what we understand.
 */
bool upgrade_take(struct upgrade *u, char *error, size_t error_size);
/*
 * Starts the file argv[0] came from with these arguments, and leaves it `u` (whose old_master is
 * set here). Returns its process id, -1 with errno set if there can't be another process.
 */
pid_t upgrade_start(struct upgrade *u, char **argv);

#endif
