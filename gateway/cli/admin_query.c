#include "gateway/cli/admin_query.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "gateway/base/span.h"

#define QUERY_TIMEOUT_S	3

static in_port_t *
port_of(struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET ? &((struct sockaddr_in *)a)->sin_port :
	    &((struct sockaddr_in6 *)a)->sin6_port;
}

/* An address to listen on may be "any"; from here that is this machine. */
static struct sockaddr_storage
reachable_address(const struct config_listen *admin)
{
	struct sockaddr_storage a = admin->address;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;

	if (a.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (a.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
		v6->sin6_addr = in6addr_loopback;
	return a;
}

bool
admin_reachable(const struct config_listen *admin)
{
	struct sockaddr_storage a = admin->address;

	return *port_of(&a) != 0;
}

bool
admin_url(const struct config_listen *admin, char *url, size_t size)
{
	struct sockaddr_storage a = reachable_address(admin);
	bool v6 = a.ss_family == AF_INET6;
	const void *bytes = v6 ? (const void *)&((struct sockaddr_in6 *)&a)->sin6_addr :
	    (const void *)&((struct sockaddr_in *)&a)->sin_addr;
	char host[INET6_ADDRSTRLEN];

	return admin_reachable(admin) && inet_ntop(a.ss_family, bytes, host, sizeof(host)) &&
	    (size_t)snprintf(url, size, "http://%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "",
	    (unsigned)ntohs(*port_of(&a))) < size;
}

static int
dial(const struct config_listen *admin)
{
	struct sockaddr_storage a = reachable_address(admin);
	struct timeval timeout = { .tv_sec = QUERY_TIMEOUT_S };
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&a, admin->address_len) == 0)
		return fd;
	close(fd);
	return -1;
}

enum admin_answer
admin_query(const struct config_listen *admin)
{
	static const struct span question = SPAN("GET /readyz HTTP/1.1\r\nHost: localhost\r\n"
	    "Connection: close\r\n\r\n");
	static const struct span line = SPAN("HTTP/1.1 nnn");
	char answer[64];
	size_t n = 0;
	int fd = dial(admin);

	if (fd < 0)
		return ADMIN_SILENT;
	if (send(fd, question.p, question.n, MSG_NOSIGNAL) == (ssize_t)question.n)
		while (n < line.n) {
			ssize_t got = recv(fd, answer + n, sizeof(answer) - n, 0);

			if (got <= 0)
				break;
			n += (size_t)got;
		}
	close(fd);
	if (n < line.n || memcmp(answer, "HTTP/1.", 7) != 0)
		return ADMIN_SILENT;
	return memcmp(answer + 9, "200", 3) == 0 ? ADMIN_READY : ADMIN_NOT_READY;
}
