/*
 * The key of our own that forgeries are signed with: an attacker's, whom nobody should trust.
 */
#ifndef GATEWAY_CLI_AUDIT_FORGE_OWN_H
#define GATEWAY_CLI_AUDIT_FORGE_OWN_H

#include "gateway/cli/audit_forge.h"

/* Makes the key, once, for an algorithm of the good token's kind; false if OpenSSL can't. */
bool forge_own_ready(struct forge_own *own, const struct alg *alg);
/* Wipes it; safe on a zeroed one. */
void forge_own_fini(struct forge_own *own);
/* A self-signed certificate of it, as DER in base64; to be freed with OPENSSL_free(). */
char *forge_own_certificate(const struct forge_own *own);

#endif
