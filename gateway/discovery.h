/*
 * OpenID Connect Discovery 1.0: from an issuer's name to where its keys are, and where it is asked.
 */
#ifndef GATEWAY_DISCOVERY_H
#define GATEWAY_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/base/span.h"

/* Writes the URL of an issuer's discovery document (section 4); false if it doesn't fit. */
bool discovery_url(const char *issuer, char *url, size_t size);
/*
 * Takes jwks_uri out of the document. It must name exactly this issuer (section 4.3), and its keys
 * must come over https, unless issuer and keys are on this machine or the issuer itself is
 * configured without. NULL, or a sentence that says what is wrong.
 */
const char *discovery_read(struct span document, const char *issuer, char *jwks_uri, size_t size);
/* The same of introspection_endpoint (RFC 8414), where the issuer is asked about its tokens. */
const char *discovery_read_introspection(struct span document, const char *issuer, char *endpoint,
    size_t size);

#endif
