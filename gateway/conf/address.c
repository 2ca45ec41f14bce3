#include "gateway/conf/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/*
 * A URL is cut into scheme, authority and path here and by hand: what is left over, or out of
 * place, is a refusal. Hosts then are digits (inet_pton(3), which knows one spelling each) or
 * names of the letters that names have; only address_resolve() ever asks a name server.
 */

#define HOST_SIZE	256

/* Copies a host into a string; false if it is empty or too long. */
static bool
copy_host(struct span host, char out[HOST_SIZE])
{
	if (host.n == 0 || host.n >= HOST_SIZE)
		return false;
	memcpy(out, host.p, host.n);
	out[host.n] = '\0';
	return strlen(out) == host.n;
}

static bool
read_port(struct span s, uint16_t *port)
{
	uint64_t number;

	if (!span_to_u64(s, &number) || number > 65535)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* Splits "host:port" or "[v6]:port"; *port is {NULL, 0} if there is none. */
static bool
split_authority(struct span s, struct span *host, struct span *port)
{
	const char *end = s.n > 0 && s.p[0] == '[' ? memchr(s.p, ']', s.n) : NULL;

	*port = (struct span){ NULL, 0 };
	if (s.n > 0 && s.p[0] == '[') {
		if (end == NULL)
			return false;
		*host = span_make(s.p + 1, (size_t)(end - s.p - 1));
		s = span_skip(s, host->n + 2);
		if (s.n > 0 && s.p[0] != ':')
			return false;
	} else {
		const char *colon = s.n == 0 ? NULL : memchr(s.p, ':', s.n);

		*host = colon == NULL ? s : span_make(s.p, (size_t)(colon - s.p));
		s = span_skip(s, host->n);
	}
	if (s.n > 0)
		*port = span_skip(s, 1);
	return true;
}

static bool
is_host(struct span host)
{
	char buffer[HOST_SIZE];
	struct in6_addr v6;

	if (!copy_host(host, buffer))
		return false;
	if (strchr(buffer, ':') != NULL)
		return inet_pton(AF_INET6, buffer, &v6) == 1;
	return strspn(buffer, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789.-_") == host.n;
}

const char *
address_url(struct span s, struct address_url *url)
{
	struct span port;
	size_t n = 0;

	*url = (struct address_url){ .port = 80 };
	if (span_starts_nocase(s, SPAN("https://"))) {
		url->tls = true;
		url->port = 443;
		s = span_skip(s, 8);
	} else if (span_starts_nocase(s, SPAN("http://"))) {
		s = span_skip(s, 7);
	} else {
		return "it is no http:// or https:// URL";
	}
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '#' ||
		    s.p[i] == '\\')
			return "there is a space, \"#\" or \"\\\" in the URL";
	while (n < s.n && s.p[n] != '/' && s.p[n] != '?')
		n++;
	if (n > 0 && memchr(s.p, '@', n) != NULL)
		return "there is a user name in the URL";
	url->path = span_skip(s, n);
	if (!split_authority(span_make(s.p, n), &url->host, &port) || !is_host(url->host))
		return "the host of the URL is malformed";
	url->port_given = port.p != NULL;
	if (url->port_given && (!read_port(port, &url->port) || url->port == 0))
		return "the port of the URL is not from 1 to 65535";
	return NULL;
}

bool
address_is_loopback(struct span host)
{
	char buffer[HOST_SIZE];
	struct in_addr v4;
	struct in6_addr v6;

	if (span_eq_nocase(host, SPAN("localhost")))
		return true;
	if (!copy_host(host, buffer))
		return false;
	if (inet_pton(AF_INET, buffer, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, buffer, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Fills in an address given in digits; false if the host is none. */
static bool
numeric(const char *host, uint16_t port, struct sockaddr_storage *address, socklen_t *len)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
		memcpy(address, &v4, sizeof(v4));
		*len = sizeof(v4);
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
		memcpy(address, &v6, sizeof(v6));
		*len = sizeof(v6);
		return true;
	}
	return false;
}

const char *
address_listen(struct span s, struct sockaddr_storage *address, socklen_t *len)
{
	struct span host, port;
	char buffer[HOST_SIZE];
	uint16_t number;

	if (!split_authority(s, &host, &port) || port.p == NULL || host.n == 0)
		return "it is no address with a port";
	if (!read_port(port, &number))
		return "the port is not from 0 to 65535";
	if (span_eq(host, SPAN("*")))
		host = SPAN("0.0.0.0");
	if (span_eq_nocase(host, SPAN("localhost")))
		host = SPAN("127.0.0.1");
	if (!copy_host(host, buffer) || !numeric(buffer, number, address, len))
		return "the host is no IP address";
	return NULL;
}

const char *
address_resolve(struct span host, uint16_t port, struct sockaddr_storage *address, socklen_t *len)
{
	static const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	char buffer[HOST_SIZE], service[8];
	struct addrinfo *found, *best;

	if (!copy_host(host, buffer))
		return "the host is malformed";
	if (numeric(buffer, port, address, len))
		return NULL;
	snprintf(service, sizeof(service), "%u", port);
	int error = getaddrinfo(buffer, service, &hints, &found);
	if (error != 0)
		return gai_strerror(error);
	best = found;
	for (struct addrinfo *a = found; a != NULL; a = a->ai_next)
		if (a->ai_family == AF_INET) {
			best = a;
			break;
		}
	memset(address, 0, sizeof(*address));
	memcpy(address, best->ai_addr, best->ai_addrlen);
	*len = best->ai_addrlen;
	freeaddrinfo(found);
	return NULL;
}

/* True if all bits from `bits` on are 0. */
static bool
is_network(const struct in6_addr *address, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		if ((address->s6_addr[i / 8] & (0x80 >> i % 8)) != 0)
			return false;
	return true;
}

const char *
address_network(struct span s, struct config_network *network)
{
	const char *slash = s.n == 0 ? NULL : memchr(s.p, '/', s.n);
	struct span host = slash == NULL ? s : span_make(s.p, (size_t)(slash - s.p));
	char buffer[HOST_SIZE];
	struct in_addr v4;
	uint64_t bits = 128;
	unsigned more = 0;

	if (!copy_host(host, buffer))
		return "it is no network";
	if (inet_pton(AF_INET, buffer, &v4) == 1) {
		network->address = (struct in6_addr){ .s6_addr = { [10] = 0xff, 0xff } };
		memcpy(&network->address.s6_addr[12], &v4, sizeof(v4));
		more = 96;
	} else if (inet_pton(AF_INET6, buffer, &network->address) != 1) {
		return "it is no network";
	}
	if (slash != NULL && (!span_to_u64(span_skip(s, host.n + 1), &bits) || bits > 128 - more))
		return "the length of the network is out of bounds";
	network->bits = (unsigned)bits + (slash == NULL ? 0 : more);
	if (!is_network(&network->address, network->bits))
		return "there are bits set after the length of the network";
	return NULL;
}

bool
address_eq(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->ss_family != b->ss_family || address_port(a) != address_port(b))
		return false;
	if (a->ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
}

bool
address_stays_here(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;

	if (a->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

uint16_t
address_port(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;

	return ntohs(a->ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
}
