/*
 * Which proxies in front of us are believed (trusted_proxies).
 */
#ifndef GATEWAY_REQUEST_TRUSTED_H
#define GATEWAY_REQUEST_TRUSTED_H

#include <stdbool.h>

#include "gateway/base/span.h"
#include "gateway/conf/config.h"

/* True if this address, as text, lies in a network of trusted_proxies. */
bool trusted_contains(const struct config *config, struct span address);
/*
 * The client behind trusted proxies: the last address of an X-Forwarded-For list that is not itself
 * trusted. `peer` where the list gives none, or something that is no address.
 */
struct span trusted_client(const struct config *config, struct span forwarded_for,
    struct span peer);

#endif
