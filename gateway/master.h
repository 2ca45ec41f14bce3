/*
 * The master: reads the configuration, opens sockets, makes the shared memory, and looks after
 * children.
 *
 * It touches no request and talks to no network, so nothing a stranger sends can harm it. It waits
 * for signals (HUP reload, USR1 reopen logs, USR2 upgrade, TERM and QUIT drain, INT stop) and for
 * the end of children, and then brings what is in line with what should be.
 */
#ifndef GATEWAY_MASTER_H
#define GATEWAY_MASTER_H

/* The whole life of a gateway in the foreground; returns the exit status. */
int master_main(const char *conf_path, int argc, char **argv);

#endif
