/*
 * Addresses as people write them: "127.0.0.1:8080", "[::1]:8080", "http://orders.internal:3000",
 * "10.0.0.0/8". Every function refuses what it does not understand to the last character, with a
 * sentence.
 */
#ifndef GATEWAY_CONF_ADDRESS_H
#define GATEWAY_CONF_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "gateway/base/span.h"
#include "gateway/conf/config.h"

/* The parts of an absolute http or https URL, none of them decoded. */
struct address_url {
	bool		tls;
	struct span	host;		/* without brackets */
	uint16_t	port;		/* that of the scheme if the URL has none */
	bool		port_given;
	struct span	path;		/* from the slash on, with the query; may be empty */
};

/*
 * Takes a URL apart. NULL if it is fine, else what is wrong with it. User names, fragments and
 * spaces are refused: they have no use here, and hide where a URL leads.
 */
const char *address_url(struct span s, struct address_url *url);
/* True for 127.0.0.0/8, ::1 and "localhost": what never leaves the machine. */
bool address_is_loopback(struct span host);
/*
 * Reads "host:port" to listen on; the host is an address, "*" or "localhost". NULL, or what is
 * wrong.
 */
const char *address_listen(struct span s, struct sockaddr_storage *address, socklen_t *len);
/* Finds the address of a host, an IPv4 one first; may ask a name server. NULL, or what is wrong. */
const char *address_resolve(struct span host, uint16_t port, struct sockaddr_storage *address,
    socklen_t *len);
/* Reads "10.0.0.0/8", "::1/128" or a bare address; host bits must be 0. NULL, or what is wrong. */
const char *address_network(struct span s, struct config_network *network);
/* True if both are the same address and port. */
bool address_eq(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
/* True if it is a loopback address. */
bool address_stays_here(const struct sockaddr_storage *a);
/* The port, in the order of this machine. */
uint16_t address_port(const struct sockaddr_storage *a);

#endif
