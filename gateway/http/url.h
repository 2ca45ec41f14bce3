/*
 * URLs the gateway itself goes to: an issuer's keys, its discovery document, a health check.
 *
 * Only http and https, a host, perhaps a port, and a target; user names and fragments are refused,
 * and so is any byte that could end a request line. What was parsed fits its arrays, whole.
 */
#ifndef GATEWAY_HTTP_URL_H
#define GATEWAY_HTTP_URL_H

#include <stdbool.h>

#include "gateway/base/span.h"

#define URL_HOST_MAX	253
#define URL_TARGET_MAX	2048

struct url {
	bool	https;
	bool	ip_literal;			/* the host is an address, not a name */
	char	host[URL_HOST_MAX + 1];		/* lower case, without brackets */
	char	port[6];			/* decimal */
	char	authority[URL_HOST_MAX + 10];	/* of the Host header */
	char	target[URL_TARGET_MAX + 1];	/* path and query, begins with '/' */
};

/* Parses an absolute URL; false if it is anything but what is described above. */
bool url_parse(struct url *url, struct span text);
/*
 * Where a Location header (RFC 9110 section 10.2.2) leads from `base`: an absolute URL or an
 * absolute path. False for anything else.
 */
bool url_follow(struct url *url, const struct url *base, struct span location);
/* True if scheme, host and port are the same. */
bool url_same_origin(const struct url *a, const struct url *b);
/* True if the host is this machine by name or address (127.0.0.0/8, ::1, localhost). */
bool url_is_loopback(const struct url *url);

#endif
