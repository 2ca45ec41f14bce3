/*
 * The client book: what is known of the clients that use the token service, per worker.
 *
 * A record is looked up once and believed for a minute, or until the store says that some client
 * has changed (the generation in shared memory), so that most requests need no query. One query at
 * a time is under way for an id, whoever waits for it. Ids that no client has are remembered for a
 * few seconds, apart from the others, so that made-up ones push no client out. Both are bounded;
 * the ones not used for longest are forgotten first.
 *
 * While the database is away, records that are not fresh are not used.
 */
#ifndef GATEWAY_OAUTH_CLIENT_BOOK_H
#define GATEWAY_OAUTH_CLIENT_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/span.h"

#define CLIENT_ID_MAX	255	/* bytes of a client_id */

struct client_book;
struct db;
struct jwk;
struct loop;
struct shared;
struct task;

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
	/* the book's own */
	unsigned	 holders;
};

enum book_answer {
	BOOK_WAIT,		/* the task is woken when there is an answer */
	BOOK_FOUND,
	BOOK_UNKNOWN,
	BOOK_UNAVAILABLE,	/* the database can't be asked, or there is no memory */
};

struct book_page;

/* A search, zeroed but for id and task, which must stay until it has ended. */
struct book_search {
	struct span		 id;
	struct task		*task;
	struct oauth_client	*client;	/* with BOOK_FOUND; held until the search ends */
	/* the book's own */
	struct client_book	*book;
	struct book_page	*page;		/* waited for */
	struct book_search	*next, **link;
	uint64_t		 began_ms;
	uint64_t		 generation;
};

/* A worker's book; NULL without memory. */
struct client_book *client_book_new(struct loop *loop, struct db *db, const struct shared *shared);
/* Frees it when no search is under way; NULL is fine; the pointer becomes NULL. */
void client_book_free(struct client_book **book);

/* Begins a search or goes on with it. */
enum book_answer book_find(struct client_book *book, struct book_search *search);
/* Ends it in any state; the client is held no more. */
void book_search_end(struct book_search *search);
/* True if the book has said lately that there is such a client, whatever has changed since. */
bool book_knows(const struct client_book *book, struct span id);

#endif
