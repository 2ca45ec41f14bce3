/*
 * Protected-resource metadata (RFC 9728): what a client that was refused may learn of a route's
 * resource, above all who gives out tokens for it. Made once, when a configuration is taken up.
 */
#ifndef GATEWAY_ACCESS_RESOURCE_H
#define GATEWAY_ACCESS_RESOURCE_H

#include "gateway/conf/config.h"

/*
 * The metadata of a resource, with what all routes that are part of it accept, as a line of JSON.
 * The caller frees it; NULL without memory.
 */
char *resource_document(const struct config *config, const char *resource);

#endif
