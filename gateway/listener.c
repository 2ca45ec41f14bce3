#include "gateway/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"

#define BACKLOG	4096

void
listener_address(const struct sockaddr_storage *address, char out[LISTENER_ADDRESS_SIZE])
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	char host[INET6_ADDRSTRLEN] = "?";

	if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(out, LISTENER_ADDRESS_SIZE, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(out, LISTENER_ADDRESS_SIZE, "%s:%u", host, ntohs(v4->sin_port));
	}
}

static struct listener *
add(struct listeners *set, const char *name, bool admin, int fd)
{
	struct listener *items = realloc(set->items, (set->n + 1) * sizeof(*items)), *l;

	if (items == NULL)
		return NULL;
	set->items = items;
	l = &items[set->n];
	*l = (struct listener){ .fd = fd, .admin = admin };
	snprintf(l->name, sizeof(l->name), "%s", name);
	l->address_len = sizeof(l->address);
	if (getsockname(fd, (struct sockaddr *)&l->address, &l->address_len) != 0)
		return NULL;
	set->n++;
	return l;
}

/* IPv6 and IPv4 of one port are two listeners, as on all systems but Linux by default. */
static bool
set_options(int fd, int family)
{
	const int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
	    (family != AF_INET6 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0);
}

/* A new listening socket; -1 with errno set. */
static int
open_socket(const struct config_listen *where)
{
	int family = where->address.ss_family, saved;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (set_options(fd, family) &&
	    bind(fd, (const struct sockaddr *)&where->address, where->address_len) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static bool
same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	char one[LISTENER_ADDRESS_SIZE], other[LISTENER_ADDRESS_SIZE];

	listener_address(a, one);
	listener_address(b, other);
	return strcmp(one, other) == 0;
}

/* By name, which finds a port that the kernel chose, or by address, however it is written now. */
static const struct listener *
find(const struct listeners *set, const char *name, const struct sockaddr_storage *address,
    bool admin)
{
	for (size_t i = 0; set != NULL && i < set->n; i++) {
		const struct listener *l = &set->items[i];

		if (l->fd >= 0 && l->admin == admin &&
		    (strcmp(l->name, name) == 0 || same_address(&l->address, address)))
			return l;
	}
	return NULL;
}

static bool
open_one(struct listeners *set, const struct config_listen *where, bool admin,
    const struct listeners *old, char *error, size_t error_size)
{
	const struct listener *same = find(old, where->name, &where->address, admin);
	int fd = same != NULL ? fcntl(same->fd, F_DUPFD_CLOEXEC, 0) : open_socket(where);

	if (fd >= 0 && add(set, where->name, admin, fd) != NULL)
		return true;
	char reason[128];

	snprintf(reason, sizeof(reason), "%s", strerror(errno));
	reason[0] = span_lower(reason[0]);	/* it stands in the middle of a sentence */
	snprintf(error, error_size, "cannot listen on %s: %s", where->name, reason);
	if (fd >= 0)
		close(fd);
	return false;
}

bool
listeners_open(struct listeners *set, const struct config *conf, const struct listeners *old,
    char *error, size_t error_size)
{
	bool good = true;

	*set = (struct listeners){ NULL, 0 };
	for (size_t i = 0; good && i < conf->n_listens; i++)
		good = open_one(set, &conf->listens[i], false, old, error, error_size);
	if (good && conf->admin != NULL)
		good = open_one(set, conf->admin, true, old, error, error_size);
	if (!good)
		listeners_close(set);
	return good;
}

bool
listeners_adopt(struct listeners *set, const char *name, bool admin, int fd)
{
	int listening = 0;
	socklen_t n = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == 0 && listening != 0 &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && add(set, name, admin, fd) != NULL;
}

static void
close_one(struct listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

void
listeners_close_kind(struct listeners *set, bool admin)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->items[i].admin == admin)
			close_one(&set->items[i]);
}

void
listeners_close(struct listeners *set)
{
	for (size_t i = 0; i < set->n; i++)
		close_one(&set->items[i]);
	free(set->items);
	*set = (struct listeners){ NULL, 0 };
}

void
listeners_announce(const struct listeners *set, const struct listeners *old)
{
	char address[LISTENER_ADDRESS_SIZE];

	for (size_t i = 0; i < set->n; i++) {
		const struct listener *l = &set->items[i];

		if (find(old, l->name, &l->address, l->admin) != NULL)
			continue;
		listener_address(&l->address, address);
		log_notice("%s %s", l->admin ? "admin on" : "listening on", address);
	}
}
