/*
 * Whom we believe as a TLS client: a context for each file of trust anchors, shared by all that
 * connect under it.
 *
 * A file is read when it is first asked for, and again when it has changed: then there is another
 * context. The system's certificates are read once. Callers tell by the pointer; they keep a
 * reference to the context under which they did something, so that it can't come back as another.
 */
#ifndef GATEWAY_HTTP_TRUST_H
#define GATEWAY_HTTP_TRUST_H

#include <openssl/types.h>

struct trust;

struct trusts {
	struct trust	*first;
};

/*
 * The context that trusts this file's certificates, or the system's for ""; it belongs to the
 * list. NULL when they can't be read, and *reason says why: a sentence that lives until the next
 * OpenSSL call.
 */
SSL_CTX *trust_find(struct trusts *list, const char *ca_file, const char **reason);
/* Lets go of all contexts. */
void trust_forget(struct trusts *list);

#endif
