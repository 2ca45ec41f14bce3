/*
 * The issuer's public key, wherever an attacker would get it as well: a file, a URL, or what the
 * issuer that a token names publishes about itself (OpenID Connect Discovery, RFC 8414).
 *
 * A token leads only to https, or to this machine; a URL from the command line leads anywhere.
 */
#ifndef GATEWAY_CLI_AUDIT_KEYS_H
#define GATEWAY_CLI_AUDIT_KEYS_H

#include <jansson.h>
#include <openssl/evp.h>
#include <stdint.h>

struct audit_keys {
	EVP_PKEY	*pkey;		/* NULL: there is none to be had */
	char		*jwk;		/* the same as JSON, compact, its members as they came */
	char		 why[512];	/* when there is none: a sentence */
};

/*
 * Finds the key that a token with this header and these claims was signed with, or one that it
 * could have been. `from` is a file or a URL, NULL: ask the issuer. Each fetch has the time
 * given, and trusts the system's anchors, then those of `ca_file`, if any.
 */
void audit_keys_find(struct audit_keys *keys, const char *from, const json_t *header,
    const json_t *claims, const char *ca_file, uint64_t timeout_ms);
/* Lets go of it; safe on a zeroed one. */
void audit_keys_fini(struct audit_keys *keys);

#endif
