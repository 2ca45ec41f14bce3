/*
 * The clients of the token service as the store has them, and the book of them (gateway/db/book.h).
 */
#ifndef GATEWAY_OAUTH_CLIENT_BOOK_H
#define GATEWAY_OAUTH_CLIENT_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"
#include "gateway/db/book.h"

#define CLIENT_ID_MAX	255	/* bytes of a client_id */

struct jwk;

/* Whose tokens a client may give as actor tokens. */
enum delegation {
	DELEGATION_DENIED,
	DELEGATION_SELF,	/* its own */
	DELEGATION_ALLOWED,	/* anybody's */
};

/* A client as the store has it. Lists are sorted and without doubles. */
struct oauth_client {
	struct span	 id;			/* client_id */
	int64_t		 number;		/* clients.id */
	struct span	 consumer;		/* its name */
	struct span	 custom_id;		/* the consumer's; empty: none */
	uint64_t	 generation;		/* changes whenever the client does */
	bool		 has_secret;
	struct span	 salt;
	uint8_t		 secret_hash[32];	/* SHA-256 of salt and secret */
	struct span	 jwks;			/* JWK Set; n is 0: none */
	struct jwk	*keys;			/* of jwks, once they were needed */
	size_t		 n_keys;
	bool		 keys_read;
	unsigned	 grants;		/* GRANT_BIT()s */
	struct span	*scopes;
	size_t		 n_scopes;
	struct span	*audiences;
	size_t		 n_audiences;
	bool		 opaque;		/* format of its tokens */
	int64_t		 lifetime_s;		/* 0: as configured */
	uint64_t	 rate_count;		/* 0: as configured */
	uint64_t	 rate_period_us;
	bool		 introspects_any;
	bool		 revokes_any;
	struct span	*exchange_from;		/* whose tokens it may exchange: NAME, ISSUER/NAME,
						   or "*" for the name */
	size_t		 n_exchange_from;
	bool		 impersonates;		/* may exchange without an actor token */
	enum delegation	 delegation;
	bool		 records;		/* a row for each token it exchanges */
};

/* The book of clients: an id is a client_id, a record a struct oauth_client. */
extern const struct book_kind client_book;

#endif
