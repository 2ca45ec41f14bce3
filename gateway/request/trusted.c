#include "gateway/request/trusted.h"

#include <arpa/inet.h>

/* Reads an address as text, IPv4 as IPv4-mapped IPv6. */
static bool
read_address(struct span text, struct in6_addr *address)
{
	char string[INET6_ADDRSTRLEN];
	struct in_addr v4;

	if (text.n >= sizeof(string))
		return false;
	memcpy(string, text.p, text.n);
	string[text.n] = '\0';
	if (inet_pton(AF_INET6, string, address) == 1)
		return true;
	if (inet_pton(AF_INET, string, &v4) != 1)
		return false;
	*address = (struct in6_addr)IN6ADDR_ANY_INIT;
	address->s6_addr[10] = address->s6_addr[11] = 0xff;
	memcpy(&address->s6_addr[12], &v4, sizeof(v4));
	return true;
}

static bool
network_contains(const struct config_network *network, const struct in6_addr *address)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));

	if (memcmp(&network->address, address, whole) != 0)
		return false;
	return rest == 0 ||
	    ((network->address.s6_addr[whole] ^ address->s6_addr[whole]) & mask) == 0;
}

bool
trusted_contains(const struct config *config, struct span address)
{
	struct in6_addr bytes;

	if (config->n_trusted_proxies == 0 || !read_address(address, &bytes))
		return false;
	for (size_t i = 0; i < config->n_trusted_proxies; i++)
		if (network_contains(&config->trusted_proxies[i], &bytes))
			return true;
	return false;
}

struct span
trusted_client(const struct config *config, struct span forwarded_for, struct span peer)
{
	struct span client = peer;
	struct in6_addr ignored;

	while (forwarded_for.n > 0) {
		const char *comma = memrchr(forwarded_for.p, ',', forwarded_for.n);
		size_t at = comma == NULL ? 0 : (size_t)(comma + 1 - forwarded_for.p);
		struct span last = span_trim(span_skip(forwarded_for, at));

		if (!read_address(last, &ignored))
			return client;
		client = last;
		if (!trusted_contains(config, client) || comma == NULL)
			return client;
		forwarded_for.n = at - 1;
	}
	return client;
}
