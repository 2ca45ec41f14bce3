/*
 * Listening sockets. The master opens them, every worker accepts from the same ones.
 *
 * A set of listeners belongs to one generation of the configuration. An address that an older set,
 * or the binary that is being replaced, already listens on is never opened anew: the new set takes
 * a duplicate of the same socket, so no connection waiting in its queue is lost. Sockets are
 * non-blocking, close-on-exec, with TCP_NODELAY set, which accepted connections inherit.
 */
#ifndef GATEWAY_LISTENER_H
#define GATEWAY_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/conf/config.h"

#define LISTENER_NAME_SIZE	108

struct listener {
	int			 fd;			/* -1: closed */
	bool			 admin;			/* the keeper's, not the workers' */
	char			 name[LISTENER_NAME_SIZE];	/* as the conf writes it */
	struct sockaddr_storage	 address;		/* with the port the kernel chose */
	socklen_t		 address_len;
};

struct listeners {
	struct listener	*items;
	size_t		 n;
};

/*
 * Opens all that the conf listens on; what `old` has is duplicated from there. False with a
 * sentence in `error` ("cannot listen on 127.0.0.1:8080: address already in use"); then nothing
 * stays open.
 */
bool listeners_open(struct listeners *set, const struct config *conf, const struct listeners *old,
    char *error, size_t error_size);
/* Adds a socket that came from elsewhere; false if the descriptor is no listening socket. */
bool listeners_adopt(struct listeners *set, const char *name, bool admin, int fd);
/* Closes those of one kind: what a worker or the keeper has no use for. */
void listeners_close_kind(struct listeners *set, bool admin);
/* Closes all and frees the set. */
void listeners_close(struct listeners *set);
/* Tells the log where we listen: those that `old` does not have, or all if `old` is NULL. */
void listeners_announce(const struct listeners *set, const struct listeners *old);

/* Writes "127.0.0.1:8080" or "[::1]:8080". */
#define LISTENER_ADDRESS_SIZE	64
void listener_address(const struct sockaddr_storage *address, char out[LISTENER_ADDRESS_SIZE]);

#endif
