#include "gateway/http/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool
is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* Copies a host in lower case; checks that it is a name or an address. */
static bool
take_host(struct url *url, struct span host, bool bracketed)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (host.n == 0 || host.n > URL_HOST_MAX)
		return false;
	for (size_t i = 0; i < host.n; i++) {
		url->host[i] = span_lower(host.p[i]);
		if (!bracketed && !is_host_char(url->host[i]))
			return false;
	}
	url->host[host.n] = '\0';
	if (bracketed)
		url->ip_literal = inet_pton(AF_INET6, url->host, address) == 1;
	else
		url->ip_literal = inet_pton(AF_INET, url->host, address) == 1;
	return url->ip_literal || !bracketed;
}

static bool
take_port(struct url *url, struct span port)
{
	uint64_t number = url->https ? 443 : 80;

	if (port.n > 0 && (!span_to_u64(port, &number) || number == 0 || number > 65535))
		return false;
	snprintf(url->port, sizeof(url->port), "%u", (unsigned)(number & 0xffff));
	return true;
}

static void
make_authority(struct url *url)
{
	bool v6 = strchr(url->host, ':') != NULL;
	bool usual = strcmp(url->port, url->https ? "443" : "80") == 0;

	snprintf(url->authority, sizeof(url->authority), "%s%s%s%s%s", v6 ? "[" : "", url->host,
	    v6 ? "]" : "", usual ? "" : ":", usual ? "" : url->port);
}

/* Splits "host:port" or "[v6]:port". */
static bool
take_authority(struct url *url, struct span authority)
{
	bool bracketed = authority.n > 0 && authority.p[0] == '[';
	struct span host = bracketed ? span_skip(authority, 1) : authority;
	const char *end = memchr(host.p, bracketed ? ']' : ':', host.n);
	struct span rest = { "", 0 };

	if (bracketed && end == NULL)
		return false;
	if (end != NULL) {
		rest = span_skip(host, (size_t)(end - host.p) + (bracketed ? 1 : 0));
		host.n = (size_t)(end - host.p);
	}
	if (rest.n > 0) {
		if (rest.p[0] != ':' || rest.n == 1)
			return false;
		rest = span_skip(rest, 1);
	}
	if (!take_host(url, host, bracketed) || !take_port(url, rest))
		return false;
	make_authority(url);
	return true;
}

static bool
take_target(struct url *url, struct span target)
{
	bool slash = target.n > 0 && target.p[0] == '/';

	if (target.n + !slash > URL_TARGET_MAX)
		return false;
	for (size_t i = 0; i < target.n; i++)
		if (target.p[i] <= 0x20 || target.p[i] >= 0x7f ||
		    strchr("#\\\"<>", target.p[i]) != NULL)
			return false;
	snprintf(url->target, sizeof(url->target), "%s%.*s", slash ? "" : "/", SPAN_ARG(target));
	return true;
}

bool
url_parse(struct url *url, struct span text)
{
	size_t n = 0;

	*url = (struct url){ 0 };
	if (span_starts_nocase(text, SPAN("https://")))
		url->https = true;
	else if (!span_starts_nocase(text, SPAN("http://")))
		return false;
	text = span_skip(text, url->https ? 8 : 7);
	while (n < text.n && text.p[n] != '/' && text.p[n] != '?')
		n++;
	return take_authority(url, span_make(text.p, n)) && take_target(url, span_skip(text, n));
}

bool
url_follow(struct url *url, const struct url *base, struct span location)
{
	bool network_path = location.n > 1 && location.p[0] == '/' && location.p[1] == '/';

	if (location.n == 0 || network_path)
		return false;
	if (location.p[0] != '/')
		return url_parse(url, location);
	*url = *base;
	return take_target(url, location);
}

bool
url_same_origin(const struct url *a, const struct url *b)
{
	return a->https == b->https && strcmp(a->host, b->host) == 0 &&
	    strcmp(a->port, b->port) == 0;
}

bool
url_is_loopback(const struct url *url)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, url->host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, url->host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcmp(url->host, "localhost") == 0;
}
