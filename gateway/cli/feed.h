/*
 * What commands tell all gateways through the table of revocations: that something is revoked, or
 * that a client has changed. Within a transaction: once it is committed, every node hears of it.
 */
#ifndef GATEWAY_CLI_FEED_H
#define GATEWAY_CLI_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/cli/store.h"
#include "gateway/token/identity.h"

/* Begins a transaction that will write to the table; the commit order is the order of its rows. */
bool feed_begin(struct store *s);

/* What feed_revoke() is to do. */
struct feed_entry {
	enum identity_kind	 kind;
	const char		*issuer;	/* value of iss */
	const char		*value;
	/* seconds from now until which what was issued is revoked; FEED_ALL: whenever it was */
	int64_t			 before_s;
	int64_t			 expires_s;	/* wall clock: its last token has expired then */
};

#define FEED_ALL	INT64_MAX

/* Adds a revocation. False after a complaint. */
bool feed_revoke(struct store *s, const struct feed_entry *entry);
/* Tells that the record of a client or consumer has changed. */
bool feed_change(struct store *s, const char *name);

/*
 * When the last token that our token service has made, or will make before everybody has heard
 * what is committed now, expires; -1 after a complaint.
 */
int64_t feed_last_expiry(struct store *s);

/*
 * For so long a node that hears nothing from the database may still believe what it knows of a
 * client, and a little longer.
 */
#define FEED_STALE_S	90

/* Ends the refresh tokens of a client, by its number (clients.id). */
bool feed_end_families(struct store *s, const char *number);
/*
 * Revokes all tokens of a client that is about to be removed; nothing that a node issues which has
 * not heard of it yet will pass.
 */
bool feed_end_client(struct store *s, const char *number, const char *client_id);

#endif
